//! `GET /v1/verify`: totals, allowances and books computed anew from the stored calls, and compared with what is stored.
//!
//! Rows are only ever appended, so the rows up to a flush are what the totals of that flush were made of: the check holds
//! no lock, and flushes go on meanwhile.
//!
//! Does not know how a call was priced: it adds up.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, Problem};
use crate::assembly;
use crate::books::{Books, name};
use crate::call::{AccountKey, CallType, GroupKey, SuspenseReason, Usage};
use crate::money::Sum;
use crate::store::{ScanOrder, Store, StoreError, StoredState, Visit};
use crate::time::{Micros, Period};

/// Differences listed; those beyond are counted.
const LISTED_MAX: usize = 100;
/// Flushes asked for at a time.
const FLUSHES: usize = 10_000;

/// A line of totals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    period: Period,
    account: AccountKey,
    group: GroupKey,
    call_type: CallType,
    currency: [u8; 3],
}

/// What the stored calls add up to.
#[derive(Default)]
struct Recomputed {
    calls: u64,
    lines: BTreeMap<Key, Usage>,
    drawn: BTreeMap<(Period, GroupKey), u64>,
    rated: BTreeMap<Period, i128>,
    money: BTreeMap<[u8; 3], i128>,
}

/// What is not as it should be.
#[derive(Default)]
struct Differences {
    listed: Vec<Difference>,
    count: u64,
}

impl Differences {
    fn compare(&mut self, what: impl FnOnce() -> String, stored: impl ToString, recomputed: impl ToString) {
        let (stored, recomputed) = (stored.to_string(), recomputed.to_string());
        if stored == recomputed {
            return;
        }
        self.count += 1;
        if self.listed.len() < LISTED_MAX {
            self.listed.push(Difference { what: what(), stored, recomputed });
        }
    }
}

/// What was found.
#[derive(Serialize, ToSchema)]
pub(super) struct Verified {
    /// Nothing differs.
    balanced: bool,
    /// Position of the journal up to which this holds.
    position: u64,
    /// Stored calls.
    calls: u64,
    /// Lines of totals.
    lines: u64,
    /// Accounts.
    accounts: u64,
    /// Calls of each month.
    periods: Vec<VerifiedPeriod>,
    /// Their cost by currency: decimals.
    #[schema(example = json!({ "EUR": "4417.952" }))]
    money: BTreeMap<String, String>,
    /// The first hundred differences.
    differences: Vec<Difference>,
    /// How many there are.
    differences_count: u64,
}

/// A month.
#[derive(Serialize, ToSchema)]
pub(super) struct VerifiedPeriod {
    #[schema(example = "2026-10")]
    period: String,
    calls: u64,
}

/// What is stored, and what the calls give.
#[derive(Serialize, ToSchema)]
pub(super) struct Difference {
    /// A line of totals, an allowance, or a book.
    what: String,
    stored: String,
    recomputed: String,
}

