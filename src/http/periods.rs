//! `GET /v1/periods/{period}/usage`: the totals of all accounts, paged by account name.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::usage::minutes;
use super::{App, Problem};
use crate::money::Sum;
use crate::store::{UsageLine, Visit};
use crate::time::{Micros, Period};

/// Accounts in one page, unless less is asked for.
const LIMIT_DEFAULT: usize = 1000;
/// Most accounts in one page.
const LIMIT_MAX: usize = 10_000;

/// `?after=acme&limit=100`: accounts behind a name.
#[derive(Deserialize)]
pub(super) struct Asked {
    after: Option<String>,
    limit: Option<usize>,
}

/// One page; JSON, NDJSON or CSV by `Accept`. In JSON `next` is the name to go on after; a page that is not full is the
/// last.
pub(super) async fn usage(
    State(app): State<App>,
    Path(period): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let period: Period = period.parse().map_err(|e: crate::time::BadPeriod| Problem::bad_request(e.to_string()))?;
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LIMIT_MAX {
        return Err(Problem::bad_request(format!("limit={limit}: write 1 to {LIMIT_MAX}")));
    }
    app.settle().await?;
    let after = asked.after;
    let page = app
        .stored(move |store| {
            let mut page: Vec<(String, Vec<UsageLine>)> = Vec::new();
            store.period_usage(period, after.as_deref(), limit, &mut |account, lines| {
                page.push((account.name.clone(), merged(lines)));
                Visit::Continue(())
            })?;
            Ok(page)
        })
        .await?;
    let next = if page.len() == limit { page.last().map(|(name, _)| name.clone()) } else { None };
    let accept = headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()).unwrap_or("");
    if accept.contains("csv") {
        return Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv(&page)).into_response());
    }
    if accept.contains("ndjson") {
        let lines: String = page.iter().map(|(name, lines)| format!("{}\n", shown(name, lines))).collect();
        return Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response());
    }
    let accounts: Vec<Value> = page.iter().map(|(name, lines)| shown(name, lines)).collect();
    let answer = json!({ "period": period.to_string(), "state": "open", "accounts": accounts, "next": next });
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from(answer.to_string())).into_response())
}

/// Lines of one type and currency as one: an account that changed its billing group has several.
pub(super) fn merged(lines: &[UsageLine]) -> Vec<UsageLine> {
    let mut all: Vec<UsageLine> = Vec::with_capacity(lines.len());
    for line in lines {
        match all.iter_mut().find(|l| l.call_type == line.call_type && l.currency == line.currency) {
            Some(sum) => {
                sum.usage.add(&line.usage);
                sum.decimals = sum.decimals.max(line.decimals);
            }
            None => all.push(*line),
        }
    }
    all.sort_by_key(|l| (l.call_type, l.currency));
    all
}

fn shown(name: &str, lines: &[UsageLine]) -> Value {
    let mut cost = Sum::default();
    let mut decimals = 4;
    let totals: Vec<Value> = lines
        .iter()
        .map(|line| {
            cost.0 += line.usage.cost;
            decimals = line.decimals;
            json!({
                "call_type": line.call_type.name(),
                "currency": currency(line),
                "calls": line.usage.calls,
                "seconds": Micros(line.usage.talk as i64).to_string(),
                "billable_seconds": line.usage.billable_seconds,
                "billable_minutes": minutes(line.usage.billable_seconds),
                "cost": Sum(line.usage.cost).fixed(u32::from(line.decimals)),
            })
        })
        .collect();
    let currency = lines.first().map(currency).unwrap_or_default();
    json!({ "account": name, "currency": currency, "totals": totals, "cost": cost.fixed(u32::from(decimals)) })
}

fn csv(page: &[(String, Vec<UsageLine>)]) -> String {
    let mut out = String::from("account,call_type,calls,seconds,billable_seconds,billable_minutes,currency,cost\r\n");
    for (name, lines) in page {
        for line in lines {
            super::details::cell(name, &mut out);
            out.push_str(&format!(
                ",{},{},{},{},{},{},{}\r\n",
                line.call_type.name(),
                line.usage.calls,
                Micros(line.usage.talk as i64),
                line.usage.billable_seconds,
                minutes(line.usage.billable_seconds),
                currency(line),
                Sum(line.usage.cost).fixed(u32::from(line.decimals)),
            ));
        }
    }
    out
}

fn currency(line: &UsageLine) -> String {
    String::from_utf8_lossy(&line.currency).trim_end().to_owned()
}
