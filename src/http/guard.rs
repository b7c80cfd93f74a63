//! `GET /v1/guard/events` and `GET /v1/accounts/{account}/guard`: what the spend guard told, and where an account stands.
//!
//! Does not know how a call is judged, nor how a webhook is told.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{App, Problem, accounts};
use crate::guard::event::{shown, unit};
use crate::guard::{Per, Standing};
use crate::store::{GuardDelivery, GuardEvent, GuardPage};

/// Events in one page, unless less is asked for.
const LIMIT_DEFAULT: usize = 100;
/// Most events in one page.
const LIMIT_MAX: usize = 1000;

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Only those behind this number: `next` of the page before.
    after: Option<u64>,
    /// Only this account's.
    account: Option<String>,
    /// The newest first: one page of the latest events, without `next`.
    newest: Option<bool>,
    /// At most so many, 1 to 1000; 100 unless said otherwise.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// A page of events.
#[derive(Serialize, ToSchema)]
pub(super) struct Events {
    items: Vec<Told>,
    /// Ask again with `after` set to this; null on the last page.
    next: Option<u64>,
}

/// Something that was told.
#[derive(Serialize, ToSchema)]
pub(super) struct Told {
    /// Grows with every event.
    number: u64,
    /// As webhooks get it: `type`, `timestamp`, `data`.
    #[schema(value_type = Object)]
    event: Value,
    /// What became of it at each webhook; one that is not listed has not taken it yet.
    webhooks: Vec<Delivery>,
}

/// What became of an event at a webhook.
#[derive(Serialize, ToSchema)]
pub(super) struct Delivery {
    webhook: String,
    /// RFC 3339.
    at: String,
    /// Null: it was taken; else why it was given up.
    given_up: Option<String>,
}

/// Where an account stands against the rules that watch it.
#[derive(Serialize, ToSchema)]
pub(super) struct Watched {
    account: String,
    /// RFC 3339.
    at: String,
    /// IANA name of the zone in which months and days begin.
    timezone: String,
    /// In the order of `guards.toml`; none: nothing watches it.
    rules: Vec<Against>,
}

/// Where it stands against one rule.
#[derive(Serialize, ToSchema)]
pub(super) struct Against {
    rule: String,
    /// `amount`, `minutes`, `calls`, `new_country`, `new_call_type`.
    what: &'static str,
    /// `month`, `day`, `call`, `ever`, or a length such as `15m`.
    per: String,
    /// What the current window holds: a decimal. Null where nothing is added up.
    value: Option<String>,
    /// A decimal; null for a first time.
    limit: Option<String>,
    /// A currency, `minutes`, `calls`, or empty.
    unit: String,
    /// Per cent of the limit at which it is told.
    levels: Vec<u32>,
    /// The highest level that was told of in the current window.
    told: Option<u32>,
    /// First instant of the current window, RFC 3339.
    from: Option<String>,
    /// First instant behind it.
    to: Option<String>,
    /// First times are told of from then on; null: the account has no call yet, or this is no first time.
    learns_until: Option<String>,
}

/// What the spend guard told.
///
/// In the order of their numbers: a program that keeps the last number it has seen misses none.
#[utoipa::path(
    get, path = "/v1/guard/events", tag = "operating", operation_id = "guard_events", params(Asked),
    responses((status = 200, body = Events), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn events(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Json<Events>, Problem> {
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LIMIT_MAX {
        return Err(Problem::bad_request(format!("limit={limit}: write 1 to {LIMIT_MAX}")));
    }
    app.settle().await?;
    let newest_first = asked.newest.unwrap_or(false);
    let (after, account) = (asked.after.unwrap_or(0), asked.account);
    let found = app
        .stored(move |store| {
            let account = match account.as_deref().map(|name| store.account_named(name)).transpose()? {
                // An account that nobody knows was told nothing of.
                Some(None) => return Ok(Vec::new()),
                known => known.flatten(),
            };
            store.guard_events(GuardPage { after, since: None, account, newest_first, limit })
        })
        .await?;
    let next = if found.len() == limit && !newest_first { found.last().map(|last| last.number) } else { None };
    Ok(Json(Events { items: found.into_iter().map(Told::of).collect(), next }))
}

impl Told {
    fn of(stored: GuardEvent) -> Told {
        let delivery =
            |one: GuardDelivery| Delivery { webhook: one.webhook, at: one.at.to_string(), given_up: one.given_up };
        Told {
            number: stored.number,
            event: stored.event.data(),
            webhooks: stored.deliveries.into_iter().map(delivery).collect(),
        }
    }
}

/// Where an account stands against the rules that watch it.
///
/// Sees every record that was acknowledged before the question.
#[utoipa::path(
    get, path = "/v1/accounts/{account}/guard", tag = "operating", operation_id = "account_guard",
    params(("account" = String, Path, description = "The account's name")),
    responses((status = 200, body = Watched), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn of_account(State(app): State<App>, Path(account): Path<String>) -> Result<Json<Watched>, Problem> {
    let (tariff, directory) = app.in_force()?;
    let at = app.clock.now();
    let Some(row) = directory.account_at(account.as_bytes(), at) else {
        return Err(accounts::unknown(&directory, &account));
    };
    let plan = tariff.plan_named(row.plan).map(|id| tariff.plan(id));
    let currency = plan.map_or([b' '; 3], |plan| plan.currency);
    let decimals = plan.map_or(0, |plan| u32::from(plan.cost_decimals));
    let standings = app.road.standings(&account, at).await.map_err(|_| Problem::stopping())?;
    let against = |one: Standing| {
        let rule = &one.rule;
        let of = rule.currency.as_deref().unwrap_or(str::from_utf8(&currency).unwrap_or(""));
        let adds_up = !matches!(rule.per, Per::Call | Per::Ever);
        let first = rule.what.is_first();
        let learned = |since: crate::time::Timestamp| crate::time::Timestamp(since.0.saturating_add(rule.learn.0));
        Against {
            rule: rule.name.clone(),
            what: rule.what.name(),
            per: rule.per.to_string(),
            value: adds_up.then(|| shown(rule.what, one.value, decimals)),
            limit: (!first).then(|| shown(rule.what, i128::from(rule.limit), decimals)),
            unit: unit(rule.what, of).to_owned(),
            levels: rule.levels.clone(),
            told: one.told,
            from: one.window.map(|window| window.0.to_string()),
            to: one.window.map(|window| window.1.to_string()),
            learns_until: one.since.map(|since| learned(since).to_string()),
        }
    };
    let rules = standings.into_iter().map(against).collect();
    Ok(Json(Watched { account, at: at.to_string(), timezone: row.zone_name.to_owned(), rules }))
}
