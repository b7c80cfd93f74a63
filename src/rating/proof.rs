//! The proof of a price (R23): the decisions of [`resolve`](super::resolve) and [`rate`](super::rate), written down one
//! by one, for calls that happened and for calls that have not.
//!
//! It calls the same functions as the road, in the same order, and only adds words; so it ends in the same digits.
//!
//! Does not know how a record was stored, nor how a proof is shown.

mod allowances;
mod quoted;
mod words;

use serde::Serialize;

use super::free;
use super::kind::{Later, Nature};
use super::parties::Parties;
use super::parts::{Part, Parts};
use super::pools::Month;
use super::{Decided, DrawOf, Draws, Leg, Resolution, Standing, Why, World, decide, resolve};
use crate::call::Before;
use crate::directory::Account;
use crate::entry::SourceProfile;
use crate::money::Sum;
use crate::record::{Direction, Record};
use crate::tariff::{Bands, Plan};
use crate::time::{Period, Timestamp};
use allowances::{allowance_words, draw_words};
pub use quoted::{QuotedDraw, QuotedLevel, QuotedTier};
use words::*;

/// Why a leg costs what it costs: the decisions in order, and what they come to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Proof {
    /// One decision each, in the order in which they were taken.
    pub lines: Vec<Line>,
    /// The price, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
    /// Why there is none, otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Unpriced>,
}

/// One decision and the rule behind it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Line {
    /// `R3`, `R16`; `images` and `record` for what went in, `number` for what the numbering plan says.
    pub rule: &'static str,
    /// What was decided and how, in words and arithmetic.
    pub text: String,
}

/// Why a leg could not be priced.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Unpriced {
    /// The suspense reason: `no_rate`.
    pub reason: &'static str,
    /// One sentence.
    pub detail: &'static str,
}

/// The price of a call; amounts are decimal strings.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Quote {
    pub account: String,
    pub direction: &'static str,
    pub call_type: &'static str,
    /// `R8`: the rule that decided the type.
    pub rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// E.164 with `+`; none for emergency numbers, extensions and short codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// The number by which a ported one was rated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub number_type: Option<&'static str>,
    /// The row that decided type or price: its prefix, deck and name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deck: Option<String>,
    /// What one unit of the price's currency is worth, where that is another than `currency`: `0.92 EUR/USD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_name: Option<String>,
    pub rate: String,
    pub connect_fee: String,
    pub steps: QuotedSteps,
    pub billable_seconds: u32,
    pub billable_minutes: String,
    pub included_seconds: u32,
    /// What of them each allowance gave, where other than the plan's minutes were asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowances: Vec<QuotedDraw>,
    /// The tier that counts the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<QuotedTier>,
    /// What is rounded once to the cost: `0.01 × 0.92 + 0.0125/min × 61 s / 60 × 0.92, at most 0.5 × 0.92`, and ` − 0.3000` where
    /// so much was charged before for what counts as one call; empty where nothing is charged.
    #[serde(skip)]
    pub arithmetic: String,
    pub currency: String,
    pub cost: String,
    pub period: String,
    pub tariff: String,
}

/// The steps used (R13); seconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct QuotedSteps {
    pub mode: &'static str,
    pub initial: u32,
    pub increment: u32,
    pub minimum: u32,
    pub free_below: String,
}

/// Proves one leg of a record. `standing` tells what an account's group has drawn before this call, in a period and earlier. For a call that has not happened, give its answer instant as `received_at`.
pub fn prove<'s>(
    record: &Record<'_>,
    received_at: Timestamp,
    profile: &SourceProfile,
    world: World<'_>,
    side: Direction,
    standing: &dyn Fn(&Account<'_>, Period) -> Standing<'s>,
) -> Proof {
    let mut lines = Vec::new();
    let outcome = prove_into(&mut lines, record, received_at, profile, world, side, standing);
    match outcome {
        Ok(quote) => Proof { lines, quote: Some(quote), suspended: None },
        Err(why) => {
            lines.push(Line { rule: why_rule(why), text: format!("suspense {}: {why}", why.reason()) });
            Proof {
                lines,
                quote: None,
                suspended: Some(Unpriced { reason: why.reason().name(), detail: why.detail() }),
            }
        }
    }
}

