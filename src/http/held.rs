//! `/v1/accounts/{account}/hold`, `…/data`, `…/erase`: what the law asks about one account's data.
//!
//! Does not know how anything is deleted.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::conflicts::Contradiction;
use super::details::{self, Leg};
use super::received::readable;
use super::retention::{HoldShown, OrderShown, at_work, failed, order, wait};
use super::{App, Problem, accounts, stream};
use crate::batch::Position;
use crate::call::AccountKey;
use crate::directory::Directory;
use crate::entry::Kept;
use crate::money::Sum;
use crate::record::Record;
use crate::store::{CallPage, Store, StoreError, SuspensePage, Visit};
use crate::time::Period;

const NDJSON: &str = "application/x-ndjson";
/// Most bytes of a reason.
const WHY_MAX: usize = 1000;
/// Conflicts read at a time.
const CONFLICTS: usize = 1000;

/// Why, and who says so.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldReason {
    /// In a sentence, for the record.
    #[schema(example = "dispute 4711")]
    why: String,
    /// Who asks.
    by: Option<String>,
}

/// Whether an account is held.
#[derive(Serialize, ToSchema)]
pub(super) struct AccountHold {
    account: String,
    /// Null: it is not.
    hold: Option<HoldShown>,
}

/// An account must be in the directory or have calls.
async fn known(app: &App, account: &str) -> Result<Option<AccountKey>, Problem> {
    let (_, directory) = app.in_force()?;
    app.settle().await?;
    let name = account.to_owned();
    let key = app.stored(move |store| store.account_named(&name)).await?;
    if key.is_none() && directory.account_named(account.as_bytes()).is_none() {
        return Err(accounts::unknown(&directory, account));
    }
    Ok(key)
}

fn reason(why: &str) -> Result<&str, Problem> {
    let why = why.trim();
    if why.is_empty() || why.len() > WHY_MAX {
        return Err(Problem::bad_request(format!("why: say in a sentence, in at most {WHY_MAX} bytes")));
    }
    Ok(why)
}

async fn hold_of(app: &App, account: String) -> Result<AccountHold, Problem> {
    let holds = app.retainer.holds().await.map_err(failed)?;
    let hold = holds.iter().find(|hold| hold.entry.account == account).map(HoldShown::of);
    Ok(AccountHold { account, hold })
}

