//! Lines of totals in a shard, and what an account's add up to.
//!
//! There are millions, so a line takes 36 bytes: it stands in a list of its month, the lines of an account linked to each
//! other, and a list by account's number says where they begin. Numbers that have no room there, such as a million calls or a
//! billion euros of one account's calls of one type, stand beside.
//!
//! Does not know what changes them.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Shard;
use super::paged::Paged;
use crate::call::{AccountKey, CallType, GroupKey, Usage};
use crate::os::prefetch::prefetch_place;
use crate::road::{LiveUsage, UsageLine};
use crate::time::Period;

/// A line of totals in one shard: an account's calls of one type in one month, as drawn from one group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LineKey {
    /// Who pays.
    pub account: AccountKey,
    /// Whose allowance was drawn; keeps a line in one shard even where an account changes its group.
    pub group: GroupKey,
    /// Which month.
    pub period: Period,
    /// Type of the calls.
    pub call_type: CallType,
    /// ISO 4217.
    pub currency: [u8; 3],
}

/// All lines.
#[derive(Default)]
pub struct Lines {
    months: Vec<(Period, Month)>,
    /// Lines that changed since the last marker.
    touched: Vec<Touched>,
}

struct Touched {
    month: u32,
    line: u32,
    account: AccountKey,
}

#[derive(Default)]
struct Month {
    /// By account: the first of its lines, counted from 1.
    first: Paged,
    lines: Vec<Packed>,
    /// Sums that have no room in their line.
    large: HashMap<u32, Usage, RandomState>,
}

/// A line in few bytes.
#[derive(Clone, Copy)]
struct Packed {
    /// The account's next line, counted from 1; and [`TOUCHED`]. There is no memory for more lines than the other bits can tell.
    next: u32,
    group: GroupKey,
    call_type: CallType,
    currency: [u8; 3],
    /// Calls in the upper 24 bits, [`LARGE`] where the sums stand beside; the decimals in which amounts are shown.
    calls_decimals: i32,
    billable_seconds: i32,
    /// Microseconds and nano-units, as bytes, so that nothing is left between.
    talk: [u8; 8],
    cost: [u8; 8],
}

const _: () = assert!(size_of::<Packed>() == 36);

/// Lines lie anywhere: how many before its turn each is asked for.
const CHANGES_AHEAD: usize = 16;
/// It changed since the last marker.
const TOUCHED: u32 = 1 << 31;
const LARGE: i32 = -(1 << 23);

impl Packed {
    fn new(key: &LineKey, next: u32) -> Packed {
        Packed {
            next,
            group: key.group,
            call_type: key.call_type,
            currency: key.currency,
            calls_decimals: 0,
            billable_seconds: 0,
            talk: [0; 8],
            cost: [0; 8],
        }
    }

    fn next(&self) -> u32 {
        self.next & !TOUCHED
    }

    fn is(&self, key: &LineKey) -> bool {
        (self.group, self.call_type, self.currency) == (key.group, key.call_type, key.currency)
    }

    fn decimals(&self) -> u8 {
        self.calls_decimals as u8
    }

    /// None: they stand beside.
    fn sums(&self) -> Option<Usage> {
        let calls = self.calls_decimals >> 8;
        (calls != LARGE).then(|| Usage {
            calls: calls.into(),
            talk: i64::from_ne_bytes(self.talk).into(),
            billable_seconds: self.billable_seconds.into(),
            cost: i64::from_ne_bytes(self.cost).into(),
        })
    }

    /// Takes sums, if it has room for them.
    fn set(&mut self, usage: &Usage, decimals: u8) -> bool {
        let calls = i32::try_from(usage.calls).ok().filter(|calls| (LARGE + 1..-LARGE).contains(calls));
        let rest = (i64::try_from(usage.talk), i32::try_from(usage.billable_seconds), i64::try_from(usage.cost));
        let fits = match (calls, rest) {
            (Some(_), (Ok(talk), Ok(billable_seconds), Ok(cost))) => {
                self.billable_seconds = billable_seconds;
                (self.talk, self.cost) = (talk.to_ne_bytes(), cost.to_ne_bytes());
                true
            }
            _ => false,
        };
        let calls = calls.filter(|_| fits).unwrap_or(LARGE);
        self.calls_decimals = calls << 8 | i32::from(decimals);
        fits
    }
}

impl Month {
    /// Where a line is, made if it is not there.
    fn place(&mut self, key: &LineKey) -> u32 {
        let first = self.first.place(key.account.0);
        let mut at = *first;
        while at != 0 {
            let line = &self.lines[at as usize - 1];
            if line.is(key) {
                return at - 1;
            }
            at = line.next();
        }
        self.lines.push(Packed::new(key, *first));
        *first = self.lines.len() as u32;
        *first - 1
    }

