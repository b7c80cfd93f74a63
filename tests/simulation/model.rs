//! The auditor's own idea of what everything comes to: slow, plain, and computed by other means than the program's.
//!
//! It reads the ledger of what is durable in the journal's order, as the senders meant it (no canonical records, no
//! images, no packed numbers, no nano-units), steps by counting minutes, and computes money with `rust_decimal`.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};

use super::rates::{self, INCLUDED_SECONDS, TARIFFS};
use super::told::{Part, Told};

/// 2026-11-01 and 2026-12-01, UTC, in microseconds.
pub const NOVEMBER: i64 = 1_793_491_200_000_000;
const DECEMBER: i64 = NOVEMBER + 30 * 86_400_000_000;

/// Who calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum From {
    Account(usize),
    Nobody,
}

/// What is dialled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    GermanMobile,
    UnitedKingdom,
    France,
    Premium,
    Account(usize),
    /// A +1 number with too few digits.
    NoNumber,
}

/// A record as its sender means it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    pub node: &'static str,
    pub id: u64,
    pub from: From,
    pub to: To,
    pub forwarded_by: Option<usize>,
    pub answer: Option<i64>,
    pub millis: u64,
    /// Not part of the content: a repeat may say another.
    pub cause: u8,
}

impl Call {
    pub fn source(&self) -> String {
        match self.from {
            From::Account(account) => rates::number(account),
            From::Nobody => "+43660123456".to_owned(),
        }
    }

    pub fn destination(&self) -> String {
        match self.to {
            To::GermanMobile => "0151 23456789".to_owned(),
            To::UnitedKingdom => "00442079460123".to_owned(),
            To::France => "0033123456789".to_owned(),
            To::Premium => "0900 5 123456".to_owned(),
            To::Account(account) => rates::number(account),
            To::NoNumber => "00 1 555 123".to_owned(),
        }
    }

    /// Everything by which a repeat is told from a contradiction.
    fn content(&self) -> (From, To, Option<usize>, Option<i64>, u64) {
        (self.from, self.to, self.forwarded_by, self.answer, self.millis)
    }
}

/// A place of suspense: position of the record, and 0 outbound, 1 inbound or none for the record.
pub type Place = (u64, Option<u8>);

/// One entry of the journal as whoever made it means it.
#[derive(Clone, Debug)]
pub enum Item {
    Call(Call),
    Part(Part),
    Tick(i64),
    Tariff {
        which: usize,
        from: Option<i64>,
    },
    Directory {
        which: usize,
    },
    /// A listener and the account to which everything from it belongs.
    Source {
        index: u16,
        account: Option<usize>,
    },
    Retry {
        place: Place,
        attempt: u64,
        source: u16,
        received_at: i64,
    },
}

impl Item {
    /// Whether a listener received it.
    pub fn is_record(&self) -> bool {
        matches!(self, Item::Call(_) | Item::Part(_))
    }
}

/// Something that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    pub reason: &'static str,
    pub attempt: u64,
    pub period: Option<i32>,
}

/// A rated leg.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rated {
    pub account: &'static str,
    pub group: &'static str,
    pub period: i32,
    pub call_type: &'static str,
    pub billable: u64,
    pub included: u64,
    pub cost: Decimal,
    pub millis: u64,
}

/// A line of totals.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Line {
    pub calls: u64,
    pub millis: u64,
    pub billable: u64,
    pub cost: Decimal,
}

/// (account, group, period, call type, currency).
pub type LineKey = (&'static str, &'static str, i32, &'static str, &'static str);