/// Is the account held?
#[utoipa::path(
    get, path = "/v1/accounts/{account}/hold", tag = "operating", operation_id = "hold",
    params(("account" = String, Path, description = "The account's name")),
    responses((status = 200, body = AccountHold), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn hold(State(app): State<App>, Path(account): Path<String>) -> Result<Json<AccountHold>, Problem> {
    app.settle().await?;
    Ok(Json(hold_of(&app, account).await?))
}

/// Hold an account.
///
/// Nothing of it is deleted or erased while it is held, whatever a rule says.
#[utoipa::path(
    put, path = "/v1/accounts/{account}/hold", tag = "operating", operation_id = "hold_put", request_body = HoldReason,
    params(("account" = String, Path, description = "The account's name")),
    responses((status = 200, body = AccountHold), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn put(
    State(app): State<App>,
    Path(account): Path<String>,
    Json(asked): Json<HoldReason>,
) -> Result<Json<AccountHold>, Problem> {
    let why = reason(&asked.why)?;
    known(&app, &account).await?;
    let by = asked.by.as_deref().unwrap_or("api");
    app.retainer.account(Kept::Hold, &account, why, by).await.map_err(failed)?;
    Ok(Json(hold_of(&app, account).await?))
}

/// Release a held account.
#[utoipa::path(
    delete, path = "/v1/accounts/{account}/hold", tag = "operating", operation_id = "hold_release", request_body = HoldReason,
    params(("account" = String, Path, description = "The account's name")),
    responses((status = 200, body = AccountHold), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn release(
    State(app): State<App>,
    Path(account): Path<String>,
    Json(asked): Json<HoldReason>,
) -> Result<Json<AccountHold>, Problem> {
    let why = reason(&asked.why)?;
    app.settle().await?;
    if hold_of(&app, account.clone()).await?.hold.is_none() {
        return Err(Problem::not_found(format!("the account {account:?} is not held")));
    }
    let by = asked.by.as_deref().unwrap_or("api");
    app.retainer.account(Kept::Release, &account, why, by).await.map_err(failed)?;
    Ok(Json(hold_of(&app, account).await?))
}

/// How to erase.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EraseRequest {
    /// Why, for the record.
    #[schema(example = "request of 2026-11-02, Art. 17 GDPR")]
    why: String,
    /// Who asks, for the record.
    by: Option<String>,
    /// Erases; without it only what would go is said.
    #[serde(default)]
    apply: bool,
}

/// What is erased, or would be.
#[derive(Serialize, ToSchema)]
pub(super) struct Erasing {
    account: String,
    /// It was ordered, and not only asked for.
    applied: bool,
    /// Calls whose details go, by month.
    #[schema(example = json!({ "2026-09": 412 }))]
    calls: std::collections::BTreeMap<String, u64>,
    /// Further records that go.
    discarded: u64,
    /// What it costs others: the journal's segments up to now go early, with the raw records of every account in them.
    journal_bytes: u64,
    /// How far it is; null in a dry run.
    order: Option<OrderShown>,
}

/// Erase the personal data of an account.
///
/// Call details, raw records, contradictions and discarded records of it are overwritten in the store, and the journal's
/// segments that may hold them go as soon as they are stored. Amounts, counts, totals and manifests stay. Without `apply` it
/// says what would go. Refused (409) while a month with calls of it is not sealed, something of it waits, or it is held. It is
/// finished when the order's state is `done`.
#[utoipa::path(
    post, path = "/v1/accounts/{account}/erase", tag = "operating", operation_id = "erase", request_body = EraseRequest,
    params(("account" = String, Path, description = "The account's name")),
    responses((status = 200, body = Erasing), (status = 202, body = Erasing), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn erase(
    State(app): State<App>,
    Path(account): Path<String>,
    Json(asked): Json<EraseRequest>,
) -> Result<(StatusCode, Json<Erasing>), Problem> {
    let why = reason(&asked.why)?.to_owned();
    let key = known(&app, &account).await?;
    if let Some(hold) = hold_of(&app, account.clone()).await?.hold {
        return Err(held(&account, &hold));
    }
    let (calls, open, waits, discarded) = app.stored(move |store| goes(store, key)).await?;
    if !open.is_empty() {
        let open: Vec<String> = open.iter().map(Period::to_string).collect();
        return Err(Problem::conflict(format!(
            "the account {account:?} has calls in months that are not sealed ({}): seal them first",
            open.join(", ")
        )));
    }
    if waits > 0 {
        return Err(Problem::conflict(format!(
            "{waits} records or legs of the account {account:?} are in suspense: have them rated or discard them first"
        )));
    }
    let journal_bytes = app.journal.durable().0.saturating_sub(app.journal.first().0);
    let calls = calls.iter().map(|(period, calls)| (period.to_string(), *calls)).collect();
    let mut erasing =
        Erasing { account: account.clone(), applied: asked.apply, calls, discarded, journal_bytes, order: None };
    if !asked.apply {
        return Ok((StatusCode::OK, Json(erasing)));
    }
    let by = asked.by.as_deref().unwrap_or("api");
    app.retainer.account(Kept::Erase, &account, &why, by).await.map_err(failed)?;
    let retainer = app.retainer.clone();
    wait(tokio::spawn(async move { retainer.go_on().await })).await?;
    let (orders, at_work) = app.stored(|store| Ok((store.retention()?, at_work(store)?))).await?;
    let mine = orders.iter().rev().find(|row| row.entry.what == Kept::Erase && row.entry.account == account);
    erasing.order = mine.map(|row| order(row, false, &at_work));
    let done = mine.is_some_and(|row| row.done_at.is_some());
    Ok((if done { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(erasing)))
}

fn held(account: &str, hold: &HoldShown) -> Problem {
    let since = serde_json::to_value(hold).unwrap_or_default();
    Problem::conflict(format!(
        "the account {account:?} is held since {} ({}): nothing of it is deleted",
        since["since"].as_str().unwrap_or_default(),
        since["why"].as_str().unwrap_or_default()
    ))
}

/// Kept calls by sealed month, open months with calls, how much waits, how much was discarded.
type Goes = (Vec<(Period, u64)>, Vec<Period>, u64, u64);

fn goes(store: &dyn Store, key: Option<AccountKey>) -> Result<Goes, StoreError> {
    let Some(key) = key else { return Ok(Goes::default()) };
    let sealed: Vec<Period> =
        store.periods()?.iter().filter(|row| row.sealed.is_some()).map(|row| row.period).collect();
    let (mut calls, mut open) = (Vec::new(), Vec::new());
    for period in store.months()? {
        let all: i64 = store.usage(key, period)?.iter().map(|line| line.usage.calls).sum();
        if all > 0 && !sealed.contains(&period) {
            open.push(period);
            continue;
        }
        let sums = store.deleted_sums(Some(period))?;
        let gone: i64 = sums.iter().filter(|sum| sum.account == key).map(|sum| sum.usage.calls).sum();
        if all > gone {
            calls.push((period, (all - gone) as u64));
        }
    }
    let mut waits = 0;
    store.suspense(SuspensePage { reason: None, after: None, limit: usize::MAX }, &mut |item| {
        waits += u64::from(item.account == Some(key));
        Visit::Continue(())
    })?;
    Ok((calls, open, waits, store.discarded_of_account(key)?.len() as u64))
}

/// Everything that is stored of an account.
///
/// One JSON object a line, streamed; `kind` says what it is: `directory`, `usage`, `call`, `suspense`, `conflict`,
/// `discarded`, and `deleted` for months whose details are gone.
#[utoipa::path(
    get, path = "/v1/accounts/{account}/data", tag = "operating", operation_id = "account_data",
    params(("account" = String, Path, description = "The account's name")),
    responses(
        (status = 200, body = String, content_type = "application/x-ndjson"),
        (status = "default", response = super::openapi::AnyProblem),
    ),
    security(("token" = ["operate"])),
)]
pub(super) async fn data(State(app): State<App>, Path(account): Path<String>) -> Result<Response, Problem> {
    let key = known(&app, &account).await?;
    let place = super::export::place(&app, NDJSON)?;
    let (_, directory) = app.in_force()?;
    let (writer, body) = stream::body();
    let store = app.store.clone();
    tokio::task::spawn_blocking(move || {
        let mut out = Out { writer, gone: false };
        match write(store.as_ref(), &directory, &account, key, &mut out) {
            // A client that went away wants no end.
            Ok(()) => drop(out.writer.finish()),
            Err(error) => {
                tracing::error!("the data of an account is cut off: {error}");
                out.writer.cut_off();
            }
        }
        drop(place);
    });
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    Ok(response)
}

struct Out {
    writer: stream::Writer,
    gone: bool,
}

impl Out {
    fn line(&mut self, kind: &str, value: impl Serialize) -> Visit {
        // Text and numbers always serialise.
        let mut value = serde_json::to_value(value).unwrap_or_default();
        if let Some(members) = value.as_object_mut() {
            members.insert("kind".to_owned(), Value::from(kind));
        }
        let line = format!("{value}\n");
        self.gone = self.gone || self.writer.write(line.as_bytes()).is_err();
        if self.gone { Visit::Break(()) } else { Visit::Continue(()) }
    }
}

fn write(
    store: &dyn Store,
    directory: &Directory,
    account: &str,
    key: Option<AccountKey>,
    out: &mut Out,
) -> Result<(), StoreError> {
    for row in accounts::rows(&directory.rows_of(account)) {
        let _ = out.line("directory", row);
    }
    let Some(key) = key else { return Ok(()) };
    for period in store.months()? {
        for line in store.usage(key, period)? {
            let usage = json!({
                "period": period.to_string(), "call_type": line.call_type.name(), "calls": line.usage.calls,
                "billable_seconds": line.usage.billable_seconds, "cost": Sum(line.usage.cost).fixed(u32::from(line.decimals)),
                "currency": super::usage::text(&line.currency),
            });
            let _ = out.line("usage", usage);
        }
        let gone = super::retention::Gone::read(store, Some(period))?.of(key);
        if let Some(sentence) = gone.sentence(None) {
            let _ = out.line("deleted", json!({ "period": period.to_string(), "detail": sentence }));
        }
        store.calls(key, period, CallPage::default(), &mut |call| out.line("call", Leg::of(call, account)))?;
    }
    let discarded = store.discarded_of_account(key)?;
    // Records of it to which no call leads.
    let mut unrated: BTreeSet<Position> = discarded.iter().map(|item| item.position).collect();
    store.suspense(SuspensePage { reason: None, after: None, limit: usize::MAX }, &mut |item| {
        if item.account != Some(key) {
            return Visit::Continue(());
        }
        unrated.insert(item.key.position);
        let text = |bytes: &[u8]| details::text(bytes);
        let shown = json!({
            "position": item.key.position.0, "reason": item.reason.name(), "detail": item.detail,
            "node": text(&item.node), "id": text(&item.id), "source": text(&item.source_dialled),
            "destination": text(&item.destination_dialled), "answer": item.answer.map(|at| at.to_string()),
            "received_at": item.received_at.to_string(),
        });
        out.line("suspense", shown)
    })?;
    let (mut after, decisions) = (None, store.decisions(None)?);
    loop {
        let page = store.conflicts(after, CONFLICTS)?;
        let Some(last) = page.last() else { break };
        after = Some(last.position);
        for conflict in &page {
            let rated = store.legs(conflict.first)?.iter().any(|leg| leg.call.account == key);
            if rated || unrated.contains(&conflict.first) {
                let _ = out.line("conflict", Contradiction::of(conflict, &decisions));
            }
        }
    }
    for item in discarded {
        let record = Record::decode(&item.record).unwrap_or_default();
        let shown = json!({
            "position": item.position.0, "reason": item.reason.name(), "why": item.why, "by": item.by,
            "at": item.at.to_string(), "node": details::text(record.node), "id": details::text(record.id),
            "source": details::text(record.source), "destination": details::text(record.destination),
            "raw": readable(record.raw),
        });
        let _ = out.line("discarded", shown);
    }
    Ok(())
}
