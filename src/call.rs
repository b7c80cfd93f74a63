//! What rating gives: rated calls, things in suspense, usage; the words shared by heart, flush, store and answers.
//!
//! Does not know how a price came about, nor where any of this is kept.

mod chain;
mod exchange;

use serde::{Deserialize, Serialize};

use crate::batch::Position;
use crate::money::{Money, Price};
use crate::number::Number;
use crate::record::Direction;
use crate::time::{Micros, Period, Timestamp};

pub use chain::{Before, CHAIN_KEPT, Chain, LEVELS, Linked, Pair, TierCounted};
pub use exchange::Exchange;

/// An account's stable number in one data folder: given in the order in which accounts are first seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct AccountKey(pub u32);

/// A billing group's stable number in one data folder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct GroupKey(pub u32);

/// A counter of seconds of a billing group in a month: how much of an allowance is drawn.
///
/// Its number follows from its name, so that it is the same under every tariff and in every data folder, and nobody has to
/// keep a table of names: a pool that keeps its name goes on counting when the tariff changes, and one that is renamed
/// begins anew. A tariff in which two names come to one number is refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Meter(pub u32);

impl Meter {
    /// Of the plan's `included_minutes`.
    pub const PLAN: Meter = Meter(0);
    /// What a month has handed on of the plan's minutes (roll-over).
    pub const PLAN_HANDED_ON: Meter = Meter::named(">");

    /// Of a pool's name; that of the plan's minutes is empty.
    pub const fn named(name: &str) -> Meter {
        let (bytes, mut hash, mut i) = (name.as_bytes(), 0x811c_9dc5_u32, 0);
        if bytes.is_empty() {
            return Meter::PLAN;
        }
        // FNV-1a.
        while i < bytes.len() {
            hash = (hash ^ bytes[i] as u32).wrapping_mul(0x0100_0193);
            i += 1;
        }
        if hash == 0 { Meter(1) } else { Meter(hash) }
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }
        impl $name {
            /// Every value, in order.
            pub const ALL: &[$name] = &[$($name::$variant),+];
            /// The name used in APIs, metrics and the store.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
            /// The value behind a name.
            pub fn named(name: &str) -> Option<$name> {
                match name { $($text => Some($name::$variant),)+ _ => None }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.name()) }
        }
    };
}

named! {
    /// What kind of call a leg is (R6 to R12).
    CallType {
        /// In-plan and within the allowance.
        Included = "included",
        /// In-plan beyond the allowance.
        Overage = "overage",
        /// Not in the plan, inside the home country.
        DomesticPremium = "domestic_premium",
        /// To another country.
        International = "international",
        /// Inbound to a toll-free number of the account.
        TollFree = "toll_free",
        /// Outbound to a toll-free number.
        TollFreeOutbound = "toll_free_outbound",
        /// To an emergency number; always 0.
        Emergency = "emergency",
        /// Inbound to any other number; always 0.
        Inbound = "inbound",
        /// To a number on a list of free ones; always 0.
        Free = "free",
    }
}

named! {
    /// Why something could not be rated.
    SuspenseReason {
        /// Duration without an answer time (R1).
        NoAnswerTime = "no_answer_time",
        /// Negative, too long, from the future or too old (R2).
        Implausible = "implausible",
        /// Nobody pays (R4).
        UnknownAccount = "unknown_account",
        /// A number that cannot be one (R3).
        BadNumber = "bad_number",
        /// No row for it (R16).
        NoRate = "no_rate",
        /// The matching row forbids it (R16).
        Blocked = "blocked",
        /// Answered before billing starts: kept, not charged, judged again on retry (R5).
        BeforeBillingStart = "before_billing_start",
        /// The program died on it twice.
        InternalError = "internal_error",
        /// Told in parts, and a part never came: not charged. It leaves by itself should the part still come.
        Unfinished = "unfinished",
        /// A local answer time that came twice when the clocks went back (R1).
        AmbiguousTime = "ambiguous_time",
        /// Its month is being sealed: tried again by itself when that is done.
        PeriodSealing = "period_sealing",
    }
}

impl SuspenseReason {
    /// Whether the whole record waits, not one leg of it.
    pub const fn of_record(self) -> bool {
        matches!(
            self,
            SuspenseReason::NoAnswerTime
                | SuspenseReason::AmbiguousTime
                | SuspenseReason::Implausible
                | SuspenseReason::UnknownAccount
                | SuspenseReason::InternalError
                | SuspenseReason::Unfinished
        )
    }
}

