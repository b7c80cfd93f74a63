//! The identity index of a data folder, fed again where it stands behind the store.
//!
//! Does not know why it is behind: it was removed, restored from a backup, or lost its end.

use super::recover::{identity_exit, journal_exit, store_exit};
use crate::assembly;
use crate::batch::{EntryKind, Position};
use crate::exit::Exit;
use crate::identity::{self, IdentityIndex, Key};
use crate::journal::{Journal, JournalError, JournalReader};
use crate::piece::Piece;
use crate::rating::{self, Answered};
use crate::record::Record;
use crate::store::{AssembledRow, Store};
use crate::time::Timestamp;

/// The index is synced before the store takes a position, so it covers that position; an index that was removed or lost
/// its end is fed again from the journal, as long as that still holds the records.
pub(super) fn catch_up(
    mut identity: IdentityIndex,
    rebuilt: &identity::Rebuilt,
    journal: &Journal,
    store: &dyn Store,
    stored: Position,
) -> Result<IdentityIndex, Exit> {
    if rebuilt.covered >= stored {
        return Ok(identity);
    }
    let gone = || {
        Exit::damaged(format!(
            "the identity index knows records up to position {} only, and the journal no longer holds those up to \
             {stored}: restore both from one backup",
            rebuilt.covered
        ))
    };
    let reader = journal.reader();
    let mut wholes = Wholes { store, from: rebuilt.covered, page: Vec::new().into_iter().peekable() };
    let (mut keys, mut verdicts) = (Vec::new(), Vec::new());
    for frame in reader.frames_from(rebuilt.covered) {
        let frame = frame.map_err(|error| match error {
            JournalError::Gone { .. } => gone(),
            error => journal_exit(error),
        })?;
        if frame.position >= stored {
            break;
        }
        keys.clear();
        verdicts.clear();
        for entry in frame.entries() {
            match EntryKind::from_byte(entry.kind) {
                Some(EntryKind::Record) => keys.extend(key(entry.payload, entry.position)?),
                // A call told in parts has its place where its last piece lies; what the pieces made was kept.
                Some(EntryKind::Piece) => {
                    if let Some(pieces) = wholes.at(entry.position)? {
                        let record = put_together(&reader, &pieces)?.ok_or_else(gone)?;
                        keys.extend(key(&record, entry.position)?);
                    }
                }
                _ => {}
            }
        }
        identity.check(&keys, &mut verdicts).map_err(identity_exit)?;
    }
    identity.sync(stored).map_err(identity_exit)?;
    Ok(identity)
}

/// What the index is asked for a record, unless it claims no identity.
fn key(record: &[u8], position: Position) -> Result<Option<Key>, Exit> {
    let record =
        Record::decode(record).map_err(|e| Exit::damaged(format!("journal entry at position {position}: {e}")))?;
    let answered = rating::answered(&record) == Answered::Yes;
    Ok(answered.then(|| Key { identity: record.identity(), content: record.content(), position }))
}

/// Stored calls that were told in parts, asked for in the journal's order and read from the store page by page.
struct Wholes<'a> {
    store: &'a dyn Store,
    from: Position,
    page: std::iter::Peekable<std::vec::IntoIter<AssembledRow>>,
}

/// Calls told in parts that are read at once.
const WHOLES_PAGE: usize = 10_000;

impl Wholes<'_> {
    /// Where the pieces lie of the call whose place this is, if it is one's.
    fn at(&mut self, position: Position) -> Result<Option<Vec<Position>>, Exit> {
        if self.page.peek().is_none() && self.from <= position {
            let page = self.store.assembled(self.from, WHOLES_PAGE).map_err(store_exit)?;
            // Behind a page that is not full there is nothing more.
            let last = page.last().filter(|_| page.len() == WHOLES_PAGE);
            self.from = Position(last.map_or(u64::MAX, |last| last.position.0 + 1));
            self.page = page.into_iter().peekable();
        }
        Ok(self.page.next_if(|row| row.position == position).map(|row| row.pieces))
    }
}

/// The record that some pieces made. None if the journal no longer holds all of them.
fn put_together(reader: &JournalReader, places: &[Position]) -> Result<Option<Vec<u8>>, Exit> {
    let mut entries = Vec::with_capacity(places.len());
    for place in places {
        let Some((head, entry)) = reader.entry(*place).map_err(journal_exit)? else { return Ok(None) };
        entries.push((Timestamp(head.received_at.get()), entry));
    }
    let mut pieces = Vec::with_capacity(entries.len());
    for (received_at, entry) in &entries {
        let piece = Piece::decode(&entry.payload)
            .map_err(|e| Exit::damaged(format!("journal entry at position {}: {e}", entry.position)))?;
        pieces.push((*received_at, piece));
    }
    Ok(assembly::rebuild(&pieces))
}
