//! The clock: the one place where the program asks what time it is.
//!
//! Everything else is handed a [`Timestamp`]; a test hands out its own.
//!
//! Does not know what the time is used for.
// The ban on asking for the time points here.
#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::time::{Micros, Timestamp};

/// A clock, cheap to clone; clones of a fake clock show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Wall { started: Instant },
    Fake { now: Arc<AtomicI64>, started: i64 },
}

impl Clock {
    /// The machine's clock.
    pub fn wall() -> Clock {
        Clock(Source::Wall { started: Instant::now() })
    }

    /// A clock that stands still at `now` until it is set.
    pub fn fake(now: Timestamp) -> Clock {
        Clock(Source::Fake { now: Arc::new(AtomicI64::new(now.0)), started: now.0 })
    }

    /// The instant now, in microseconds since 1970. It may jump when the machine's clock is set.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Wall { .. } => Timestamp(match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
                Ok(since) => micros(since),
                // A machine whose clock stands before 1970 still gets an order.
                Err(before) => -micros(before.duration()),
            }),
            Source::Fake { now, .. } => Timestamp(now.load(Ordering::SeqCst)),
        }
    }

    /// Time since this clock was made; it never runs backwards on the machine's clock. For measuring lengths of time.
    pub fn running(&self) -> Micros {
        match &self.0 {
            Source::Wall { started } => Micros(micros(started.elapsed())),
            Source::Fake { now, started } => Micros(now.load(Ordering::SeqCst) - started),
        }
    }

    /// Length of time since `begun`, which [`Clock::running`] gave; zero where that lies ahead.
    pub fn since(&self, begun: Micros) -> Duration {
        Duration::from_micros(u64::try_from(self.running().0.saturating_sub(begun.0)).unwrap_or(0))
    }

    /// Sets a fake clock; the machine's clock is left alone.
    pub fn set(&self, to: Timestamp) {
        if let Source::Fake { now, .. } = &self.0 {
            now.store(to.0, Ordering::SeqCst);
        }
    }

    /// Moves a fake clock on; the machine's clock is left alone.
    pub fn advance(&self, by: Micros) {
        if let Source::Fake { now, .. } = &self.0 {
            now.fetch_add(by.0, Ordering::SeqCst);
        }
    }
}

/// Processor time the calling thread has used, in nanoseconds: what a bench measures on a machine it does not have for
/// itself. 0 where the system does not tell.
pub fn thread_time_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` has room for the answer and lives through the call.
    if unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) } != 0 {
        return 0;
    }
    (time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64)
}

/// What the calling thread has used and met with so far, for a bench that wants to know why something was slow. Zeros
/// where the system does not tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ThreadUse {
    /// Nanoseconds in the program itself.
    pub program_ns: u64,
    /// Nanoseconds in the system on its behalf.
    pub system_ns: u64,
    /// Pages of memory that it touched first.
    pub faults: u64,
    /// Of these, read from a disk.
    pub faults_with_read: u64,
    /// Times it waited for something.
    pub waited: u64,
    /// Times the system gave its processor to somebody else.
    pub sent_away: u64,
}

impl ThreadUse {
    /// So far.
    pub fn now() -> ThreadUse {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: `usage` has room for the answer and lives through the call; all its bytes may be zero.
        let usage = unsafe {
            libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
            usage.assume_init()
        };
        let ns = |time: libc::timeval| (time.tv_sec as u64).saturating_mul(1_000_000_000) + time.tv_usec as u64 * 1000;
        ThreadUse {
            program_ns: ns(usage.ru_utime),
            system_ns: ns(usage.ru_stime),
            faults: usage.ru_minflt as u64,
            faults_with_read: usage.ru_majflt as u64,
            waited: usage.ru_nvcsw as u64,
            sent_away: usage.ru_nivcsw as u64,
        }
    }

    /// What came since an earlier look.
    pub fn since(self, before: ThreadUse) -> ThreadUse {
        ThreadUse {
            program_ns: self.program_ns.saturating_sub(before.program_ns),
            system_ns: self.system_ns.saturating_sub(before.system_ns),
            faults: self.faults - before.faults,
            faults_with_read: self.faults_with_read - before.faults_with_read,
            waited: self.waited - before.waited,
            sent_away: self.sent_away - before.sent_away,
        }
    }
}

/// Whole microseconds; a length of 292 000 years is cut there.
fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_fake_clock_move_together() {
        let clock = Clock::fake(Timestamp(1_000));
        let other = clock.clone();
        clock.advance(Micros(5));
        assert_eq!((other.now(), other.running()), (Timestamp(1_005), Micros(5)));
        other.set(Timestamp(7));
        assert_eq!(clock.now(), Timestamp(7));
    }

    #[test]
    fn work_takes_processor_time() {
        let before = thread_time_ns();
        let mut n = 1u64;
        while thread_time_ns() < before + 1_000_000 {
            n = std::hint::black_box(n.wrapping_mul(3));
        }
        assert!(n != 0);
    }

    #[test]
    fn what_a_thread_uses_is_told() {
        // Work shows in the system's own, coarser account sooner or later, and there is no end to it before.
        let (before, mut n) = (ThreadUse::now(), 1u64);
        while ThreadUse::now().since(before).program_ns == 0 {
            n = std::hint::black_box(n.wrapping_mul(3));
        }
        assert!(n != 0);
    }

    #[test]
    fn the_wall_clock_cannot_be_set() {
        let clock = Clock::wall();
        clock.set(Timestamp(0));
        // 2020-09-13: the program did not exist before.
        assert!(clock.now() > Timestamp(1_600_000_000_000_000));
        assert!(clock.running() >= Micros(0));
    }
}
