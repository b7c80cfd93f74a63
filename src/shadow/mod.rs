//! Shadow mode: what the system that bills today charges, beside what we would, so that a switch can be argued.
//!
//! Records may tell the other price (`incumbent_cost`); the store keeps it with the call. The report counts where both
//! agree, and puts the calls on which they do not under the rule that explains them.
//!
//! ```text
//! calls of the month ─ told? ─▶ equal │ rules that give their digits ─▶ counted by the set of these rules
//!                                                                            │ at the end: the rule that explains
//!                                                                            ▼ most of what is left takes its calls
//!                                                                          groups
//! ```
//! One call rarely says by which rule it was priced; a month does. So a call that several rules explain goes to the one
//! that explains most calls, and the others are told beside it. Memory: one counter a set of rules and account.
//!
//! **Compared is** the leg for which the other system charges: that of the record's direction, else the outbound one.
//!
//! Does not know HTTP, nor how a report is shown.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rust_decimal::Decimal;

use crate::batch::Position;
use crate::images::Images;
use crate::record::{Direction, Record};
use crate::store::{OwnedCall, ScanOrder, Store, StoreError, SuspensePage, Told, Visit};
use crate::time::{Micros, Period, Timestamp, Zone};

mod choose;
mod exact;
mod guess;
mod standing;
#[cfg(test)]
mod tests;
mod ways;

pub use guess::{Compared, Rule, rules};
pub use standing::{Standing, amount, standing};
pub use ways::STEPS;

use standing::code;

/// Calls looked up at a time.
const PAGE: usize = 500;
/// Examples kept of each set of rules.
const EXAMPLES: usize = 5;
/// Unexplained differences told apart; those beyond are counted together.
const DIFFERENCES_MAX: usize = 10_000;
/// So many calls must differ by one amount before it is taken for a fee.
const FEE_CALLS: u64 = 3;

/// What a call comes to on both sides.
#[derive(Clone, PartialEq, Debug)]
pub struct Pair {
    /// Node of the record.
    pub node: String,
    /// Id of the record.
    pub id: String,
    /// Which leg; none: of a record that has none with us.
    pub leg: Option<Direction>,
    /// Who pays.
    pub account: String,
    /// Answer, else receipt.
    pub at: Timestamp,
    /// Talk time.
    pub duration: Micros,
    /// As dialled.
    pub destination: String,
    /// What we charge; none: nothing, since we have no such call.
    pub ours: Option<String>,
    /// What they charge, as they wrote it.
    pub theirs: String,
    /// ISO 4217.
    pub currency: String,
}

/// Sums of calls.
#[derive(Clone, Default, Debug)]
pub struct Sums {
    /// Calls.
    pub calls: u64,
    /// What we charge.
    pub ours: Decimal,
    /// What they charge.
    pub theirs: Decimal,
    /// What they charge more, where they do.
    pub more: Decimal,
    /// What they charge less.
    pub less: Decimal,
    /// Of the calls, those that another rule explains as well.
    pub ambiguous: u64,
}

impl Sums {
    fn add(&mut self, ours: Decimal, theirs: Decimal) {
        self.calls += 1;
        // 28 digits hold any sum of amounts that are shown; one that is not stays what it was.
        let plus = |sum: Decimal, more: Decimal| sum.checked_add(more).unwrap_or(sum);
        self.ours = plus(self.ours, ours);
        self.theirs = plus(self.theirs, theirs);
        let difference = theirs.checked_sub(ours).unwrap_or_default();
        if difference.is_sign_negative() {
            self.less = plus(self.less, -difference);
        } else {
            self.more = plus(self.more, difference);
        }
    }

    fn merge(&mut self, other: &Sums) {
        self.calls += other.calls;
        self.ambiguous += other.ambiguous;
        let plus = |sum: Decimal, more: Decimal| sum.checked_add(more).unwrap_or(sum);
        self.ours = plus(self.ours, other.ours);
        self.theirs = plus(self.theirs, other.theirs);
        self.more = plus(self.more, other.more);
        self.less = plus(self.less, other.less);
    }
}

/// Calls that one rule explains.
#[derive(Clone, Debug)]
pub struct Group {
    /// The rule.
    pub rule: Rule,
    /// Currency of the amounts.
    pub currency: String,
    /// How many, and what they come to.
    pub sums: Sums,
    /// Rules that explain some of these calls as well, and how many.
    pub also: Vec<(String, u64)>,
    /// The first of them.
    pub examples: Vec<Pair>,
}

/// An account's calls that can be compared.
#[derive(Clone, Default, Debug)]
pub struct AccountSums {
    /// All of them.
    pub all: Sums,
    /// Those on which both sides differ.
    pub differ: Sums,
}

