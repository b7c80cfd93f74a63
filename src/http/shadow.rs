//! `GET /v1/shadow`: what the system that bills today charges, beside what we would.
//!
//! Does not know how prices are compared.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{App, Problem, details, export, manners, stream};
use crate::record::Direction;
use crate::shadow::{self, Group, Pair, Report, Standing, Sums};
use crate::store::Visit;
use crate::time::Period;

const JSON: &str = "application/json";
const CSV: &str = "text/csv; charset=utf-8";

/// Accounts listed unless otherwise asked for.
const ACCOUNTS: usize = 100;

/// Which month.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Year and month.
    #[param(example = "2026-10")]
    period: String,
    /// At most so many accounts, those with the largest differences; 100 unless said otherwise.
    accounts: Option<usize>,
}

/// A month as we rate it beside the prices that its records tell.
#[derive(Serialize, ToSchema)]
pub(super) struct ShadowReport {
    #[schema(example = "2026-10")]
    period: String,
    /// One for each currency.
    totals: Vec<ShadowTotal>,
    /// Calls on which both differ, under the rule that explains them; most calls first.
    groups: Vec<ShadowGroup>,
    /// Accounts whose calls differ, the largest difference first.
    accounts: Vec<ShadowAccount>,
    /// How many accounts have calls that differ.
    accounts_differing: usize,
    /// Calls that they charge and we do not: in suspense, or answered by nobody.
    only_theirs: Vec<OnlyTheirs>,
    /// Calls of whose price they tell nothing.
    only_ours: Vec<OnlyOurs>,
    /// Calls whose told price cannot be compared.
    not_compared: Vec<NotCompared>,
}

/// What both come to in one currency.
#[derive(Serialize, ToSchema)]
pub(super) struct ShadowTotal {
    currency: String,
    /// Calls that tell a price.
    calls: u64,
    agree: u64,
    differ: u64,
    /// What we charge for these calls: a decimal, as all amounts here.
    ours: String,
    theirs: String,
    /// Theirs less ours.
    difference: String,
    /// The sum of what they charge more, where they do.
    they_charge_more: String,
    /// The sum of what they charge less.
    they_charge_less: String,
}

/// Calls that one rule explains.
#[derive(Serialize, ToSchema)]
pub(super) struct ShadowGroup {
    /// `steps`, `rounding`, `price_rounded_first`, `whole_seconds`, `ringing`, `total_stepped`, `fee`, `caps`, `prefix`,
    /// `allowance`, `nothing`, `sign`, `float`, `currency`, `seconds`, `unexplained`; two together joined by `+`.
    #[schema(example = "steps")]
    rule: String,
    #[schema(example = "steps 90/60 instead of 60/60")]
    words: String,
    currency: String,
    calls: u64,
    ours: String,
    theirs: String,
    /// Theirs less ours.
    difference: String,
    /// Of the calls, those whose digits another rule gives, too.
    ambiguous: u64,
    /// Which rules those are.
    also: Vec<AlsoExplains>,
    examples: Vec<ShadowExample>,
}

/// A rule that explains some of a group's calls as well.
#[derive(Serialize, ToSchema)]
pub(super) struct AlsoExplains {
    words: String,
    calls: u64,
}

/// One call on both sides.
#[derive(Serialize, ToSchema)]
pub(super) struct ShadowExample {
    node: String,
    id: String,
    account: String,
    /// `outbound` or `inbound`; null: we have no leg of it.
    leg: Option<&'static str>,
    /// RFC 3339: the answer, else the set-up or the receipt.
    at: String,
    /// Seconds: a decimal.
    duration: String,
    /// As dialled.
    destination: String,
    /// Null: we charge nothing, since we have no such call.
    ours: Option<String>,
    /// As they write it.
    theirs: String,
    currency: String,
    /// The command that proves our price.
    explain: Option<String>,
}

/// An account whose calls differ.
#[derive(Serialize, ToSchema)]
pub(super) struct ShadowAccount {
    account: String,
    currency: String,
    calls: u64,
    differ: u64,
    ours: String,
    theirs: String,
    difference: String,
}

