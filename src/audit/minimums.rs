//! Minimum spends that sealed months bill (R26): as their manifests have them, and derived a second time.
//!
//! It shares no code with the job that seals but the directory and the tariffs: a month's share is added up day by day and
//! rounded by another library, what calls come to is added up from rows, what was billed before is read from manifests.
//!
//! Does not know how calls are rated.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Deserialize;

use super::{AuditError, Difference};
use crate::call::AccountKey;
use crate::directory::{Account, Directory};
use crate::images::Images;
use crate::money::{MONEY_DECIMALS, minor_unit};
use crate::period::MinimumLine;
use crate::store::{MinimumsOf, Store, StoreError, StoredState};
use crate::tariff::{Plan, Tariff};
use crate::time::{Period, Timestamp, day_start};

/// Account and currency.
pub(super) type Payer = (String, [u8; 3]);

/// What a month's calls come to, and the most decimals of any.
#[derive(Default)]
pub(super) struct Charged {
    /// Its own.
    pub own: BTreeMap<Payer, (i128, u8)>,
    /// Those of closed months.
    pub late: BTreeMap<(Period, Payer), (i128, u8)>,
}

impl Charged {
    pub fn add(&mut self, account: &str, currency: [u8; 3], adjusts: Option<Period>, (cost, decimals): (i128, u8)) {
        let payer = (account.to_owned(), currency);
        let sum = match adjusts {
            None => self.own.entry(payer).or_default(),
            Some(own) => self.late.entry((own, payer)).or_default(),
        };
        *sum = (sum.0 + cost, sum.1.max(decimals));
    }

