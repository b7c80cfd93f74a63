//! `GET /v1/accounts/{account}/usage`: what an account's calls add up to now.
//!
//! Does not know where calls are kept: it asks the road, which knows every acknowledged record.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{App, Problem, accounts};
use crate::call::{Meter, TariffSlot};
use crate::money::{Sum, minor_unit};
pub(super) use crate::rating::billable_minutes as minutes;
use crate::rating::{self, Drawn, World};
use crate::road::{LiveUsage, UsageLine};
use crate::tariff::pools::Pool;
use crate::tariff::rollover::{Lots, Rollover};
use crate::tariff::tiers::Tier;
use crate::tariff::{Allowance, Plan};
use crate::time::{Micros, Period, Timestamp, Zone};

/// Which month.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Year and month; without it the month that is running in the account's zone.
    #[param(example = "2026-10")]
    period: Option<String>,
}

/// An account's totals in a month.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "account": "acme", "period": "2026-10", "state": "open", "currency": "EUR",
    "allowance": { "included_minutes": "60", "used_seconds": 3600, "left_seconds": 0 },
    "totals": [
        { "call_type": "included", "calls": 41, "seconds": "2711.4", "billable_seconds": 3600,
          "billable_minutes": "60", "currency": "EUR", "cost": "0.0000", "amount": "0.00" },
        { "call_type": "international", "calls": 1, "seconds": "61", "billable_seconds": 120,
          "billable_minutes": "2", "currency": "EUR", "cost": "0.2150", "amount": "0.22" },
        { "call_type": "overage", "calls": 3, "seconds": "402", "billable_seconds": 480,
          "billable_minutes": "8", "currency": "EUR", "cost": "0.1150", "amount": "0.12" },
    ],
    "cost": "0.3300", "amount": "0.34", "rounded_cost": "0.33",
}))]
pub(super) struct AccountUsage {
    account: String,
    /// Year and month in the account's zone.
    period: String,
    /// `open`; `closing`: the month is over, and records may still come; `sealing`; `sealed`: it does not change any more.
    state: &'static str,
    /// ISO 4217.
    currency: String,
    allowance: AllowanceUsed,
    /// The plan's further allowances, by name; left out where it has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    allowances: Vec<PoolUsed>,
    /// The plan's volume tiers, by name; left out where it has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    tiers: Vec<TierUsed>,
    /// By call type.
    totals: Vec<Total>,
    /// What `totals` add up to in `currency`, exact: a decimal.
    cost: String,
    /// What the `amount`s of `totals` add up to in `currency`: the sum of an invoice whose lines they are.
    amount: String,
    /// `cost`, rounded once to the minor unit of `currency`: only where that is not `amount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    rounded_cost: Option<String>,
    /// The same in further currencies, where the account changed to a plan of another one within the month.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    further_costs: Vec<CostIn>,
}

/// How much of the plan's minutes is drawn.
#[derive(Serialize, ToSchema)]
pub(super) struct AllowanceUsed {
    /// Minutes as a decimal, or `unlimited`.
    included_minutes: String,
    /// By all accounts of the billing group.
    used_seconds: u64,
    /// Null where unlimited.
    left_seconds: Option<u64>,
    /// What earlier months left, the oldest first, as it is drawn: before the month's own minutes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    carried: Vec<Lot>,
    /// What the month has handed on to later ones, once it is sealed; it is not left any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    handed_on_seconds: Option<u64>,
}

/// Minutes that an earlier month left.
#[derive(Serialize, ToSchema)]
pub(super) struct Lot {
    /// That month.
    #[schema(example = "2026-09")]
    from: String,
    seconds: u64,
    left_seconds: u64,
    /// The last month in which they can be used.
    #[schema(example = "2026-10")]
    until: String,
}

/// How much a volume tier has counted.
#[derive(Serialize, ToSchema)]
pub(super) struct TierUsed {
    #[schema(example = "world")]
    name: String,
    /// Which calls it counts, as in `plans.toml`.
    #[schema(example = json!(["international"]))]
    of: Vec<String>,
    /// Seconds charged, by all accounts of the billing group.
    charged_seconds: u64,
    /// What they cost behind this: a price, or so much less. Left out below the first level.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "10 % less")]
    price: Option<String>,
    /// Where the next level begins; null: there is none.
    next_after_seconds: Option<u64>,
}

/// How much of an allowance of some calls is drawn.
#[derive(Serialize, ToSchema)]
pub(super) struct PoolUsed {
    #[schema(example = "mobile")]
    name: String,
    /// Which calls draw it, as in `plans.toml`.
    #[schema(example = json!(["DE:mobile", "+4479"]))]
    of: Vec<String>,
    #[serde(flatten)]
    used: AllowanceUsed,
}

