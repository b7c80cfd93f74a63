//! What a row asks of a call besides its number, as an image holds it.
//!
//! Does not know which rows ask it.

use serde::{Deserialize, Serialize};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::number::Number;
use crate::tariff::bands::{Band, Holidays, MINUTES, WORDS};
use crate::tariff::condition::{Condition, Jurisdiction, Origin};

/// A zone and its holidays.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct StoredCalendar {
    pub timezone: String,
    pub holidays: Holidays,
}

/// A [`Condition`] as stored, and the calendar of its band.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned, Clone, Copy)]
#[repr(C)]
pub struct StoredCondition {
    minutes: [U64; WORDS],
    /// The packed prefix; 0: whoever calls; `u64::MAX`: callers without a number.
    origin: U64,
    /// Billed seconds of the call before which the row does not hold.
    pub after: U32,
    /// Place in [`Meta::calendars`].
    pub calendar: U16,
    /// 0: no band.
    days: u8,
    /// Fewest and most digits of the called number; 0 and 0: any.
    least_digits: u8,
    most_digits: u8,
    /// 0: any.
    jurisdiction: u8,
    zero: [u8; 6],
}

const _: () = assert!(size_of::<StoredCondition>() == 208);
const ANYBODY: u64 = 0;
const NOBODY: u64 = u64::MAX;

impl StoredCondition {
    pub fn new(condition: &Condition, calendar: u16) -> StoredCondition {
        let Condition { band, origin, lengths, jurisdiction, after } = *condition;
        let band = band.unwrap_or(Band { days: 0, minutes: [0; WORDS] });
        let (least_digits, most_digits) = lengths.unwrap_or((0, 0));
        StoredCondition {
            minutes: band.minutes.map(U64::new),
            origin: U64::new(match origin {
                None => ANYBODY,
                Some(Origin::Anonymous) => NOBODY,
                Some(Origin::Prefix(prefix)) => prefix.0,
            }),
            after: U32::new(after),
            calendar: U16::new(calendar),
            days: band.days,
            least_digits,
            most_digits,
            jurisdiction: jurisdiction.map_or(0, |jurisdiction| jurisdiction as u8),
            zero: [0; 6],
        }
    }

    pub fn has_band(&self) -> bool {
        self.days != 0
    }

    /// Whether its band holds on a kind of day at a minute.
    #[inline]
    pub fn band_holds(&self, day: u8, minute: u16) -> bool {
        let word = self.minutes.get(usize::from(minute / 64)).map_or(0, |word| word.get());
        self.days >> (day & 7) & 1 == 1 && word >> (minute % 64) & 1 == 1
    }

    pub fn lengths_hold(&self, digits: usize) -> bool {
        self.most_digits == 0 || (usize::from(self.least_digits)..=usize::from(self.most_digits)).contains(&digits)
    }

    pub fn origin_holds(&self, source: Option<Number>) -> bool {
        match self.origin.get() {
            ANYBODY => true,
            NOBODY => source.is_none(),
            prefix => source.is_some_and(|source| source.starts_with(Number(prefix))),
        }
    }

    pub fn jurisdiction(&self) -> Option<Jurisdiction> {
        Jurisdiction::ALL.into_iter().find(|jurisdiction| *jurisdiction as u8 == self.jurisdiction)
    }

    pub fn condition(&self) -> Condition {
        Condition {
            band: self.has_band().then_some(Band { days: self.days, minutes: self.minutes.map(U64::get) }),
            origin: match self.origin.get() {
                ANYBODY => None,
                NOBODY => Some(Origin::Anonymous),
                prefix => Some(Origin::Prefix(Number(prefix))),
            },
            lengths: (self.most_digits != 0).then_some((self.least_digits, self.most_digits)),
            jurisdiction: self.jurisdiction(),
            after: self.after.get(),
        }
    }

    /// Whether a deck could have asked this, in an image of so many calendars.
    pub fn sound(&self, calendars: usize) -> bool {
        let minutes = self.minutes.last().is_none_or(|word| word.get() >> (u32::from(MINUTES) % 64) == 0);
        let origin = matches!(self.origin.get(), ANYBODY | NOBODY) || {
            let prefix = Number(self.origin.get());
            let (digits, n) = prefix.digits();
            digits.get(..n).and_then(Number::from_digits) == Some(prefix)
        };
        minutes
            && origin
            && (!self.has_band() || usize::from(self.calendar.get()) < calendars)
            && self.least_digits <= self.most_digits
            && usize::from(self.jurisdiction) <= Jurisdiction::ALL.len()
    }
}
