//! The words of a proof: one function per decision, each giving one line.
//!
//! Does not know in which order decisions are taken, and decides nothing.

use super::text;
use crate::call::{Before, Chain, Exchange, StepMode, StepRule};
use crate::directory::{Account, AccountRow};
use crate::entry::{SourceProfile, Talk};
use crate::money::{MONEY_DECIMALS, Money, Price};
use crate::number::dialling::Dialled;
use crate::number::{Country, Number, NumberKind};
use crate::rating::free;
use crate::rating::parts::Part;
use crate::rating::price::Charge;
use crate::rating::tiers::Levels;
use crate::rating::{Called, Decided, Leg, PayerBy, Rated, Routing, Why, World};
use crate::record::{Direction, Record};
use crate::tariff::free::Freed;
use crate::tariff::tiers::{LevelPrice, WHOLE};
use crate::tariff::{Found, Plan, Row, Tariff};
use crate::time::{Micros, Timestamp};

pub(super) fn talked(record: &Record<'_>, profile: &SourceProfile, leg: &Leg) -> String {
    let from = match (profile.talk, record.duration, record.end) {
        (Talk::Duration, Some(_), _) | (Talk::EndAnswer, Some(_), None) => "the record's duration",
        _ => "end − answer",
    };
    format!("answered {}, talked {} s ({from})", leg.answer, leg.duration)
}

fn plan_words(country: Option<Country>) -> String {
    country.map_or("as international".to_owned(), |country| format!("by {country}'s dialling plan"))
}

pub(super) fn source_words(record: &Record<'_>, leg: &Leg, country: Option<Country>) -> String {
    let raw = text(record.source);
    match leg.source {
        Some(number) => format!("source {raw:?} {}: +{number}", plan_words(country)),
        None => format!("source {raw:?} {}: no number; the call is rated without it", plan_words(country)),
    }
}

pub(super) fn payer_of<'a>(leg: &Leg, account: AccountRow<'a>) -> Option<AccountRow<'a>> {
    // R3 knows the payer's country where the payer was known before the destination was read.
    (leg.direction == Direction::Outbound || leg.payer_by == PayerBy::Record).then_some(account)
}

pub(super) fn payer_words(record: &Record<'_>, profile: &SourceProfile, leg: &Leg, account: &Account<'_>) -> String {
    let by = match leg.payer_by {
        PayerBy::Record => "the record names it".to_owned(),
        PayerBy::ForwardedBy => format!("it owns the forwarding number {:?}", text(record.forwarded_by)),
        PayerBy::Node => format!("everything from {} belongs to it", profile.listener),
        PayerBy::Source => "it owns the source number".to_owned(),
        PayerBy::Destination => "it owns the destination number".to_owned(),
    };
    format!(
        "{} leg of account {} ({by}); plan {}, country {}, billing group {}",
        leg.direction.name(),
        account.name(),
        account.plan,
        account.country,
        account.group()
    )
}

pub(super) fn called_words(
    record: &Record<'_>,
    profile: &SourceProfile,
    leg: &Leg,
    country: Option<Country>,
) -> String {
    let raw = text(record.destination);
    let whole = Dialled::read(record.destination);
    let stripped = whole.stripped(&profile.strip);
    let mut words = format!("destination {raw:?}");
    if stripped.digits() != whole.digits() {
        words += &format!(" without the node's prefix: {}", text(stripped.digits()));
    }
    let at = country.map_or("no country".to_owned(), |country| country.to_string());
    words
        + &match leg.called {
            Called::Emergency => format!(": an emergency number of {at}"),
            Called::Extension => ": an extension of the account".to_owned(),
            Called::ShortCode(_) => format!(": a short code of {at}"),
            Called::Number(number) => format!(" {}: +{number}", plan_words(country)),
            Called::Bad(bad) => format!(" {}: no number ({bad})", plan_words(country)),
        }
}

/// R3: the routing number of a ported one.
pub(super) fn routing_words(record: &Record<'_>, leg: &Leg, world: World<'_>) -> Option<String> {
    let said = match record.routing_number {
        b"" => "routing number in what was dialled".to_owned(),
        named => format!("routing number {:?}", text(named)),
    };
    match leg.routing {
        Routing::None => None,
        Routing::Number(number) if routed(leg, world).is_none() => {
            Some(format!("{said}: +{number}, which decides nothing here"))
        }
        Routing::Number(number) => Some(format!("{said}: rated by +{number}, the dialled one is shown")),
        Routing::Bad(bad) => Some(format!("{said}: no number ({bad})")),
    }
}

