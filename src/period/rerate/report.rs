//! What a run comes to, for whoever decides whether it is to count: JSON, money as decimals.
//!
//! Does not know how it is shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rater::{Again, Rater};
use crate::call::{AccountKey, CallType, Costs, RatedCall, SuspenseReason};
use crate::directory::Directory;
use crate::money::Sum;
use crate::store::{Margin, StoredCall, StoredState};

/// Accounts that are listed; the movers come first, and those beyond are counted.
const ACCOUNTS_MAX: usize = 1000;

/// Calls and their cost, and what those cost us whose plan says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Billed {
    pub calls: i64,
    pub cost: i128,
    pub margin: Margin,
}

/// Before and after.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Both {
    pub before: Billed,
    pub after: Billed,
    pub changed: u64,
    pub follow_on: u64,
    pub decimals: u8,
}

impl Both {
    fn add(&mut self, other: &Both) {
        for (mine, other) in [(&mut self.before, other.before), (&mut self.after, other.after)] {
            mine.calls += other.calls;
            mine.cost += other.cost;
            mine.margin.add(&other.margin, 1);
        }
        self.changed += other.changed;
        self.follow_on += other.follow_on;
        self.decimals = self.decimals.max(other.decimals);
    }

    fn bill(&mut self, after: bool, call: &RatedCall, costs: Option<Costs>) {
        let side = if after { &mut self.after } else { &mut self.before };
        side.calls += call.sign();
        side.cost += i128::from(call.cost.0);
        if let Some(costs) = costs {
            side.margin.add(&Margin::of(call, &costs), 1);
        }
        self.decimals = self.decimals.max(call.basis.decimals);
    }
}

type LineKey = (AccountKey, [u8; 3], CallType);

/// What legs come to.
#[derive(Clone, Default)]
pub struct Sums {
    lines: BTreeMap<LineKey, Both>,
    into: BTreeMap<(SuspenseReason, [u8; 3]), (Billed, u8)>,
    out: BTreeMap<[u8; 3], (Billed, u8)>,
    /// Legs in the scope.
    pub scope: u64,
    /// Of these, those that cost something else or say something else.
    pub changed: u64,
    /// Legs outside it whose share of the allowance changes.
    pub follow_on: u64,
    /// Legs in the scope that stay since their rows do not say what they were resolved by.
    pub not_kept: u64,
    /// Legs in the scope that stay since their month is another one by now.
    pub moved: u64,
}

