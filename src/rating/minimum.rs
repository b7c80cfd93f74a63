//! What an account spends at least in a month (R26): `minimum_spend` of its plan.
//!
//! - The account's last instant in the month decides: its plan, its group, and the tariff in force. An account that was billed
//!   at no instant of the month owes nothing for it; one that ended within the month owes all, as it had all of its
//!   allowances.
//! - A first month is prorated as the allowances are: with `prorate_first`, by days from billing start to the month's end.
//! - With `prorate_change` a month in which the plan changes asks for the sum of each plan's share by days; without it, for the
//!   minimum of the last plan. Plans of different currencies ask apart from each other: amounts of two are never added.
//! - A share is rounded once, halves away from zero, to the minor unit of its currency: it stands on an invoice.
//!
//! Does not know what was spent.

use super::World;
use super::pools::Month;
use crate::directory::{Account, Directory};
use crate::money::{MONEY_DECIMALS, Money, minor_unit};
use crate::tariff::Plan;
use crate::time::{Period, Timestamp};

/// What an account is to spend at least in a month, by currency; nothing where its plan asks nothing. `account` is its row at
/// its last instant in the month, the tariff the one in force then.
pub fn minimum_spend(world: World<'_>, account: &Account<'_>, period: Period) -> Vec<([u8; 3], Money)> {
    let named = |name: &str| world.tariff.plan_named(name).map(|id| world.tariff.plan(id));
    let Some(plan) = named(account.plan) else { return Vec::new() };
    let Some(account) = world.directory.account_row(account.row) else { return Vec::new() };
    let month = Month { world, plan, account, period };
    // Nano-units times days.
    let mut shares: Vec<([u8; 3], i128)> = Vec::new();
    let mut add = |plan: &Plan, days: u8| {
        let Some(least) = plan.minimum_spend else { return };
        let share = i128::from(least.0) * i128::from(days);
        match shares.iter_mut().find(|(currency, _)| *currency == plan.currency) {
            Some((_, sum)) => *sum += share,
            None => shares.push((plan.currency, share)),
        }
    };
    if plan.prorate_change && month.changes() {
        month.shares(None, |share| {
            if let Some(plan) = named(share.plan) {
                add(plan, share.days);
            }
        });
    } else {
        add(plan, month.first_month_days().map_or(month.days(), |(days, _)| days));
    }
    let rounded = |(currency, sum)| (currency, rounded(sum, month.days(), currency));
    shares.into_iter().map(rounded).filter(|(_, least)| *least > Money::ZERO).collect()
}

/// A sum of shares of so many days, none below zero, to the minor unit: divided and rounded once.
fn rounded(sum: i128, days: u8, currency: [u8; 3]) -> Money {
    let step = 10_i128.pow(MONEY_DECIMALS.saturating_sub(minor_unit(currency)));
    let divisor = i128::from(days) * step;
    // At most what a plan asks of a whole month, which fits.
    Money(i64::try_from((2 * sum + divisor) / (2 * divisor) * step).unwrap_or(i64::MAX))
}

/// The row of an account at its last instant in a month, and that instant; none where it is billed at no instant of the month.
/// `any` is some row of the account.
pub fn billed<'a>(directory: &'a Directory, any: &Account<'a>, period: Period) -> Option<(Account<'a>, Timestamp)> {
    let of_account = |row: u32| Some(directory.row(row)).filter(|other| other.index == any.index);
    let mut row = any.row;
    while row.checked_add(1).and_then(of_account).is_some() {
        row += 1;
    }
    loop {
        let account = of_account(row)?;
        let (start, end) = period.bounds(account.zone);
        let later = |a: Timestamp, b: Option<Timestamp>| b.map_or(a, |b| a.max(b));
        let sooner = |a: Timestamp, b: Option<Timestamp>| b.map_or(a, |b| a.min(b));
        let from = later(start.max(account.billing_start), account.valid_from);
        let until = sooner(sooner(end, account.valid_to), account.billing_end);
        if from < until {
            return Some((account, Timestamp(until.0 - 1)));
        }
        row = row.checked_sub(1)?;
    }
}