/// The calls of one type.
#[derive(Serialize, ToSchema)]
pub(super) struct Total {
    /// `included`, `overage`, `domestic_premium`, `international`, `toll_free`, `toll_free_outbound`, `emergency`,
    /// `inbound`, `free`.
    call_type: &'static str,
    /// A call that straddles the allowance counts once, under `included`.
    calls: i64,
    /// Talk time: a decimal.
    seconds: String,
    billable_seconds: i64,
    /// A decimal.
    billable_minutes: String,
    /// ISO 4217.
    currency: String,
    /// Exact: the sum of calls that were rounded one by one. A decimal.
    cost: String,
    /// The same, rounded once to the minor unit of the currency (ISO 4217): what this line says on an invoice.
    amount: String,
}

/// An amount and its currency.
#[derive(Serialize, ToSchema)]
pub(super) struct CostIn {
    /// ISO 4217.
    pub(super) currency: String,
    /// Exact: a decimal.
    pub(super) cost: String,
    /// The sum of the lines' `amount`s.
    pub(super) amount: String,
    /// `cost`, rounded once: only where that is not `amount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rounded_cost: Option<String>,
}

/// Totals of an account in a month.
///
/// Sees every record that was acknowledged before the question.
#[utoipa::path(
    get, path = "/v1/accounts/{account}/usage", tag = "usage", operation_id = "account_usage",
    params(("account" = String, Path, description = "The account's name"), Asked),
    responses((status = 200, body = AccountUsage), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["read"])),
)]
pub(super) async fn of_account(
    State(app): State<App>,
    Path(account): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<AccountUsage>, Problem> {
    let (tariff, directory) = app.in_force()?;
    let now = app.clock.now();
    let row = directory.account_at(account.as_bytes(), now);
    let period = match &asked.period {
        Some(text) => text.parse::<Period>().map_err(|e| Problem::bad_request(e.to_string()))?,
        None => Period::containing(now, row.map_or(&Zone::UTC, |r| r.zone)),
    };
    let live = app.road.usage(&account, period).await.map_err(|_| Problem::stopping())?;
    // The row that was in force in that month, if there is one, else today's.
    let row = row.and_then(|row| {
        let (_, end) = period.bounds(row.zone);
        directory.account_at(account.as_bytes(), Timestamp((end.0 - 1).min(now.0))).or(Some(row))
    });
    if row.is_none() && live.is_none() && directory.account_named(account.as_bytes()).is_none() {
        return Err(accounts::unknown(&directory, &account));
    }
    let live = live.unwrap_or_default();
    let plan = row.and_then(|row| tariff.plan_named(row.plan).map(|id| tariff.plan(id)));
    let (allowance, allowances) = match (row, plan) {
        (Some(row), Some(plan)) => {
            let world = World { directory: &directory, tariff: &tariff, slot: TariffSlot(0) };
            let of_month = |pool: Option<&Pool>| rating::allowance(world, plan, &row, period, pool);
            let pool = |pool: &Pool| PoolUsed {
                name: pool.name.clone(),
                of: pool.of.iter().map(|of| of.to_string()).collect(),
                used: used(of_month(Some(pool)), (pool.meter, pool.handed_on), pool.rollover.as_ref(), &live, period),
            };
            (of_month(None), plan.pools.iter().map(pool).collect())
        }
        _ => (Allowance::Seconds(0), Vec::new()),
    };
    let tiers = plan.map_or_else(Vec::new, |plan| plan.tiers.iter().map(|one| tier(one, &live, period)).collect());
    let over = period.bounds(row.map_or(&Zone::UTC, |r| r.zone)).1;
    let state = app.sealer.state(period, over);
    Ok(Json(AccountUsage { allowances, tiers, ..shown(account, period, state, live, plan, allowance) }))
}

fn shown(
    account: String,
    period: Period,
    state: &'static str,
    live: LiveUsage,
    plan: Option<&Plan>,
    allowance: Allowance,
) -> AccountUsage {
    // The plan's currency stands first, even where no call was charged in it yet.
    let mut costs = Costs::default();
    costs.0.extend(plan.map(|plan| Cost { decimals: plan.cost_decimals, ..Cost::of(plan.currency) }));
    costs.add(&live.lines);
    if costs.0.len() > 1 && live.lines.iter().all(|line| Some(line.currency) != costs.0.first().map(|c| c.currency)) {
        // Nothing was charged in today's plan's currency: then it has no place in this month's answer.
        costs.0.remove(0);
    }
    let (main, further_costs) = costs.shown();
    AccountUsage {
        account,
        period: period.to_string(),
        state,
        currency: main.currency,
        allowance: used(
            allowance,
            (Meter::PLAN, Meter::PLAN_HANDED_ON),
            plan.and_then(|plan| plan.rollover.as_ref()),
            &live,
            period,
        ),
        allowances: Vec::new(),
        tiers: Vec::new(),
        totals: live.lines.iter().map(total).collect(),
        cost: main.cost,
        amount: main.amount,
        rounded_cost: main.rounded_cost,
        further_costs,
    }
}

fn used(
    allowance: Allowance,
    (meter, handed_on): (Meter, Meter),
    rollover: Option<&Rollover>,
    live: &LiveUsage,
    period: Period,
) -> AllowanceUsed {
    let used_seconds = live.seconds(period, meter);
    let Allowance::Seconds(seconds) = allowance else {
        let included_minutes = "unlimited".to_owned();
        let (carried, handed_on_seconds) = (Vec::new(), None);
        return AllowanceUsed { included_minutes, used_seconds, left_seconds: None, carried, handed_on_seconds };
    };
    let beside = live.carried(period, meter, rollover.map_or(&[][..], Rollover::lots), handed_on);
    let handed_on = live.seconds(period, handed_on);
    AllowanceUsed {
        included_minutes: minutes(i64::try_from(seconds).unwrap_or(i64::MAX)),
        used_seconds,
        left_seconds: Some(seconds.saturating_add_signed(beside).saturating_sub(used_seconds)),
        carried: rollover.map_or_else(Vec::new, |rollover| lots(rollover, live, period, used_seconds)),
        handed_on_seconds: (handed_on > 0).then_some(handed_on),
    }
}

/// What earlier months left, and how much of each is left now.
fn lots(rollover: &Rollover, live: &LiveUsage, period: Period, used_seconds: u64) -> Vec<Lot> {
    let mut had: Lots = Default::default();
    had.iter_mut().zip(rollover.lots()).for_each(|(lot, meter)| *lot = live.seconds(period, *meter));
    let (left, _) = rollover.left(&had, 0, used_seconds);
    let months = i32::from(rollover.terms.months);
    let lot = |(i, (seconds, left_seconds)): (usize, (&u64, &u64))| {
        let from = period.0 - 1 - i as i32;
        let (from, until) = (Period(from).to_string(), Period(from + months).to_string());
        (*seconds > 0).then_some(Lot { from, seconds: *seconds, left_seconds: *left_seconds, until })
    };
    had.iter().zip(&left).enumerate().rev().filter_map(lot).collect()
}

fn tier(tier: &Tier, live: &LiveUsage, period: Period) -> TierUsed {
    let charged_seconds = live.seconds(period, tier.meter);
    let reached = tier.levels.partition_point(|level| level.after <= charged_seconds);
    TierUsed {
        name: tier.key().to_owned(),
        of: tier.of.iter().map(|of| of.to_string()).collect(),
        charged_seconds,
        price: reached.checked_sub(1).map(|i| tier.levels[i].price.to_string()),
        next_after_seconds: tier.levels.get(reached).map(|level| level.after),
    }
}

pub(super) fn total(line: &UsageLine) -> Total {
    let usage = &line.usage;
    Total {
        call_type: line.call_type.name(),
        calls: usage.calls,
        // A month of talk time of one account is far below 292,000 years.
        seconds: Micros(usage.talk as i64).to_string(),
        billable_seconds: usage.billable_seconds,
        billable_minutes: minutes(usage.billable_seconds),
        currency: text(&line.currency),
        cost: Sum(usage.cost).fixed(u32::from(line.decimals)),
        amount: amount(line).fixed(minor_unit(line.currency)),
    }
}

/// What a line says on an invoice.
pub(super) fn amount(line: &UsageLine) -> Sum {
    Sum(line.usage.cost).in_minor_units(line.currency)
}

/// What lines add up to in a currency.
struct Cost {
    currency: [u8; 3],
    /// To show of the exact sum.
    decimals: u8,
    exact: Sum,
    /// Of lines that were rounded one by one.
    amount: Sum,
}

impl Cost {
    fn of(currency: [u8; 3]) -> Cost {
        Cost { currency, decimals: 0, exact: Sum::default(), amount: Sum::default() }
    }

    fn shown(&self) -> CostIn {
        let decimals = minor_unit(self.currency);
        let rounded = self.exact.in_minor_units(self.currency);
        CostIn {
            currency: text(&self.currency),
            cost: self.exact.fixed(self.decimals.into()),
            amount: self.amount.fixed(decimals),
            rounded_cost: (rounded != self.amount).then(|| rounded.fixed(decimals)),
        }
    }
}

/// What lines add up to by currency.
#[derive(Default)]
pub(super) struct Costs(Vec<Cost>);

impl Costs {
    /// Adds lines; a currency that is new comes last.
    pub(super) fn add(&mut self, lines: &[UsageLine]) {
        for line in lines {
            let at = self.0.iter().position(|cost| cost.currency == line.currency).unwrap_or_else(|| {
                self.0.push(Cost::of(line.currency));
                self.0.len() - 1
            });
            let cost = &mut self.0[at];
            cost.exact.0 += line.usage.cost;
            cost.amount.0 += amount(line).0;
            cost.decimals = cost.decimals.max(line.decimals);
        }
    }

    /// The first currency's sum (an empty one if there is none), and the others'.
    pub(super) fn shown(self) -> (CostIn, Vec<CostIn>) {
        let mut all = self.0.iter().map(Cost::shown);
        let nothing = || Sum::default().fixed(0);
        let main = all.next().unwrap_or_else(|| CostIn {
            currency: String::new(),
            cost: nothing(),
            amount: nothing(),
            rounded_cost: None,
        });
        (main, all.collect())
    }
}

/// ISO 4217 as text.
pub(super) fn text(currency: &[u8]) -> String {
    String::from_utf8_lossy(currency).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(call_type: crate::call::CallType, currency: &[u8; 3], cost: i128) -> UsageLine {
        let usage = crate::call::Usage { calls: 1, cost, ..Default::default() };
        UsageLine { call_type, currency: *currency, decimals: 4, usage }
    }

    #[test]
    fn amounts_of_two_currencies_are_never_added() {
        use crate::call::CallType::{International, Overage};
        for (lines, expected) in [
            (vec![], ("", "0", vec![])),
            (vec![line(Overage, b"EUR", 1_000_000_000)], ("EUR", "1.0000", vec![])),
            (
                vec![
                    line(Overage, b"EUR", 1_000_000_000),
                    line(International, b"EUR", 20_000_000),
                    line(International, b"USD", 5_000_000_000),
                ],
                ("EUR", "1.0200", vec![("USD", "5.0000")]),
            ),
        ] {
            let live = LiveUsage { lines, ..LiveUsage::default() };
            let shown = shown("a".into(), Period::of(2026, 10), "open", live, None, Allowance::Seconds(0));
            let further: Vec<_> = shown.further_costs.iter().map(|c| (&*c.currency, &*c.cost)).collect();
            assert_eq!((&*shown.currency, &*shown.cost, further), expected);
        }
    }

    #[test]
    fn an_invoice_adds_up_the_lines_that_it_shows() {
        use crate::call::CallType::{DomesticPremium, International, Overage};
        let amounts = |lines: Vec<UsageLine>| {
            let live = LiveUsage { lines, drawn: Vec::new() };
            let shown = shown("a".into(), Period::of(2026, 10), "open", live, None, Allowance::Seconds(0));
            let lines: Vec<String> = shown.totals.iter().map(|total| total.amount.clone()).collect();
            (lines.join(" + "), shown.cost, shown.amount, shown.rounded_cost)
        };
        let three = |currency, cost| {
            vec![
                line(Overage, currency, cost),
                line(DomesticPremium, currency, cost),
                line(International, currency, cost),
            ]
        };
        // Lines of 0.0050 are 0.01 each, so 0.03, where their exact sum of 0.0150 would be 0.02.
        let expected =
            ("0.01 + 0.01 + 0.01".to_owned(), "0.0150".to_owned(), "0.03".to_owned(), Some("0.02".to_owned()));
        assert_eq!(amounts(three(b"EUR", 5_000_000)), expected);
        // Lines of 0.0040 are nothing each; 0.0120 would be 0.01.
        let expected =
            ("0.00 + 0.00 + 0.00".to_owned(), "0.0120".to_owned(), "0.00".to_owned(), Some("0.01".to_owned()));
        assert_eq!(amounts(three(b"EUR", 4_000_000)), expected);
        // Whole yen; and thousandths of a dinar, in which nothing is lost here.
        let expected = ("1 + 1 + 1".to_owned(), "2.2500".to_owned(), "3".to_owned(), Some("2".to_owned()));
        assert_eq!(amounts(three(b"JPY", 750_000_000)), expected);
        let expected = ("0.750 + 0.750 + 0.750".to_owned(), "2.2500".to_owned(), "2.250".to_owned(), None);
        assert_eq!(amounts(three(b"KWD", 750_000_000)), expected);
    }

    #[test]
    fn minutes_are_exact_decimals() {
        for (seconds, shown) in [(0, "0"), (60, "1"), (90, "1.5"), (36, "0.6"), (3600, "60"), (50, "0.833333")] {
            assert_eq!(minutes(seconds), shown);
        }
    }
}