/// The routing number, where the call is rated by it: emergency, extensions, own and toll-free numbers are what was dialled.
pub(super) fn routed(leg: &Leg, world: World<'_>) -> Option<Number> {
    let Routing::Number(number) = leg.routing else { return None };
    let dialled = leg.destination().filter(|_| !leg.to_own_number)?;
    (world.tariff.classify(dialled).kind != NumberKind::TollFree).then_some(number)
}

pub(super) const fn rule_name(rule: u8) -> &'static str {
    match rule {
        6 => "R6",
        7 => "R7",
        8 => "R8",
        9 => "R9",
        10 => "R10",
        11 => "R11",
        free::RULE => "R24",
        _ => "R12",
    }
}

/// R24: which list has the number, and how.
pub(super) fn freed_words(freed: &Freed<'_>) -> String {
    let Freed { list, entry } = freed;
    let how = if entry.whole { "" } else { ", which it begins with" };
    let bound = |at: i64| (at != i64::MIN && at != i64::MAX).then_some(Timestamp(at));
    let from = bound(entry.from).map_or_else(String::new, |at| format!(", from {at}"));
    let to = bound(entry.to).map_or_else(String::new, |at| format!(", until {at}"));
    format!("the list of free numbers {list} has {}{how}{from}{to}", entry.digits)
}

pub(super) fn rule_words(rule: u8, decided: &Decided<'_>, account: &Account<'_>) -> String {
    let call_type = decided.rated.call_type;
    let home = account.country;
    let because = match rule {
        6 => "an emergency number costs nothing".to_owned(),
        7 => "to an extension or another number of the same account: in-plan".to_owned(),
        8 => "the longest row that names a call type gives type and price".to_owned(),
        9 => format!("inside {home}, or listed by the plan: in-plan"),
        10 => format!("seen from {home}"),
        free::RULE => "it costs this account nothing and draws no minutes".to_owned(),
        _ => "the called side's leg".to_owned(),
    };
    format!("{because} → {call_type}")
}

/// The rule behind a suspense.
pub(super) const fn why_rule(why: Why) -> &'static str {
    match why {
        Why::NoAnswerTime | Why::NoTalkTime | Why::AmbiguousTime => "R1",
        Why::NegativeTalkTime | Why::TooLong | Why::FromTheFuture | Why::TooOld => "R2",
        Why::BadNumber(_) | Why::BadRoutingNumber => "R3",
        Why::NoSuchAccount | Why::NoSuchNodeAccount | Why::NobodyPays => "R4",
        Why::BeforeBillingStart | Why::AccountEnded => "R5",
        Why::NoOverageRow => "R12",
        Why::NoExchangeRate => "R18",
        Why::NoPlan | Why::NoRow | Why::RowTooShort | Why::Blocked => "R16",
    }
}

/// The prefix as a deck writes it: `5511`, `DE:118`.
pub(super) fn prefix_words(row: &Row<'_>, leg: &Leg, account: &Account<'_>, world: World<'_>) -> String {
    let prefix = row.prefix.to_string();
    if !matches!(leg.called, Called::ShortCode(_)) {
        return prefix;
    }
    // A look-up key is the country's head and the digits; the key of one digit tells how long the head is.
    let head = world.tariff.short_code(account.country, b"0").map_or(0, |key| key.len() - 1);
    format!("{}:{}", account.country, prefix.get(head..).unwrap_or(""))
}

pub(super) fn row_words(row: &Row<'_>, prefix: &str, world: World<'_>) -> String {
    let mut words = format!("longest prefix {prefix} of deck {}", row.deck);
    if !row.destination.is_empty() {
        words += &format!(" ({})", row.destination);
    }
    if let Some(condition) = world.tariff.condition_words(row) {
        words += &format!(", {condition}");
    }
    if let Some(call_type) = row.call_type {
        words += &format!(", call type {call_type}");
    }
    words += &format!(": {}", price_words(&row.price));
    match (row.valid_from, row.valid_to) {
        (None, None) => words += "; always in force",
        (Some(from), None) => words += &format!("; in force from {from}"),
        (None, Some(to)) => words += &format!("; in force before {to}"),
        (Some(from), Some(to)) => words += &format!("; in force from {from} and before {to}"),
    }
    words
}

fn price_words(price: &Price) -> String {
    let mut words = format!("{} a minute", price.rate.fixed(0));
    if price.rate == Money::ZERO && price.connect_fee != Money::ZERO {
        words = format!("{} a call", price.connect_fee.fixed(0));
    }
    for (name, amount) in [
        ("connect fee", Some(price.connect_fee).filter(|fee| *fee != Money::ZERO && price.rate != Money::ZERO)),
        ("at least", price.minimum_cost),
        ("at most", price.maximum_cost),
    ] {
        if let Some(amount) = amount {
            words += &format!(", {name} {}", amount.fixed(0));
        }
    }
    words
}