/// Calls that only they charge.
#[derive(Serialize, ToSchema)]
pub(super) struct OnlyTheirs {
    #[schema(example = "suspense: no_rate")]
    why: String,
    calls: u64,
    /// Whatever the currency.
    theirs: String,
    examples: Vec<ShadowExample>,
}

/// Calls of which they tell nothing.
#[derive(Serialize, ToSchema)]
pub(super) struct OnlyOurs {
    currency: String,
    calls: u64,
    ours: String,
}

/// Calls that cannot be compared.
#[derive(Serialize, ToSchema)]
pub(super) struct NotCompared {
    why: String,
    calls: u64,
    examples: Vec<ShadowExample>,
}

impl ShadowReport {
    fn of(period: Period, report: Report, accounts: usize) -> ShadowReport {
        let mut currencies: Vec<&String> = report.agree.keys().chain(report.differ.keys()).collect();
        currencies.sort();
        currencies.dedup();
        let none = Sums::default();
        let totals = currencies.into_iter().map(|currency| {
            let agree = report.agree.get(currency).unwrap_or(&none);
            let differ = report.differ.get(currency).unwrap_or(&none);
            ShadowTotal {
                currency: currency.clone(),
                calls: agree.calls + differ.calls,
                agree: agree.calls,
                differ: differ.calls,
                ours: shown(agree.ours + differ.ours),
                theirs: shown(agree.theirs + differ.theirs),
                difference: shown(differ.theirs - differ.ours),
                they_charge_more: shown(differ.more),
                they_charge_less: shown(differ.less),
            }
        });
        let totals = totals.collect();
        let mut differing: Vec<_> = report.accounts.into_iter().filter(|(_, sums)| sums.differ.calls > 0).collect();
        let accounts_differing = differing.len();
        differing.sort_by_key(|(_, sums)| std::cmp::Reverse((sums.differ.theirs - sums.differ.ours).abs()));
        differing.truncate(accounts);
        let accounts = differing.into_iter().map(|((account, currency), sums)| ShadowAccount {
            account,
            currency,
            calls: sums.all.calls,
            differ: sums.differ.calls,
            ours: shown(sums.all.ours),
            theirs: shown(sums.all.theirs),
            difference: shown(sums.all.theirs - sums.all.ours),
        });
        ShadowReport {
            period: period.to_string(),
            totals,
            groups: report.groups.into_iter().map(ShadowGroup::of).collect(),
            accounts: accounts.collect(),
            accounts_differing,
            only_theirs: (report.only_theirs.into_iter())
                .map(|(why, (sums, examples))| OnlyTheirs {
                    why,
                    calls: sums.calls,
                    theirs: shown(sums.theirs),
                    examples: examples.into_iter().map(ShadowExample::of).collect(),
                })
                .collect(),
            only_ours: (report.only_ours.into_iter())
                .map(|(currency, sums)| OnlyOurs { currency, calls: sums.calls, ours: shown(sums.ours) })
                .collect(),
            not_compared: (report.not_compared.into_iter())
                .map(|(why, (calls, examples))| NotCompared {
                    why,
                    calls,
                    examples: examples.into_iter().map(ShadowExample::of).collect(),
                })
                .collect(),
        }
    }
}

impl ShadowGroup {
    fn of(group: Group) -> ShadowGroup {
        ShadowGroup {
            rule: group.rule.name.into_owned(),
            words: group.rule.words,
            currency: group.currency,
            calls: group.sums.calls,
            ours: shown(group.sums.ours),
            theirs: shown(group.sums.theirs),
            difference: shown(group.sums.theirs - group.sums.ours),
            ambiguous: group.sums.ambiguous,
            also: group.also.into_iter().map(|(words, calls)| AlsoExplains { words, calls }).collect(),
            examples: group.examples.into_iter().map(ShadowExample::of).collect(),
        }
    }
}

impl ShadowExample {
    fn of(pair: Pair) -> ShadowExample {
        let explain = pair.ours.as_ref().map(|_| explain(&pair));
        ShadowExample {
            leg: pair.leg.map(Direction::name),
            at: pair.at.to_string(),
            duration: pair.duration.to_string(),
            node: pair.node,
            id: pair.id,
            account: pair.account,
            destination: pair.destination,
            ours: pair.ours,
            theirs: pair.theirs,
            currency: pair.currency,
            explain,
        }
    }
}

