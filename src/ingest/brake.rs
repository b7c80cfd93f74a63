//! Whether senders that can wait are to wait: the store is well, but has more to write than it should.
//!
//! A stream whose reading stops costs its sender a moment, and nobody anything else; the same records read at once would
//! have to be put aside on the disk and read back, which takes more of the machine than it is worth. Datagrams cannot
//! wait, and posts wait for their answer anyway: they are taken as ever.
//!
//! Does not know when it is put on.

use std::sync::Arc;

use tokio::sync::watch;

/// On or off; off at first. Clones are the same brake.
#[derive(Clone, Debug, Default)]
pub struct Brake(Arc<watch::Sender<bool>>);

impl Brake {
    /// Puts it on or off.
    pub fn put(&self, on: bool) {
        self.0.send_if_modified(|is_on| std::mem::replace(is_on, on) != on);
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is off.
    pub async fn off(&self) {
        if self.is_on() {
            // The sender lives as long as this does.
            let _ = self.0.subscribe().wait_for(|on| !on).await;
        }
    }
}