/// Totals, allowances and books, computed anew from every stored call and compared.
#[utoipa::path(
    get, path = "/v1/verify", tag = "operating", operation_id = "verify",
    responses((status = 200, body = Verified), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn verify(State(app): State<App>) -> Result<Json<Verified>, Problem> {
    app.settle().await?;
    app.stored(|store| checked(store)).await.map(Json)
}

fn checked(store: &dyn Store) -> Result<Verified, StoreError> {
    let state = store.load()?;
    let mut differences = Differences::default();
    let rows = rows_of(store, state.flush)?;
    let recomputed = recompute(store, rows)?;
    differences.compare(|| "stored calls, and the calls of all flushes".to_owned(), rows, recomputed.calls);
    lines(&state, &recomputed, &mut differences);
    allowances(&state, &recomputed, &mut differences);
    books(&state, &recomputed, &mut differences);
    let period =
        |(period, calls): (&Period, &i128)| VerifiedPeriod { period: period.to_string(), calls: *calls as u64 };
    Ok(Verified {
        balanced: differences.count == 0,
        position: state.position.0,
        calls: recomputed.calls,
        lines: recomputed.lines.len() as u64,
        accounts: state.accounts.len() as u64,
        periods: recomputed.rated.iter().map(period).collect(),
        money: recomputed.money.iter().map(|(currency, sum)| (text(currency), Sum(*sum).fixed(0))).collect(),
        differences: differences.listed,
        differences_count: differences.count,
    })
}

/// Calls written up to a flush.
fn rows_of(store: &dyn Store, last: u64) -> Result<u64, StoreError> {
    let (mut rows, mut after) = (0, None);
    loop {
        let flushes = store.flushes(after, FLUSHES)?;
        rows += flushes.iter().filter(|f| f.number <= last).map(|f| f.calls).sum::<u64>();
        match flushes.last() {
            Some(flush) if flushes.len() == FLUSHES && flush.number < last => after = Some(flush.number),
            _ => return Ok(rows),
        }
    }
}

fn recompute(store: &dyn Store, rows: u64) -> Result<Recomputed, StoreError> {
    let mut sums = Recomputed::default();
    if rows == 0 {
        return Ok(sums);
    }
    store.scan(None, ScanOrder::Stored, &mut |stored| {
        let call = &stored.call;
        sums.calls += 1;
        for (call_type, usage) in call.usage_lines() {
            let key = Key {
                period: call.period,
                account: call.account,
                group: call.group,
                call_type,
                currency: call.basis.currency,
            };
            sums.lines.entry(key).or_default().add(&usage);
        }
        if call.included_seconds > 0 {
            *sums.drawn.entry((call.period, call.group)).or_default() += u64::from(call.included_seconds);
        }
        *sums.rated.entry(call.period).or_default() += 1;
        *sums.money.entry(call.basis.currency).or_default() += i128::from(call.cost.0);
        if sums.calls == rows { Visit::Break(()) } else { Visit::Continue(()) }
    })?;
    Ok(sums)
}

fn lines(state: &StoredState, recomputed: &Recomputed, differences: &mut Differences) {
    let mut stored: BTreeMap<Key, Usage> = BTreeMap::new();
    for line in &state.usage {
        let key = Key {
            period: line.period,
            account: line.account,
            group: line.group,
            call_type: line.call_type,
            currency: line.currency,
        };
        stored.entry(key).or_default().add(&line.usage);
    }
    let mut keys: Vec<&Key> = stored.keys().chain(recomputed.lines.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let of = |lines: &BTreeMap<Key, Usage>| shown(&lines.get(key).copied().unwrap_or_default());
        differences.compare(
            || {
                let account = state.accounts.iter().find(|a| a.key == key.account).map_or("?", |a| a.name.as_str());
                format!("totals of account {account} in {}, {} {}", key.period, key.call_type, text(&key.currency))
            },
            of(&stored),
            of(&recomputed.lines),
        );
    }
}

fn shown(usage: &Usage) -> String {
    format!(
        "{} calls, {} s, {} billable s, cost {}",
        usage.calls,
        // An account's month of talk time is far below 292,000 years.
        Micros(usage.talk as i64),
        usage.billable_seconds,
        Sum(usage.cost).fixed(0)
    )
}

fn allowances(state: &StoredState, recomputed: &Recomputed, differences: &mut Differences) {
    let stored: BTreeMap<(Period, GroupKey), u64> =
        state.allowances.iter().map(|line| ((line.period, line.group), line.used_seconds)).collect();
    let mut keys: Vec<_> = stored.keys().chain(recomputed.drawn.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let of = |lines: &BTreeMap<(Period, GroupKey), u64>| lines.get(&key).copied().unwrap_or(0);
        differences.compare(
            || {
                let group = state.groups.iter().find(|g| g.key == key.1).map_or("?", |g| g.name.as_str());
                format!("allowance seconds drawn by group {group} in {}", key.0)
            },
            of(&stored),
            of(&recomputed.drawn),
        );
    }
}

fn books(state: &StoredState, recomputed: &Recomputed, differences: &mut Differences) {
    let books = Books::from_stored(state.books.iter().cloned());
    for fault in books.check() {
        let what = format!("books, {}: {} = {}", fault.what, fault.left_side, fault.right_side);
        differences.compare(|| what, fault.left, fault.right);
    }
    let mut known: BTreeMap<String, i128> = BTreeMap::new();
    for (period, rated) in &recomputed.rated {
        known.insert(name::legs(*period, "rated"), *rated);
    }
    for (currency, sum) in &recomputed.money {
        known.insert(name::money(&text(currency), "calls"), *sum);
        known.insert(name::money(&text(currency), "totals"), *sum);
    }
    for (book, _) in books.iter() {
        // What the books count and no call accounts for.
        if book.starts_with("money/") || (book.starts_with("period/") && book.ends_with("/rated")) {
            known.entry(book.to_owned()).or_default();
        }
    }
    for (book, sum) in known {
        differences.compare(|| format!("book {book}"), books.get(&book), sum);
    }
    let waiting: u64 = state.open_calls.iter().filter_map(|(_, call)| assembly::waiting_pieces(call).ok()).sum();
    let open = books.get(&name::records("open"));
    differences.compare(|| "book of parts of calls that wait, and the parts that wait".to_owned(), open, waiting);
    for reason in SuspenseReason::ALL {
        let held = state.suspense.iter().find(|(held, _)| held == reason).map_or(0, |(_, count)| i128::from(*count));
        let records = books.get(&name::suspended_records(*reason));
        let legs: i128 = books
            .iter()
            .filter(|(book, _)| book.starts_with("period/") && book.ends_with(&format!("/suspended/{reason}")))
            .map(|(_, count)| count)
            .sum();
        differences.compare(|| format!("books of what waits for {reason}, and what waits"), records + legs, held);
    }
}

fn text(currency: &[u8; 3]) -> String {
    String::from_utf8_lossy(currency).into_owned()
}
