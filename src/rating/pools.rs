//! What pools and the plan's minutes give a call (R12), and how large they are in a month.
//!
//! Where the rules leave something open, this is the answer:
//!
//! - The most specific pool gives first ([`crate::tariff::pools`]), in-plan calls draw the plan's minutes last. A call that
//!   draws several is one call; what no pool gives is charged as if there were none.
//! - Pools cover priced calls too: what they cover costs nothing, fee and caps of the row are due, once, for what they do
//!   not. A call that no row prices waits as `no_rate` all the same, and a blocked one as `blocked`.
//! - What earlier months left (`rollover`) is drawn before the month's own minutes, and counted as one with them. It is never
//!   prorated. A plan that does not let an allowance roll over has nothing of it either. What a sealed month handed on under
//!   another plan is gone for the late calls of this one as well.
//! - A prorated first month is counted in whole minutes and never above the whole allowance.
//! - With `prorate_change` a month in which the account's plan changes has one allowance, the sum of each plan's share by
//!   days in whole minutes, and all its calls draw from that: what the first plan's days left is there for the second's.
//!   A day belongs to the plan in force at its end; days before the account's first row to that row's plan.
//!
//! Does not know prices, nor who keeps what was drawn.

use super::kind::{Kind, Nature};
use super::price::{Asked, Counter};
use super::{Draw, DrawOf, Draws, Standing, World};
use crate::call::CallType;
use crate::directory::{Account, AccountRow};
use crate::tariff::pools::{self, Pool, PoolCall};
use crate::tariff::rollover::Rollover;
use crate::tariff::{Allowance, Plan};
use crate::time::Period;

/// What decides how large an allowance is.
#[derive(Clone, Copy)]
pub(super) struct Month<'m, 'a> {
    pub world: World<'a>,
    pub plan: &'m Plan,
    pub account: AccountRow<'a>,
    pub period: Period,
}

/// What pools and tiers ask of a call; none of one that costs nothing anyway.
pub(super) fn call_of(kind: &Kind<'_>) -> Option<PoolCall> {
    let call_type = match kind.nature {
        Nature::InPlan => CallType::Included,
        Nature::Charged(call_type) => call_type,
        Nature::Free(_) | Nature::Uncounted => return None,
    };
    Some(PoolCall { call_type, on_net: kind.rule == 7, number: kind.number, class: kind.class })
}

/// Fills `draws` with what pools, and after them the plan's minutes, give of so many seconds; how much that is. None
/// where the plan's minutes alone are asked, or nothing is. `tiered`: a tier counts the call, so everything is told.
pub(super) fn draw(
    kind: &Kind<'_>,
    month: Month<'_, '_>,
    billable: u32,
    standing: Standing<'_>,
    draws: &mut Draws,
    tiered: bool,
) -> Option<u32> {
    let (pools, plan) = (&month.plan.pools, month.plan);
    let (order, count) = pools::asked(pools, &call_of(kind)?);
    let in_plan = kind.nature == Nature::InPlan;
    if billable == 0 || count == 0 && !(in_plan && (tiered || plan.rollover.is_some())) {
        return None;
    }
    let mut rest = billable;
    let mut ask = |name: &str, of: DrawOf, counter: Counter, allowance: Allowance, rollover: Option<&Rollover>| {
        let asked = Asked::of(counter, allowance, month.period, standing, rollover);
        let seconds = asked.gives(rest);
        rest -= seconds;
        let left = (allowance != Allowance::Unlimited).then_some(asked.left);
        draws.push(name, Draw { meter: counter.meter, of, seconds, used: asked.used, left, carried: asked.carried });
        rest > 0
    };
    let mut wanting = true;
    for i in order.into_iter().take(count) {
        let Some(pool) = pools.get(usize::from(i)).filter(|_| wanting) else { break };
        let rollover = pool.rollover.as_ref();
        let counter = Counter { meter: pool.meter, handed_on: pool.handed_on };
        wanting = ask(&pool.name, DrawOf::Pool(i), counter, month.allowance(Some(pool)), rollover);
    }
    if wanting && in_plan {
        ask("", DrawOf::Plan, Counter::PLAN, month.allowance(None), plan.rollover.as_ref());
    }
    Some(billable - rest)
}

/// The plan's minutes in a month, or a pool's.
pub fn allowance(
    world: World<'_>,
    plan: &Plan,
    account: &Account<'_>,
    period: Period,
    pool: Option<&Pool>,
) -> Allowance {
    let whole = pool.map_or(plan.allowance, |pool| pool.allowance);
    let row = world.directory.account_row(account.row);
    row.map_or(whole, |account| Month { world, plan, account, period }.allowance(pool))
}