fn prove_into<'s>(
    lines: &mut Vec<Line>,
    record: &Record<'_>,
    received_at: Timestamp,
    profile: &SourceProfile,
    world: World<'_>,
    side: Direction,
    standing: &dyn Fn(&Account<'_>, Period) -> Standing<'s>,
) -> Result<Quote, Why> {
    let mut say = |rule, text| lines.push(Line { rule, text });
    say("images", format!("tariff {}, directory {}", digest(world.tariff.digest()), digest(world.directory.digest())));
    if !record.raw.is_empty() {
        say("record", text(record.raw));
    }
    let (first, second) = match resolve(record, received_at, profile, world) {
        Resolution::Suspended(suspended) => return Err(suspended.why),
        Resolution::Legs(first, second) => (first, second),
    };
    let leg = [first, second].into_iter().flatten().find(|leg| leg.direction == side).ok_or(Why::NobodyPays)?;
    let row = world.directory.account_row(leg.account_row).ok_or(Why::NobodyPays)?;
    let account = row.account();
    say("R2", talked(record, profile, &leg));
    let parties = Parties::of(record, leg.answer, profile, world)?;
    say("R3", source_words(record, &leg, parties.source_country));
    say("R4", payer_words(record, profile, &leg, &account));
    say("R3", called_words(record, profile, &leg, parties.country(payer_of(&leg, row))));
    if let Some(words) = routing_words(record, &leg, world) {
        say("R3", words);
    }

    let period = leg.period(world);
    let (before, mut draws) = (standing(&account, period), Draws::default());
    let decided = decide(&leg, world, period, before, &mut draws, Decided::of)?;
    let Decided { whole, kind, charge, rated } = &decided;
    let before = draws.follows.map(|chain| chain.before).unwrap_or_default();
    say(
        "R5",
        format!("billing starts {}; {} lies in {period} in {}", account.billing_start, leg.answer, account.zone_name),
    );
    if let Some(class) = kind.class {
        say(
            "number",
            format!("{} {} by the numbering plan, seen from {}", class.country, class.kind.name(), account.country),
        );
    }
    if let Some(id) = world.tariff.plan_named(account.plan).filter(|_| kind.rule == free::RULE)
        && let Some(freed) = free::freed(&leg, &row, id, world.tariff)
    {
        say("R24", freed_words(&freed));
    }
    say(rule_name(kind.rule), rule_words(kind.rule, &decided, &account));
    if let Some(row) = kind.row.map(|row| world.tariff.whole(&row)).as_ref() {
        say("R16", row_words(row, &prefix_words(row, &leg, &account, world), world));
    }
    // The plan is there, or `decide` had found none.
    let plan = world.tariff.plan_named(account.plan).map(|id| world.tariff.plan(id)).ok_or(Why::NoPlan)?;
    if kind.nature == Nature::Uncounted {
        say("R13", format!("plan {} does not count calls inside the account: 0 s are billed", plan.name));
    } else {
        say("R14", format!("{} are in force", steps_origin(kind.pricing_row(), plan)));
        if let Some(chain) = &draws.follows {
            say("R28", follows_words(chain, &leg));
        }
        let billed = before.billed.saturating_add(rated.billable_seconds);
        say("R13", steps_words(&rated.basis.steps, whole.duration, billed));
        if draws.follows.is_some() {
            let own = rated.billable_seconds;
            say("R28", format!("{} s of these were billed before, {own} s are this call's", before.billed));
        }
    }
    say(
        "R15",
        format!("{} s / 60 = {} min", rated.billable_seconds, billable_minutes(i64::from(rated.billable_seconds))),
    );
    if let Some(asked) = charge.allowance {
        let month = Month { world, plan, account: row, period };
        say("R12", allowance_words(month, asked, rated));
    }
    for draw in &draws.list {
        let (rule, words) = draw_words(Month { world, plan, account: row, period }, draw);
        say(rule, words);
    }
    if draws.list.iter().any(|draw| !matches!(draw.of, DrawOf::Tier(_))) {
        let beyond = rated.billable_seconds - rated.included_seconds;
        say("R12", format!("{} s are covered, {beyond} s are not", rated.included_seconds));
    }
    let parts = parts(&decided, before, &account, plan, world)?;
    if !parts.is_empty() {
        say("R17", parts_words(&parts, before.included.saturating_add(charge.included_seconds), world));
    }
    if let Some(exchange) = &rated.basis.exchange {
        say("R18", exchanged_words(exchange, whole, rated, world));
    }
    let tier = charge.tier.and_then(|counts| counts.of_all(plan, &before));
    let rates = Rates { tariff: world.tariff, answer: whole.answer, currency: rated.basis.currency, tier };
    let (mut arithmetic, words) = cost_words(charge, &parts, rated, &rates);
    say("R18", words);
    if draws.follows.is_some() && charge.charged_seconds > 0 {
        say("R28", rest_words(charge, before, rated));
        arithmetic += &format!(" − {}", before.cost.fixed(u32::from(rated.basis.decimals)));
    }
    let quote = quote(&leg, &account, &decided, &draws, world);
    Ok(Quote { tier: QuotedTier::of(&decided, plan), arithmetic, ..quote })
}

