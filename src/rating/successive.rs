//! R28: calls in quick succession between the same two numbers count as one call, where the plan says so (`successive`).
//!
//! Brazil asks for it: Anatel, Resolução 604 of 27 November 2012. A call repeated from a mobile to the same number within
//! 120 s is part of the one before it, as if that had not been interrupted, however often; the talk time of all is added up.
//!
//! ```text
//! │■■■■■■■■■│ 40 s │■■■■■│ 115 s │■■■│ 121 s │■■■■│
//!  ╰────────── one call, of the black parts ─────╯   ╰ another one
//! ```
//! Each following call is billed and charged what it adds: what one call of all talk time so far comes to, less what was
//! billed and charged before. So steps, minimum, connect fee and caps count once.
//!
//! Where the rule leaves something open, this is the answer:
//!
//! - Calls of one billing group from and to the same numbers, answered no earlier than the end of the one before: calls at
//!   the same time are calls of their own.
//! - The whole is priced as of its first answer: by the band and the row that hold then. Rows that ask for a length, and
//!   price steps inside a call, go by the talk time of all.
//! - Another tariff, plan, deciding rule or tier, or another month, begins a new one. So does a seal or a correction, until the
//!   next seal: that goes through the whole month in order and joins whatever belongs together.
//! - A call that `free_below` forgives stands outside: it costs nothing, and neither begins nor goes on nor ends one.
//! - A version of a record that is taken in a closed month goes on with what the version before went on with, if it was
//!   answered at the same instant between the same numbers; else it is a call of its own. What went on with that one stays.
//! - Allowances give to each part when it comes. A tier counts what each adds, and each second keeps the level in which it was
//!   counted (`tiers.rs`). Nothing is ever paid back: where a longer call is the cheaper one, what follows costs nothing.
//!
//! Does not know where chains are kept, nor how long.

use serde::{Deserialize, Serialize};

use super::kind::{self, Kind};
use super::{Draws, Leg, Priced, Rated, Standing, Told, tiers};
use crate::call::{Before, Chain, Linked, Pair, RatedCall, StepRule, TariffSlot, TierCounted};
use crate::money::Money;
use crate::number::Country;
use crate::record::Direction;
use crate::tariff::successive::Successive;
use crate::tariff::{PlanId, Tariff};
use crate::time::{MICROS_PER_SECOND, Micros, Period, Timestamp};

/// What is to be charged now of what the whole costs.
pub(super) fn rest_of(whole: Money, charged: Money) -> Money {
    Money((whole.0 - charged.0).max(0))
}

/// Where a call that may go on with a chain stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub month: Period,
    pub tariff: TariffSlot,
    pub plan: PlanId,
    pub home: Country,
}

/// What the rule makes of a call that it means.
pub(super) struct Succession<'a> {
    pair: Pair,
    /// What is held of the pair.
    found: Option<Chain>,
    /// What it goes on with, and what all of that comes to.
    joined: Option<(Chain, Leg, Kind<'a>, StepRule)>,
}

impl<'a> Succession<'a> {
    pub fn of(
        rule: Successive,
        own: &Priced<'_, 'a>,
        place: Place,
        tariff: &'a Tariff,
        standing: Standing<'_>,
    ) -> Option<Succession<'a>> {
        let Priced { leg, kind, steps } = own;
        let pair = Pair::of(rule, leg, kind, place.home, tariff).filter(|_| !steps.forgives(leg.duration))?;
        let found = standing.drawn.chain(pair);
        let joined = found.filter(|chain| chain.awaits(leg, place, rule)).and_then(|chain| {
            let whole = chain.with(leg);
            let kind = kind::kind(&whole, place.home, place.plan, tariff).ok()?;
            let steps = tariff.steps(place.plan, place.home, kind.class, kind.own_steps());
            let tier = tiers::of_call(tariff.plan(place.plan), &kind);
            let alike = kind.rule == chain.rule && tier == chain.before.tier.map(|counted| counted.tier);
            (alike && kind.is_charged()).then_some((chain, whole, kind, steps))
        });
        Some(Succession { pair, found, joined })
    }

    /// What the call goes on with, and what is priced then.
    pub fn joined(&self) -> Option<(&Chain, Priced<'_, 'a>)> {
        self.joined.as_ref().map(|(chain, leg, kind, steps)| (chain, Priced { leg, kind, steps: *steps }))
    }

    /// What is to be kept of it. `tier`: what the tier that counts it has counted of all of it.
    pub fn tell(&self, leg: &Leg, place: Place, rated: &Rated, tier: Option<TierCounted>, draws: &mut Draws) {
        let joined = self.joined.as_ref().map(|(chain, ..)| *chain);
        if let Some(chain) = joined {
            chain.tell(&mut draws.text);
            draws.follows = Some(chain);
        }
        let chain = Chain::of(leg, place, joined, (rated, tier));
        if self.found.is_none_or(|found| found.month != chain.month || found.end <= chain.end) {
            draws.linked = Some(Linked { pair: self.pair, chain });
        }
    }
}

