//! `GET /v1/retention`, `POST /v1/retention/run`: what goes when, what went, and what is said where details are gone.
//!
//! Does not know how anything is deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, Problem};
use crate::batch::Position;
use crate::call::AccountKey;
use crate::daemon::retainer::RetainFailed;
use crate::entry::Kept;
use crate::store::{DeletedRow, OrderRow, RerateState, RetentionRow, Store, StoreError};
use crate::time::{Period, Timestamp};

/// How long an answer waits for what it asked for; behind it the work goes on.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a call takes of the store, about, with what leads to it: for the estimate of a dry run.
const BYTES_A_CALL: u64 = 85;

/// The rules and where they stand.
#[derive(Serialize, ToSchema)]
pub(super) struct RetentionShown {
    /// The rules of `[retention]`.
    rules: Rules,
    /// What a run would delete now.
    due: DueShown,
    /// What was ordered, the latest last.
    orders: Vec<OrderShown>,
    /// Accounts of which nothing goes.
    holds: Vec<HoldShown>,
    /// Months of which call details are gone.
    deleted: Vec<DeletedMonth>,
}

/// Months for which what is kept; null: for ever.
#[derive(Serialize, ToSchema)]
pub(super) struct Rules {
    calls_months: Option<u32>,
    conflicts_months: Option<u32>,
    discarded_months: Option<u32>,
    images_months: Option<u32>,
}

/// What a run would delete, or deletes.
#[derive(Serialize, ToSchema)]
pub(super) struct DueShown {
    /// Sealed months whose call details go.
    periods: Vec<DueMonth>,
    /// Contradicting records that came before this instant go; null: none.
    conflicts_before: Option<String>,
    /// What was discarded before this instant goes; null: nothing.
    discarded_before: Option<String>,
    /// Images of directories that were replaced before this instant and that nothing kept needs go; null: none.
    images_before: Option<String>,
    /// How many those are.
    images: u64,
    /// What they take.
    image_bytes: u64,
    /// It was ordered, and not only asked for.
    applied: bool,
}

/// A month that goes.
#[derive(Serialize, ToSchema)]
pub(super) struct DueMonth {
    #[schema(example = "2025-09")]
    period: String,
    /// Calls of which details are kept, those of held accounts included.
    calls: u64,
    /// What they take of the store, about.
    bytes: u64,
}

/// An order.
#[derive(Serialize, ToSchema)]
pub(super) struct OrderShown {
    /// Its place in the journal.
    pub(super) position: u64,
    /// `delete`, `hold`, `release`, `erase`.
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    periods: Vec<String>,
    /// The rule, or the reason that was given.
    why: String,
    by: String,
    at: String,
    /// `done`, `deleting`, `held`, `waiting`: see `waits_for`, or `in the journal`: the store has nothing more, and segments of
    /// the journal still have.
    pub(super) state: &'static str,
    /// The seal or the run of re-rating that must end first.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<String>,
    done_at: Option<String>,
}

/// A hold.
#[derive(Serialize, ToSchema)]
pub(super) struct HoldShown {
    account: String,
    why: String,
    by: String,
    since: String,
}

/// A month of which call details are gone.
#[derive(Serialize, ToSchema)]
pub(super) struct DeletedMonth {
    period: String,
    /// Accounts whose details are gone.
    accounts: u64,
    /// Rows that went.
    rows: u64,
}

impl HoldShown {
    pub(super) fn of(row: &RetentionRow) -> HoldShown {
        let entry = &row.entry;
        HoldShown {
            account: entry.account.clone(),
            why: entry.why.clone(),
            by: entry.by.clone(),
            since: Timestamp(entry.at).to_string(),
        }
    }
}

/// Seals and runs of re-rating under way, with the place at which they began.
pub(super) fn at_work(store: &dyn Store) -> Result<Vec<(Position, String)>, StoreError> {
    let seals = store.periods()?.into_iter().filter(|row| row.sealed.is_none());
    let runs = store.rerate_runs()?.into_iter().filter(|run| run.state == RerateState::Rating);
    let seals = seals.map(|row| (row.seal, format!("the seal of {}", row.period)));
    Ok(seals.chain(runs.map(|run| (run.begun, format!("run {} of re-rating", run.run)))).collect())
}

