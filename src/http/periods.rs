//! `GET /v1/periods/{period}/usage`: the totals of all accounts, paged by account name.
//!
//! Does not know how totals come about.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::details::Language;
use super::minimums::{self, MinimumBilled};
use super::usage::{CostIn, Costs, Total, amount, minutes, text, total};
use super::{App, Problem, export};
use crate::money::{Sum, minor_unit};
use crate::period::everywhere;
use crate::road::UsageLine;
use crate::store::{self, MinimumRow, MinimumsOf, Store, StoreError, Visit};
use crate::time::{Micros, Period};

/// Accounts in one page, unless less is asked for.
const LIMIT_DEFAULT: usize = 1000;
/// Most accounts in one page.
const LIMIT_MAX: usize = 10_000;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv; charset=utf-8";

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Only accounts whose name comes after this one: `next` of the page before.
    after: Option<String>,
    /// At most so many accounts, 1 to 10000; 1000 unless said otherwise.
    #[param(minimum = 1, maximum = 10000)]
    limit: Option<usize>,
}

/// One page of a month's totals.
#[derive(Serialize, ToSchema)]
pub(super) struct PeriodUsage {
    /// Year and month.
    #[schema(example = "2026-10")]
    period: String,
    /// `open`; `closing`: the month is over, and records may still come; `sealing`; `sealed`.
    state: &'static str,
    /// By account name.
    accounts: Vec<AccountTotals>,
    /// Ask again with `after` set to this; null on the last page.
    next: Option<String>,
}

/// An account's totals.
#[derive(Serialize, ToSchema)]
pub(super) struct AccountTotals {
    account: String,
    /// ISO 4217.
    currency: String,
    /// By call type and currency.
    totals: Vec<Total>,
    /// What `totals` add up to in `currency`, exact: a decimal.
    cost: String,
    /// What the `amount`s of `totals` add up to in `currency`: the sum of an invoice whose lines they are.
    amount: String,
    /// `cost`, rounded once to the minor unit of `currency`: only where that is not `amount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    rounded_cost: Option<String>,
    /// The same in further currencies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    further_costs: Vec<CostIn>,
    /// What a sealed month bills beside calls; `cost` and `amount` are those of calls alone. Left out where it is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    minimums: Vec<MinimumBilled>,
    /// What `totals` and `minimums` come to, by currency. Left out where there are no minimums.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    due: Vec<CostIn>,
}

/// Totals of all accounts in a month.
///
/// Once the month is sealed, also of those without calls whose plan has a minimum spend: `minimums` in JSON, in CSV and Parquet
/// rows whose call type is `minimum_spend` (of an earlier month, `minimum_spend:2026-09`) and which count no calls.
/// Paged by account name. By `Accept`: JSON (with `next`), one JSON object a line, or CSV; in those two a page that is not
/// full is the last. Parquet, if the program was built with it, is one file of all accounts, without `after` and `limit`.
#[utoipa::path(
    get, path = "/v1/periods/{period}/usage", tag = "usage", operation_id = "period_usage",
    params(("period" = String, Path, description = "Year and month, such as 2026-10"), Asked),
    responses(
        (status = 200, content(
            (PeriodUsage = "application/json"), (AccountTotals = "application/x-ndjson"), (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.parquet"),
        )),
        (status = "default", response = super::openapi::AnyProblem),
    ),
    security(("token" = ["read"])),
)]
pub(super) async fn usage(
    State(app): State<App>,
    Path(period): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let period: Period = period.parse().map_err(|e: crate::time::BadPeriod| Problem::bad_request(e.to_string()))?;
    let kind = export::choose(&headers, &[JSON, NDJSON, CSV])?;
    #[cfg(feature = "parquet")]
    if kind == export::PARQUET {
        if asked.after.is_some() || asked.limit.is_some() {
            return Err(Problem::bad_request("a Parquet file holds every account: leave out after and limit"));
        }
        return parquet(&app, period).await;
    }
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LIMIT_MAX {
        return Err(Problem::bad_request(format!("limit={limit}: write 1 to {LIMIT_MAX}")));
    }
    app.settle().await?;
    let after = asked.after;
    let page = app.stored(move |store| page(store, period, after.as_deref(), limit)).await?;
    if kind == CSV {
        return Ok(([(header::CONTENT_TYPE, CSV)], csv(&page)).into_response());
    }
    let next = if page.len() == limit { page.last().map(|of| of.name.clone()) } else { None };
    let state = app.sealer.state(period, everywhere(period).1);
    let accounts: Vec<AccountTotals> = page.iter().map(shown).collect();
    if kind == NDJSON {
        let mut lines = Vec::new();
        for account in &accounts {
            // Text and numbers always serialise into memory.
            let _ = serde_json::to_writer(&mut lines, account);
            lines.push(b'\n');
        }
        return Ok(([(header::CONTENT_TYPE, NDJSON)], lines).into_response());
    }
    Ok(Json(PeriodUsage { period: period.to_string(), state, accounts, next }).into_response())
}