pub(super) fn steps_origin(row: Option<&Found<'_>>, plan: &Plan) -> String {
    match (row.and_then(Found::steps), plan.steps) {
        (Some(_), _) => "the row's own steps".to_owned(),
        (None, Some(_)) => format!("the steps of plan {}", plan.name),
        (None, None) => "the country rules' steps".to_owned(),
    }
}

/// R13 in arithmetic: `61.2 s → 120 s (up 60/60: 60 + ceil(1.2/60)×60)`.
pub(super) fn steps_words(rule: &StepRule, talk: Micros, billable: u32) -> String {
    let StepRule { initial, increment, minimum, free_below, .. } = *rule;
    let how = if talk <= Micros(0) {
        "nothing was talked".to_owned()
    } else if talk < free_below {
        format!("below {free_below} s is forgiven")
    } else {
        let first = Micros::seconds(i64::from(initial));
        let mut how = match rule.mode {
            StepMode::Up if talk <= first => format!("up {initial}/{increment}: the first {initial} s"),
            StepMode::Up => {
                let beyond = Micros(talk.0 - first.0);
                format!("up {initial}/{increment}: {initial} + ceil({beyond}/{increment})×{increment}")
            }
            StepMode::Nearest => format!("nearest {increment}: round({talk}/{increment})×{increment}"),
        };
        if minimum > 0 {
            how += &format!(", at least {minimum}");
        }
        how
    };
    format!("{talk} s → {billable} s ({how})")
}

/// R17: which rows price which seconds.
pub(super) fn parts_words(parts: &[Part<'_>], included: u32, world: World<'_>) -> String {
    let mut words =
        "the price changes while the call lasts; each increment by the row that holds where it begins:".to_owned();
    for (i, part) in parts.iter().enumerate() {
        let begin = part.begin.max(included);
        let row = &world.tariff.whole(&part.row);
        words += &format!(
            "{} {begin} s to {} s at {}",
            if i == 0 { "" } else { ";" },
            begin + part.seconds,
            row.price.rate.fixed(0)
        );
        words += &format!(" a minute by {} of deck {}", row.prefix, row.deck);
        if let Some(condition) = world.tariff.condition_words(row) {
            words += &format!(" ({condition})");
        }
    }
    words
}

/// R18: the exchange rate of a price, and from when it holds.
pub(super) fn exchanged_words(exchange: &Exchange, leg: &Leg, rated: &Rated, world: World<'_>) -> String {
    let currency = rated.basis.currency;
    let dated = world.tariff.exchange(exchange.from, currency, leg.answer);
    let since = match dated.map(|rate| rate.valid_from) {
        Some(from) if from.0 != i64::MIN => format!("in force from {from}"),
        _ => "always in force".to_owned(),
    };
    let words = rated.basis.exchange_words().unwrap_or_default();
    format!("the deck's prices are in {}: {words}, {since}", text(&exchange.from))
}

/// What currencies are worth at the answer of a call.
pub(super) struct Rates<'a> {
    pub tariff: &'a Tariff,
    pub answer: Timestamp,
    pub currency: [u8; 3],
    /// The levels into which all that is charged falls.
    pub tier: Option<Levels<'a>>,
}

impl Rates<'_> {
    fn of(&self, row: &Found<'_>) -> Option<Money> {
        let from = self.tariff.currency_of(row.id).filter(|from| *from != self.currency)?;
        self.tariff.exchange(from, self.currency, self.answer).map(|rate| rate.rate)
    }
}