    /// Asks for the memory of a line, counted from 1, which may end in the cache's next one.
    fn expect(&self, at: u32) {
        if let Some(line) = at.checked_sub(1) {
            prefetch_place(&self.lines, line as usize);
            prefetch_place(&self.lines, at as usize);
        }
    }

    fn sums(&self, line: u32) -> Usage {
        self.lines[line as usize].sums().unwrap_or_else(|| self.large.get(&line).copied().unwrap_or_default())
    }

    fn set(&mut self, line: u32, usage: &Usage, decimals: u8) {
        if !self.lines[line as usize].set(usage, decimals) {
            self.large.insert(line, *usage);
        }
    }
}

impl Lines {
    fn month(&mut self, period: Period) -> usize {
        // The latest months are asked for most.
        self.months.iter().rposition(|month| month.0 == period).unwrap_or_else(|| {
            self.months.push((period, Month::default()));
            self.months.len() - 1
        })
    }

    /// Asks for the memory that says where an account's lines begin in the latest month.
    pub(super) fn expect_first(&self, account: AccountKey) {
        if let Some((_, month)) = self.months.last() {
            month.first.expect(account.0);
        }
    }

    /// Asks for the memory of the first of them.
    pub(super) fn expect_line(&self, account: AccountKey) {
        if let Some((_, month)) = self.months.last() {
            month.expect(month.first.get(account.0));
        }
    }

    /// Asks for the memory of the second, which the first one leads to.
    pub(super) fn expect_second(&self, account: AccountKey) {
        if let Some((_, month)) = self.months.last()
            && let Some(first) = month.first.get(account.0).checked_sub(1)
        {
            month.expect(month.lines[first as usize].next());
        }
    }

    /// Takes a stored line; of one key the latest counts.
    pub fn load(&mut self, key: &LineKey, usage: &Usage, decimals: u8) {
        let month = self.month(key.period);
        let month = &mut self.months[month].1;
        let line = month.place(key);
        month.set(line, usage, decimals);
    }

    /// Adds to a line.
    pub fn add(&mut self, key: &LineKey, usage: &Usage, decimals: u8) {
        let at = self.month(key.period);
        let month = &mut self.months[at].1;
        let line = month.place(key);
        let mut sums = month.sums(line);
        sums.add(usage);
        month.set(line, &sums, month.lines[line as usize].decimals().max(decimals));
        let packed = &mut month.lines[line as usize];
        if packed.next & TOUCHED == 0 {
            packed.next |= TOUCHED;
            self.touched.push(Touched { month: at as u32, line, account: key.account });
        }
    }

    /// Gives the lines that changed since the last time, whole.
    pub(super) fn changes(&mut self, mut take: impl FnMut(LineKey, Usage, u8)) {
        let touched = std::mem::take(&mut self.touched);
        for (i, Touched { month, line, account }) in touched.iter().enumerate() {
            if let Some(ahead) = touched.get(i + CHANGES_AHEAD) {
                self.months[ahead.month as usize].1.expect(ahead.line + 1);
            }
            let (period, month) = &mut self.months[*month as usize];
            month.lines[*line as usize].next &= !TOUCHED;
            let Packed { group, call_type, currency, .. } = month.lines[*line as usize];
            let decimals = month.lines[*line as usize].decimals();
            let key = LineKey { account: *account, group, period: *period, call_type, currency };
            take(key, month.sums(*line), decimals);
        }
        self.touched = touched;
        self.touched.clear();
    }

    /// The lines of an account in a month.
    fn of_account(&self, account: AccountKey, period: Period) -> impl Iterator<Item = UsageLine> {
        let month = self.months.iter().find(|month| month.0 == period).map(|month| &month.1);
        let mut at = month.map_or(0, |month| month.first.get(account.0));
        std::iter::from_fn(move || {
            let line = at.checked_sub(1)?;
            let packed = &month?.lines[line as usize];
            at = packed.next();
            let Packed { call_type, currency, .. } = *packed;
            Some(UsageLine { call_type, currency, decimals: packed.decimals(), usage: month?.sums(line) })
        })
    }

    /// What all lines cost, in nano-units, by currency.
    pub fn costs(&self) -> Vec<([u8; 3], i128)> {
        let mut costs: Vec<([u8; 3], i128)> = Vec::new();
        for (_, month) in &self.months {
            for (line, packed) in month.lines.iter().enumerate() {
                let cost = month.sums(line as u32).cost;
                match costs.iter_mut().find(|sum| sum.0 == packed.currency) {
                    Some(sum) => sum.1 += cost,
                    None => costs.push((packed.currency, cost)),
                }
            }
        }
        costs
    }
}

