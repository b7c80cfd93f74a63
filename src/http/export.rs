//! `GET /v1/periods/{period}/calls`: every call of a month, streamed.
//!
//! Does not know how calls are stored.

use std::collections::BTreeMap;
use std::fmt;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

use super::details::{self, Columns, Language, Leg};
use super::{App, Problem, manners, periods, stream, usage};
use crate::call::AccountKey;
use crate::money::{Sum, minor_unit};
use crate::road::UsageLine;
use crate::store::{ScanOrder, Store, StoreError, StoredCall, Visit};
use crate::time::Period;

const CSV: &str = "text/csv; charset=utf-8";
const NDJSON: &str = "application/x-ndjson";
/// As registered with IANA.
pub(super) const PARQUET: &str = "application/vnd.apache.parquet";
/// Of [`super::DOWNLOADS_MAX`], those that one download of Parquet counts for: it holds a row group in memory.
const PARQUET_WEIGHS: u32 = 16;

/// Headers that say what the rows add up to.
const CALLS: HeaderName = HeaderName::from_static("callrated-calls");
const COST: HeaderName = HeaderName::from_static("callrated-cost");
/// What invoices come to: every account's lines, each rounded to the currency's minor unit.
const AMOUNT: HeaderName = HeaderName::from_static("callrated-amount");

/// How calls are shown.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Language of the CSV headings and call types: `en`, `de`, `it`; `en` unless said otherwise.
    lang: Option<String>,
}

/// Every call of a month.
///
/// One row per leg, by account in the order in which accounts were first seen, then by answer time; streamed, at any size.
/// By `Accept`: CSV with all columns, the account first, one JSON object a line, or Parquet, if the program was built
/// with it, in columns named as in JSON. The headers `callrated-calls` and
/// `callrated-cost` (`EUR 4417.9520, USD 12.0000`) say what the totals of the month come to as it begins: the rows of a
/// sealed month add up to exactly that. `callrated-amount` says what invoices come to that have a line for each account, call
/// type and currency, each rounded once to the currency's minor unit.
#[utoipa::path(
    get, path = "/v1/periods/{period}/calls", tag = "calls", operation_id = "period_calls",
    params(("period" = String, Path, description = "Year and month, such as 2026-10"), Asked),
    responses(
        (status = 200, content(
            (String = "text/csv"), (Leg = "application/x-ndjson"), (Vec<u8> = "application/vnd.apache.parquet"),
        )),
        (status = "default", response = super::openapi::AnyProblem),
    ),
    security(("token" = ["read"])),
)]
pub(super) async fn calls(
    State(app): State<App>,
    Path(period): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let period: Period = period.parse().map_err(|e: crate::time::BadPeriod| Problem::bad_request(e.to_string()))?;
    let language = asked.lang.as_deref().unwrap_or("en");
    let language = Language::named(language)
        .ok_or_else(|| Problem::bad_request(format!("lang={language:?}: en, de and it are known")))?;
    let kind = choose(&headers, &[CSV, NDJSON])?;
    app.settle().await?;
    let place = place(&app, kind)?;
    let (count, cost, amount) = app.stored(move |store| sums(store, period)).await?;
    let (writer, body) = stream::body();
    let store = app.store.clone();
    #[cfg(feature = "parquet")]
    let began = cost.clone();
    tokio::task::spawn_blocking(move || {
        match kind {
            #[cfg(feature = "parquet")]
            PARQUET => super::parquet::calls(store.as_ref(), period, &began, writer),
            _ => write(store.as_ref(), period, (kind == CSV).then_some(language), writer),
        }
        drop(place);
    });
    let mut response = body.into_response();
    let told = response.headers_mut();
    told.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    told.insert(CALLS, HeaderValue::from(count));
    for (name, sums) in [(COST, &cost), (AMOUNT, &amount)] {
        if let Ok(sums) = HeaderValue::from_str(sums) {
            told.insert(name, sums);
        }
    }
    Ok(response)
}