    /// Of an account some of whose calls are gone: its totals, and what its manifest says was late.
    pub fn gone(&mut self, store: &dyn Store, month: Period, key: AccountKey, name: &str) -> Result<(), StoreError> {
        self.own.retain(|(account, _), _| account != name);
        self.late.retain(|(_, (account, _)), _| account != name);
        for line in store.usage(key, month)? {
            self.add(name, line.currency, None, (line.usage.cost, line.decimals));
        }
        for late in manifest(store, month)?.late.iter().filter(|late| late.account == name) {
            let currency = <[u8; 3]>::try_from(late.currency.as_bytes());
            let cost = (decimal(&late.cost) * Decimal::from(1_000_000_000)).to_i128();
            if let (Ok(currency), Ok(own), Some(cost)) = (currency, late.period.parse(), cost) {
                self.add(name, currency, Some(own), (cost, 0));
                self.add(name, currency, None, (-cost, 0));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize, Default)]
struct Manifest {
    #[serde(default)]
    minimums: Vec<MinimumLine>,
    #[serde(default)]
    late: Vec<Late>,
}

#[derive(Deserialize)]
struct Late {
    account: String,
    period: String,
    cost: String,
    currency: String,
}

/// The manifest of a month; empty where there is none.
fn manifest(store: &dyn Store, month: Period) -> Result<Manifest, StoreError> {
    Ok(serde_json::from_slice(&store.manifest(month)?.unwrap_or_default()).unwrap_or_default())
}

fn told(store: &dyn Store, month: Period) -> Result<Vec<MinimumLine>, StoreError> {
    Ok(manifest(store, month)?.minimums)
}

/// What the store's table of a sealed month says and its manifest does not, or the other way about.
pub(super) fn table(
    store: &dyn Store,
    state: &StoredState,
    month: Period,
    mut differ: impl FnMut(Difference),
) -> Result<(), StoreError> {
    let accounts: BTreeMap<_, _> = state.accounts.iter().map(|account| (account.key, account.name.as_str())).collect();
    let groups: BTreeMap<_, _> = state.groups.iter().map(|group| (group.key, group.name.as_str())).collect();
    let page = MinimumsOf::Page { period: month, after: None, upto: None, limit: usize::MAX };
    let mut stored = BTreeMap::new();
    for row in store.minimums(page)? {
        let account = accounts.get(&row.account).copied().unwrap_or("unknown");
        let line = MinimumLine::of(&row, account, groups.get(&row.group).copied().unwrap_or("unknown"));
        stored.insert(line, ());
    }
    for line in told(store, month)? {
        if stored.remove(&line).is_none() {
            differ(difference(&line, month, shown(Some(&line)), "no such line in the store".to_owned()));
        }
    }
    for (line, ()) in stored {
        differ(difference(&line, month, "no such line in the manifest".to_owned(), shown(Some(&line))));
    }
    Ok(())
}

fn difference(line: &MinimumLine, month: Period, expected: String, found: String) -> Difference {
    let of = line.adjusts.as_ref().map_or(String::new(), |own| format!(" of {own}"));
    let field = format!("minimum spend{of} billed in {month}, {}", line.currency);
    Difference { account: Some(line.account.clone()), call: None, field, expected, found }
}

fn shown(line: Option<&MinimumLine>) -> String {
    line.map_or("none".to_owned(), |line| {
        let MinimumLine { group, minimum, charged, cost, .. } = line;
        format!("minimum {minimum}, charged {charged}, billed {cost} to group {group}")
    })
}

/// Compares what the manifest of a sealed month says with what follows from its calls.
pub(super) fn compare(
    store: &dyn Store,
    images: &Images,
    month: Period,
    charged: &Charged,
    mut differ: impl FnMut(Difference),
) -> Result<(), AuditError> {
    let state = store.load()?;
    let by_place = |lines: Vec<MinimumLine>| -> BTreeMap<_, MinimumLine> {
        let place = |line: &MinimumLine| (line.account.clone(), line.currency.clone(), line.adjusts.clone());
        lines.into_iter().map(|line| (place(&line), line)).collect()
    };
    let derived = by_place(derived(store, images, &state, month, charged)?);
    let told = by_place(told(store, month)?);
    let places: BTreeSet<_> = derived.keys().chain(told.keys()).collect();
    for place in places {
        let (expected, found) = (derived.get(place), told.get(place));
        let amounts =
            |line: &MinimumLine| (line.group.clone(), [&line.minimum, &line.charged, &line.cost].map(|a| decimal(a)));
        if expected.map(amounts) != found.map(amounts)
            && let Some(line) = expected.or(found)
        {
            differ(difference(line, month, shown(expected), shown(found)));
        }
    }
    table(store, &state, month, differ)?;
    Ok(())
}

fn derived(
    store: &dyn Store,
    images: &Images,
    state: &StoredState,
    month: Period,
    charged: &Charged,
) -> Result<Vec<MinimumLine>, AuditError> {
    let Some(closed) = state.periods.iter().find(|row| row.period == month) else { return Ok(Vec::new()) };
    let mut lines = Vec::new();
    if let Some(directory) = state.directories.iter().rfind(|row| row.position < closed.seal) {
        let directory = images.directory(&directory.digest)?;
        let mut tariffs = Vec::new();
        for row in state.tariffs.iter().filter(|row| row.position < closed.seal) {
            tariffs.push((row.effective_from, images.tariff(&row.digest)?));
        }
        own_lines(&directory, &tariffs, month, charged, &mut lines);
    }
    // Lines of the months closed before, in that order.
    let mut before: Vec<_> = state.periods.iter().filter(|row| row.seal < closed.seal).collect();
    before.sort_by_key(|row| row.seal);
    let mut manifests = Vec::new();
    if !charged.late.is_empty() {
        for row in before {
            manifests.push((row.period, told(store, row.period)?));
        }
    }
    for ((own, (account, currency)), (cost, decimals)) in &charged.late {
        let code = String::from_utf8_lossy(currency);
        let (mut asked, mut billed) = (None, Decimal::ZERO);
        for (period, lines) in &manifests {
            let of = |line: &&MinimumLine| {
                let its = line.adjusts.as_ref().map_or_else(|| period.to_string(), Clone::clone);
                line.account == *account && line.currency == code && its == own.to_string()
            };
            for line in lines.iter().filter(of) {
                billed += decimal(&line.cost);
                asked = Some(line);
            }
        }
        let Some(last) = asked else { continue };
        let charged = decimal(&last.charged) + exact(*cost);
        let short = (decimal(&last.minimum) - charged).max(Decimal::ZERO);
        let least = last.charged.split_once('.').map_or(0, |(_, part)| part.len()).max(usize::from(*decimals));
        lines.push(MinimumLine {
            adjusts: Some(own.to_string()),
            charged: fixed(charged, least as u32),
            cost: fixed(short - billed, least as u32),
            ..last.clone()
        });
    }
    Ok(lines)
}

fn own_lines(
    directory: &Directory,
    tariffs: &[(Option<Timestamp>, std::sync::Arc<Tariff>)],
    month: Period,
    charged: &Charged,
    lines: &mut Vec<MinimumLine>,
) {
    let asks =
        |name: &str| tariffs.iter().any(|(_, tariff)| plan(tariff, name).is_some_and(|p| p.minimum_spend.is_some()));
    let names: BTreeSet<&str> =
        (0..directory.rows()).map(|row| directory.row(row)).filter(|a| asks(a.plan)).map(|a| a.name()).collect();
    let mut rows: BTreeMap<&str, Vec<Account<'_>>> = BTreeMap::new();
    for account in (0..directory.rows()).map(|row| directory.row(row)).filter(|a| names.contains(a.name())) {
        rows.entry(account.name()).or_default().push(account);
    }
    for (name, rows) in rows {
        // Something ends at the last instant: the month, a row, or the billing.
        let ends = rows
            .iter()
            .flat_map(|row| [Some(month.bounds(row.zone).1), row.valid_to, row.billing_end].into_iter().flatten());
        let lived = |at: &Timestamp| {
            directory.account_at(name.as_bytes(), *at).filter(|row| {
                let started = row.billing_start <= *at && row.billing_end.is_none_or(|end| *at < end);
                started && Period::containing(*at, row.zone) == month
            })
        };
        let Some(last) = ends.map(|end| Timestamp(end.0 - 1)).filter(|at| lived(at).is_some()).max() else { continue };
        let Some(account) = lived(&last) else { continue };
        let in_force = tariffs.iter().rev().find(|(from, _)| from.is_none_or(|from| from <= last));
        let Some((_, tariff)) = in_force.or(tariffs.first()) else { continue };
        for (currency, minimum) in by_days(directory, tariff, &account, &rows, month) {
            let (sum, decimals) = charged.own.get(&(name.to_owned(), currency)).copied().unwrap_or((0, 0));
            let least = u32::from(decimals).max(minor_unit(currency));
            lines.push(MinimumLine {
                account: name.to_owned(),
                group: account.group().to_owned(),
                currency: String::from_utf8_lossy(&currency).into_owned(),
                adjusts: None,
                minimum: fixed(minimum, minor_unit(currency)),
                charged: fixed(exact(sum), least),
                cost: fixed((minimum - exact(sum)).max(Decimal::ZERO), least),
            });
        }
    }
}

fn plan<'t>(tariff: &'t Tariff, name: &str) -> Option<&'t Plan> {
    tariff.plan_named(name).map(|id| tariff.plan(id))
}