/// R18 in arithmetic: `0.1 + 0.015/min × 60 s / 60`, and with what it comes to: `… = 0.115 → rounded once to 4 decimals, halves
/// away from zero: 0.1150 EUR`.
pub(super) fn cost_words(charge: &Charge, parts: &[Part<'_>], rated: &Rated, rates: &Rates<'_>) -> (String, String) {
    let due = &charge.due;
    let currency = text(&rated.basis.currency);
    // R28: what this call adds is said behind it.
    let cost = charge.whole.fixed(u32::from(rated.basis.decimals));
    if charge.price == crate::rating::price::NO_PRICE && parts.is_empty() && rates.tier.is_none() {
        return (String::new(), format!("costs nothing: {cost} {currency}"));
    }
    // Everything in sixtieths of a nano-unit, times 10⁹ for exchange rates, times 10³ for discounts.
    const ONE: i128 = 1_000_000_000;
    let exchange = rated.basis.exchange.map(|exchange| exchange.rate);
    let times = |exchange: Option<Money>| exchange.map_or(String::new(), |rate| format!(" × {}", rate.fixed(0)));
    let worth = |exchange: Option<Money>, due: u16| exchange.map_or(ONE, |rate| i128::from(rate.0)) * i128::from(due);
    let fee = match due.connect_fee {
        Money::ZERO => String::new(),
        fee => format!("{}{} + ", fee.fixed(0), times(exchange)),
    };
    let mut terms: Vec<(Money, u32, Option<Money>)> =
        parts.iter().map(|part| (part.row.price().rate, part.seconds, rates.of(&part.row))).collect();
    if terms.is_empty() {
        terms.push((due.rate, charge.charged_seconds, exchange));
    }
    let mut sum = i128::from(due.connect_fee.0) * 60 * worth(exchange, WHOLE);
    let mut products = Vec::new();
    let mut term = |rate: Money, seconds: u32, exchange: Option<Money>, less: u16| {
        sum += i128::from(rate.0) * i128::from(seconds) * worth(exchange, WHOLE - less);
        let discount = if less == 0 { String::new() } else { format!(" × {}", thousandths(WHOLE - less)) };
        products.push(format!("{}/min × {seconds} s / 60{}{discount}", rate.fixed(0), times(exchange)));
    };
    let mut tier = rates.tier;
    for (rate, seconds, exchange) in terms {
        match &mut tier {
            None => term(rate, seconds, exchange, 0),
            Some(levels) => levels.count(seconds, |level, seconds| match level.map(|level| level.price) {
                None => term(rate, seconds, exchange, 0),
                Some(LevelPrice::Rate(own)) => term(own, seconds, None, 0),
                Some(LevelPrice::Discount(less)) => term(rate, seconds, exchange, less),
            }),
        }
    }
    let mut arithmetic = format!("{fee}{}", products.join(" + "));
    let mut words = format!("{arithmetic} = {}", sixtieths_text(sum));
    for (name, cap) in [("at least", due.minimum_cost), ("at most", due.maximum_cost)] {
        if let Some(cap) = cap {
            let capped = i128::from(cap.0) * 60 * worth(exchange, WHOLE);
            sum = if name == "at least" { sum.max(capped) } else { sum.min(capped) };
            let cap = format!(", {name} {}{}", cap.fixed(0), times(exchange));
            words += &format!("{cap}: {}", sixtieths_text(sum));
            arithmetic += &cap;
        }
    }
    words += &format!(" → rounded once to {} decimals, halves away from zero: {cost} {currency}", rated.basis.decimals);
    (arithmetic, words)
}

/// Thousandths as a decimal: `0.9`.
fn thousandths(part: u16) -> String {
    Money(i64::from(part) * 1_000_000).fixed(0)
}

/// R28: what a call counts as one with.
pub(super) fn follows_words(chain: &Chain, leg: &Leg) -> String {
    let all = Micros(chain.talk.0.saturating_add(leg.duration.0));
    format!(
        "soon after another call between the same two numbers: one call with what began {}; {} s talked before, {all} s in all",
        chain.begin, chain.talk
    )
}

/// R28 in arithmetic: `0.5040 − 0.3000 charged before = 0.2040 EUR`.
pub(super) fn rest_words(charge: &Charge, before: Before, rated: &Rated) -> String {
    let decimals = u32::from(rated.basis.decimals);
    let [whole, charged, rest] = [charge.whole, before.cost, rated.cost].map(|amount| amount.fixed(decimals));
    let least = if charge.whole < before.cost { ", and nothing is paid back" } else { "" };
    format!("{whole} − {charged} charged before{least}: {rest} {}", text(&rated.basis.currency))
}

/// Sixtieths of a nano-unit, times 10¹², as a decimal, exact, or with `…` where sixtieths do not end.
fn sixtieths_text(sixtieths: i128) -> String {
    let sign = if sixtieths < 0 { "-" } else { "" };
    let unit = 60 * u128::from(WHOLE) * 10_u128.pow(2 * MONEY_DECIMALS);
    let (whole, mut rest) = (sixtieths.unsigned_abs() / unit, sixtieths.unsigned_abs() % unit);
    let mut digits = String::new();
    // Twelve decimals: a nano-unit's nine and three of the sixtieths'.
    for _ in 0..12 {
        if rest == 0 {
            break;
        }
        digits.push(char::from(b'0' + (rest * 10 / unit) as u8));
        rest = rest * 10 % unit;
    }
    let point = if digits.is_empty() { "" } else { "." };
    let more = if rest == 0 { "" } else { "…" };
    format!("{sign}{whole}{point}{digits}{more}")
}