/// One leg, with what it costs us.
pub struct Seen<'a> {
    pub old: Option<(&'a RatedCall, Option<Costs>)>,
    pub new: Option<(&'a RatedCall, Option<Costs>)>,
    pub waits: Option<SuspenseReason>,
    pub changed: bool,
    pub follow_on: bool,
}

impl Sums {
    /// Adds a leg.
    pub fn see(&mut self, seen: &Seen<'_>) {
        self.scope += u64::from(!seen.follow_on);
        self.changed += u64::from(seen.changed && !seen.follow_on);
        self.follow_on += u64::from(seen.follow_on);
        for (after, call) in [(false, seen.old), (true, seen.new)] {
            let Some((call, costs)) = call else { continue };
            let line = self.lines.entry((call.account, call.basis.currency, call.call_type)).or_default();
            line.bill(after, call, costs);
            // Under the account and type that it has in the end.
            if after == seen.new.is_some() {
                line.changed += u64::from(seen.changed);
                line.follow_on += u64::from(seen.follow_on);
            }
        }
        match (seen.old, seen.new, seen.waits) {
            (Some((old, _)), None, Some(reason)) => self.goes_into_suspense(old, reason),
            (None, Some((new, _)), _) => self.comes_out_of_suspense(new),
            _ => {}
        }
    }

    /// Adds a row to what stands before or after, by itself.
    pub fn see_row(&mut self, after: bool, call: &RatedCall, costs: Option<Costs>) {
        let line = self.lines.entry((call.account, call.basis.currency, call.call_type)).or_default();
        line.bill(after, call, costs);
        line.changed += u64::from(after && !call.reversal);
    }

    pub fn goes_into_suspense(&mut self, call: &RatedCall, reason: SuspenseReason) {
        waits(self.into.entry((reason, call.basis.currency)).or_default(), call);
    }

    pub fn comes_out_of_suspense(&mut self, call: &RatedCall) {
        waits(self.out.entry(call.basis.currency).or_default(), call);
    }

    pub fn merge(&mut self, other: &Sums) {
        for (key, both) in &other.lines {
            self.lines.entry(*key).or_default().add(both);
        }
        let add = |mine: &mut (Billed, u8), other: &(Billed, u8)| {
            mine.0.calls += other.0.calls;
            mine.0.cost += other.0.cost;
            mine.1 = mine.1.max(other.1);
        };
        other.into.iter().for_each(|(key, billed)| add(self.into.entry(*key).or_default(), billed));
        other.out.iter().for_each(|(key, billed)| add(self.out.entry(*key).or_default(), billed));
        self.scope += other.scope;
        self.changed += other.changed;
        self.follow_on += other.follow_on;
        self.not_kept += other.not_kept;
        self.moved += other.moved;
    }
}

fn waits(billed: &mut (Billed, u8), call: &RatedCall) {
    billed.0.calls += 1;
    billed.0.cost += i128::from(call.cost.0);
    billed.1 = billed.1.max(call.basis.decimals);
}

/// The report of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// What stands before this in the journal is in the figures.
    pub position: u64,
    /// Stored legs read.
    pub read: u64,
    /// Legs in the scope.
    pub calls: u64,
    /// Of these, those that change.
    pub changed: u64,
    /// Legs outside the scope that change because allowances are drawn anew.
    pub follow_on: u64,
    /// Rows of open months that get a revision or leave.
    pub revisions: u64,
    /// Rows of closed months that are taken back in an open month.
    pub reversals: u64,
    /// Legs that stay since their rows do not say what they were resolved by.
    pub not_kept: u64,
    /// Legs that stay since their month is another one by now.
    pub other_month: u64,
    /// By currency.
    pub total: Vec<Line>,
    /// By account and currency, the largest difference first; at most a thousand.
    pub accounts: Vec<Line>,
    /// Accounts that are not listed.
    pub accounts_left: u64,
    /// By call type and currency.
    pub call_types: Vec<Line>,
    /// Legs that would wait, by reason, with what they cost now.
    pub into_suspense: Vec<Waiting>,
    /// Legs that wait and would be rated.
    pub out_of_suspense: Vec<Waiting>,
}

/// What some legs cost before and after.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Line {
    /// The account or call type; empty for all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    /// Legs before.
    pub calls_before: i64,
    /// Legs after.
    pub calls_after: i64,
    /// Their cost before: a decimal.
    pub before: String,
    /// Their cost after.
    pub after: String,
    /// After less before.
    pub difference: String,
    /// Legs that change.
    pub changed: u64,
    /// Of these, outside the scope.
    pub follow_on: u64,
    /// What they cost us; none where no plan says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<MarginLine>,
}

/// What legs cost us before and after, of those of which it is known: decimals.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MarginLine {
    /// Of this, what carriers charge before.
    pub cost_before: String,
    /// And after.
    pub cost_after: String,
    /// After less before.
    pub cost_difference: String,
    /// Price less cost before.
    pub before: String,
    /// And after.
    pub after: String,
    /// After less before.
    pub difference: String,
    /// Legs whose cost is not known before.
    pub unknown_before: i64,
    /// And after.
    pub unknown_after: i64,
}

/// Legs that come into suspense or out of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Waiting {
    /// Why they wait; empty where they no longer do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// ISO 4217.
    pub currency: String,
    /// How many.
    pub calls: i64,
    /// Their cost.
    pub cost: String,
}

fn text(currency: &[u8; 3]) -> String {
    String::from_utf8_lossy(currency).into_owned()
}

fn line(name: String, currency: &[u8; 3], both: &Both) -> Line {
    let fixed = |amount: i128| Sum(amount).fixed(u32::from(both.decimals));
    let (before, after) = (both.before.margin, both.after.margin);
    Line {
        name,
        currency: text(currency),
        calls_before: both.before.calls,
        calls_after: both.after.calls,
        before: fixed(both.before.cost),
        after: fixed(both.after.cost),
        difference: fixed(both.after.cost - both.before.cost),
        changed: both.changed,
        follow_on: both.follow_on,
        margin: (before != Margin::default() || after != Margin::default()).then(|| MarginLine {
            cost_before: fixed(before.cost),
            cost_after: fixed(after.cost),
            cost_difference: fixed(after.cost - before.cost),
            before: fixed(before.margin()),
            after: fixed(after.margin()),
            difference: fixed(after.margin() - before.margin()),
            unknown_before: before.unknown,
            unknown_after: after.unknown,
        }),
    }
}