/// What an account is to spend at least, day by day: each day asks for its part of what its plan asks of the month.
fn by_days(
    directory: &Directory,
    tariff: &Tariff,
    account: &Account<'_>,
    rows: &[Account<'_>],
    month: Period,
) -> BTreeMap<[u8; 3], Decimal> {
    let mut asked: BTreeMap<[u8; 3], Decimal> = BTreeMap::new();
    let Some(deciding) = plan(tariff, account.plan) else { return asked };
    let (start, end) = month.bounds(account.zone);
    let ((year, number), days) = (month.year_month(), month.days());
    let near = |row: &&Account<'_>| row.index == account.index && row.valid_to.is_none_or(|to| to > start);
    for day in 1..=days {
        let next = if day == days { None } else { day_start(year, number, day + 1, account.zone) };
        let last = Timestamp(next.unwrap_or(end).0 - 1);
        if deciding.prorate_first && last < account.billing_start {
            continue;
        }
        // A day without a row is that of the row before it, and before the first one of that.
        let of_day = || {
            let begun = |row: &&Account<'_>| row.valid_from.is_none_or(|from| from <= last);
            let in_force = directory.account_at(account.name().as_bytes(), last);
            in_force.or(rows.iter().filter(near).rfind(begun).copied()).or(rows.iter().find(near).copied())
        };
        let of_day = if deciding.prorate_change { of_day() } else { Some(*account) };
        let asking = of_day.and_then(|row| plan(tariff, row.plan)).and_then(|plan| Some((plan, plan.minimum_spend?)));
        if let Some((plan, least)) = asking {
            *asked.entry(plan.currency).or_default() += least.decimal();
        }
    }
    for (currency, sum) in &mut asked {
        let share = *sum / Decimal::from(days);
        *sum = share.round_dp_with_strategy(minor_unit(*currency), RoundingStrategy::MidpointAwayFromZero);
    }
    asked.retain(|_, sum| *sum > Decimal::ZERO);
    asked
}

fn exact(nanos: i128) -> Decimal {
    Decimal::from_i128_with_scale(nanos, MONEY_DECIMALS)
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap_or_default()
}

/// With at least so many decimals, more only where it needs them.
fn fixed(amount: Decimal, decimals: u32) -> String {
    let mut amount = amount.normalize();
    if amount.scale() < decimals {
        amount.rescale(decimals);
    }
    amount.to_string()
}
