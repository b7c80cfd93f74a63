//! What was dialled (R3): emergency number, extension, short code, or an E.164 number.
//!
//! Special numbers are recognised on the digits as dialled, first as they stand and then without the node's tech
//! prefixes; only what is none of them is brought to E.164. A routing number in the dialled URI stands for the record's,
//! where that names none: the record stays as it was sent.
//!
//! Does not know who pays, nor what a number costs.

use super::{Called, Routing, World};
use crate::directory::AccountRow;
use crate::number::dialling::{BadNumber, Dialled, DiallingPlan, Packed, Special, normalise_international};
use crate::number::{Country, Number};
use crate::record::Record;

/// Digits of a short code that its look-up key holds. Brazil's collect calls (`90` and a whole number) are longer; decks
/// price them by their front.
const SHORT_CODE_KEY_DIGITS: usize = 12;

/// A number that was presented, not dialled (source, forwarded by): only normalised.
pub(super) fn presented(text: &[u8], country: Option<Country>, world: World<'_>) -> Result<Number, BadNumber> {
    let plan = plan_of(country, world);
    match Packed::read(text).and_then(|packed| plainly(&packed, plan, world)) {
        Some(number) => Ok(number),
        None => normalise(&Dialled::read(text), plan, world),
    }
}

/// By whose habits a dialled text is read.
pub(super) struct Reader<'r> {
    /// The payer's country, else the node's.
    pub country: Option<Country>,
    /// Who pays; none where nobody is known to.
    pub account: Option<AccountRow<'r>>,
    /// What the node puts in front.
    pub strip: &'r [String],
}

/// What a text was read as.
#[derive(Clone, Copy)]
pub(super) struct Read {
    pub called: Called,
    /// It held digits alone: nothing stands beside them.
    pub bare: bool,
}

impl Reader<'_> {
    /// What a caller dialled.
    #[inline]
    pub fn dialled(&self, text: &[u8], world: World<'_>) -> Read {
        let plan = plan_of(self.country, world);
        match self.only_a_number(text, plan, world) {
            Some(number) => Read { called: Called::Number(number), bare: true },
            None => Read { called: self.dialled_any(text, plan, world), bare: false },
        }
    }

    #[inline(never)]
    fn dialled_any(&self, text: &[u8], plan: Option<&DiallingPlan>, world: World<'_>) -> Called {
        let whole = Dialled::read(text);
        if let Some(called) = self.special(&whole, plan, world) {
            return called;
        }
        if self.strip.is_empty() {
            return number(&whole, plan, world);
        }
        let stripped = whole.stripped(self.strip);
        self.special(&stripped, plan, world).unwrap_or_else(|| number(&stripped, plan, world))
    }

    /// What the called side was reached at. Emergency numbers and short codes are a caller's business; an extension of the
    /// account may well be what a PBX reports.
    pub fn reached(&self, text: &[u8], world: World<'_>) -> Called {
        let plan = plan_of(self.country, world);
        if let Some(number) = self.only_a_number(text, plan, world) {
            return Called::Number(number);
        }
        let whole = Dialled::read(text);
        let stripped = if self.strip.is_empty() { whole } else { whole.stripped(self.strip) };
        for dialled in [&whole, &stripped] {
            if !dialled.has_plus() && self.is_extension(dialled.digits()) {
                return Called::Extension;
            }
        }
        number(&stripped, plan, world)
    }

    /// The short way, for what can be nothing else than a number, and nothing of it stripped.
    #[inline]
    fn only_a_number(&self, text: &[u8], plan: Option<&DiallingPlan>, world: World<'_>) -> Option<Number> {
        let packed = Packed::read(text)?;
        if !packed.has_plus() {
            let strips = |prefix: &String| text.starts_with(prefix.as_bytes());
            let may_be_other = plan.is_some_and(|plan| plan.may_be_special(&packed)) || self.is_extension(text);
            if may_be_other || self.strip.iter().any(strips) {
                return None;
            }
        }
        plainly(&packed, plan, world)
    }

    fn special(&self, dialled: &Dialled, plan: Option<&DiallingPlan>, world: World<'_>) -> Option<Called> {
        let special = plan.and_then(|plan| plan.special(dialled));
        if special == Some(Special::Emergency) {
            return Some(Called::Emergency);
        }
        // An account's own extensions come before short codes: its PBX never lets them out.
        if !dialled.has_plus() && self.is_extension(dialled.digits()) {
            return Some(Called::Extension);
        }
        special?;
        let digits = dialled.digits();
        let front = digits.get(..SHORT_CODE_KEY_DIGITS).unwrap_or(digits);
        world.tariff.short_code(self.country?, front).map(Called::ShortCode)
    }

    fn is_extension(&self, digits: &[u8]) -> bool {
        self.account.is_some_and(|account| account.has_extension(digits))
    }
}

/// Where a ported number leads: what the record says, else what stands beside the dialled number (RFC 4694), unless that is
/// bare.
pub(super) fn routing(record: &Record<'_>, bare: bool, country: Country, world: World<'_>) -> Routing {
    let dialled = match record.routing_number {
        b"" if bare => return Routing::None,
        b"" => match Dialled::routing(record.destination) {
            None => return Routing::None,
            Some(dialled) => dialled,
        },
        named => Ok(Dialled::read(named)),
    };
    match dialled.and_then(|dialled| normalise(&dialled, plan_of(Some(country), world), world)) {
        Ok(number) => Routing::Number(number),
        Err(bad) => Routing::Bad(bad),
    }
}

fn plan_of(country: Option<Country>, world: World<'_>) -> Option<&DiallingPlan> {
    world.tariff.countries().get(country?)
}

#[inline]
fn plainly(packed: &Packed, plan: Option<&DiallingPlan>, world: World<'_>) -> Option<Number> {
    let countries = world.tariff.countries();
    match plan {
        Some(plan) => plan.normalise_packed(packed, countries),
        None => packed.international(countries),
    }
}

fn number(dialled: &Dialled, plan: Option<&DiallingPlan>, world: World<'_>) -> Called {
    match normalise(dialled, plan, world) {
        Ok(number) => Called::Number(number),
        Err(bad) => Called::Bad(bad),
    }
}

fn normalise(dialled: &Dialled, plan: Option<&DiallingPlan>, world: World<'_>) -> Result<Number, BadNumber> {
    let countries = world.tariff.countries();
    match plan {
        Some(plan) => plan.normalise_by(dialled, countries, || Some(world.tariff.numbering())),
        None => normalise_international(dialled, countries),
    }
}