named! {
    /// How a duration is brought to billable seconds (R13).
    StepMode {
        /// Up to the next increment.
        Up = "up",
        /// To the nearest increment, halves up.
        Nearest = "nearest",
    }
}

/// A step rule, whole (R13).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct StepRule {
    /// Up or nearest.
    pub mode: StepMode,
    /// First block, seconds.
    pub initial: u32,
    /// Each further block, seconds; at least 1.
    pub increment: u32,
    /// Least billable seconds of a call that is billed.
    pub minimum: u32,
    /// Talk time below this is forgiven.
    pub free_below: Micros,
}

/// A leg's place: the record's position and which of its legs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LegKey {
    /// Position of the record's entry.
    pub position: Position,
    /// Outbound or inbound.
    pub leg: Direction,
}

/// Which tariff image, by the order in which activations were journalled in this data folder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TariffSlot(pub u16);

/// What decided type and price of a rated call; equal for very many calls, stored once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Basis {
    /// Tariff image.
    pub tariff: TariffSlot,
    /// Plan, index in that image.
    pub plan: u16,
    /// Deciding rule, 6 to 12 (R6…R12), or 24.
    pub rule: u8,
    /// Row that gave the price, index in that image; none where the plan or a zero rule did.
    pub row: Option<u32>,
    /// The steps used.
    pub steps: StepRule,
    /// The price used for what is charged, as it stands: in `exchange`'s currency where there is one.
    pub price: Price,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// Decimals of the cost.
    pub decimals: u8,
    /// How a price in another currency became a cost in this one; none where both are the same.
    pub exchange: Option<Exchange>,
}

/// One leg with its charge (R18). Immutable; a correction is a new revision.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RatedCall {
    /// Which leg.
    pub key: LegKey,
    /// Who pays.
    pub account: AccountKey,
    /// Whose allowance was drawn.
    pub group: GroupKey,
    /// Month that bills it: that of the answer in the account's zone, unless that was sealed when it came (R21).
    pub period: Period,
    /// Answer instant.
    pub answer: Timestamp,
    /// Talk time.
    pub duration: Micros,
    /// Calling number, if it could be read.
    pub source: Option<Number>,
    /// Called number; none for emergency numbers, extensions and short codes.
    pub destination: Option<Number>,
    /// Type of the call; a straddling call is `included`.
    pub call_type: CallType,
    /// R13's result.
    pub billable_seconds: u32,
    /// Of these, drawn from the allowance (in-plan calls).
    pub included_seconds: u32,
    /// Seconds of the plan's minutes that had been drawn before this call, where those and no other pool were asked.
    pub used_before: Option<u64>,
    /// R21: the call's own month, where that was sealed when it came and `period` is the month that bills it.
    pub adjusts: Option<Period>,
    /// It takes a charge of a closed month back (R22): seconds and type are those of the call that is taken back, and count
    /// as taken off; the cost is below zero, to the digit.
    pub reversal: bool,
    /// The charge.
    pub cost: Money,
    /// What decided it.
    pub basis: Basis,
}

impl RatedCall {
    /// 1, or -1 for a reversal: how often it counts.
    pub fn sign(&self) -> i64 {
        if self.reversal { -1 } else { 1 }
    }

    /// Allowance seconds it draws; below zero where it gives them back.
    pub fn drawn(&self) -> i64 {
        i64::from(self.included_seconds) * self.sign()
    }

    /// Takes this back, or what this takes back comes again.
    pub fn reversed(&self) -> RatedCall {
        RatedCall { reversal: !self.reversal, cost: Money(-self.cost.0), ..*self }
    }

    /// The month of the answer, whose allowance was drawn.
    pub fn own_period(&self) -> Period {
        self.adjusts.unwrap_or(self.period)
    }

    /// Seconds billed at the overage rate: nothing except for in-plan calls.
    pub fn overage_seconds(&self) -> u32 {
        match self.call_type {
            // A row that was tampered with may say anything.
            CallType::Included | CallType::Overage => self.billable_seconds.saturating_sub(self.included_seconds),
            _ => 0,
        }
    }

    /// Seconds that are charged: what no allowance covers.
    pub fn charged_seconds(&self) -> u32 {
        self.billable_seconds.saturating_sub(self.included_seconds)
    }

