//! One call after the other against the rules of its account.
//!
//! Which rules watch an account is found once and remembered; a call of an account that none watches costs one look.
//!
//! Does not know where calls come from, nor what becomes of what was set off.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::account::AccountState;
use super::rules::{Override, Per, Rule, Rules, What, bit};
use super::windows::{BUCKETS, Span, Spans, Sum, Windows, day, month};
use crate::call::{AccountKey, GroupKey, RatedCall};
use crate::directory::Account;
use crate::number::{Country, Number};
use crate::time::{MICROS_PER_SECOND, Timestamp};

/// An hour in microseconds: calls that are judged by themselves are told of once in each.
const HOUR: i64 = 3600 * MICROS_PER_SECOND;

/// A call as the judge sees it.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// The rated call.
    pub call: &'a RatedCall,
    /// Its account, as it stood at the answer.
    pub account: &'a Account<'a>,
    /// When its record came.
    pub received_at: Timestamp,
}

/// What was set off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fired {
    /// The rule as it holds for the account.
    pub rule: Arc<Rule>,
    /// Per cent of its limit; 0 for a first time.
    pub level: u32,
    /// What was measured: nano-units, microseconds or calls.
    pub value: i128,
    /// First instant of the window.
    pub from: Timestamp,
    /// First instant behind it.
    pub to: Timestamp,
    /// The country or the call type that is new.
    pub first: Option<String>,
}

/// Where an account stands against a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The rule as it holds for the account.
    pub rule: Arc<Rule>,
    /// What the current window holds.
    pub value: i128,
    /// The highest level that was told of in it.
    pub told: Option<u32>,
    /// The current window; none where nothing is added up.
    pub window: Option<(Timestamp, Timestamp)>,
    /// Since when it learns, for a first time.
    pub since: Option<Timestamp>,
}

/// What is held for all accounts of a shard.
pub type States = HashMap<(AccountKey, GroupKey), AccountState, RandomState>;

/// A rule as it holds for an account, ready to be asked.
struct Applied {
    rule: Arc<Rule>,
    key: u64,
    currency: Option<[u8; 3]>,
    countries: Vec<[u8; 3]>,
    prefixes: Vec<Number>,
}

/// The rules of some accounts.
#[derive(Default)]
struct Set {
    applied: Vec<Applied>,
    /// Whether the country of a number is asked for.
    by_country: bool,
    /// Whether it is remembered where an account calls.
    learns: bool,
}

/// Which rules watch the account of a directory row: not known yet, none, or the set behind the number.
const UNKNOWN: u32 = u32::MAX;
const NONE: u32 = u32::MAX - 1;

/// Judges the calls of a shard.
#[derive(Default)]
pub struct Judge {
    rules: Arc<Rules>,
    states: States,
    sets: Vec<Set>,
    /// By directory row.
    set_of: Vec<u32>,
    /// Sets by plan, for accounts that nothing names.
    of_plans: HashMap<String, u32, RandomState>,
    months: Spans,
    days: Spans,
    touched: Vec<(AccountKey, GroupKey)>,
}

impl Judge {
    /// Over what was stored.
    pub fn new(states: States) -> Judge {
        Judge { states, ..Judge::default() }
    }