/// The parts of a call whose price changes while it lasts, neighbours of one row as one; none where one row prices all.
fn parts<'a>(
    decided: &Decided<'a>,
    before: Before,
    account: &Account<'_>,
    plan: &Plan,
    world: World<'a>,
) -> Result<Vec<Part<'a>>, Why> {
    let Decided { whole: leg, kind, charge, rated } = decided;
    let (Some(row), Some(_)) = (kind.pricing_row(), charge.row) else { return Ok(Vec::new()) };
    let steps = rated.basis.steps;
    let from = before.included.saturating_add(rated.included_seconds);
    let to = from + charge.charged_seconds;
    let parts = Parts { kind, steps, from, to, split: plan.bands == Bands::Split };
    let mut list: Vec<Part<'a>> = Vec::new();
    if from < to && parts.differ(row) {
        let plan = world.tariff.plan_named(account.plan).ok_or(Why::NoPlan)?;
        let later = Later { leg, home: account.country, plan, tariff: world.tariff };
        parts.each(&later, |part| {
            match list.last_mut() {
                Some(last) if last.row.id == part.row.id => last.seconds += part.seconds,
                _ => list.push(part),
            }
            Ok(())
        })?;
    }
    Ok(list)
}

fn quote(leg: &Leg, account: &Account<'_>, decided: &Decided<'_>, draws: &Draws, world: World<'_>) -> Quote {
    let Decided { kind, rated, .. } = decided;
    let (basis, row) = (&rated.basis, kind.row.map(|row| world.tariff.whole(&row)));
    Quote {
        account: account.name().to_owned(),
        direction: leg.direction.name(),
        call_type: rated.call_type.name(),
        rule: rule_name(kind.rule).to_owned(),
        source: leg.source.map(|number| format!("+{number}")),
        destination: leg.destination().map(|number| format!("+{number}")),
        routing_number: routed(leg, world).map(|number| format!("+{number}")),
        country: kind.class.map(|class| class.country.to_string()),
        number_type: kind.class.map(|class| class.kind.name()),
        prefix: row.map(|row| prefix_words(&row, leg, account, world)),
        deck: row.map(|row| row.deck.to_owned()),
        destination_name: row.map(|row| row.destination.to_owned()).filter(|name| !name.is_empty()),
        exchange: basis.exchange_words(),
        rate: basis.price.rate.fixed(0),
        connect_fee: basis.price.connect_fee.fixed(0),
        steps: QuotedSteps {
            mode: basis.steps.mode.name(),
            initial: basis.steps.initial,
            increment: basis.steps.increment,
            minimum: basis.steps.minimum,
            free_below: basis.steps.free_below.to_string(),
        },
        billable_seconds: rated.billable_seconds,
        billable_minutes: billable_minutes(i64::from(rated.billable_seconds)),
        included_seconds: rated.included_seconds,
        allowances: QuotedDraw::all(draws),
        tier: None,
        arithmetic: String::new(),
        currency: text(&basis.currency),
        cost: rated.cost.fixed(u32::from(basis.decimals)),
        period: rated.period.to_string(),
        tariff: digest(world.tariff.digest()),
    }
}

/// R15: seconds as minutes: `2`, `0.7`; six decimals where sixtieths do not end, halves away from zero.
pub fn billable_minutes(seconds: i64) -> String {
    Sum(i128::from(billable_millionths(seconds)) * 1_000).fixed(0)
}

/// The same in millionths of a minute, which is exactly what it shows.
pub fn billable_millionths(seconds: i64) -> i64 {
    // Fits for ten million years of talk.
    ((i128::from(seconds) * 1_000_000 + 30) / 60) as i64
}

fn digest(hex: &str) -> String {
    format!("blake3:{hex}")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
