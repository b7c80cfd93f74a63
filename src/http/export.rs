//! `GET /v1/periods/{period}/calls`: every call of a month, streamed.
//!
//! Does not know how calls are stored.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::details::{self, Columns, Language, Leg};
use super::{App, Problem, manners, stream};
use crate::call::AccountKey;
use crate::money::Sum;
use crate::store::{ScanOrder, Store, StoredCall, Visit};
use crate::time::Period;

const CSV: &str = "text/csv; charset=utf-8";
const NDJSON: &str = "application/x-ndjson";

/// Headers that say what the rows add up to.
const CALLS: HeaderName = HeaderName::from_static("callrated-calls");
const COST: HeaderName = HeaderName::from_static("callrated-cost");

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
/// By `Accept`: CSV with all columns, the account first, or one JSON object a line. The headers `callrated-calls` and
/// `callrated-cost` (`EUR 4417.9520, USD 12.0000`) say what the totals of the month come to as it begins: the rows of a
/// sealed month add up to exactly that.
#[utoipa::path(
    get, path = "/v1/periods/{period}/calls", tag = "calls", operation_id = "period_calls",
    params(("period" = String, Path, description = "Year and month, such as 2026-10"), Asked),
    responses(
        (status = 200, content((String = "text/csv"), (Leg = "application/x-ndjson"))),
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
    let kind = manners::choose(&headers, &[CSV, NDJSON])?;
    app.settle().await?;
    let place =
        app.downloads.clone().try_acquire_owned().map_err(|_| {
            Problem::unavailable("as many downloads as are served at once are under way").retry_after(5)
        })?;
    let (count, cost) = app.stored(move |store| sums(store, period)).await?;
    let (writer, body) = stream::body();
    let store = app.store.clone();
    tokio::task::spawn_blocking(move || {
        write(store.as_ref(), period, (kind == CSV).then_some(language), writer);
        drop(place);
    });
    let mut response = body.into_response();
    let told = response.headers_mut();
    told.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    told.insert(CALLS, HeaderValue::from(count));
    if let Ok(cost) = HeaderValue::from_str(&cost) {
        told.insert(COST, cost);
    }
    Ok(response)
}

/// Calls of a month, and what they cost by currency.
fn sums(store: &dyn Store, period: Period) -> Result<(i64, String), crate::store::StoreError> {
    let (mut calls, mut costs) = (0, BTreeMap::<[u8; 3], (i128, u8)>::new());
    store.period_usage(period, None, usize::MAX, &mut |_, lines| {
        for line in lines {
            calls += line.usage.calls;
            let cost = costs.entry(line.currency).or_default();
            *cost = (cost.0 + line.usage.cost, cost.1.max(line.decimals));
        }
        Visit::Continue(())
    })?;
    let shown: Vec<String> = costs
        .iter()
        .map(|(currency, (sum, decimals))| {
            format!("{} {}", super::usage::text(currency), Sum(*sum).fixed(u32::from(*decimals)))
        })
        .collect();
    Ok((calls, shown.join(", ")))
}

/// Writes the rows while they are read; CSV in a language, else JSON lines. Where the client goes away, it ends.
fn write(store: &dyn Store, period: Period, csv: Option<Language>, mut writer: stream::Writer) {
    let mut text = String::new();
    if let Some(language) = csv {
        text.push_str(details::account_heading(language));
        text.push(',');
        details::csv_header(language, Columns::Full, &mut text);
    }
    let mut name: Option<(AccountKey, String)> = None;
    let mut failed = None;
    let mut row = |call: &StoredCall<'_>| {
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
        let account = name.as_ref().map_or("", |(_, name)| name);
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
    };
    let outcome = store.scan(Some(period), ScanOrder::Account, &mut row);
    if let Some(error) = outcome.err().or(failed) {
        // The status is sent already: the body is cut off, and the log says why.
        tracing::error!("an export is cut off: {error}");
        writer.cut_off();
        return;
    }
    // A client that went away wants no end.
    let _ = writer.write(text.as_bytes()).and_then(|()| writer.finish());
}
