//! `GET /v1/accounts/{account}/usage`: what an account's calls add up to now.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};

use super::{App, Problem};
use crate::money::Sum;
use crate::rating;
use crate::road::{LiveUsage, UsageLine};
use crate::tariff::{Allowance, Plan};
use crate::time::{Micros, Period, Timestamp};

/// `?period=2026-10`; without it the month that is running in the account's zone.
#[derive(Deserialize)]
pub(super) struct Asked {
    period: Option<String>,
}

/// An account's totals in a month.
#[derive(Serialize)]
pub(super) struct AccountUsage {
    account: String,
    period: String,
    /// `open`.
    state: &'static str,
    currency: String,
    allowance: AllowanceUsed,
    totals: Vec<Total>,
    cost: String,
}

/// How much of the plan's minutes is drawn.
#[derive(Serialize)]
pub(super) struct AllowanceUsed {
    /// Minutes, or `unlimited`.
    included_minutes: String,
    used_seconds: u64,
    /// None where unlimited.
    left_seconds: Option<u64>,
}

/// One line.
#[derive(Serialize)]
pub(super) struct Total {
    call_type: &'static str,
    calls: i64,
    seconds: String,
    billable_seconds: i64,
    billable_minutes: String,
    cost: String,
}

/// An account's usage, seeing every record acknowledged before the question.
pub(super) async fn of_account(
    State(app): State<App>,
    Path(account): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<AccountUsage>, Problem> {
    let (tariff, directory) = app.in_force().await?;
    let now = app.clock.now();
    let row = directory.account_at(account.as_bytes(), now);
    let period = match &asked.period {
        Some(text) => text.parse::<Period>().map_err(|e| Problem::bad_request(e.to_string()))?,
        None => Period::containing(now, row.map_or(&crate::time::Zone::UTC, |r| r.zone)),
    };
    let live = app.road.usage(&account, period).await.map_err(|_| Problem::stopping())?;
    // The row that was in force in that month, if there is one, else today's.
    let row = row.and_then(|row| {
        let (_, end) = period.bounds(row.zone);
        directory.account_at(account.as_bytes(), Timestamp((end.0 - 1).min(now.0))).or(Some(row))
    });
    if row.is_none() && live.is_none() {
        return Err(Problem::not_found(format!("no account {account:?} is known")));
    }
    let live = live.unwrap_or_default();
    let plan = row.and_then(|row| tariff.plan_named(row.plan).map(|id| tariff.plan(id)));
    let allowance = match (row, plan) {
        (Some(row), Some(plan)) => rating::allowance(plan, &row, period),
        _ => Allowance::Seconds(0),
    };
    Ok(Json(shown(account, period, live, plan, allowance)))
}

fn shown(account: String, period: Period, live: LiveUsage, plan: Option<&Plan>, allowance: Allowance) -> AccountUsage {
    let currency = live.lines.first().map(|l| l.currency).or(plan.map(|p| p.currency)).unwrap_or(*b"   ");
    let decimals = live.lines.iter().map(|l| l.decimals).max().or(plan.map(|p| p.cost_decimals)).unwrap_or(4);
    let mut cost = Sum::default();
    let totals = live.lines.iter().map(|line| {
        cost.0 += line.usage.cost;
        total(line)
    });
    let totals: Vec<Total> = totals.collect();
    AccountUsage {
        account,
        period: period.to_string(),
        state: "open",
        currency: String::from_utf8_lossy(&currency).trim_end().to_owned(),
        allowance: used(allowance, live.used_seconds),
        totals,
        cost: cost.fixed(u32::from(decimals)),
    }
}

fn used(allowance: Allowance, used_seconds: u64) -> AllowanceUsed {
    match allowance {
        Allowance::Unlimited => {
            AllowanceUsed { included_minutes: "unlimited".to_owned(), used_seconds, left_seconds: None }
        }
        Allowance::Seconds(seconds) => AllowanceUsed {
            included_minutes: minutes(seconds as i64),
            used_seconds,
            left_seconds: Some(seconds.saturating_sub(used_seconds)),
        },
    }
}

fn total(line: &UsageLine) -> Total {
    let usage = &line.usage;
    Total {
        call_type: line.call_type.name(),
        calls: usage.calls,
        // A month of talk time of one account is far below 292,000 years.
        seconds: Micros(usage.talk as i64).to_string(),
        billable_seconds: usage.billable_seconds,
        billable_minutes: minutes(usage.billable_seconds),
        cost: Sum(usage.cost).fixed(u32::from(line.decimals)),
    }
}

/// Seconds as minutes: exact where sixty divides them into at most six decimals, else rounded to six, halves up.
pub(super) fn minutes(seconds: i64) -> String {
    let millionths = (i128::from(seconds) * 1_000_000 + 30) / 60;
    Sum(millionths * 1_000).fixed(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_exact_decimals() {
        for (seconds, shown) in [(0, "0"), (60, "1"), (90, "1.5"), (36, "0.6"), (3600, "60"), (50, "0.833333")] {
            assert_eq!(minutes(seconds), shown);
        }
    }
}
