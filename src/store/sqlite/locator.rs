//! Locators: where the rows of each account and period lie in a stretch of `calls`.
//!
//! ```text
//! account:  varint (step from the account before × 2 + 1 if several runs follow) │ [varint runs] │ run │ run │ …
//! run:      varint (period − base) │ varint zigzag (first row − end of the run before) │ varint rows
//! ```
//!
//! The first account is stepped from the locator's own first account, the first run from the segment's first row, so
//! that a run of a single flush takes four bytes.
//!
//! Does not know SQL.

use crate::call::AccountKey;
use crate::time::Period;

/// Rows that lie together and belong to one account and period.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Run {
    pub account: AccountKey,
    pub period: Period,
    /// First row.
    pub first: i64,
    /// How many rows.
    pub rows: u32,
}

/// Runs per locator at which it is closed: about 4 KiB, read in a few microseconds, and a quarter of a page.
pub const RUNS_PER_LOCATOR: usize = 1000;

/// Cuts runs (sorted by account) into locators; an account's runs stay together.
pub fn encode(runs: &[Run], base: Period, first_row: i64, mut put: impl FnMut(AccountKey, &[u8])) {
    let mut bytes = Vec::new();
    let mut rest = runs;
    while let Some(head) = rest.first() {
        bytes.clear();
        let mut count = 0;
        let mut account = head.account;
        let mut end = first_row;
        for group in rest.chunk_by(|a, b| a.account == b.account) {
            if count >= RUNS_PER_LOCATOR {
                break;
            }
            let Some(first) = group.first() else { break };
            let step = u64::from(first.account.0 - account.0);
            account = first.account;
            put_varint(&mut bytes, step << 1 | u64::from(group.len() > 1));
            if group.len() > 1 {
                put_varint(&mut bytes, group.len() as u64);
            }
            for run in group {
                put_varint(&mut bytes, u64::from(run.period.0.wrapping_sub(base.0) as u32));
                put_varint(&mut bytes, zigzag(run.first - end));
                put_varint(&mut bytes, u64::from(run.rows));
                end = run.first + i64::from(run.rows);
            }
            count += group.len();
        }
        put(head.account, &bytes);
        rest = rest.get(count..).unwrap_or_default();
    }
}

/// Reads a locator; `wanted` tells for each account whether its runs are wanted, or (`None`) that the rest is not.
/// Returns `None` if the bytes are damaged.
pub fn decode(
    bytes: &[u8],
    first_account: AccountKey,
    base: Period,
    first_row: i64,
    mut wanted: impl FnMut(AccountKey) -> Option<bool>,
    runs: &mut Vec<Run>,
) -> Option<()> {
    let mut bytes = bytes;
    let mut account = first_account;
    let mut end = first_row;
    while !bytes.is_empty() {
        let step = take_varint(&mut bytes)?;
        account = AccountKey(account.0.checked_add(u32::try_from(step >> 1).ok()?)?);
        let Some(keep) = wanted(account) else { return Some(()) };
        let count = if step & 1 == 1 { take_varint(&mut bytes)? } else { 1 };
        for _ in 0..count {
            let period = Period(base.0.wrapping_add(u32::try_from(take_varint(&mut bytes)?).ok()? as i32));
            let first = end.checked_add(unzigzag(take_varint(&mut bytes)?))?;
            let rows = u32::try_from(take_varint(&mut bytes)?).ok()?;
            end = first.checked_add(i64::from(rows))?;
            if keep {
                runs.push(Run { account, period, first, rows });
            }
        }
    }
    Some(())
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_come_back(list in proptest::collection::vec((0..3000_u32, -2..5_i32, 0..1_000_000_i64, 1..9_u32), 0..3000)) {
            let mut runs: Vec<Run> = list
                .into_iter()
                .map(|(account, period, first, rows)| Run {
                    account: AccountKey(account), period: Period(24_000 + period), first, rows })
                .collect();
            runs.sort_unstable();
            let mut back = Vec::new();
            let mut locators = 0;
            encode(&runs, Period(23_998), 77, |first, bytes| {
                locators += 1;
                decode(bytes, first, Period(23_998), 77, |_| Some(true), &mut back).unwrap();
            });
            prop_assert_eq!(&back, &runs);
            prop_assert!(locators <= runs.len() / RUNS_PER_LOCATOR + 1);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes, AccountKey(5), Period(0), 0, |_| Some(true), &mut Vec::new());
        }

        #[test]
        fn zigzag_comes_back(value in any::<i64>()) {
            prop_assert_eq!(unzigzag(zigzag(value)), value);
        }
    }

    #[test]
    fn a_run_of_one_flush_takes_four_bytes() {
        let run = |account, first| Run { account: AccountKey(account), period: Period(24_321), first, rows: 2 };
        let mut length = 0;
        encode(&[run(7, 100), run(9, 102), run(60, 104)], Period(24_321), 100, |_, bytes| length = bytes.len());
        assert_eq!(length, 3 * 4);
    }
}