impl Chain {
    /// The chain of the call itself, and of those before it where there are some.
    fn of(leg: &Leg, place: Place, joined: Option<Chain>, (rated, tier): (&Rated, Option<TierCounted>)) -> Chain {
        let end = Timestamp(leg.answer.0.saturating_add(leg.duration.0));
        let none = || (leg.answer, Micros(0), Before::NOTHING);
        let (begin, talk, before) = joined.map_or_else(none, |joined| (joined.begin, joined.talk, joined.before));
        Chain {
            month: place.month,
            tariff: place.tariff,
            plan: place.plan.0,
            rule: rated.basis.rule,
            begin,
            end,
            talk: Micros(talk.0.saturating_add(leg.duration.0)),
            before: Before {
                billed: before.billed.saturating_add(rated.billable_seconds),
                included: before.included.saturating_add(rated.included_seconds),
                cost: Money(before.cost.0.saturating_add(rated.cost.0)),
                tier,
            },
        }
    }

    /// Whether a call comes soon enough behind it, under the same plan.
    fn awaits(&self, leg: &Leg, place: Place, rule: Successive) -> bool {
        let gap = leg.answer.0.saturating_sub(self.end.0);
        (0..=i64::from(rule.within) * MICROS_PER_SECOND).contains(&gap)
            && (self.month, self.tariff, self.plan) == (place.month, place.tariff, place.plan.0)
    }

    /// The leg that all calls of it and this one would have been.
    fn with(&self, leg: &Leg) -> Leg {
        Leg { answer: self.begin, duration: Micros(self.talk.0.saturating_add(leg.duration.0)), ..*leg }
    }

    /// Puts it before the text of what the call drew.
    fn tell(&self, draws: &mut Vec<u8>) {
        let Before { billed, included, cost, tier } = self.before;
        let mut text = Vec::with_capacity(draws.len() + 96);
        text.extend_from_slice(b"{\"after\":");
        let tier = tier.map_or_else(Vec::new, |tier| tier.list());
        let after = After(self.begin.0, self.talk.0, billed, included, cost, tier);
        // Numbers always have a form in JSON.
        text.extend_from_slice(&serde_json::to_vec(&after).unwrap_or_default());
        text.extend_from_slice(b",\"draws\":");
        text.extend_from_slice(if draws.is_empty() { b"[]" } else { draws });
        text.push(b'}');
        *draws = text;
    }

    /// What a rated call went on with, as its text tells.
    pub fn told(call: &RatedCall, text: &[u8]) -> Option<Chain> {
        let After(begin, talk, billed, included, cost, tier) = Whole::read(text)?.after;
        Some(Chain {
            month: call.own_period(),
            tariff: call.basis.tariff,
            plan: call.basis.plan,
            rule: call.basis.rule,
            begin: Timestamp(begin),
            // When it ended is not told, only that it was soon enough.
            end: call.answer,
            talk: Micros(talk),
            before: Before { billed, included, cost, tier: TierCounted::of(&tier) },
        })
    }
}

impl Pair {
    /// Of a call that the rule means: made, with something to be charged for, between two numbers.
    fn of(rule: Successive, leg: &Leg, kind: &Kind<'_>, home: Country, tariff: &Tariff) -> Option<Pair> {
        let pair = Pair { source: leg.source?, destination: leg.destination()? };
        if leg.direction != Direction::Outbound || !kind.is_charged() {
            return None;
        }
        let class = tariff.classify(pair.source);
        (class.country == home && rule.from.has(class.kind)).then_some(pair)
    }
}

/// Answer of the first (microseconds since 1970), talk time (microseconds), seconds billed, seconds covered, what was charged;
/// and where a tier counts them, which and what in each of its levels.
#[derive(Serialize, Deserialize)]
struct After(i64, i64, u32, u32, Money, #[serde(default, skip_serializing_if = "Vec::is_empty")] Vec<u32>);

/// A text of draws of a call that went on with others.
#[derive(Deserialize)]
pub(super) struct Whole {
    after: After,
    /// What it drew.
    pub draws: Vec<Told>,
}

impl Whole {
    /// None: the text is of a call by itself.
    pub fn read(text: &[u8]) -> Option<Whole> {
        (text.first() == Some(&b'{')).then(|| serde_json::from_slice(text).ok())?
    }
}