/// The whole month, streamed.
#[cfg(feature = "parquet")]
async fn parquet(app: &App, period: Period) -> Result<Response, Problem> {
    app.settle().await?;
    let place = export::place(app, export::PARQUET)?;
    let (writer, body) = super::stream::body();
    let store = app.store.clone();
    tokio::task::spawn_blocking(move || {
        super::parquet::totals(store.as_ref(), period, writer);
        drop(place);
    });
    Ok(([(header::CONTENT_TYPE, export::PARQUET)], body).into_response())
}

/// What a month bills an account.
pub(super) struct OfAccount {
    pub name: String,
    /// Its calls.
    pub lines: Vec<UsageLine>,
    /// What is billed beside them; only once the month is sealed.
    pub minimums: Vec<MinimumRow>,
}

/// Totals of accounts after a name, at most so many.
pub(super) fn page(
    store: &dyn Store,
    period: Period,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<OfAccount>, StoreError> {
    let mut page: BTreeMap<String, OfAccount> = BTreeMap::new();
    store.period_usage(period, after, limit, &mut |account, lines| {
        let (name, lines) = (account.name.clone(), merged(lines));
        page.insert(name.clone(), OfAccount { name, lines, minimums: Vec::new() });
        Visit::Continue(())
    })?;
    // An account without calls may owe as well. Behind the last name of a full page others are not asked for.
    let last = page.last_key_value().map(|(name, _)| name.clone()).filter(|_| page.len() >= limit);
    for row in store.minimums(MinimumsOf::Page { period, after, upto: last.as_deref(), limit })? {
        let name = store.account_name(row.account)?.unwrap_or_default();
        let (lines, minimums) = (Vec::new(), Vec::new());
        page.entry(name.clone()).or_insert(OfAccount { name, lines, minimums }).minimums.push(row);
    }
    Ok(page.into_values().take(limit).collect())
}

/// Lines of one type and currency as one.
pub(super) fn merged(stored: &[store::UsageLine]) -> Vec<UsageLine> {
    let mut all = Vec::with_capacity(stored.len());
    for &store::UsageLine { call_type, currency, decimals, usage, .. } in stored {
        UsageLine::gather(&mut all, &UsageLine { call_type, currency, decimals, usage });
    }
    all
}

fn shown(of: &OfAccount) -> AccountTotals {
    let mut costs = Costs::default();
    costs.add(&of.lines);
    if of.lines.is_empty() {
        costs.begin(of.minimums.first().map(|row| (row.currency, row.decimals)));
    }
    let (main, further_costs) = costs.shown();
    AccountTotals {
        account: of.name.clone(),
        currency: main.currency,
        totals: of.lines.iter().map(total).collect(),
        cost: main.cost,
        amount: main.amount,
        rounded_cost: main.rounded_cost,
        further_costs,
        minimums: minimums::shown(&of.lines, &of.minimums, Language::En),
        due: minimums::due(&of.lines, &of.minimums),
    }
}

fn csv(page: &[OfAccount]) -> String {
    let mut out =
        String::from("account,call_type,calls,seconds,billable_seconds,billable_minutes,currency,cost,amount\r\n");
    for of in page {
        for line in &of.lines {
            super::details::cell(&of.name, &mut out);
            // Writing into a string cannot fail.
            let _ = write!(
                out,
                ",{},{},{},{},{},{},{},{}\r\n",
                line.call_type.name(),
                line.usage.calls,
                Micros(line.usage.talk as i64),
                line.usage.billable_seconds,
                minutes(line.usage.billable_seconds),
                text(&line.currency),
                Sum(line.usage.cost).fixed(u32::from(line.decimals)),
                amount(line).fixed(minor_unit(line.currency)),
            );
        }
        for row in &of.minimums {
            super::details::cell(&of.name, &mut out);
            let _ = write!(
                out,
                ",{},0,0,0,0,{},{},{}\r\n",
                minimums::called(row),
                text(&row.currency),
                Sum(row.cost).fixed(u32::from(row.decimals)),
                minimums::amount(row, &of.lines).fixed(minor_unit(row.currency)),
            );
        }
    }
    out
}
