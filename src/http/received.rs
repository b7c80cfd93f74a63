//! What was received of a record, byte for byte, from the journal.
//!
//! Does not know what became of it, nor who asked.

use serde::Serialize;
use utoipa::ToSchema;

use crate::batch::{EntryKind, Position};
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
    let (head, entry) = journal.entry(position).ok()??;
    let whole;
    let bytes: &[u8] = match EntryKind::from_byte(entry.kind) {
        Some(EntryKind::Piece) => {
            whole = put_together(journal, pieces).ok()??;
            &whole
        }
        _ => &entry.payload,
    };
    let record = Record::decode(bytes).ok()?;
    Some(Received { at: Timestamp(head.received_at.get()).to_string(), raw: readable(record.raw) })
}

/// Text as it is; what is no text (RADIUS packets) as hexadecimal digits behind `hex:`.
fn readable(raw: &[u8]) -> String {
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
