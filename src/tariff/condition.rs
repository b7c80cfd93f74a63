//! What a row may ask of a call besides its number: a time band, the caller's prefix, the number's length, where in the
//! United States both ends are, how long the call has lasted.
//!
//! Rows of one prefix with different conditions stand beside each other. Of those that hold, the more particular wins:
//! the longer origin, then the narrower length, then a jurisdiction, then the later `valid_from`, then the later `after`.
//!
//! Does not know prices, plans or how rows are stored.

use std::cmp::Reverse;

use super::bands::Band;
use crate::number::Number;
use crate::time::Timestamp;

/// What a row asks. A row that asks nothing has none of these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Condition {
    /// Days and times of day; none: always.
    pub band: Option<Band>,
    /// Who calls; none: anybody.
    pub origin: Option<Origin>,
    /// Fewest and most digits of the called number, calling code included; none: any.
    pub lengths: Option<(u8, u8)>,
    /// Where both ends are; none: anywhere.
    pub jurisdiction: Option<Jurisdiction>,
    /// Billed seconds of the call before which the row does not hold.
    pub after: u32,
}

/// Whose calls a row prices.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// Callers whose number begins so.
    Prefix(Number),
    /// Callers whose number is withheld or cannot be read.
    Anonymous,
}

impl Origin {
    /// How much it says: the digits of its prefix.
    fn digits(self) -> usize {
        match self {
            Origin::Prefix(prefix) => prefix.len(),
            Origin::Anonymous => 0,
        }
    }
}

/// The cell of a row for callers without a number.
pub const ANONYMOUS: &str = "anonymous";

/// Where caller and called are, among the states of one country.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Jurisdiction {
    /// In different states.
    Interstate = 1,
    /// In the same state.
    Intrastate = 2,
}

impl Jurisdiction {
    /// All of them.
    pub const ALL: [Jurisdiction; 2] = [Jurisdiction::Interstate, Jurisdiction::Intrastate];

    /// As cells write it.
    pub const fn name(self) -> &'static str {
        match self {
            Jurisdiction::Interstate => "interstate",
            Jurisdiction::Intrastate => "intrastate",
        }
    }
}

/// The order of rows of one prefix: the more particular first, what cannot be compared by its value.
pub type Rank = (Reverse<(bool, usize)>, Option<Origin>, bool, u8, Option<(u8, u8)>, Reverse<Option<Jurisdiction>>);

impl Condition {
    /// Whether it asks nothing.
    pub fn is_empty(&self) -> bool {
        *self == Condition::default()
    }

    /// See [`Rank`]; dates and `after` are compared behind it.
    pub fn rank(&self) -> Rank {
        let origin = (self.origin.is_some(), self.origin.map_or(0, Origin::digits));
        let span = self.lengths.map_or(0, |(least, most)| most - least);
        (Reverse(origin), self.origin, self.lengths.is_none(), span, self.lengths, Reverse(self.jurisdiction))
    }

    /// Whether two rows of one prefix, beginning together, could both hold and neither is the more particular.
    pub fn contradicts(&self, other: &Condition) -> bool {
        let together = |a: (u8, u8), b: (u8, u8)| a.0 <= b.1 && b.0 <= a.1 && a.1 - a.0 == b.1 - b.0;
        let lengths = match (self.lengths, other.lengths) {
            (Some(a), Some(b)) => together(a, b),
            (a, b) => a == b,
        };
        let bands = match (&self.band, &other.band) {
            (Some(a), Some(b)) => a.overlaps(b),
            _ => true,
        };
        (self.origin, self.jurisdiction, self.after) == (other.origin, other.jurisdiction, other.after)
            && lengths
            && bands
    }

    /// The same but for `after`: the row that a chain of price steps begins with.
    pub fn begins_chain(&self, other: &Condition) -> bool {
        self.after == 0 && Condition { after: 0, ..*other } == *self
    }

    /// What it asks, in words, the zone of its band beside it: `mon-fri 08:00-18:00 Europe/Berlin, callers from 1212`.
    pub fn words(&self, zone: &str) -> String {
        let mut words = Vec::new();
        words.extend(self.band.map(|band| format!("{} {zone}", band.words())));
        words.extend(self.origin.map(|origin| match origin {
            Origin::Prefix(prefix) => format!("callers from {prefix}"),
            Origin::Anonymous => "callers without a number".to_owned(),
        }));
        words.extend(self.lengths.map(|(least, most)| match least == most {
            true => format!("numbers of {least} digits"),
            false => format!("numbers of {least} to {most} digits"),
        }));
        words.extend(self.jurisdiction.map(|jurisdiction| jurisdiction.name().to_owned()));
        words.extend((self.after > 0).then(|| format!("after {} s", self.after)));
        words.join(", ")
    }
}

/// What a call tells rows besides the called number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Decides which rows are in force.
    pub answer: Timestamp,
    /// Decides which bands hold: the answer, or a later moment of the call.
    pub at: Timestamp,
    /// Billed seconds before that moment.
    pub second: u32,
    /// The caller, where its number is known.
    pub source: Option<Number>,
}

impl Asked {
    /// At the answer of a call by this caller.
    #[inline]
    pub fn at_answer(answer: Timestamp, source: Option<Number>) -> Asked {
        Asked { answer, at: answer, second: 0, source }
    }
}

impl From<Timestamp> for Asked {
    /// At the answer, the caller unknown.
    fn from(answer: Timestamp) -> Asked {
        Asked::at_answer(answer, None)
    }
}
