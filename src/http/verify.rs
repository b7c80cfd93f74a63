//! `GET /v1/verify`: what an audit found, beside the totals, allowances and books that are stored.
//!
//! Does not know how a call was priced, nor how the audit goes about it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::retention::Gone;
use super::{App, Problem};
use crate::assembly;
use crate::audit::{self, AuditError, LISTED_MAX, LineKey, Sources, Sums};
use crate::books::{Books, name};
use crate::call::{AccountKey, GroupKey, Meter, SuspenseReason, Usage};
use crate::money::Sum;
use crate::store::{Margin, Store, StoredState};
use crate::time::{Micros, Period};

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
            self.listed.push(Difference { what: what(), account: None, call: None, field: None, stored, recomputed });
        }
    }

    /// Those of the audit come first: a wrong call makes wrong totals.
    fn audited(&mut self, found: Vec<audit::Difference>, count: u64) {
        self.count += count;
        self.listed.extend(found.into_iter().map(|one| {
            let account = one.account.as_ref().map(|account| format!("account {account}, "));
            let call = one.call.as_ref().map(|call| format!("call {call}, "));
            Difference {
                what: format!("{}{}{}", account.unwrap_or_default(), call.unwrap_or_default(), one.field),
                account: one.account,
                call: one.call,
                field: Some(one.field),
                stored: one.found,
                recomputed: one.expected,
            }
        }));
    }
}

/// What was found.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct Verified {
    /// Nothing differs.
    balanced: bool,
    /// Position of the journal up to which this holds.
    position: u64,
    /// Stored calls.
    calls: u64,
    /// Of one month: calls derived anew from what the store keeps of their records; the others were stored by a version that
    /// did not keep it.
    proved: Option<u64>,
    /// Lines of totals.
    lines: u64,
    /// Accounts.
    accounts: u64,
    /// Calls of each month.
    periods: Vec<VerifiedPeriod>,
    /// Their cost by currency: decimals.
    #[schema(example = json!({ "EUR": "4417.952" }))]
    money: BTreeMap<String, String>,
    /// From where to where the journal is still kept and was rated again.
    journal: Option<VerifiedJournal>,
    /// Calls whose details were deleted or erased: they are checked as what they added up to.
    deleted: Option<u64>,
    /// When and why they went: a sentence.
    gone: Option<String>,
    /// What is damaged, so that the rest could not be checked: a sentence.
    damaged: Option<String>,
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

/// The part of the journal that was rated again.
#[derive(Serialize, ToSchema)]
pub(super) struct VerifiedJournal {
    from: u64,
    upto: u64,
    /// Stored calls that were compared, field by field.
    calls: u64,
}

/// What is stored, and what it should be.
#[derive(Serialize, ToSchema)]
pub(super) struct Difference {
    /// A field of a call, a line of totals, an allowance, or a book.
    what: String,
    /// The call's account, where it is about a call.
    account: Option<String>,
    /// Node, id and leg, where it is about a call.
    #[schema(example = "sbc-fra/c1 outbound (position 4711)")]
    call: Option<String>,
    /// Which field of the call.
    #[schema(example = "cost")]
    field: Option<String>,
    stored: String,
    recomputed: String,
}

/// What is to be checked.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Only this month, each of its calls by itself.
    #[param(example = "2026-10")]
    period: Option<String>,
}