/// A month beside itself.
#[derive(Default, Debug)]
pub struct Report {
    /// Calls on which both agree, by currency.
    pub agree: BTreeMap<String, Sums>,
    /// Calls on which they do not.
    pub differ: BTreeMap<String, Sums>,
    /// By rule, most calls first.
    pub groups: Vec<Group>,
    /// By account and currency.
    pub accounts: BTreeMap<(String, String), AccountSums>,
    /// Calls that they charge and we do not have: by why.
    pub only_theirs: BTreeMap<String, (Sums, Vec<Pair>)>,
    /// Calls of which they tell nothing, by currency.
    pub only_ours: BTreeMap<String, Sums>,
    /// What they tell is no amount, or one in a currency that cannot be compared: by which.
    pub not_compared: BTreeMap<String, (u64, Vec<Pair>)>,
    chosen: Chosen,
}

/// Which rule a call goes to.
#[derive(Default, Debug)]
struct Chosen {
    by_rules: BTreeMap<Vec<Rule>, Rule>,
    fees: BTreeSet<(String, Decimal)>,
}

/// One set of rules in one currency.
#[derive(Default)]
struct Set {
    sums: Sums,
    examples: Vec<Pair>,
}

/// Unexplained calls that differ by one amount.
#[derive(Default)]
struct Constant {
    set: Set,
    /// Two different talk times at least: else it is no fee.
    seconds: BTreeSet<u32>,
}