pub(super) fn order(row: &OrderRow, held: bool, at_work: &[(Position, String)]) -> OrderShown {
    let entry = &row.entry;
    let before = at_work.iter().find(|(begun, _)| *begun < row.position && !row.stored && !held);
    OrderShown {
        position: row.position.0,
        what: match entry.what {
            Kept::Delete => "delete",
            Kept::Hold => "hold",
            Kept::Release => "release",
            Kept::Erase => "erase",
        },
        account: (!entry.account.is_empty()).then(|| entry.account.clone()),
        periods: entry.periods.iter().map(|period| Period(*period).to_string()).collect(),
        why: entry.why.clone(),
        by: entry.by.clone(),
        at: Timestamp(entry.at).to_string(),
        state: match (row.done_at, row.stored) {
            (Some(_), _) => "done",
            (None, true) if entry.what == Kept::Erase => "in the journal",
            (None, true) => "deleting",
            (None, false) if held => "held",
            (None, false) if before.is_some() => "waiting",
            (None, false) => "deleting",
        },
        waits_for: before.map(|(_, what)| what.clone()),
        done_at: row.done_at.map(|at| at.to_string()),
    }
}

pub(super) fn failed(error: RetainFailed) -> Problem {
    Problem::unavailable(error.to_string())
}

/// What is kept how long.
///
/// The rules, what a run would delete now, what was ordered, which accounts are held, and the months whose details are gone.
#[utoipa::path(
    get, path = "/v1/retention", tag = "operating", operation_id = "retention",
    responses((status = 200, body = RetentionShown), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn show(State(app): State<App>) -> Result<Json<RetentionShown>, Problem> {
    app.settle().await?;
    let due = due(&app, false).await?;
    let (orders, holds, gone, at_work) =
        app.stored(|store| Ok((store.retention()?, store.holds()?, store.deleted(None)?, at_work(store)?))).await?;
    let mut deleted: BTreeMap<Period, (u64, u64)> = BTreeMap::new();
    for row in gone {
        let month = deleted.entry(row.period).or_default();
        *month = (month.0 + 1, month.1 + row.rows);
    }
    let settings = app.retainer.settings();
    Ok(Json(RetentionShown {
        rules: Rules {
            calls_months: settings.calls,
            conflicts_months: settings.conflicts,
            discarded_months: settings.discarded,
            images_months: settings.images,
        },
        due,
        orders: orders
            .iter()
            .map(|row| order(row, holds.iter().any(|hold| hold.entry.account == row.entry.account), &at_work))
            .collect(),
        holds: holds.iter().map(HoldShown::of).collect(),
        deleted: deleted
            .into_iter()
            .map(|(period, (accounts, rows))| DeletedMonth { period: period.to_string(), accounts, rows })
            .collect(),
    }))
}

async fn due(app: &App, applied: bool) -> Result<DueShown, Problem> {
    let due = app.retainer.due().await.map_err(failed)?;
    let months = due.periods.clone();
    let periods = app
        .stored(move |store| {
            let state = store.load()?;
            let mut shown = Vec::with_capacity(months.len());
            for period in months {
                let all: i64 =
                    state.usage.iter().filter(|line| line.period == period).map(|line| line.usage.calls).sum();
                let gone: i64 = store.deleted_sums(Some(period))?.iter().map(|sum| sum.usage.calls).sum();
                let calls = (all - gone).max(0) as u64;
                shown.push(DueMonth { period: period.to_string(), calls, bytes: calls * BYTES_A_CALL });
            }
            Ok(shown)
        })
        .await?;
    Ok(DueShown {
        periods,
        conflicts_before: due.conflicts_before.map(|at| at.to_string()),
        discarded_before: due.discarded_before.map(|at| at.to_string()),
        images_before: due.images_before.map(|at| at.to_string()),
        images: due.images.count() as u64,
        image_bytes: due.images.bytes,
        applied,
    })
}

/// How to run.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RunRequest {
    /// Deletes; without it only what would go is said.
    apply: bool,
    /// Who asks, for the record.
    by: Option<String>,
}

