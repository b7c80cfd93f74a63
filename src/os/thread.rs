//! How urgent a thread's work is.
//!
//! Does not know what the thread does.

/// Lets other threads of the machine go first whenever they wake up, as those do that somebody waits for; the thread's
/// share of the processor stays what it is, it comes in longer pieces. Only a wish: Linux knows it since 6.12.
pub fn can_wait() {
    #[cfg(target_os = "linux")]
    {
        /// `sched_setattr(2)`; the C library has no function for it yet.
        #[repr(C)]
        #[derive(Default)]
        struct Attributes {
            size: u32,
            policy: u32,
            flags: u64,
            nice: i32,
            priority: u32,
            runtime_ns: u64,
            deadline_ns: u64,
            period_ns: u64,
        }
        /// The longest piece that the system gives.
        const PIECE_NS: u64 = 100_000_000;
        let size = size_of::<Attributes>() as u32;
        let mut attributes = Attributes { size, ..Attributes::default() };
        // SAFETY: the structure has the layout and the size that the call is told, lives through it, and 0 is this
        // thread.
        let known = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) } == 0;
        if known && attributes.policy == libc::SCHED_OTHER as u32 {
            attributes.runtime_ns = PIECE_NS;
            // SAFETY: as above; the structure is only read.
            let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
        }
    }
}
