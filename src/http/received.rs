//! A record as it came, from the journal.
//!
//! Does not know what became of it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::batch::{EntryKind, Position, SourceId};
use crate::daemon::recover::put_together;
use crate::journal::JournalReader;
use crate::record::Record;
use crate::time::Timestamp;

/// A record as it came.
#[derive(Serialize, ToSchema)]
pub(super) struct Received {
    /// RFC 3339.
    at: String,
    /// Its bytes: text, or `hex:` and hexadecimal digits. Of a call told in parts all parts, a line end between two.
    raw: String,
}

/// What was received, and when, as long as the journal keeps it. A call told in parts shows all of them.
pub(super) fn received(journal: &JournalReader, position: Position, pieces: &[Position]) -> Option<Received> {
    let kept = kept(journal, position, pieces)?;
    let record = Record::decode(&kept.bytes).ok()?;
    Some(Received { at: kept.received_at.to_string(), raw: readable(record.raw) })
}

/// A record as the journal keeps it.
pub(super) struct KeptRecord {
    /// In canonical form.
    pub bytes: Vec<u8>,
    /// Receipt of its frame.
    pub received_at: Timestamp,
    /// Source of its frame.
    pub source: SourceId,
}

/// The record at a position, as long as the journal keeps it; a call told in parts is put together again.
pub(super) fn kept(journal: &JournalReader, position: Position, pieces: &[Position]) -> Option<KeptRecord> {
    let (head, entry) = journal.entry(position).ok()??;
    let bytes = match EntryKind::from_byte(entry.kind) {
        Some(EntryKind::Piece) => put_together(journal, pieces).ok()??,
        _ => entry.payload.to_vec(),
    };
    Some(KeptRecord { bytes, received_at: Timestamp(head.received_at.get()), source: SourceId(head.source.get()) })
}

/// Text as it is; what is no text (RADIUS packets) as hexadecimal digits behind `hex:`.
pub(super) fn readable(raw: &[u8]) -> String {
    match std::str::from_utf8(raw) {
        Ok(text) if !text.contains('\0') => text.to_owned(),
        _ => {
            let mut digits = String::with_capacity(raw.len() * 2 + 4);
            digits.push_str("hex:");
            for byte in raw {
                use std::fmt::Write;
                // Writing to a String cannot fail.
                let _ = write!(digits, "{byte:02x}");
            }
            digits
        }
    }
}