/// Delete what its time is over for.
///
/// Without `apply` it says what would go. What goes is overwritten, and gone for good; totals, manifests and books stay.
/// Details of held accounts stay. The work goes on behind the answer where it takes long: `GET /v1/retention` tells.
#[utoipa::path(
    post, path = "/v1/retention/run", tag = "operating", operation_id = "retention_run",
    request_body = Option<RunRequest>,
    responses((status = 200, body = DueShown), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn run(
    State(app): State<App>,
    asked: Option<Json<RunRequest>>,
) -> Result<(StatusCode, Json<DueShown>), Problem> {
    let asked = asked.map(|Json(asked)| asked).unwrap_or_default();
    app.settle().await?;
    let shown = due(&app, asked.apply).await?;
    if !asked.apply {
        return Ok((StatusCode::OK, Json(shown)));
    }
    let retainer = app.retainer.clone();
    let by = asked.by.unwrap_or_else(|| "api".to_owned());
    let done = wait(tokio::spawn(async move { retainer.delete(&by).await.map(|_| ()) })).await?;
    Ok((if done { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(shown)))
}

/// Waits a while for work that goes on by itself; false: it is not done yet.
pub(super) async fn wait(work: tokio::task::JoinHandle<Result<(), RetainFailed>>) -> Result<bool, Problem> {
    match tokio::time::timeout(PATIENCE, work).await {
        Err(_) => Ok(false),
        Ok(Ok(done)) => done.map(|()| true).map_err(failed),
        Ok(Err(_)) => Err(Problem::stopping()),
    }
}

/// Details that are gone, and by which order.
pub(super) struct Gone {
    rows: Vec<DeletedRow>,
    orders: BTreeMap<Position, OrderRow>,
}

impl Gone {
    /// Of a month, or of all.
    pub(super) fn read(store: &dyn Store, period: Option<Period>) -> Result<Gone, StoreError> {
        let rows = store.deleted(period)?;
        let orders = if rows.is_empty() { Vec::new() } else { store.retention()? };
        Ok(Gone { rows, orders: orders.into_iter().map(|order| (order.position, order)).collect() })
    }

    /// 410, if there are any.
    pub(super) fn problem(&self, digest: Option<&str>) -> Result<(), Problem> {
        let Some(sentence) = self.sentence(digest) else { return Ok(()) };
        Err(Problem::of(StatusCode::GONE, sentence))
    }

    /// What is said where they are asked for.
    pub(super) fn sentence(&self, digest: Option<&str>) -> Option<String> {
        let last = self.rows.iter().max_by_key(|row| row.order)?;
        let months: BTreeSet<String> = self.rows.iter().map(|row| row.period.to_string()).collect();
        let months: Vec<String> = months.into_iter().collect();
        let how = match self.orders.get(&last.order).map(|order| &order.entry) {
            Some(entry) if entry.what == Kept::Erase => {
                format!("erased on {} ({})", Timestamp(entry.at), entry.why)
            }
            Some(entry) => format!("deleted on {} under the retention rule {}", Timestamp(entry.at), entry.why),
            None => "deleted".to_owned(),
        };
        let digest = digest.map_or_else(String::new, |digest| format!(", digest {digest}"));
        Some(format!("call details of {} were {how}; manifest and totals stand{digest}", months.join(", ")))
    }

    /// Only those of an account.
    pub(super) fn of(mut self, account: AccountKey) -> Gone {
        self.rows.retain(|row| row.account == account);
        self
    }

    /// Only those among whose records one may have been that stood there.
    pub(super) fn around(mut self, position: Position) -> Gone {
        self.rows.retain(|row| row.first <= position && position <= row.last);
        self
    }
}

#[cfg(test)]
mod tests;
