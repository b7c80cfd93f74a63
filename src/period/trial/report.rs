//! What a trial says, as the command and the API give it: amounts are decimals in text, largest movers come first.
//!
//! Does not know how it came about.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Both, Currency, Earned, Tried};
use crate::money::{Money, Sum, signed_percent};
use crate::tariff::diff;
use crate::time::Period;

/// What another tariff would make of a month.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct TrialDone {
    /// Year and month.
    pub period: String,
    /// BLAKE3 of the tariff that was tried.
    pub tariff: String,
    /// Everything before it in the journal is in these figures.
    pub position: u64,
    /// By currency.
    pub total: Vec<TrialTotal>,
    /// By account and currency.
    pub accounts: Vec<TrialRow>,
    /// By destination and currency, as calls are listed now; what no row prices by its call type, in parentheses.
    pub destinations: Vec<TrialRow>,
    /// Ways on which calls would be sold for less than they have to bring, the worst first.
    pub below: Vec<TrialRoute>,
    /// Calls that would no longer be rated.
    pub lost: Vec<TrialLost>,
    /// Calls that wait now and would be rated.
    pub gained: u64,
    /// Calls that are rated by neither.
    pub waiting: u64,
    /// Calls that stand as they are: adjustments, and calls of an earlier version.
    pub fixed: u64,
}

/// Calls and money, as sealing would bill them now and by the tariff that is tried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[allow(missing_docs)]
pub struct TrialTotal {
    pub currency: String,
    pub calls_before: u64,
    pub calls_after: u64,
    pub cost_before: String,
    pub cost_after: String,
    pub difference: String,
    /// None from nothing.
    pub percent: Option<String>,
    /// What is left of it; absent where neither plan says how its calls are bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_before: Option<TrialEarned>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_after: Option<TrialEarned>,
}

/// The same of one account, or of one destination.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[allow(missing_docs)]
pub struct TrialRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    #[serde(flatten)]
    pub money: TrialTotal,
}

/// What calls whose plan says how they are bought bring, cost us and leave.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct TrialEarned {
    /// Calls.
    pub calls: u64,
    /// Of these, calls of which it is not known what they cost us: they are in none of the amounts.
    pub unknown: u64,
    /// What customers pay.
    pub revenue: String,
    /// What we pay.
    pub cost: String,
    /// What is left.
    pub margin: String,
    /// In per cent of the revenue, cut to two decimals; null where there is none.
    pub percent: Option<String>,
}

/// A way on which calls would be sold for less than they have to bring.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct TrialRoute {
    /// Of the accounts that call.
    pub plan: String,
    /// Where the plan has decks of its own for it; else empty.
    pub carrier: String,
    /// Which deck says what they cost us.
    pub deck: String,
    /// By which prefix there.
    pub prefix: String,
    /// Its destination there.
    pub destination: String,
    /// ISO 4217.
    pub currency: String,
    /// What has to be left at least, in per cent of the revenue.
    pub least_percent: String,
    /// What would be left.
    #[serde(flatten)]
    pub earned: TrialEarned,
}

/// Calls that would no longer be rated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct TrialLost {
    /// Of the row that prices them now; where none does, the called number.
    pub prefix: String,
    /// Their destination.
    pub destination: String,
    /// Why: `no_rate`.
    pub reason: &'static str,
    /// How many.
    pub calls: u64,
    /// ISO 4217.
    pub currency: String,
    /// What they cost now.
    pub cost_before: String,
}

impl TrialRow {
    /// Which account, or which destination.
    pub fn name(&self) -> &str {
        self.account.as_ref().or(self.destination.as_ref()).map_or("", String::as_str)
    }

    /// Whether anything of it would be another.
    pub fn moves(&self) -> bool {
        let TrialTotal { calls_before, calls_after, cost_before, cost_after, margin_before, margin_after, .. } =
            &self.money;
        (calls_before, cost_before, margin_before) != (calls_after, cost_after, margin_after)
    }
}

type Rows = BTreeMap<(String, Currency), Both>;