/// With four decimals at least, as costs are shown.
fn shown(amount: Decimal) -> String {
    let mut amount = amount.normalize();
    if amount.scale() < 4 {
        amount.rescale(4);
    }
    amount.to_string()
}

/// The command that proves our price, as a shell takes it.
fn explain(pair: &Pair) -> String {
    format!("callrated explain --call '{}'", format!("{}/{}", pair.node, pair.id).replace('\'', "'\\''"))
}

/// What the system that bills today charges, beside what we would.
///
/// Of the calls whose records tell a price (`incumbent_cost`): on how many both agree, on how many not, and by which rule
/// the others are explained, each with examples. By `Accept`: the report as JSON, or CSV of the single calls that differ, streamed.
#[utoipa::path(
    get, path = "/v1/shadow", tag = "calls", operation_id = "shadow", params(Asked),
    responses(
        (status = 200, content((ShadowReport = "application/json"), (String = "text/csv"))),
        (status = "default", response = super::openapi::AnyProblem),
    ),
    security(("token" = ["read"])),
)]
pub(super) async fn shadow(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let period: Period =
        asked.period.parse().map_err(|e: crate::time::BadPeriod| Problem::bad_request(e.to_string()))?;
    let kind = manners::choose(&headers, &[JSON, CSV])?;
    app.settle().await?;
    // It reads the month as a download does.
    let place = export::place(&app, kind)?;
    let images = app.images.clone();
    let report = app.stored(move |store| shadow::report(store, &images, period)).await?;
    if kind == JSON {
        let accounts = asked.accounts.unwrap_or(ACCOUNTS);
        return Ok(Json(ShadowReport::of(period, report, accounts)).into_response());
    }
    let (writer, body) = stream::body();
    let shared = app.clone();
    tokio::task::spawn_blocking(move || {
        write(&shared, period, &report, writer);
        drop(place);
    });
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CSV));
    Ok(response)
}

/// The calls that differ, while they are read.
fn write(app: &App, period: Period, report: &Report, mut writer: stream::Writer) {
    let mut text = "node,id,leg,account,answer,duration,destination,currency,ours,theirs,difference,rule,explanation,\
                    also,proof\r\n"
        .to_owned();
    let outcome = shadow::each(app.store.as_ref(), period, |call, account, told| {
        let (rule, words, also) = match shadow::standing(call, told, &app.images) {
            Standing::Equal | Standing::NotTold => return Visit::Continue(()),
            Standing::NotCompared(why) => ("not_compared".to_owned(), why, String::new()),
            Standing::Differs(rules) => {
                let rule = report.rule_of(call, told, &rules);
                let also = rules.iter().filter(|other| **other != rule).map(|other| other.words.as_str());
                let also = also.collect::<Vec<_>>().join("; ");
                (rule.name.into_owned(), rule.words, also)
            }
        };
        let theirs = told.and_then(|told| shadow::amount(&told.cost));
        let difference = theirs.and_then(|theirs| theirs.checked_sub(call.call.cost.decimal()));
        let pair = shadow::pair(call, account, told);
        let cells = [
            pair.node.as_str(),
            &pair.id,
            pair.leg.map_or("", Direction::name),
            &pair.account,
            &pair.at.to_string(),
            &pair.duration.to_string(),
            &pair.destination,
            &pair.currency,
            pair.ours.as_deref().unwrap_or(""),
            &pair.theirs,
            &difference.map_or(String::new(), shown),
            &rule,
            &words,
            &also,
            &explain(&pair),
        ];
        for (i, value) in cells.into_iter().enumerate() {
            if i > 0 {
                text.push(',');
            }
            details::cell(value, &mut text);
        }
        text.push_str("\r\n");
        let written = writer.write(text.as_bytes());
        text.clear();
        if written.is_ok() { Visit::Continue(()) } else { Visit::Break(()) }
    });
    if let Err(error) = outcome {
        tracing::error!("the comparison is cut off: {error}");
        writer.cut_off();
        return;
    }
    // A client that went away wants no end.
    let _ = writer.write(text.as_bytes()).and_then(|()| writer.finish());
}
