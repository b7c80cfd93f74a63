//! `GET /v1/margin`: what calls brought and what they cost us.
//!
//! Only for operators: no answer to a customer holds any of this.
//!
//! Does not know how a cost came about.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::usage::{minutes, text};
use super::{App, Problem, details, manners};
use crate::call::RESELLERS_MAX;
use crate::images::Images;
use crate::money::{Money, Sum};
use crate::period::everywhere;
use crate::store::{Margin, MarginRoute, Store, StoreError};
use crate::time::{BadPeriod, Micros, Period, Zone};

const JSON: &str = "application/json";
const CSV: &str = "text/csv; charset=utf-8";

/// Which month, and how it is added up.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Year and month; without it the month that is running in UTC.
    #[param(example = "2026-10")]
    period: Option<String>,
    /// `destination` (of the carrier's deck), `carrier`, `plan`, `account`, or `reseller`; `destination` unless said otherwise.
    by: Option<String>,
    /// Only what brings less than its least margin.
    #[serde(default)]
    #[param(required = false)]
    below: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Destination,
    Carrier,
    Plan,
    Account,
    Reseller,
}

impl By {
    fn named(name: &str) -> Option<By> {
        Some(match name {
            "destination" => By::Destination,
            "carrier" => By::Carrier,
            "plan" => By::Plan,
            "account" => By::Account,
            "reseller" => By::Reseller,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            By::Destination => "destination",
            By::Carrier => "carrier",
            By::Plan => "plan",
            By::Account => "account",
            By::Reseller => "reseller",
        }
    }
}

/// What calls of a month brought, and what they cost us.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "period": "2026-10", "state": "open", "by": "destination",
    "lines": [{ "name": "Germany Mobile", "currency": "EUR", "calls": 41, "minutes": "45.2", "billable_minutes": "60",
        "revenue": "0.9000", "cost": "0.5424", "margin": "0.3576", "percent": "39.73", "unknown": 0,
        "unknown_revenue": "0.0000", "below": false }],
    "total": [{ "name": "", "currency": "EUR", "calls": 41, "minutes": "45.2", "billable_minutes": "60",
        "revenue": "0.9000", "cost": "0.5424", "margin": "0.3576", "percent": "39.73", "unknown": 0,
        "unknown_revenue": "0.0000", "below": false }],
}))]
pub(super) struct Margins {
    /// Year and month.
    period: String,
    /// `open`, `closing`, `sealing` or `sealed`.
    state: &'static str,
    by: &'static str,
    /// What earns least comes first.
    lines: Vec<Line>,
    /// By currency.
    total: Vec<Line>,
}

/// A line of it.
#[derive(Serialize, ToSchema)]
pub(super) struct Line {
    /// Destination, carrier (empty: the plans' own cost decks), plan, or account.
    name: String,
    /// ISO 4217.
    currency: String,
    calls: i64,
    /// Talk time: a decimal.
    minutes: String,
    /// As customers are billed: a decimal.
    billable_minutes: String,
    /// What customers pay: a decimal. By reseller: what is paid at that level.
    revenue: String,
    /// What calls cost us, or at a level whoever sells there, as far as it is known: a decimal.
    cost: String,
    /// What is left of the revenue of calls whose cost is known: a decimal.
    margin: String,
    /// The same in per cent of that revenue, cut to two decimals; null where it is 0.
    percent: Option<String>,
    /// Calls whose cost is not known.
    unknown: i64,
    /// What they bring: it is in `revenue` and not in `margin`.
    unknown_revenue: String,
    /// Something in it that has a price of its own brings less than the least margin of its plan, or of the configuration.
    below: bool,
}

/// What is left of the month.
///
/// Sums over calls of plans that name cost decks or a reseller, as they stand behind every acknowledged record; calls of
/// other plans are not in them. JSON, or CSV by `Accept`.
#[utoipa::path(
    get, path = "/v1/margin", tag = "operating", operation_id = "margin", params(Asked),
    responses(
        (status = 200, content((Margins = "application/json"), (String = "text/csv"))),
        (status = "default", response = super::openapi::AnyProblem),
    ),
    security(("token" = ["operate"])),
)]
pub(super) async fn margin(
    State(app): State<App>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let period = match &asked.period {
        Some(text) => text.parse().map_err(|e: BadPeriod| Problem::bad_request(e.to_string()))?,
        None => Period::containing(app.clock.now(), &Zone::UTC),
    };
    let by = asked.by.as_deref().unwrap_or("destination");
    let by = By::named(by).ok_or_else(|| {
        Problem::bad_request(format!("by={by:?}: write destination, carrier, plan, account or reseller"))
    })?;
    let kind = manners::choose(&headers, &[JSON, CSV])?;
    app.settle().await?;
    let (images, least) = (app.images.clone(), app.least_margin);
    let (mut lines, total) = app.stored(move |store| added_up(store, &images, period, by, least)).await?;
    if asked.below {
        lines.retain(|line| line.below);
    }
    if kind == CSV {
        return Ok(([(header::CONTENT_TYPE, CSV)], csv(by, &lines)).into_response());
    }
    let state = app.sealer.state(period, everywhere(period).1);
    Ok(Json(Margins { period: period.to_string(), state, by: by.name(), lines, total }).into_response())
}