/// Which of these, or Parquet, the client likes best.
pub(super) fn choose(headers: &HeaderMap, text: &[&'static str]) -> Result<&'static str, Problem> {
    let all = [text, &[PARQUET]].concat();
    if cfg!(feature = "parquet") {
        return manners::choose(headers, &all);
    }
    manners::choose(headers, text).map_err(|refused| match manners::choose(headers, &all) {
        Ok(_) => Problem::of(
            StatusCode::NOT_ACCEPTABLE,
            "this callrated was built without Parquet: build it with `cargo build --release --features parquet`",
        ),
        Err(_) => refused,
    })
}

/// A place among the downloads that are served at once.
pub(super) fn place(app: &App, kind: &str) -> Result<OwnedSemaphorePermit, Problem> {
    let weight = if kind == PARQUET { PARQUET_WEIGHS } else { 1 };
    app.downloads
        .clone()
        .try_acquire_many_owned(weight)
        .map_err(|_| Problem::unavailable("as many downloads as are served at once are under way").retry_after(5))
}

/// What rows cost by currency.
#[derive(Default)]
pub(super) struct Costs(BTreeMap<[u8; 3], (i128, u8)>);

impl Costs {
    pub(super) fn add(&mut self, currency: [u8; 3], nanos: i128, decimals: u8) {
        let cost = self.0.entry(currency).or_default();
        *cost = (cost.0 + nanos, cost.1.max(decimals));
    }

    /// Adds what a line of a document says, of which there is one for an account, call type and currency.
    pub(super) fn add_amount(&mut self, line: &UsageLine) {
        // At most four decimals.
        self.add(line.currency, usage::amount(line).0, minor_unit(line.currency) as u8);
    }
}

impl fmt::Display for Costs {
    /// `EUR 4417.9520, USD 12.0000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (currency, (sum, decimals))) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{} {}", usage::text(currency), Sum(*sum).fixed(u32::from(*decimals)))?;
        }
        Ok(())
    }
}

/// Calls of a month, what they cost by currency, and what that comes to on invoices.
fn sums(store: &dyn Store, period: Period) -> Result<(i64, String, String), StoreError> {
    let (mut calls, mut costs, mut amounts) = (0, Costs::default(), Costs::default());
    store.period_usage(period, None, usize::MAX, &mut |_, lines| {
        for line in periods::merged(lines) {
            calls += line.usage.calls;
            costs.add(line.currency, line.usage.cost, line.decimals);
            amounts.add_amount(&line);
        }
        Visit::Continue(())
    })?;
    Ok((calls, costs.to_string(), amounts.to_string()))
}

/// Reads the calls of a month with the names of their accounts.
pub(super) fn each(
    store: &dyn Store,
    period: Period,
    mut row: impl FnMut(&StoredCall<'_>, &str) -> Visit,
) -> Result<(), StoreError> {
    let mut name: Option<(AccountKey, String)> = None;
    let mut failed = None;
    store.scan(Some(period), ScanOrder::Account, &mut |call| {
        let key = call.call.account;
        if name.as_ref().is_none_or(|(known, _)| *known != key) {
            match store.account_name(key) {
                Ok(found) => name = Some((key, found.unwrap_or_default())),
                Err(error) => {
                    failed = Some(error);
                    return Visit::Break(());
                }
            }
        }
        row(call, name.as_ref().map_or("", |(_, name)| name))
    })?;
    failed.map_or(Ok(()), Err)
}

/// Writes the rows while they are read; CSV in a language, else JSON lines. Where the client goes away, it ends.
fn write(store: &dyn Store, period: Period, csv: Option<Language>, mut writer: stream::Writer) {
    let mut text = String::new();
    if let Some(language) = csv {
        text.push_str(details::account_heading(language));
        text.push(',');
        details::csv_header(language, Columns::Full, &mut text);
    }
    let outcome = each(store, period, |call, account| {
        match csv {
            Some(language) => {
                details::cell(account, &mut text);
                text.push(',');
                details::csv_row(call, language, Columns::Full, &mut text);
            }
            None => {
                // Text and numbers always serialise.
                text.push_str(&serde_json::to_string(&Leg::of(call, account)).unwrap_or_default());
                text.push('\n');
            }
        }
        let written = writer.write(text.as_bytes());
        text.clear();
        if written.is_ok() { Visit::Continue(()) } else { Visit::Break(()) }
    });
    if let Err(error) = outcome {
        // The status is sent already: the body is cut off, and the log says why.
        tracing::error!("an export is cut off: {error}");
        writer.cut_off();
        return;
    }
    // A client that went away wants no end.
    let _ = writer.write(text.as_bytes()).and_then(|()| writer.finish());
}