/// Days of a month that are a plan's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Share<'a> {
    pub plan: &'a str,
    pub days: u8,
    /// What the plan has in a whole month.
    pub whole: Allowance,
}

impl<'a> Month<'_, 'a> {
    #[inline]
    pub fn allowance(&self, pool: Option<&Pool>) -> Allowance {
        let whole = pool.map_or(self.plan.allowance, |pool| pool.allowance);
        let Allowance::Seconds(seconds) = whole else { return whole };
        if !self.plan.prorate_change && !self.plan.prorate_first {
            return whole;
        }
        if self.plan.prorate_change && self.changes() {
            let mut sum = 0_u64;
            self.shares(pool, |share| {
                if let Allowance::Seconds(whole) = share.whole {
                    sum = sum.saturating_add(by_days(whole, share.days, self.days()));
                }
            });
            return Allowance::Seconds(sum);
        }
        match self.first_month_days() {
            None => whole,
            Some((days, of)) => Allowance::Seconds(by_days(seconds, days, of)),
        }
    }

    pub fn days(&self) -> u8 {
        self.period.days().unsigned_abs()
    }

    /// R12: days from billing start to the month's end, inclusive, and days in the month; none where the month is whole or
    /// the plan does not prorate.
    pub fn first_month_days(&self) -> Option<(u8, u8)> {
        let account = self.account;
        if !self.plan.prorate_first || Period::containing(account.billing_start(), account.zone()) != self.period {
            return None;
        }
        let day = account.zone().day_of_month(account.billing_start()).unsigned_abs();
        (day > 1).then(|| (self.days() - day + 1, self.days()))
    }

    /// Whether the account has several plans in the month.
    pub fn changes(&self) -> bool {
        let mut first = None;
        let mut differ = false;
        self.stretches(|account, _, _| differ |= *first.get_or_insert(account.plan) != account.plan);
        differ
    }

    /// Each plan of the month once, in order, with its days.
    pub fn shares(&self, pool: Option<&Pool>, mut show: impl FnMut(Share<'a>)) {
        self.stretches(|account, from, _| {
            let (mut days, mut first) = (0, None);
            self.stretches(|other, begin, end| {
                if other.plan == account.plan {
                    first.get_or_insert(begin);
                    days += end - begin;
                }
            });
            if first != Some(from) {
                return;
            }
            let plan = self.world.tariff.plan_named(account.plan).map(|id| self.world.tariff.plan(id));
            let whole = match (plan, pool) {
                (None, _) => Allowance::Seconds(0),
                (Some(plan), None) => plan.allowance,
                (Some(plan), Some(pool)) => {
                    let same = plan.pools.iter().find(|other| other.meter == pool.meter);
                    same.map_or(Allowance::Seconds(0), |same| same.allowance)
                }
            };
            show(Share { plan: account.plan, days, whole });
        });
    }

    /// The account's rows in the month, in order: first day, and the day behind the last one, from 1.
    fn stretches(&self, mut show: impl FnMut(Account<'a>, u8, u8)) {
        let (directory, zone) = (self.world.directory, self.account.zone());
        let (start, end) = self.period.bounds(zone);
        let of_account = |row: u32| Some(directory.row(row)).filter(|other| other.index == self.account.index());
        let mut row = self.account.row();
        while let Some(before) = row.checked_sub(1).and_then(of_account)
            && before.valid_to.is_none_or(|to| to > start)
        {
            row = before.row;
        }
        let mut from = 1;
        if let Some((days, of)) = self.first_month_days() {
            from = of - days + 1;
        }
        while let Some(account) = of_account(row) {
            row += 1;
            let next = of_account(row).and_then(|next| next.valid_from).filter(|next| *next < end);
            let until = next.map_or(self.days() + 1, |next| zone.day_of_month(next).unsigned_abs()).max(from);
            show(account, from, until);
            if next.is_none() {
                break;
            }
            from = until;
        }
    }
}

/// ceil(minutes × days / days in month) in seconds, the minutes being whole / 60.
fn by_days(whole: u64, days: u8, of: u8) -> u64 {
    let minutes = (u128::from(whole) * u128::from(days)).div_ceil(60 * u128::from(of));
    u64::try_from(minutes * 60).unwrap_or(u64::MAX).min(whole)
}
