//! Calls told in parts: put together again from the journal, where the store says that they were whole.
//!
//! Does not know what waits, nor what a call costs.

use super::{Fold, read};
use crate::assembly;
use crate::audit::AuditError;
use crate::batch::Position;
use crate::piece::Piece;
use crate::time::Timestamp;

impl Fold<'_> {
    /// A part of a call: the call is whole here if the store says so, and is put together again from the journal.
    pub(super) fn piece(&mut self, position: Position, source: u16, received_at: Timestamp) -> Result<(), AuditError> {
        self.parts = true;
        let places = self.sources.store.pieces(position)?;
        if places.is_empty() {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(places.len());
        for place in &places {
            kept.extend(self.sources.journal.entry(*place)?);
        }
        let mut pieces = Vec::with_capacity(kept.len());
        for (head, entry) in &kept {
            let piece = Piece::decode(&entry.payload).map_err(|e| AuditError::Entry(entry.position, e.to_string()))?;
            pieces.push((Timestamp(head.received_at.get()), piece));
        }
        let whole = if kept.len() == places.len() { assembly::rebuild(&pieces) } else { None };
        match whole {
            Some(bytes) => {
                let record = read(position, &bytes)?;
                self.settle(&mut vec![(position, record)], source, received_at)
            }
            None => {
                self.untold.insert(position);
                Ok(())
            }
        }
    }
}
