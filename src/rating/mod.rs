//! The heart: from a record to what each leg costs (R1 to R18).

use crate::batch::Position;
use crate::call::{RatedCall, SuspenseReason, TariffSlot};
use crate::directory::Directory;
use crate::entry::SourceProfile;
use crate::number::Number;
use crate::record::{Direction, Record};
use crate::tariff::Tariff;
use crate::time::{Micros, Period, Timestamp};

/// What is known when a call is rated: values, never a clock.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub directory: &'a Directory,
    pub tariff: &'a Tariff,
    pub slot: TariffSlot,
}

/// R1, before identity is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answered {
    /// Neither answer nor talk time: counted, claims no identity.
    No,
    Yes,
}

/// R1.
pub fn answered(_record: &Record<'_>) -> Answered {
    todo!()
}

/// One account's side of a call, ready to be priced; small, `Copy`, no borrowed text.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    pub direction: Direction,
    /// Row in the directory image.
    pub account_row: u32,
    pub answer: Timestamp,
    pub duration: Micros,
    pub source: Option<Number>,
    pub called: Called,
}

/// What was called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Called {
    Emergency,
    /// An extension of the account.
    Extension,
    /// Look-up key of a short code of the home country.
    ShortCode(Number),
    Number(Number),
    /// Suspense `bad_number`, after the billing-start check.
    Bad,
}

/// What a record comes to.
#[derive(Clone, Copy, Debug)]
pub enum Resolution {
    /// The whole record waits.
    Suspended(SuspenseReason),
    /// One or two legs.
    Legs(Option<Leg>, Option<Leg>),
}

/// R2 to R4: whose call it was. `received_at` is the frame's stamp.
pub fn resolve(
    _record: &Record<'_>,
    _received_at: Timestamp,
    _source: &SourceProfile,
    _world: World<'_>,
) -> Resolution {
    todo!()
}

/// What rating a leg gives besides its keys (the shard adds account, group and position).
#[derive(Clone, Copy, Debug)]
pub struct Rated {
    pub period: Period,
    pub call_type: crate::call::CallType,
    pub billable_seconds: u32,
    pub included_seconds: u32,
    pub cost: crate::money::Money,
    pub basis: crate::call::Basis,
}

/// R5 to R18: prices a leg. `used` tells how many allowance seconds the group has drawn in a period so far; the caller
/// adds `included_seconds` afterwards.
pub fn rate(_leg: &Leg, _world: World<'_>, _period: Period, _used_seconds: u64) -> Result<Rated, SuspenseReason> {
    todo!()
}

#[allow(unused)]
fn _unused(_: RatedCall, _: Position) {}
