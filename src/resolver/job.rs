//! What is resolved: a record, or one leg of it that is tried again.
//!
//! Does not know whose call it is.

use crate::batch::Position;
use crate::call::SuspenseReason;
use crate::record::Direction;
use crate::time::{Period, Timestamp};

/// One record, or one leg of it, on its way to being resolved.
#[derive(Clone, Copy)]
pub(super) struct Job {
    pub position: Position,
    pub attempt: Position,
    /// Where the canonical record lies in the frame.
    pub at: usize,
    pub length: usize,
    pub source: u16,
    pub received_at: Timestamp,
    /// 0: rated for the first time; else by somebody's word, in place of legs of a lower revision.
    pub revision: u32,
    /// A retried leg: only this one, held for this reason in this period.
    pub only: Option<(Direction, (SuspenseReason, Period))>,
}

/// A record in a frame that claims an identity.
pub(super) struct Claim {
    pub at: usize,
    pub length: usize,
}
