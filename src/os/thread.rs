//! How urgent a thread's work is.
//!
//! Does not know what the thread does.

/// Lets the thread go first whenever it wakes up, before all that did not say so: senders wait for what it does. Its share
/// stays what it is, too, and comes in the shortest pieces.
pub fn goes_first() {
    in_pieces_of(100_000);
}

/// Sets how long the thread may run before another's turn comes, from a tenth of a millisecond to a hundred of them. Who
/// wakes up and asks for shorter pieces than the one that runs goes before it. Only a wish: Linux knows it since 6.12.
fn in_pieces_of(nanoseconds: u64) {
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
        let size = size_of::<Attributes>() as u32;
        let mut attributes = Attributes { size, ..Attributes::default() };
        // SAFETY: the structure has the layout and the size that the call is told, lives through it, and 0 is this
        // thread.
        let known = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) } == 0;
        if known && attributes.policy == libc::SCHED_OTHER as u32 {
            attributes.runtime_ns = nanoseconds;
            // SAFETY: as above; the structure is only read.
            let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = nanoseconds;
}