    /// Whether there is anything to judge by.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.rules.rules.is_empty()
    }

    /// Other rules. What was added up stays with the rules of the same names.
    pub fn use_rules(&mut self, rules: Arc<Rules>) {
        self.rules = rules;
        self.forget_rows();
    }

    /// Rows of another directory.
    pub fn forget_rows(&mut self) {
        (self.sets, self.set_of) = (Vec::new(), Vec::new());
        self.of_plans = HashMap::default();
        (self.months, self.days) = (Spans::default(), Spans::default());
    }

    /// Adds a call up, and gives what it sets off. `country` is asked for the country of its number at most once.
    pub fn judge(&mut self, seen: Seen<'_>, country: impl FnOnce(Number) -> Country, fired: &mut Vec<Fired>) {
        let Seen { call, account, received_at } = seen;
        let set = self.set(account);
        let Some(set) = self.sets.get(set as usize) else { return };
        let country = match call.destination {
            Some(number) if set.by_country => Some(country(number)),
            _ => None,
        };
        let key = (call.account, call.group);
        let state = self.states.entry(key).or_default();
        if !state.touched {
            state.touched = true;
            self.touched.push(key);
        }
        let ended = call.answer.0.saturating_add(call.duration.0);
        let fresh = received_at.0.saturating_sub(ended) <= self.rules.judge_within.0;
        let mut spans = |per: Per| match per {
            Per::Month => self.months.of(account.zone_index, call.answer, || month(call.answer, account.zone)),
            _ => self.days.of(account.zone_index, call.answer, || day(call.answer, account.zone)),
        };
        // Rules that are gone leave nothing behind.
        if state.sums.len() > set.applied.len() {
            state.sums.retain(|(key, _)| set.applied.iter().any(|applied| applied.key == *key));
        }
        for (nth, applied) in set.applied.iter().enumerate() {
            if !applied.is_about(call, country) {
                continue;
            }
            let rule = &applied.rule;
            if rule.what.is_first() {
                if let Some(first) = state.first(rule, call, account, country).filter(|_| fresh) {
                    // A first time is one whenever it is.
                    let (rule, ever) = (rule.clone(), Timestamp(0));
                    fired.push(Fired { rule, level: 0, value: 0, from: ever, to: ever, first: Some(first) });
                }
                continue;
            }
            let value = measure(rule.what, call);
            let windows = state.windows(nth, applied.key, rule.per);
            // A call whose window has gone comes too late to set anything off.
            match (rule.per, windows) {
                (Per::Last(length), Windows::Rolling(rolling)) => {
                    let width = width(length.0);
                    if let Some((end, sum)) = rolling.add(call.answer.0.div_euclid(width), value) {
                        let to = (end + 1).saturating_mul(width);
                        let told = tell(rule, sum, fresh, (Timestamp(to - length.0), Timestamp(to)), fired);
                        if told != sum.told {
                            rolling.tell(end, told);
                        }
                    }
                }
                (per, Windows::Calendar(calendar)) => {
                    let span = if per == Per::Call { hour(call.answer) } else { spans(per) };
                    if let Some(sum) = calendar.window(span.number) {
                        sum.value = if per == Per::Call { value } else { sum.value + value };
                        sum.told = tell(rule, *sum, fresh, (span.from, span.to), fired);
                    }
                }
                (_, Windows::Rolling(_)) => {}
            }
        }
        if set.learns {
            state.learn(call, country);
        }
    }

    /// Where an account stands at an instant.
    pub fn standings(&mut self, key: (AccountKey, GroupKey), account: &Account<'_>, at: Timestamp) -> Vec<Standing> {
        let set = self.set(account);
        let Some(set) = self.sets.get(set as usize) else { return Vec::new() };
        let empty = AccountState::default();
        let state = self.states.get(&key).unwrap_or(&empty);
        let standing = |applied: &Applied| {
            let rule = applied.rule.clone();
            let held = state.sums.iter().find(|(name, _)| *name == applied.key).map(|(_, windows)| windows);
            let (sum, window) = match (rule.per, held) {
                (Per::Last(length), held) => {
                    let end = at.0.div_euclid(width(length.0));
                    let to = (end + 1).saturating_mul(width(length.0));
                    let sum = match held {
                        Some(Windows::Rolling(rolling)) => rolling.standing(end),
                        _ => Sum::default(),
                    };
                    (sum, Some((Timestamp(to - length.0), Timestamp(to))))
                }
                (Per::Month | Per::Day, held) => {
                    let span = if rule.per == Per::Month { month(at, account.zone) } else { day(at, account.zone) };
                    let sum = match held {
                        Some(Windows::Calendar(calendar)) => calendar.standing(span.number),
                        _ => Sum::default(),
                    };
                    (sum, Some((span.from, span.to)))
                }
                (Per::Call | Per::Ever, _) => (Sum::default(), None),
            };
            let told = rule.levels.iter().rev().find(|level| threshold(&rule, **level) <= sum.told).copied();
            let since = if rule.what.is_first() { state.since } else { None };
            Standing { value: sum.value, told: told.filter(|_| sum.told > 0), window, since, rule }
        };
        set.applied.iter().map(standing).collect()
    }

    /// States that changed since the last time, in the order of their changes.
    pub fn changes(&mut self) -> Vec<((AccountKey, GroupKey), Vec<u8>)> {
        let states = &mut self.states;
        let packed = self.touched.drain(..).filter_map(|key| {
            let state = states.get_mut(&key)?;
            state.touched = false;
            // Plain numbers always have a form in bytes.
            Some((key, postcard::to_stdvec(state).unwrap_or_default()))
        });
        packed.collect()
    }

    /// The set of an account's rules.
    fn set(&mut self, account: &Account<'_>) -> u32 {
        let row = account.row as usize;
        match self.set_of.get(row) {
            Some(known) if *known != UNKNOWN => return *known,
            Some(_) => {}
            None => self.set_of.resize(row + 1, UNKNOWN),
        }
        let set = self.find_set(account);
        self.set_of[row] = set;
        set
    }

    fn find_set(&mut self, account: &Account<'_>) -> u32 {
        let (name, plan) = (account.name(), account.plan);
        let rules = self.rules.clone();
        let own = rules.accounts.get(name);
        let named = own.is_some() || rules.rules.iter().any(|rule| rule.accounts.iter().any(|one| one == name));
        if !named && let Some(set) = self.of_plans.get(plan) {
            return *set;
        }
        let different = |rule: &Rule| own.and_then(|own| own.get(&rule.name)).cloned();
        let applied: Vec<Applied> = rules
            .rules
            .iter()
            .filter(|rule| rule.watches(name, plan))
            .filter_map(|rule| match different(rule) {
                Some(Override::Off) => None,
                Some(Override::Limit(limit)) => Some(Applied::of(Rule { limit, ..rule.clone() })),
                None => Some(Applied::of(rule.clone())),
            })
            .collect();
        let set = if applied.is_empty() {
            NONE
        } else {
            let learns = applied.iter().any(|one| one.rule.what.is_first());
            let by_country = learns || applied.iter().any(|one| !one.countries.is_empty());
            self.sets.push(Set { applied, by_country, learns });
            self.sets.len() as u32 - 1
        };
        if !named {
            self.of_plans.insert(plan.to_owned(), set);
        }
        set
    }
}

