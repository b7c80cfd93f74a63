//! What was dialled (R3): emergency number, extension, short code, or an E.164 number.
//!
//! Special numbers are recognised on the digits as dialled, first as they stand and then without the node's tech
//! prefixes; only what is none of them is brought to E.164. A routing number in the dialled URI stands for the record's,
//! where that names none: the record stays as it was sent.
//!
//! Does not know who pays, nor what a number costs.

use super::{Called, Routing, World};
use crate::number::dialling::{BadNumber, Dialled, Special, normalise_international};
use crate::number::{Country, Number};
use crate::record::Record;

/// Digits of a short code that its look-up key holds. Brazil's collect calls (`90` and a whole number) are longer; decks
/// price them by their front.
const SHORT_CODE_KEY_DIGITS: usize = 12;

/// A number that was presented, not dialled (source, forwarded by): only normalised.
pub(super) fn presented(text: &[u8], country: Option<Country>, world: World<'_>) -> Result<Number, BadNumber> {
    normalise(&Dialled::read(text), country, world)
}

/// What a caller dialled. `account_row` is the payer's, none where nobody is known to pay; `country` the payer's, else
/// the node's.
pub(super) fn dialled(
    text: &[u8],
    country: Option<Country>,
    account_row: Option<u32>,
    strip: &[String],
    world: World<'_>,
) -> Called {
    let whole = Dialled::read(text);
    if let Some(called) = special(&whole, country, account_row, world) {
        return called;
    }
    if strip.is_empty() {
        return number(&whole, country, world);
    }
    let stripped = whole.stripped(strip);
    special(&stripped, country, account_row, world).unwrap_or_else(|| number(&stripped, country, world))
}

/// What the called side was reached at. Emergency numbers and short codes are a caller's business; an extension of the
/// account may well be what a PBX reports.
pub(super) fn reached(
    text: &[u8],
    country: Option<Country>,
    account_row: Option<u32>,
    strip: &[String],
    world: World<'_>,
) -> Called {
    let whole = Dialled::read(text);
    let stripped = if strip.is_empty() { whole } else { whole.stripped(strip) };
    for digits in [&whole, &stripped] {
        if is_extension(digits, account_row, world) {
            return Called::Extension;
        }
    }
    number(&stripped, country, world)
}

/// Where a ported number leads: what the record says, else what stands beside the dialled number (RFC 4694).
pub(super) fn routing(record: &Record<'_>, country: Country, world: World<'_>) -> Routing {
    let dialled = match record.routing_number {
        b"" => match Dialled::routing(record.destination) {
            None => return Routing::None,
            Some(dialled) => dialled,
        },
        named => Ok(Dialled::read(named)),
    };
    match dialled.and_then(|dialled| normalise(&dialled, Some(country), world)) {
        Ok(number) => Routing::Number(number),
        Err(bad) => Routing::Bad(bad),
    }
}

fn special(dialled: &Dialled, country: Option<Country>, account_row: Option<u32>, world: World<'_>) -> Option<Called> {
    let plan = country.and_then(|country| world.tariff.countries().get(country));
    let special = plan.and_then(|plan| plan.special(dialled));
    if special == Some(Special::Emergency) {
        return Some(Called::Emergency);
    }
    // An account's own extensions come before short codes: its PBX never lets them out.
    if is_extension(dialled, account_row, world) {
        return Some(Called::Extension);
    }
    special?;
    let digits = dialled.digits();
    let front = digits.get(..SHORT_CODE_KEY_DIGITS).unwrap_or(digits);
    world.tariff.short_code(country?, front).map(Called::ShortCode)
}

fn is_extension(dialled: &Dialled, account_row: Option<u32>, world: World<'_>) -> bool {
    !dialled.has_plus() && account_row.is_some_and(|row| world.directory.is_extension(row, dialled.digits()))
}

fn number(dialled: &Dialled, country: Option<Country>, world: World<'_>) -> Called {
    match normalise(dialled, country, world) {
        Ok(number) => Called::Number(number),
        Err(bad) => Called::Bad(bad),
    }
}

fn normalise(dialled: &Dialled, country: Option<Country>, world: World<'_>) -> Result<Number, BadNumber> {
    let countries = world.tariff.countries();
    match country.and_then(|country| countries.get(country)) {
        Some(plan) => plan.normalise_by(dialled, countries, || Some(world.tariff.numbering())),
        None => normalise_international(dialled, countries),
    }
}
