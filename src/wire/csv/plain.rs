//! Rows as nearly all senders write them: no quotes, no white space around a cell.
//!
//! Does not know what is wrong with a row: whatever is not so simple is for the general way.

use super::Columns;
use crate::record::Record;
use crate::wire::field::Field;
use crate::wire::marks::Marks;
use crate::wire::plain::{Day, Plain};

/// The record; none: not so simple.
#[inline(always)]
pub(super) fn read<'a>(line: &'a [u8], columns: &Columns, node: &'a [u8], day: &mut Day) -> Option<Record<'a>> {
    let mut separators = Marks::new(line, columns.separator, b'"');
    let mut plain = Plain::new(line, node);
    let (mut from, mut left) = (0, columns.fields.len());
    for field in &columns.fields {
        let to = separators.next();
        left -= 1;
        // The last cell, and no other, ends with the line.
        if (to == line.len()) != (left == 0) {
            return None;
        }
        let cell = line.get(from..to)?;
        from = to + 1;
        if let (Some(b' '), _) | (_, Some(b' ')) = (cell.first(), cell.last()) {
            return None;
        }
        // `source` may be empty: a caller may withhold the number. Everything else that is empty is absent.
        if let Some(field) = field
            && (!cell.is_empty() || *field == Field::Source)
        {
            // A header names no field twice.
            plain.put(*field, cell, day)?;
        }
    }
    if !separators.is_plain() {
        return None;
    }
    plain.finish_row()
}