impl Shard {
    pub(super) fn usage(&self, account: AccountKey, group: Option<GroupKey>, period: Period) -> LiveUsage {
        let mut lines: Vec<UsageLine> = Vec::new();
        self.state.lines.of_account(account, period).for_each(|line| UsageLine::gather(&mut lines, &line));
        let drawn = group.map_or_else(Vec::new, |group| self.state.meters.all(group, period));
        LiveUsage { lines, drawn }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Small numbers, and those at which a line has no more room.
    fn number() -> impl Strategy<Value = i64> {
        let edges = [0_i64, 1 << 23, 1 << 31, 1 << 62].map(|edge| (edge - 2..=edge + 2).boxed());
        prop_oneof![any::<i16>().prop_map(i64::from), prop::strategy::Union::new(edges)].boxed()
    }

    fn usage() -> impl Strategy<Value = Usage> {
        let wide = |value: i64, times: bool| i128::from(value) * if times { 4 } else { 1 };
        (number(), number(), any::<bool>(), number(), number(), any::<bool>(), any::<bool>()).prop_map(
            move |(calls, talk, long, billable_seconds, cost, dear, back)| {
                let usage = Usage { calls, talk: wide(talk, long), billable_seconds, cost: wide(cost, dear) };
                if back { usage.times(-1) } else { usage }
            },
        )
    }

    fn key() -> impl Strategy<Value = LineKey> {
        (0..3_u32, 0..2_u32, 0..2, 0..3_usize, 0..2_usize).prop_map(|(account, group, month, call_type, currency)| {
            LineKey {
                // In two pages.
                account: AccountKey(account * 200),
                group: GroupKey(group),
                period: Period(24_000 + month),
                call_type: CallType::ALL[call_type],
                currency: [*b"EUR", *b"USD"][currency],
            }
        })
    }

    proptest! {
        #[test]
        fn sums_are_exact_whatever_their_size(
            steps in prop::collection::vec((key(), usage(), 0..10_u8, 0..8_u8), 0..40)
        ) {
            let (mut lines, mut model, mut changed) = (Lines::default(), BTreeMap::new(), BTreeMap::new());
            for (key, usage, decimals, what) in steps {
                // Beyond what 64 bits hold nobody gets by calling.
                let sum: &mut (Usage, u8) = model.entry(key).or_default();
                // What is asked for ahead changes nothing.
                lines.expect_first(key.account);
                lines.expect_line(key.account);
                lines.expect_second(key.account);
                let room = sum.0.calls.checked_add(usage.calls).and(sum.0.billable_seconds.checked_add(usage.billable_seconds));
                match what {
                    0 => {
                        lines.load(&key, &usage, decimals);
                        *sum = (usage, decimals);
                        changed.entry(key).and_modify(|line| *line = *sum);
                    }
                    1 => {
                        let mut told = BTreeMap::new();
                        lines.changes(|key, usage, decimals| assert_eq!(told.insert(key, (usage, decimals)), None));
                        prop_assert_eq!(told, std::mem::take(&mut changed));
                    }
                    _ if room.is_some() => {
                        lines.add(&key, &usage, decimals);
                        sum.0.add(&usage);
                        sum.1 = sum.1.max(decimals);
                        changed.insert(key, *sum);
                    }
                    _ => {}
                }
            }
            let mut costs: BTreeMap<[u8; 3], i128> = BTreeMap::new();
            for account in [0, 200, 400].map(AccountKey) {
                for period in [24_000, 24_001].map(Period) {
                    let mut told: Vec<_> = lines.of_account(account, period).collect();
                    let own = model.iter().filter(|(key, _)| (key.account, key.period) == (account, period));
                    let mut own: Vec<UsageLine> = own
                        .map(|(key, (usage, decimals))| UsageLine {
                            call_type: key.call_type, currency: key.currency, decimals: *decimals, usage: *usage,
                        })
                        .collect();
                    // Lines of two groups may look the same.
                    let order = |line: &UsageLine| (line.call_type, line.currency, line.decimals, line.usage.calls, line.usage.talk, line.usage.cost);
                    told.sort_by_key(order);
                    own.sort_by_key(order);
                    for line in told.iter().filter(|line| line.usage != Usage::default()) {
                        *costs.entry(line.currency).or_default() += line.usage.cost;
                    }
                    own.retain(|line| line.usage != Usage::default());
                    told.retain(|line| line.usage != Usage::default());
                    prop_assert_eq!(told, own);
                }
            }
            let told = lines.costs().into_iter().filter(|sum| sum.1 != 0).collect::<BTreeMap<_, _>>();
            costs.retain(|_, sum| *sum != 0);
            prop_assert_eq!(told, costs);
        }
    }
}
