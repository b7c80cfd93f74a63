//! Values by their keys, `name=value` between separators; and values in columns of a fixed width.
//!
//! Does not know what they mean.

use super::{Read, Values};
use crate::wire::{Refusal, column};

/// Reads pairs. A piece without the sign, or with an unknown key, belongs to nobody: values that hold the separator lose
/// what is behind it unless the next piece says otherwise.
pub(super) fn read(separator: &[u8], assign: u8, keys: &[(Box<[u8]>, u16)], values: &mut Values<'_>) -> Read {
    let message = values.message;
    let mut at = 0;
    while at <= message.len() {
        let rest = message.get(at..).unwrap_or_default();
        let length = memchr::memmem::find(rest, separator).unwrap_or(rest.len());
        let piece = rest.get(..length).unwrap_or_default();
        if let Some(sign) = memchr::memchr(assign, piece) {
            let key = piece.get(..sign).unwrap_or_default().trim_ascii();
            if let Some((_, value)) = keys.iter().find(|(name, _)| **name == *key) {
                let text = piece.get(sign + 1..).unwrap_or_default();
                let start = at + sign + 1 + (text.len() - text.trim_ascii_start().len());
                values.set(*value, Values::at(start, start + text.trim_ascii().len()));
            }
        }
        at += length + separator.len().max(1);
    }
    Read::Values
}

/// Columns of a fixed width: first byte from 0, width, value.
#[derive(Debug)]
pub(super) struct Fixed {
    pub columns: Box<[(usize, usize, u16)]>,
    /// Columns stand apart: what reaches beyond one is of another layout.
    pub apart: bool,
}

/// Reads columns. A line may end early.
pub(super) fn read_fixed(fixed: &Fixed, values: &mut Values<'_>) -> Result<Read, Refusal> {
    let length = values.message.len();
    for (at, width, value) in &fixed.columns {
        let (start, end) = ((*at).min(length), at.saturating_add(*width).min(length));
        if let Some(beyond) = [(start.wrapping_sub(1), start), (end, end.wrapping_sub(1))]
            .into_iter()
            .find(|(outside, inside)| fixed.apart && end > start && fixed.cut(*outside, *inside, values.message))
        {
            return Err(Refusal::Beyond(column(beyond.0)));
        }
        let text = values.message.get(start..end).unwrap_or_default();
        let start = start + (text.len() - text.trim_ascii_start().len());
        values.set(*value, Values::at(start, start + text.trim_ascii().len()));
    }
    Ok(Read::Values)
}

impl Fixed {
    /// Whether a value goes on where no column is.
    fn cut(&self, outside: usize, inside: usize, message: &[u8]) -> bool {
        let filled = |at: usize| message.get(at).is_some_and(|byte| !matches!(byte, b' ' | b'\r' | b'\n' | 0));
        let owned = |at: usize| self.columns.iter().any(|(from, width, _)| at >= *from && at - *from < *width);
        filled(outside) && filled(inside) && !owned(outside)
    }
}