/// Reads the calls of a month with what is told of each; those of which another leg is compared are left out.
///
/// # Errors
/// The store.
pub fn each(
    store: &dyn Store,
    period: Period,
    mut visit: impl FnMut(&OwnedCall, &str, Option<&Told>) -> Visit,
) -> Result<(), StoreError> {
    let mut names = BTreeMap::new();
    let mut page: Vec<OwnedCall> = Vec::with_capacity(PAGE);
    let mut failed = None;
    let mut look = |page: &mut Vec<OwnedCall>| -> Result<Visit, StoreError> {
        let positions: Vec<Position> = page.iter().map(|call| call.call.key.position).collect();
        let told = store.told(&positions)?;
        for (call, told) in page.iter().zip(told) {
            if told.is_some() && !is_compared(store, call)? {
                continue;
            }
            let key = call.call.account;
            if !names.contains_key(&key) {
                // Calls come account by account: a few names are enough.
                names.clear();
                names.insert(key, store.account_name(key)?.unwrap_or_default());
            }
            if visit(call, names.get(&key).map_or("", String::as_str), told.as_ref()).is_break() {
                return Ok(Visit::Break(()));
            }
        }
        page.clear();
        Ok(Visit::Continue(()))
    };
    let mut ended = false;
    store.scan(Some(period), ScanOrder::Account, &mut |call| {
        page.push(call.to_owned_call());
        if page.len() < PAGE {
            return Visit::Continue(());
        }
        look(&mut page)
            .unwrap_or_else(|error| {
                failed = Some(error);
                Visit::Break(())
            })
            .map_break(|()| ended = true)
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if !ended {
        let _ = look(&mut page)?;
    }
    Ok(())
}

/// Whether a leg is the one for which the other system charges.
fn is_compared(store: &dyn Store, call: &OwnedCall) -> Result<bool, StoreError> {
    let direction = call.grounds.as_ref().and_then(|grounds| grounds.direction);
    if call.call.key.leg == Direction::Outbound || direction.is_some() {
        return Ok(true);
    }
    Ok(!store.legs(call.call.key.position)?.iter().any(|leg| leg.call.key.leg == Direction::Outbound))
}

/// The report of a month.
///
/// # Errors
/// The store.
pub fn report(store: &dyn Store, images: &Images, period: Period) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut sets: BTreeMap<Vec<Rule>, BTreeMap<String, Set>> = BTreeMap::new();
    let mut constants: BTreeMap<(String, Decimal), Constant> = BTreeMap::new();
    each(store, period, |call, account, told| {
        let currency = code(&call.call.basis.currency);
        let ours = call.call.cost.decimal();
        let pair = || pair(call, account, told);
        let mut count = |theirs: Decimal, equal: bool| {
            let sums = report.accounts.entry((account.to_owned(), currency.clone())).or_default();
            sums.all.add(ours, theirs);
            if !equal {
                sums.differ.add(ours, theirs);
            }
            let all = if equal { &mut report.agree } else { &mut report.differ };
            all.entry(currency.clone()).or_default().add(ours, theirs);
        };
        match standing(call, told, images) {
            Standing::NotTold => report.only_ours.entry(currency).or_default().add(ours, Decimal::ZERO),
            Standing::NotCompared(why) => {
                let (count, examples) = report.not_compared.entry(why).or_default();
                *count += 1;
                if examples.len() < EXAMPLES {
                    examples.push(pair());
                }
            }
            Standing::Equal => count(ours, true),
            Standing::Differs(rules) => {
                let theirs = told.and_then(|told| amount(&told.cost)).unwrap_or_default();
                count(theirs, false);
                let key = (currency.clone(), theirs.checked_sub(ours).unwrap_or_default());
                let set = if rules.is_empty() && (constants.len() < DIFFERENCES_MAX || constants.contains_key(&key)) {
                    let constant = constants.entry(key).or_default();
                    if constant.seconds.len() < 2 {
                        constant.seconds.insert(call.call.billable_seconds);
                    }
                    &mut constant.set
                } else {
                    sets.entry(rules).or_default().entry(currency).or_default()
                };
                set.sums.add(ours, theirs);
                if set.examples.len() < EXAMPLES {
                    set.examples.push(pair());
                }
            }
        }
        Visit::Continue(())
    })?;
    for ((currency, difference), constant) in constants {
        let fee = constant.set.sums.calls >= FEE_CALLS && constant.seconds.len() > 1;
        let rules = if fee { vec![fee_rule(difference)] } else { Vec::new() };
        if fee {
            report.chosen.fees.insert((currency.clone(), difference));
        }
        let set = sets.entry(rules).or_default().entry(currency).or_default();
        set.sums.merge(&constant.set.sums);
        set.examples.extend(constant.set.examples);
        set.examples.truncate(EXAMPLES);
    }
    report.choose(sets);
    only_theirs(store, period, &mut report)?;
    Ok(report)
}

fn fee_rule(difference: Decimal) -> Rule {
    let less = difference.is_sign_negative();
    let amount = difference.abs().normalize();
    let words = if less {
        format!("{amount} less on each call, however long: a connect fee that they do not charge")
    } else {
        format!("{amount} more on each call, however long: a connect fee that we do not have")
    };
    Rule::new("fee", words)
}

/// A call beside what is told of it.
pub fn pair(call: &OwnedCall, account: &str, told: Option<&Told>) -> Pair {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Pair {
        node: text(&call.node),
        id: text(&call.id),
        leg: Some(call.call.key.leg),
        account: account.to_owned(),
        at: call.call.answer,
        duration: call.call.duration,
        destination: text(&call.destination_dialled),
        ours: Some(call.call.cost.fixed(u32::from(call.call.basis.decimals))),
        theirs: told.map_or(String::new(), |told| text(&told.cost)),
        currency: code(&call.call.basis.currency),
    }
}

/// What they charge and we do not: it waits here, or nobody answered it.
fn only_theirs(store: &dyn Store, period: Period, report: &mut Report) -> Result<(), StoreError> {
    let mut put = |why: String, record: &Record<'_>, at: Timestamp| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (sums, examples) = report.only_theirs.entry(why).or_default();
        sums.add(Decimal::ZERO, amount(record.incumbent_cost).unwrap_or_default());
        if examples.len() < EXAMPLES {
            examples.push(Pair {
                node: text(record.node),
                id: text(record.id),
                leg: None,
                account: text(record.account),
                at,
                duration: record.duration.unwrap_or_default(),
                destination: text(record.destination),
                ours: None,
                theirs: text(record.incumbent_cost),
                currency: text(record.incumbent_currency),
            });
        }
    };
    let mut seen = HashSet::new();
    let page = SuspensePage { reason: None, after: None, limit: usize::MAX };
    store.suspense_whole(page, &mut |item| {
        let record = Record::decode(&item.record).unwrap_or_default();
        let at = item.answer.unwrap_or(item.received_at);
        let month = item.period.unwrap_or_else(|| Period::containing(at, &Zone::UTC));
        // Two legs of a record may wait; it is charged for once.
        if month == period && !record.incumbent_cost.is_empty() && seen.insert(item.key.position) {
            put(format!("suspense: {}", item.reason.name()), &record, at);
        }
        Visit::Continue(())
    })?;
    let (mut after, mut told) = (None, HashSet::new());
    loop {
        let page = store.told_unanswered(after, PAGE)?;
        for one in &page {
            let record = Record::decode(&one.record).unwrap_or_default();
            let at = record.start.or(record.end).unwrap_or(one.received_at);
            // Unanswered records claim no identity: repeats are told apart here.
            let mut new = || told.insert((record.node.to_vec(), record.id.to_vec()));
            if Period::containing(at, &Zone::UTC) == period && new() {
                put("unanswered: they charge for a call that nobody answered".to_owned(), &record, at);
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.position),
            _ => return Ok(()),
        }
    }
}