impl Report {
    /// From what was seen.
    pub fn of(sums: &Sums, state: &StoredState, directory: &Directory) -> Report {
        let name = |key: AccountKey| match state.accounts.binary_search_by_key(&key, |a| a.key) {
            Ok(at) => state.accounts[at].name.clone(),
            // An account that has no number yet: a dry run calls it by its row.
            Err(_) => directory.row(u32::MAX - key.0).name().to_owned(),
        };
        let mut totals: BTreeMap<[u8; 3], Both> = BTreeMap::new();
        let mut accounts: BTreeMap<(AccountKey, [u8; 3]), Both> = BTreeMap::new();
        let mut types: BTreeMap<(CallType, [u8; 3]), Both> = BTreeMap::new();
        for ((account, currency, call_type), both) in &sums.lines {
            totals.entry(*currency).or_default().add(both);
            accounts.entry((*account, *currency)).or_default().add(both);
            types.entry((*call_type, *currency)).or_default().add(both);
        }
        let mut movers: Vec<((i128, i128), Line)> = (accounts.iter())
            .filter(|(_, both)| both.changed > 0 || both.before != both.after)
            .map(|((key, currency), both)| {
                // Where no price changes, what changes our margin most comes first.
                let moved = |billed: &Billed| (billed.cost, billed.margin.cost);
                let ((a, b), (c, d)) = (moved(&both.after), moved(&both.before));
                (((a - c).abs(), (b - d).abs()), line(name(*key), currency, both))
            })
            .collect();
        movers.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| (&a.1.name, &a.1.currency).cmp(&(&b.1.name, &b.1.currency))));
        let left = movers.len().saturating_sub(ACCOUNTS_MAX) as u64;
        let waiting = |reason: String, currency: &[u8; 3], billed: &(Billed, u8)| Waiting {
            reason,
            currency: text(currency),
            calls: billed.0.calls,
            cost: Sum(billed.0.cost).fixed(u32::from(billed.1)),
        };
        Report {
            calls: sums.scope,
            changed: sums.changed,
            follow_on: sums.follow_on,
            not_kept: sums.not_kept,
            other_month: sums.moved,
            total: totals.iter().map(|(currency, both)| line(String::new(), currency, both)).collect(),
            accounts: movers.into_iter().take(ACCOUNTS_MAX).map(|(_, line)| line).collect(),
            accounts_left: left,
            call_types: types
                .iter()
                .map(|((kind, currency), both)| line(kind.name().to_owned(), currency, both))
                .collect(),
            into_suspense: sums
                .into
                .iter()
                .map(|((why, c), billed)| waiting(why.name().to_owned(), c, billed))
                .collect(),
            out_of_suspense: sums
                .out
                .iter()
                .map(|(currency, billed)| waiting(String::new(), currency, billed))
                .collect(),
            ..Report::default()
        }
    }
}

/// Adds a leg of the scope to what the report says.
pub fn see(sums: &mut Sums, rater: &Rater<'_>, stored: &StoredCall<'_>, again: &Again) {
    let old = (&stored.call, stored.costs);
    let changed = match again {
        Again::Rated(new) => !rater.same(stored, new),
        Again::Waits(_) | Again::Gone => true,
        Again::Moved | Again::NotKept => false,
    };
    let (new, waits) = match again {
        // A row that stays keeps what it says of costs.
        Again::Rated(new) => (Some((new, if changed { rater.costs() } else { stored.costs })), None),
        Again::Waits(reason) => (None, Some(*reason)),
        Again::Gone => (None, None),
        Again::Moved => {
            sums.moved += 1;
            (Some(old), None)
        }
        Again::NotKept => {
            sums.not_kept += 1;
            (Some(old), None)
        }
    };
    sums.see(&Seen { old: Some(old), new, waits, changed, follow_on: false });
}

/// A leg that waited and is rated.
pub fn gained(call: &RatedCall, costs: Option<Costs>) -> Seen<'_> {
    Seen { old: None, new: Some((call, costs)), waits: None, changed: true, follow_on: false }
}