/// Is everything stored as the records say?
///
/// Totals, allowances and books are computed anew from every stored call; and every record that the journal still keeps
/// is rated again and compared with the stored calls.
///
/// With `period` every call of that month is derived anew from what the store keeps of its record, whether or not the journal
/// still has it, and a sealed month's digests are computed a second time.
#[utoipa::path(
    get, path = "/v1/verify", tag = "operating", operation_id = "verify", params(Asked),
    responses((status = 200, body = Verified), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn verify(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Json<Verified>, Problem> {
    let period = asked.period.as_deref().map(str::parse::<Period>).transpose();
    let period = period.map_err(|e| Problem::bad_request(e.to_string()))?;
    app.settle().await?;
    let (shared, runtime) = (app.clone(), tokio::runtime::Handle::current());
    match tokio::task::spawn_blocking(move || checked(&shared, &runtime, period)).await {
        Ok(Ok(verified)) => Ok(Json(verified)),
        Ok(Err(AuditError::Stopping)) | Err(_) => Err(Problem::stopping()),
        Ok(Err(error)) => Err(Problem::unavailable(error.to_string())),
    }
}

fn checked(app: &App, runtime: &tokio::runtime::Handle, period: Option<Period>) -> Result<Verified, AuditError> {
    let mut verified = Verified::default();
    let done = match period {
        None => compared(app, runtime, &mut verified),
        Some(period) => one_month(app, period, &mut verified),
    };
    match done {
        Err(error) if error.is_damage() => {
            verified.balanced = false;
            verified.damaged = Some(error.to_string());
            Ok(verified)
        }
        done => done.map(|()| verified),
    }
}

fn one_month(app: &App, period: Period, verified: &mut Verified) -> Result<(), AuditError> {
    let position = app.store.load()?.position.0;
    let digest = app.sealer.closed(period).and_then(|row| row.digest);
    let audited = audit::month(app.store.as_ref(), &app.images, period)?;
    let mut differences = Differences::default();
    differences.audited(audited.differences, audited.count);
    *verified = Verified {
        balanced: differences.count == 0,
        position,
        calls: audited.calls,
        proved: Some(audited.proved),
        deleted: Some(audited.deleted).filter(|deleted| *deleted > 0),
        gone: Gone::read(app.store.as_ref(), Some(period))?.sentence(digest.as_deref()),
        accounts: audited.accounts,
        periods: vec![VerifiedPeriod { period: period.to_string(), calls: audited.calls }],
        differences: differences.listed,
        differences_count: differences.count,
        ..Verified::default()
    };
    Ok(())
}

fn compared(app: &App, runtime: &tokio::runtime::Handle, verified: &mut Verified) -> Result<(), AuditError> {
    let state = app.store.load()?;
    verified.position = state.position.0;
    let find = |identities| runtime.block_on(app.road.find(identities)).ok();
    let sources =
        Sources { store: app.store.as_ref(), journal: &app.journal, images: app.images.as_ref(), find: &find };
    let audited = audit::audit(&sources, &state)?;
    let mut differences = Differences::default();
    differences.audited(audited.differences, audited.count);
    let sums = &audited.sums;
    lines(&state, sums, &mut differences);
    allowances(&state, sums, &mut differences);
    margins(app.store.as_ref(), &state, sums, &mut differences)?;
    books(&state, sums, audited.books.as_ref(), &mut differences);
    let period =
        |(period, calls): (&Period, &i128)| VerifiedPeriod { period: period.to_string(), calls: *calls as u64 };
    let journal =
        audited.from.map(|from| VerifiedJournal { from: from.0, upto: state.position.0, calls: audited.compared });
    *verified = Verified {
        balanced: differences.count == 0,
        position: state.position.0,
        calls: sums.calls,
        proved: None,
        deleted: Some(app.store.deleted_sums(None)?.iter().map(|sum| sum.usage.calls as u64).sum()).filter(|n| *n > 0),
        gone: Gone::read(app.store.as_ref(), None)?.sentence(None),
        lines: sums.lines.len() as u64,
        accounts: state.accounts.len() as u64,
        periods: sums.rated.iter().map(period).collect(),
        money: sums.money.iter().map(|(currency, sum)| (text(currency), Sum(*sum).fixed(0))).collect(),
        journal,
        damaged: None,
        differences: differences.listed,
        differences_count: differences.count,
    };
    Ok(())
}

fn lines(state: &StoredState, recomputed: &Sums, differences: &mut Differences) {
    let mut stored: BTreeMap<LineKey, Usage> = BTreeMap::new();
    for line in &state.usage {
        let key = LineKey {
            period: line.period,
            account: line.account,
            group: line.group,
            call_type: line.call_type,
            currency: line.currency,
        };
        stored.entry(key).or_default().add(&line.usage);
    }
    let mut keys: Vec<&LineKey> = stored.keys().chain(recomputed.lines.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let of = |lines: &BTreeMap<LineKey, Usage>| shown(&lines.get(key).copied().unwrap_or_default());
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

fn allowances(state: &StoredState, recomputed: &Sums, differences: &mut Differences) {
    let stored: BTreeMap<(Period, GroupKey, Meter), u64> =
        state.allowances.iter().map(|line| ((line.period, line.group, line.meter), line.used_seconds)).collect();
    let mut keys: Vec<_> = stored.keys().chain(recomputed.drawn.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let of = |lines: &BTreeMap<(Period, GroupKey, Meter), u64>| lines.get(&key).copied().unwrap_or(0);
        differences.compare(
            || {
                let group = state.groups.iter().find(|g| g.key == key.1).map_or("?", |g| g.name.as_str());
                let of = if key.2 == Meter::PLAN { String::new() } else { format!(" of pool {}", key.2.0) };
                format!("allowance seconds{of} drawn by group {group} in {}", key.0)
            },
            of(&stored),
            of(&recomputed.drawn),
        );
    }
}

/// What calls cost us, by account; and by route, which must come to the same.
fn margins(
    store: &dyn Store,
    state: &StoredState,
    recomputed: &Sums,
    differences: &mut Differences,
) -> Result<(), AuditError> {
    let mut months: Vec<Period> = store.months()?;
    months.extend(recomputed.margins.keys().map(|(period, ..)| *period));
    months.sort_unstable();
    months.dedup();
    for period in months {
        let accounts: BTreeMap<(AccountKey, [u8; 3]), Margin> = store
            .margin_accounts(period)?
            .into_iter()
            .map(|line| ((line.account, line.currency), line.margin))
            .collect();
        let of_month = recomputed.margins.iter().filter(|((month, ..), _)| *month == period);
        let mut expected: BTreeMap<(AccountKey, [u8; 3]), Margin> =
            of_month.map(|((_, account, currency), margin)| ((*account, *currency), *margin)).collect();
        for line in store.deleted_margins(period)? {
            expected.entry((line.account, line.currency)).or_default().add(&line.margin, 1);
        }
        let mut keys: Vec<_> = accounts.keys().chain(expected.keys()).copied().collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let of = |lines: &BTreeMap<_, Margin>| lines.get(&key).copied().unwrap_or_default();
            differences.compare(
                || {
                    let account = state.accounts.iter().find(|a| a.key == key.0).map_or("?", |a| a.name.as_str());
                    format!("what calls of account {account} cost us in {period}, {}", text(&key.1))
                },
                of(&accounts),
                of(&expected),
            );
        }
        let sum = |margins: &mut dyn Iterator<Item = Margin>| {
            let mut sum = Margin::default();
            margins.for_each(|margin| sum.add(&margin, 1));
            sum
        };
        differences.compare(
            || format!("what calls cost us in {period}, by route"),
            sum(&mut store.margin_routes(period)?.into_iter().map(|route| route.margin)),
            sum(&mut expected.into_values()),
        );
    }
    Ok(())
}

fn books(
    state: &StoredState,
    recomputed: &Sums,
    journal: Option<&BTreeMap<String, i128>>,
    differences: &mut Differences,
) {
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
    if let Some(journal) = journal {
        // The journal is kept from its beginning, so it says what every listener brought and every month holds.
        known.extend(journal.iter().map(|(book, count)| (book.clone(), *count)));
        for (book, _) in books.iter().filter(|(book, _)| book.starts_with("listener/")) {
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