impl TrialDone {
    /// At most `top` rows of each list.
    pub fn of(tried: &Tried, period: Period, digest: &str, top: usize) -> TrialDone {
        let mut below: Vec<_> = tried.below().collect();
        below.sort_by_key(|(_, earned)| earned.margin().margin());
        let mut lost: Vec<_> = tried.lost.iter().collect();
        lost.sort_by_key(|(_, billed)| std::cmp::Reverse((billed.calls, billed.cost.0)));
        TrialDone {
            period: period.to_string(),
            tariff: format!("blake3:{digest}"),
            position: tried.position.0,
            total: tried.total.iter().map(|(currency, both)| tried.both(both, *currency)).collect(),
            accounts: tried.rows(&tried.accounts, top, |money, name| TrialRow {
                account: Some(name),
                destination: None,
                money,
            }),
            destinations: tried.rows(&tried.destinations, top, |money, name| TrialRow {
                account: None,
                destination: Some(name),
                money,
            }),
            below: below
                .into_iter()
                .take(top)
                .map(|(route, earned)| TrialRoute {
                    plan: route.plan.clone(),
                    carrier: route.carrier.clone(),
                    deck: route.deck.clone(),
                    prefix: route.prefix.clone(),
                    destination: route.destination.clone(),
                    currency: named(route.currency),
                    least_percent: route.least.fixed(0),
                    earned: tried.earned(earned, route.currency),
                })
                .collect(),
            lost: lost
                .into_iter()
                .take(top)
                .map(|(loss, billed)| TrialLost {
                    prefix: loss.prefix.clone(),
                    destination: loss.destination.clone(),
                    reason: loss.reason.name(),
                    calls: billed.calls,
                    currency: named(loss.currency),
                    cost_before: tried.money(billed.cost, loss.currency),
                })
                .collect(),
            gained: tried.gained,
            waiting: tried.waiting,
            fixed: tried.fixed,
        }
    }
}

impl Tried {
    fn money(&self, sum: Sum, currency: Currency) -> String {
        sum.fixed(u32::from(self.decimals.get(&currency).copied().unwrap_or(2)))
    }

    fn both(&self, both: &Both, currency: Currency) -> TrialTotal {
        let margin = |earned: &Earned| both.is_bought().then(|| self.earned(earned, currency));
        TrialTotal {
            currency: named(currency),
            calls_before: both.before.calls,
            calls_after: both.after.calls,
            cost_before: self.money(both.before.cost, currency),
            cost_after: self.money(both.after.cost, currency),
            difference: self.money(both.difference(), currency),
            percent: both.percent(),
            margin_before: margin(&both.earned_before),
            margin_after: margin(&both.earned_after),
        }
    }

    fn earned(&self, earned: &Earned, currency: Currency) -> TrialEarned {
        TrialEarned {
            calls: earned.calls,
            unknown: earned.unknown,
            revenue: self.money(earned.revenue, currency),
            cost: self.money(earned.cost, currency),
            margin: self.money(Sum(earned.margin().margin()), currency),
            percent: earned.margin().percent(),
        }
    }

    fn rows(&self, rows: &Rows, top: usize, row: impl Fn(TrialTotal, String) -> TrialRow) -> Vec<TrialRow> {
        let ranked = ranked(rows).into_iter().take(top);
        ranked.map(|((name, currency), both)| row(self.both(both, *currency), name.clone())).collect()
    }
}

impl Both {
    fn difference(&self) -> Sum {
        Sum(self.after.cost.0 - self.before.cost.0)
    }

    /// How much more it comes to, in per cent, with its sign; none from nothing.
    fn percent(&self) -> Option<String> {
        let money = |sum: Sum| i64::try_from(sum.0 / 1000).map(Money).ok();
        diff::hundredths(money(self.before.cost)?, money(self.after.cost)?).map(signed_percent)
    }
}

/// Those that move most first: by what customers pay, and where that stays by what is left.
fn ranked(rows: &Rows) -> Vec<(&(String, Currency), &Both)> {
    let mut ranked: Vec<_> = rows.iter().collect();
    let left = |both: &Both| both.earned_after.margin().margin() - both.earned_before.margin().margin();
    let moved = |both: &Both| (both.difference().0.unsigned_abs(), left(both).unsigned_abs());
    ranked.sort_by_key(|(_, both)| std::cmp::Reverse(moved(both)));
    ranked
}

fn named(currency: Currency) -> String {
    String::from_utf8_lossy(&currency).into_owned()
}
