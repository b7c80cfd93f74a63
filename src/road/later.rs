//! Something that a part of the road needs before it takes anything, and that another thread may still be bringing.
//!
//! Does not know what is brought.

use crossbeam::channel::{Receiver, Sender, bounded};

/// See the module.
#[derive(Debug)]
pub enum Later<T> {
    /// It is here.
    Here(T),
    /// It comes.
    Coming(Receiver<T>),
}

impl<T> Later<T> {
    /// What will come, and where to give it.
    pub fn coming() -> (Sender<T>, Later<T>) {
        let (giver, receiver) = bounded(1);
        (giver, Later::Coming(receiver))
    }

    /// Waits for it; none: whoever was to bring it has failed, and has said so.
    pub fn wait(self) -> Option<T> {
        match self {
            Later::Here(here) => Some(here),
            Later::Coming(receiver) => receiver.recv().ok(),
        }
    }
}
