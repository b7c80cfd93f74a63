//! Time on a processor: other work on the machine does not count, waiting for the disk neither.

use callrated::os::clock::thread_time_ns;

/// Runs from its making, for the thread that made it.
#[derive(Clone, Copy)]
pub struct Watch(u64);

impl Watch {
    pub fn start() -> Watch {
        Watch(thread_time_ns())
    }

    pub fn seconds(self) -> f64 {
        (thread_time_ns() - self.0) as f64 / 1e9
    }
}
