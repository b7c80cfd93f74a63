//! Calls in the order of accounts: the locators say where the rows lie, the rows are read account by account.
//!
//! Does not know how locators are written.

use std::collections::BinaryHeap;

use super::locator::Run;
use super::page::Page;
use super::reader::Reader;
use super::{failed, segments};
use crate::call::AccountKey;
use crate::store::{CallCursor, CallPage, StoreError, StoredCall, Visit};
use crate::time::Period;

/// Rows aimed at in one go: a few milliseconds, two megabytes.
const TARGET_ROWS: u64 = 8192;
/// Calls of one account that are read and sorted at once; of a larger one the order is found first (40 bytes a call),
/// then the rows are read one by one.
const SORTED_AT_ONCE: u64 = 32_768;
/// Places of a large account that are in memory at once: 10 MiB. A larger one is gone through again for each so many, so
/// that memory does not grow with it.
const PLACES_MAX: usize = 262_144;

/// One account's calls of a period.
pub fn calls(
    reader: &mut Reader,
    account: AccountKey,
    period: Period,
    page: CallPage,
    visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
) -> Result<Option<CallCursor>, StoreError> {
    let last_row = reader.last_row()?;
    let runs = segments::runs(&reader.connection, Some(period), (account, account), last_row)?;
    let mut left = page.limit.unwrap_or(usize::MAX);
    let mut last = None;
    let mut buffer = Page::default();
    let mut stopped = false;
    let _ended = each_account(reader, &runs, &mut buffer, page.after, &mut |call| {
        if page.after.is_some_and(|after| call.cursor() <= after) {
            return Visit::Continue(());
        }
        if left == 0 {
            stopped = true;
            return Visit::Break(());
        }
        left -= 1;
        last = Some(call.cursor());
        if visit(call).is_break() {
            stopped = true;
            return Visit::Break(());
        }
        Visit::Continue(())
    })?;
    Ok(if stopped { last } else { None })
}

/// Every call of a period, or of all.
pub fn scan(
    reader: &mut Reader,
    period: Option<Period>,
    visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
) -> Result<(), StoreError> {
    let last_row = reader.last_row()?;
    let last_account: i64 = reader
        .connection
        .query_row("SELECT coalesce(max(key), 0) FROM accounts", (), |row| row.get(0))
        .map_err(failed)?;
    let last_account = u32::try_from(last_account).unwrap_or(u32::MAX);
    let mut buffer = Page::default();
    let mut from = 0_u32;
    let mut width = 64_u32;
    loop {
        let to = from.saturating_add(width - 1).min(last_account);
        let runs = segments::runs(&reader.connection, period, (AccountKey(from), AccountKey(to)), last_row)?;
        if each_account(reader, &runs, &mut buffer, None, visit)?.is_break() || to == last_account {
            return Ok(());
        }
        // As many accounts next time as would have made the target, within reason.
        let rows = runs.iter().map(|run| u64::from(run.rows)).sum::<u64>().max(1);
        width = (u64::from(width) * TARGET_ROWS / rows).clamp(1, u64::from(width) * 4).min(1 << 20) as u32;
        from = to + 1;
    }
}

/// Visits the calls of runs that are sorted by account; within an account by answer, position and leg.
fn each_account(
    reader: &mut Reader,
    runs: &[Run],
    buffer: &mut Page,
    after: Option<CallCursor>,
    visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
) -> Result<Visit, StoreError> {
    buffer.clear();
    let (mut some, mut waiting) = (Vec::new(), 0);
    for account in runs.chunk_by(|a, b| a.account == b.account) {
        let rows = account.iter().map(|run| u64::from(run.rows)).sum::<u64>();
        if waiting + rows > TARGET_ROWS {
            if show_some(reader, &mut some, buffer, visit)?.is_break() {
                return Ok(Visit::Break(()));
            }
            waiting = 0;
        }
        if rows > SORTED_AT_ONCE {
            if large_account(reader, account, buffer, after, PLACES_MAX, visit)?.is_break() {
                return Ok(Visit::Break(()));
            }
        } else {
            some.extend(account.iter().map(stretch));
            waiting += rows;
        }
    }
    show_some(reader, &mut some, buffer, visit)
}

/// Reads some accounts' rows, in the order in which they lie: a flush has those of neighbouring accounts side by side.
fn show_some(
    reader: &mut Reader,
    stretches: &mut Vec<(i64, i64)>,
    buffer: &mut Page,
    visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
) -> Result<Visit, StoreError> {
    stretches.sort_unstable();
    stretches.dedup_by(|next, before| {
        let joined = before.1 + 1 == next.0;
        if joined {
            before.1 = next.1;
        }
        joined
    });
    reader.begin()?;
    reader.rows(stretches.drain(..), buffer)?;
    show(reader, buffer, visit)
}

fn stretch(run: &Run) -> (i64, i64) {
    (run.first, run.first + i64::from(run.rows) - 1)
}

/// The same in pieces that are read at once.
fn windows(run: &Run, at_once: usize) -> impl Iterator<Item = (i64, i64)> + use<> {
    let (first, last) = stretch(run);
    (first..=last).step_by(at_once).map(move |from| (from, last.min(from + at_once as i64 - 1)))
}

/// Ends the read, then shows and empties the buffer.
fn show(
    reader: &Reader,
    buffer: &mut Page,
    visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
) -> Result<Visit, StoreError> {
    reader.end()?;
    buffer.sort();
    let outcome = buffer.calls().try_for_each(|call| visit(&call));
    buffer.clear();
    Ok(outcome)
}

pub(super) fn large_account(
    reader: &mut Reader,
    runs: &[Run],
    buffer: &mut Page,
    mut after: Option<CallCursor>,
    most: usize,
    visit: &mut dyn FnMut(&StoredCall<'_>) -> Visit,
) -> Result<Visit, StoreError> {
    let rows = runs.iter().map(|run| run.rows as usize).sum::<usize>();
    let at_once = most.min(TARGET_ROWS as usize);
    loop {
        // The first of those that were not shown yet; the last of them on top.
        let mut places: BinaryHeap<(CallCursor, i64)> = BinaryHeap::with_capacity(rows.min(most));
        // A flush that had fallen behind may have brought very many of one account.
        for window in runs.iter().flat_map(|run| windows(run, at_once)) {
            buffer.clear();
            reader.rows([window], buffer)?;
            for place in buffer.places().filter(|(place, _)| after.is_none_or(|after| *place > after)) {
                if places.len() == most {
                    if places.peek().is_some_and(|last| *last <= place) {
                        continue;
                    }
                    places.pop();
                }
                places.push(place);
            }
        }
        let places = places.into_sorted_vec();
        for window in places.chunks(at_once) {
            buffer.clear();
            reader.begin()?;
            reader.rows(window.iter().map(|(_, row)| (*row, *row)), buffer)?;
            if show(reader, buffer, visit)?.is_break() {
                return Ok(Visit::Break(()));
            }
        }
        match places.last() {
            Some((last, _)) if places.len() == most => after = Some(*last),
            _ => return Ok(Visit::Continue(())),
        }
    }
}