    /// The lines of the totals to which this call adds: one, or two where it straddles the allowance. The call and its
    /// talk time count once, under the first.
    pub fn usage_lines(&self) -> impl Iterator<Item = (CallType, Usage)> + use<> {
        let overage = self.overage_seconds();
        let straddles = self.call_type == CallType::Included && overage > 0;
        let sign = self.sign();
        let seconds = if straddles { self.included_seconds } else { self.billable_seconds };
        let first = Usage {
            calls: sign,
            talk: i128::from(self.duration.0) * i128::from(sign),
            billable_seconds: i64::from(seconds) * sign,
            cost: i128::from(if straddles { 0 } else { self.cost.0 }),
        };
        let cost = i128::from(self.cost.0);
        let second = Usage { calls: 0, talk: 0, billable_seconds: i64::from(overage) * sign, cost };
        std::iter::once((self.call_type, first)).chain(straddles.then_some((CallType::Overage, second)))
    }
}

/// Most plans between that of an account and the carrier.
pub const RESELLERS_MAX: usize = 3;

/// The other side of a rated call: what it costs us. Only for calls of plans that say how they are bought; its plan, tariff
/// and currency are those of the call.
///
/// Of a [reversal](RatedCall::reversal) seconds are those of the call that is taken back, amounts are below zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Costs {
    /// The carrier by its number in the tariff, where the plan has decks of its own for it.
    pub carrier: Option<u16>,
    /// Row of a cost deck, index in the tariff's image; none: no row, or nobody is paid for such a call.
    pub row: Option<u32>,
    /// Seconds that the carrier bills, by its own steps.
    pub billable_seconds: u32,
    /// What it charges, in the currency and decimals of the plan; none: not known, which is never 0.
    pub carrier_cost: Option<Money>,
    /// What the call costs under each plan of the reseller chain, nearest first; none: not known, or no such level.
    pub resale: [Option<Money>; RESELLERS_MAX],
}

impl Costs {
    /// Those of the call taken back, or of what this takes back come again: amounts change their sign, seconds stay, as in
    /// [`RatedCall::reversed`].
    pub fn reversed(&self) -> Costs {
        let back = |amount: Option<Money>| amount.map(|amount| Money(-amount.0));
        Costs { carrier_cost: back(self.carrier_cost), resale: self.resale.map(back), ..*self }
    }

    /// What is left of a price: none where the cost is not known.
    pub fn margin(&self, revenue: Money) -> Option<Money> {
        Some(Money(revenue.0.saturating_sub(self.carrier_cost?.0)))
    }
}

impl std::fmt::Display for Costs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let amount = |amount: Option<Money>| amount.map_or_else(|| "unknown".to_owned(), |amount| amount.to_string());
        write!(f, "{} for {} s", amount(self.carrier_cost), self.billable_seconds)?;
        match self.row {
            Some(row) => write!(f, " by row {row}")?,
            None => f.write_str(" by no row")?,
        }
        if let Some(carrier) = self.carrier {
            write!(f, " of carrier {carrier}")?;
        }
        let levels = self.resale.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.resale.iter().take(levels).try_for_each(|price| write!(f, ", resold at {}", amount(*price)))
    }
}

impl CallType {
    /// Whether calls of this type have a price of their own, rather than being part of what the plan includes, or free.
    pub const fn is_sold(self) -> bool {
        matches!(self, CallType::Overage | CallType::DomesticPremium | CallType::International | CallType::TollFree)
    }
}

/// One line of an account's totals: what calls of one type add up to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Calls.
    pub calls: i64,
    /// Talk time, microseconds.
    pub talk: i128,
    /// Billable seconds.
    pub billable_seconds: i64,
    /// Cost, nano-units.
    pub cost: i128,
}

impl Usage {
    /// So many times this.
    pub fn times(&self, factor: i64) -> Usage {
        Usage {
            calls: self.calls * factor,
            talk: self.talk * i128::from(factor),
            billable_seconds: self.billable_seconds * factor,
            cost: self.cost * i128::from(factor),
        }
    }

    /// Adds another line.
    pub fn add(&mut self, other: &Usage) {
        self.calls += other.calls;
        self.talk += other.talk;
        self.billable_seconds += other.billable_seconds;
        self.cost += other.cost;
    }
}