/// One line while routes are added to it.
#[derive(Default)]
struct Sums {
    margin: Margin,
    decimals: u8,
    below: bool,
}

type ByName = BTreeMap<(String, [u8; 3]), Sums>;

fn added_up(
    store: &dyn Store,
    images: &Images,
    period: Period,
    by: By,
    least: Money,
) -> Result<(Vec<Line>, Vec<Line>), StoreError> {
    let routes = store.margin_routes(period)?;
    let (mut lines, mut total) = (ByName::new(), ByName::new());
    let add = |sums: &mut ByName, name: String, currency, decimals: u8, margin: &Margin, below: bool| {
        let line = sums.entry((name, currency)).or_default();
        line.margin.add(margin, 1);
        line.decimals = line.decimals.max(decimals);
        line.below |= below;
    };
    let mut below_in: ByName = ByName::new();
    for route in &routes {
        // An image that is no longer there says nothing of a plan's own least margin.
        let tariff = images.tariff(&route.tariff).ok();
        let plan = tariff.as_ref().and_then(|tariff| Some(tariff.plan(tariff.plan_named(&route.plan)?)));
        let buying = plan.and_then(|plan| plan.buying.as_deref());
        let own = buying.and_then(|buying| buying.minimum_margin).unwrap_or(least);
        let below = route.call_type.is_sold() && route.margin.is_below(own.0);
        let MarginRoute { currency, decimals, margin, .. } = route;
        add(&mut total, String::new(), *currency, *decimals, margin, below);
        match by {
            By::Destination => add(&mut lines, route.destination.clone(), *currency, *decimals, margin, below),
            By::Carrier => add(&mut lines, route.carrier.clone(), *currency, *decimals, margin, below),
            By::Plan => add(&mut lines, route.plan.clone(), *currency, *decimals, margin, below),
            By::Account => {}
            By::Reseller => {
                let chain = buying.map_or(&[][..], |buying| &buying.resellers);
                let names = std::iter::once(route.plan.clone())
                    .chain(chain.iter().filter_map(|plan| Some(tariff.as_ref()?.plan(*plan).name.clone())));
                for (level, name) in names.enumerate() {
                    add(&mut below_in, name, *currency, *decimals, &level_of(margin, level, chain.len()), false);
                }
            }
        }
    }
    if by == By::Reseller {
        lines = below_in;
    }
    if by == By::Account {
        for account in store.margin_accounts(period)? {
            let below = account.margin.is_below(least.0);
            add(&mut lines, account.name, account.currency, account.decimals, &account.margin, below);
        }
    }
    let mut sorted: Vec<((String, [u8; 3]), Sums)> = lines.into_iter().collect();
    sorted.sort_by_key(|(_, sums)| sums.margin.margin());
    Ok((sorted.into_iter().map(shown).collect(), total.into_iter().map(shown).collect()))
}

/// What whoever sells at a level takes and pays. Sums do not tell calls apart, so a margin is said only of a route all of
/// whose calls have a price on both sides; else all of them count as unknown.
fn level_of(margin: &Margin, level: usize, levels: usize) -> Margin {
    let all = (margin.calls, margin.revenue);
    let taken = match level.checked_sub(1) {
        None => all,
        Some(above) => margin.resale.get(above).copied().unwrap_or_default(),
    };
    let paid = if level < levels.min(RESELLERS_MAX) {
        margin.resale.get(level).copied().unwrap_or_default()
    } else {
        (margin.calls - margin.unknown, margin.cost)
    };
    let known = taken.0 == margin.calls && paid.0 == margin.calls;
    Margin {
        unknown: if known { 0 } else { margin.calls },
        revenue: taken.1,
        revenue_known: if known { taken.1 } else { 0 },
        cost: if known { paid.1 } else { 0 },
        resale: Default::default(),
        ..*margin
    }
}

fn shown(((name, currency), sums): ((String, [u8; 3]), Sums)) -> Line {
    let Sums { margin, decimals, below } = sums;
    let amount = |nanos: i128| Sum(nanos).fixed(u32::from(decimals));
    Line {
        name,
        currency: text(&currency),
        calls: margin.calls,
        minutes: sixtieth(margin.talk),
        billable_minutes: minutes(margin.billable_seconds),
        revenue: amount(margin.revenue),
        cost: amount(margin.cost),
        margin: amount(margin.margin()),
        percent: margin.percent(),
        unknown: margin.unknown,
        unknown_revenue: amount(margin.revenue - margin.revenue_known),
        below,
    }
}

/// Microseconds of talk as minutes: whole seconds, the rest cut.
fn sixtieth(talk: i64) -> String {
    minutes(talk / Micros::seconds(1).0)
}

fn csv(by: By, lines: &[Line]) -> String {
    let mut out = format!(
        "{},currency,calls,minutes,billable_minutes,revenue,cost,margin,percent,unknown,unknown_revenue,below\r\n",
        by.name()
    );
    for line in lines {
        details::cell(&line.name, &mut out);
        // Writing into a string cannot fail.
        let _ = write!(
            out,
            ",{},{},{},{},{},{},{},{},{},{},{}\r\n",
            line.currency,
            line.calls,
            line.minutes,
            line.billable_minutes,
            line.revenue,
            line.cost,
            line.margin,
            line.percent.as_deref().unwrap_or(""),
            line.unknown,
            line.unknown_revenue,
            line.below,
        );
    }
    out
}