/// Everything at one position of the journal.
#[derive(Default)]
pub struct Model {
    pub(super) seen: BTreeMap<(&'static str, u64), (Call, u64)>,
    /// Calls told in parts that are remembered.
    pub told: BTreeMap<(&'static str, u64), Told>,
    /// Places of the parts of calls that became whole.
    pub assembled: BTreeMap<u64, Vec<u64>>,
    calls: BTreeMap<u64, Call>,
    tariffs: Vec<(usize, Option<i64>)>,
    directory: Option<usize>,
    sources: BTreeMap<u16, Option<usize>>,
    pub suspense: BTreeMap<Place, Held>,
    pub rated: BTreeMap<(u64, u8), Rated>,
    pub usage: BTreeMap<LineKey, Line>,
    pub drawn: BTreeMap<(&'static str, i32), u64>,
    pub conflicts: BTreeMap<u64, u64>,
    pub books: BTreeMap<String, i128>,
    /// Retries that named what was no longer so.
    pub void: u64,
}

/// Where an entry lies and how it came.
#[derive(Clone, Copy)]
pub struct At {
    pub position: u64,
    pub source: u16,
    pub received_at: i64,
}

impl Model {
    /// A frame's counts: what its door received, refused and handed on.
    pub fn frame(&mut self, source: u16, received: u64, refused: u64, records: u64) {
        for (what, count) in [("received", received), ("refused", refused), ("durable", records)] {
            self.book(format!("listener/tcp:{source}/{what}"), i128::from(count));
        }
    }

    /// The next entry.
    pub fn entry(&mut self, at: At, item: &Item) {
        match item {
            Item::Tariff { which, from } => self.tariffs.push((*which, *from)),
            Item::Directory { which } => self.directory = Some(*which),
            Item::Source { index, account } => drop(self.sources.insert(*index, *account)),
            Item::Call(call) => self.call(at, call),
            Item::Part(part) => self.part(at, part),
            Item::Tick(now) => self.tick(*now),
            Item::Retry { place, attempt, source, received_at } => {
                let stands = self.suspense.get(place).is_some_and(|held| held.attempt == *attempt);
                if !stands {
                    self.void += 1;
                    return;
                }
                let then = At { position: place.0, source: *source, received_at: *received_at };
                self.retry(*place, then, at.position);
            }
        }
    }

    pub(super) fn book(&mut self, name: String, by: i128) {
        *self.books.entry(name).or_default() += by;
    }

    pub(super) fn call(&mut self, at: At, call: &Call) {
        if call.answer.is_none() && call.millis == 0 {
            return self.book("records/unanswered".into(), 1);
        }
        match self.seen.get(&(call.node, call.id)) {
            Some((known, _)) if known.content() == call.content() => self.book("records/duplicate".into(), 1),
            Some((_, first)) => {
                self.conflicts.insert(at.position, *first);
                self.book("records/conflict".into(), 1);
            }
            None => {
                self.seen.insert((call.node, call.id), (call.clone(), at.position));
                self.calls.insert(at.position, call.clone());
                match self.legs(at, call) {
                    Err(reason) => self.hold_record(at.position, reason, at.position),
                    Ok(legs) => {
                        self.book("records/resolved".into(), 1);
                        legs.into_iter().for_each(|(leg, account)| self.leg(at.position, leg, account, at.position));
                    }
                }
            }
        }
    }

    fn hold_record(&mut self, position: u64, reason: &'static str, attempt: u64) {
        self.suspense.insert((position, None), Held { reason, attempt, period: None });
        self.book(format!("records/suspended/{reason}"), 1);
    }

    fn retry(&mut self, place: Place, then: At, attempt: u64) {
        let Some(held) = self.suspense.remove(&place) else { return };
        if held.reason == "unfinished" {
            // Nothing but its missing part can help it.
            self.suspense.insert(place, Held { attempt, ..held });
            return;
        }
        let call = self.calls[&place.0].clone();
        let legs = self.legs(then, &call);
        match place.1 {
            None => {
                self.book(format!("records/suspended/{}", held.reason), -1);
                match legs {
                    Err(reason) => self.hold_record(place.0, reason, attempt),
                    Ok(legs) => {
                        self.book("records/resolved".into(), 1);
                        legs.into_iter().for_each(|(leg, account)| self.leg(place.0, leg, account, attempt));
                    }
                }
            }
            Some(leg) => {
                let found = legs.ok().and_then(|legs| legs.into_iter().find(|(one, _)| *one == leg));
                let Some((leg, account)) = found else {
                    // The record no longer yields this leg: it waits as it did.
                    self.suspense.insert(place, Held { attempt, ..held });
                    return;
                };
                let period = rates_period(held.period.unwrap_or(0));
                self.book(format!("period/{period}/suspended/{}", held.reason), -1);
                self.book(format!("period/{period}/legs"), -1);
                self.leg(place.0, leg, account, attempt);
            }
        }
    }

    /// Whose call it was: 0 outbound, 1 inbound, and the account.
    fn legs(&self, at: At, call: &Call) -> Result<Vec<(u8, usize)>, &'static str> {
        let Some(directory) = self.directory else { return Err("unknown_account") };
        let there = |account: &usize| rates::account(directory, *account).is_some();
        let Some(answer) = call.answer else { return Err("no_answer_time") };
        if answer > at.received_at + 3_600_000_000 || at.received_at > answer + 90 * 86_400_000_000 {
            return Err("implausible");
        }
        let node = self.sources.get(&at.source).copied().flatten();
        let payer = match (call.forwarded_by.filter(there), node, call.from) {
            (Some(forwarder), ..) => Some(forwarder),
            (None, Some(node), _) if there(&node) => Some(node),
            (None, Some(_), _) => return Err("unknown_account"),
            (None, None, From::Account(account)) => Some(account).filter(there),
            (None, None, From::Nobody) => None,
        };
        let owner = match call.to {
            To::Account(account) => Some(account).filter(there),
            _ => None,
        };
        let mut legs: Vec<(u8, usize)> = payer.map(|payer| (0, payer)).into_iter().collect();
        if owner != payer {
            legs.extend(owner.map(|owner| (1, owner)));
        }
        if legs.is_empty() { Err("unknown_account") } else { Ok(legs) }
    }

    fn leg(&mut self, position: u64, leg: u8, index: usize, attempt: u64) {
        let call = self.calls[&position].clone();
        let answer = call.answer.unwrap_or(0);
        let account = rates::account(self.directory.unwrap_or(0), index).expect("a leg has an account");
        let (october, year) = (9, 2026 * 12);
        let period = year + october + i32::from(answer >= NOVEMBER) + i32::from(answer >= DECEMBER);
        let shown = rates_period(period);
        self.book(format!("period/{shown}/legs"), 1);
        let pool = (account.group, period);
        let left = INCLUDED_SECONDS.saturating_sub(self.drawn.get(&pool).copied().unwrap_or(0));
        match self.price(&call, leg, index, account, answer, left) {
            Err(reason) => {
                self.book(format!("period/{shown}/suspended/{reason}"), 1);
                self.suspense.insert((position, Some(leg)), Held { reason, attempt, period: Some(period) });
            }
            Ok((call_type, billable, included, cost)) => {
                let currency = if rates::is_german(index) { "EUR" } else { "USD" };
                self.book(format!("period/{shown}/rated"), 1);
                for what in ["calls", "totals"] {
                    self.book(format!("money/{currency}/{what}"), nano(cost));
                }
                if included > 0 {
                    *self.drawn.entry(pool).or_default() += included;
                }
                let rated = Rated {
                    account: rates::name(index),
                    group: account.group,
                    period,
                    call_type,
                    billable,
                    included,
                    cost,
                    millis: call.millis,
                };
                self.add_up(&rated, currency);
                let before = self.rated.insert((position, leg), rated);
                assert!(before.is_none(), "the model rates a leg twice");
            }
        }
    }

    fn add_up(&mut self, rated: &Rated, currency: &'static str) {
        let mut line = |call_type, calls, millis, billable, cost| {
            let key = (rated.account, rated.group, rated.period, call_type, currency);
            let line = self.usage.entry(key).or_default();
            line.calls += calls;
            line.millis += millis;
            line.billable += billable;
            line.cost += cost;
        };
        if rated.call_type == "included" && rated.included < rated.billable {
            line("included", 1, rated.millis, rated.included, Decimal::ZERO);
            line("overage", 0, 0, rated.billable - rated.included, rated.cost);
        } else {
            line(rated.call_type, 1, rated.millis, rated.billable, rated.cost);
        }
    }

    /// Type, billable seconds, those drawn from the allowance, cost.
    #[allow(clippy::type_complexity)]
    fn price(
        &self,
        call: &Call,
        leg: u8,
        index: usize,
        account: rates::Account,
        answer: i64,
        left: u64,
    ) -> Result<(&'static str, u64, u64, Decimal), &'static str> {
        if account.starts_late {
            return Err("before_billing_start");
        }
        let german = rates::is_german(index);
        // German calls are billed by begun minutes, American ones to the nearest.
        let mut minutes = 0;
        while if german { minutes * 60_000 < call.millis } else { minutes * 60_000 + 30_000 <= call.millis } {
            minutes += 1;
        }
        let per_minute = |rate: &str| round(decimal(rate) * Decimal::from(minutes));
        let seconds = minutes * 60;
        if leg == 1 {
            return Ok(if german {
                ("inbound", seconds, 0, Decimal::ZERO)
            } else {
                ("toll_free", seconds, 0, per_minute("0.02"))
            });
        }
        let first = self.tariffs.first().copied();
        let applies = |from: &Option<i64>| from.is_none_or(|from| from <= answer);
        let newest = self.tariffs.iter().rev().find(|(_, from)| applies(from)).copied();
        let (which, _) = newest.or(first).expect("a tariff is in force before there is traffic");
        let (overage, uk, france) = TARIFFS[which];
        match call.to {
            To::NoNumber => Err("bad_number"),
            To::UnitedKingdom => {
                let fee = if call.millis == 0 { Decimal::ZERO } else { decimal("0.05") };
                Ok(("international", seconds, 0, round(fee + decimal(uk) * Decimal::from(minutes))))
            }
            To::France => france.map(|rate| ("international", seconds, 0, per_minute(rate))).ok_or("no_rate"),
            To::Premium => Ok(("domestic_premium", seconds, 0, per_minute("0.79"))),
            To::Account(called) if called != index && !rates::is_german(called) => Ok(if german {
                ("international", seconds, 0, per_minute("0.01"))
            } else {
                ("toll_free_outbound", seconds, 0, Decimal::ZERO)
            }),
            To::Account(_) | To::GermanMobile => {
                let (left, rate) = if german { (left, overage) } else { (0, "0.02") };
                let included = seconds.min(left);
                let beyond = seconds - included;
                let cost = round(decimal(rate) * Decimal::from(beyond) / Decimal::from(60));
                Ok((if beyond > 0 && included == 0 { "overage" } else { "included" }, seconds, included, cost))
            }
        }
    }
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn round(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(4, RoundingStrategy::MidpointAwayFromZero)
}

/// An amount in nano-units, as the program keeps it.
pub fn nano(amount: Decimal) -> i128 {
    (amount * Decimal::from(1_000_000_000)).normalize().to_string().parse().expect("a whole number of nano-units")
}

/// `2026-10`.
fn rates_period(period: i32) -> String {
    format!("{}-{:02}", period / 12, period % 12 + 1)
}
