//! Whether the rows of an image are sound: each by itself, and all in their order.
//!
//! Does not know sections or digests.

use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::U32;

use super::{ExtensionRange, Row, slice};
use crate::directory::field::LANGUAGES;

/// What indexes and ranges in rows must stay below.
pub(super) struct Limits<'a> {
    pub(super) text: &'a str,
    pub(super) groups: &'a [&'a str],
    pub(super) plans: usize,
    pub(super) zones: usize,
    pub(super) extensions: Lists,
}

/// Which runs of extension ranges rise: for each range, how many before it did not rise to the next. Lists are shared by
/// many rows, and each must cost the same to check however long it is.
pub(super) struct Lists(Vec<u32>);

impl Lists {
    pub(super) fn new(ranges: &[ExtensionRange]) -> Lists {
        let mut falls = 0;
        let mut before = Vec::with_capacity(ranges.len());
        for (i, range) in ranges.iter().enumerate() {
            before.push(falls);
            falls += u32::from(ranges.get(i + 1).is_some_and(|next| range.high.get() >= next.low.get()));
        }
        Lists(before)
    }

    /// Whether there is such a list, sorted.
    fn rises(&self, at: u32, count: u32) -> bool {
        let Some(last) = (at as usize).checked_add((count as usize).saturating_sub(1)) else { return false };
        match count {
            0 => at as usize <= self.0.len(),
            _ => self.0.get(last).is_some_and(|falls| self.0.get(at as usize) == Some(falls)),
        }
    }
}

/// A bit for each row that is the first of its account: small enough for the cache, where rows are not.
pub(super) struct FirstRows(Vec<u64>);

impl FirstRows {
    pub(super) fn has(&self, row: u32) -> bool {
        self.0.get(row as usize / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }
}

pub(super) fn rows_in_order(rows: &[Row], firsts: &[U32], limits: &Limits<'_>) -> Result<FirstRows, &'static str> {
    let mut bits = FirstRows(vec![0; rows.len().div_ceil(64)]);
    let (mut account, mut name, mut ended) = (None, "", i64::MIN);
    for (i, row) in rows.iter().enumerate() {
        let its_name = row_is_sound(row, limits)?;
        if Some(row.account.get()) == account {
            if its_name != name || row.valid_from.get() < ended {
                return Err("rows of an account overlap");
            }
        } else {
            let next = account.map_or(0, |a| a + 1);
            let first = firsts.get(next as usize).is_some_and(|first| first.get() as usize == i);
            if row.account.get() != next || its_name <= name || !first {
                return Err("accounts are not in order");
            }
            bits.0[i / 64] |= 1 << (i % 64);
            account = Some(next);
        }
        (name, ended) = (its_name, row.valid_to.get());
    }
    let accounts = account.map_or(0, |a| a as usize + 1);
    if firsts.len() != accounts + 1 || firsts.get(accounts).is_none_or(|end| end.get() as usize != rows.len()) {
        return Err("accounts do not cover their rows");
    }
    Ok(bits)
}

fn row_is_sound<'a>(row: &Row, limits: &Limits<'a>) -> Result<&'a str, &'static str> {
    let (name, display) = (usize::from(row.name_length), usize::from(row.display_length));
    let all = name + display + usize::from(row.free_length);
    let both = slice(limits.text, row.text_at, all).ok_or("a name lies outside the text")?;
    if !both.is_char_boundary(name + display) {
        return Err("a name cuts through a character");
    }
    let name = both.get(..name).filter(|n| !n.is_empty()).ok_or("a name cuts through a character")?;
    if row.is_elsewhere() {
        let blank = Row { text_at: row.text_at, account: row.account, name_length: row.name_length, ..Row::ELSEWHERE };
        return if row.as_bytes() == blank.as_bytes() { Ok(name) } else { Err("a row of an account of another image") };
    }
    let group = limits.groups.get(row.group.get() as usize).ok_or("no such group")?;
    let sound = row.valid_from < row.valid_to
        && row.billing_start < row.billing_end
        && usize::from(row.plan.get()) < limits.plans
        && usize::from(row.zone.get()) < limits.zones
        && usize::from(row.language) < LANGUAGES.len()
        && row.country.iter().all(u8::is_ascii_uppercase)
        && row.own_group == u8::from(*group == name)
        && limits.extensions.rises(row.extensions_at.get(), row.extensions.get())
        && row.elsewhere == 0;
    if sound { Ok(name) } else { Err("a row of an account") }
}
