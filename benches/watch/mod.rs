//! Time on a processor: other work on the machine does not count, waiting for the disk neither.

use std::time::Duration;

/// Runs from its making.
#[derive(Clone, Copy)]
pub struct Watch(Duration);

impl Watch {
    pub fn start() -> Watch {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the clock is of this thread, and the time is written into a place of ours.
        let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        assert_eq!(done, 0, "Linux tells how long a thread ran");
        Watch(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }

    pub fn seconds(self) -> f64 {
        (Watch::start().0 - self.0).as_secs_f64()
    }
}
