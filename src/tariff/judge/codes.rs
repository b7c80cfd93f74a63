//! Judges prefixes and dates: digits a spreadsheet ruined, codes of no country, rows that hold at once.
//!
//! Does not know prices.

use super::{Kind, Remarks, World, is_short_code};
use crate::tariff::deck::Deck;
use crate::tariff::prefixes::looks_rounded;

pub(super) fn judge(deck: &Deck, world: &World<'_>, remarks: &mut Remarks) {
    for row in &deck.rows {
        let prefix = row.prefix;
        if is_short_code(prefix) {
            continue;
        }
        if looks_rounded(prefix) {
            let message = format!("{prefix} looks like a number that a spreadsheet has rounded");
            remarks.push(
                Kind::RuinedCode,
                Some(row),
                message,
                "its last digits are lost: take the code from the original",
            );
        } else if world.calling_code(prefix).is_none() {
            let (digits, n) = prefix.digits();
            let longer = |tail: u8| {
                let whole = [digits.get(..n).unwrap_or(&[]), &[b'0' + tail / 10, b'0' + tail % 10]].concat();
                crate::number::Number::from_digits(&whole).is_some_and(|n| world.calling_code(n).is_some())
            };
            if n < 3 && (0..100).any(longer) {
                let message = format!("{prefix} is shorter than a calling code: it would price several countries");
                remarks.push(Kind::ShortCode, Some(row), message, "write each calling code, or remove the row");
            } else {
                let message = format!("{prefix} begins with no calling code: no call will ever meet it");
                remarks.push(
                    Kind::NoCallingCode,
                    Some(row),
                    message,
                    "a code out of use, or its calling code is missing",
                );
            }
        }
    }
    overlaps(deck, remarks);
}

/// Rows of a prefix stand later first. One without an end is relieved by the next, which is the way prices change; one
/// with an end after the next one's beginning contradicts it.
fn overlaps(deck: &Deck, remarks: &mut Remarks) {
    for pair in deck.rows.windows(2) {
        let [later, earlier] = pair else { continue };
        let terms = |terms: u32| deck.terms.get(terms as usize);
        let (Some(next), Some(old)) = (terms(later.terms), terms(earlier.terms)) else { continue };
        if later.prefix == earlier.prefix
            && next.condition == old.condition
            && let (Some(begins), Some(ends)) = (next.valid_from, old.valid_to)
            && begins < ends
        {
            let message = format!(
                "{}: the row of line {} ends {ends}, after this one begins {begins}; from then on this one holds",
                later.prefix, earlier.line
            );
            remarks.push(Kind::Overlap, Some(later), message, "let one end where the other begins");
        }
    }
}