impl Applied {
    fn of(rule: Rule) -> Applied {
        let mut countries: Vec<[u8; 3]> =
            rule.countries.iter().filter_map(|text| Country::parse(text)).map(|country| country.0).collect();
        countries.sort_unstable();
        Applied {
            key: xxhash_rust::xxh3::xxh3_64(rule.name.as_bytes()),
            currency: rule.currency.as_deref().and_then(|text| text.as_bytes().try_into().ok()),
            countries,
            prefixes: rule.prefixes.iter().filter_map(|text| Number::from_digits(text.as_bytes())).collect(),
            rule: Arc::new(rule),
        }
    }

    fn is_about(&self, call: &RatedCall, country: Option<Country>) -> bool {
        if self.rule.call_types & bit(call.call_type) == 0
            || self.currency.is_some_and(|currency| currency != call.basis.currency)
        {
            return false;
        }
        if self.countries.is_empty() && self.prefixes.is_empty() {
            return true;
        }
        let in_country = country.is_some_and(|country| self.countries.binary_search(&country.0).is_ok());
        let number = call.destination;
        in_country || number.is_some_and(|number| self.prefixes.iter().any(|prefix| number.starts_with(*prefix)))
    }
}

fn measure(what: What, call: &RatedCall) -> i128 {
    match what {
        What::Amount => i128::from(call.cost.0),
        What::Minutes => i128::from(call.duration.0),
        _ => 1,
    }
}

/// A level's threshold, in hundredths of the measure's unit.
fn threshold(rule: &Rule, level: u32) -> i128 {
    i128::from(rule.limit) * i128::from(level)
}

/// Tells of every level that the sum has reached and that was not told of yet; gives what is told of now.
fn tell(rule: &Arc<Rule>, sum: Sum, fresh: bool, (from, to): (Timestamp, Timestamp), fired: &mut Vec<Fired>) -> i128 {
    let mut told = sum.told;
    if !fresh {
        return told;
    }
    for level in &rule.levels {
        let threshold = threshold(rule, *level);
        if threshold > told && sum.value * 100 >= threshold {
            let (rule, value) = (rule.clone(), sum.value);
            fired.push(Fired { rule, level: *level, value, from, to, first: None });
            told = threshold;
        }
    }
    told
}

/// Length of a bucket.
fn width(length: i64) -> i64 {
    (length / BUCKETS as i64).max(1)
}

fn hour(at: Timestamp) -> Span {
    let number = at.0.div_euclid(HOUR);
    Span { number, from: Timestamp(number * HOUR), to: Timestamp((number + 1) * HOUR) }
}
