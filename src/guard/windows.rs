//! Sums over time, bounded: the current calendar window and the one before it, or twice a dozen buckets that roll.
//!
//! ```text
//! calendar        before │ now            a call goes where its answer lies; further back it is not added up any more
//! rolling     … │ b-11 … b │              a window of length L is twelve buckets of L/12; a call may come late by as many
//! ```
//!
//! Does not know what is added up.

use serde::{Deserialize, Serialize};

use crate::time::{Period, Timestamp, Zone, day_start};

/// Buckets in a rolling window: its edge is known to a twelfth of its length.
pub const BUCKETS: usize = 12;
/// Buckets kept, so that a call that comes late by up to a whole window still meets every window it belongs to.
const KEPT: usize = 2 * BUCKETS;

/// A sum, and up to which threshold it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sum {
    /// What was added up.
    pub value: i128,
    /// The highest threshold that was told of, in hundredths of the value's unit.
    pub told: i128,
}

/// A rule's sums for one account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Windows {
    /// Windows that follow each other.
    Calendar(Calendar),
    /// A window that rolls.
    Rolling(Box<Rolling>),
}

/// Two windows that follow each other, by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Calendar {
    newest: i64,
    now: Sum,
    before: Sum,
}

impl Default for Calendar {
    fn default() -> Calendar {
        Calendar { newest: i64::MIN, now: Sum::default(), before: Sum::default() }
    }
}

impl Calendar {
    /// The window of a number; none if it has gone. A number beyond the newest begins a new window.
    pub fn window(&mut self, number: i64) -> Option<&mut Sum> {
        if number > self.newest {
            self.before = if self.newest.checked_add(1) == Some(number) { self.now } else { Sum::default() };
            (self.now, self.newest) = (Sum::default(), number);
        }
        match self.newest - number {
            0 => Some(&mut self.now),
            1 => Some(&mut self.before),
            _ => None,
        }
    }

    /// What the window of a number holds.
    pub fn standing(&self, number: i64) -> Sum {
        match self.newest.checked_sub(number) {
            Some(0) => self.now,
            Some(1) => self.before,
            _ => Sum::default(),
        }
    }
}

/// Buckets of a rolling window.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rolling {
    newest: i64,
    buckets: [i128; KEPT],
    /// The highest threshold that was told of, and the last bucket of the window in which it was.
    told: i128,
    told_at: i64,
}

impl Default for Rolling {
    fn default() -> Rolling {
        Rolling { newest: i64::MIN, buckets: [0; KEPT], told: 0, told_at: 0 }
    }
}

impl Rolling {
    /// Adds to a bucket; gives the fullest window that holds it, by its last bucket. None if it has gone.
    pub fn add(&mut self, bucket: i64, value: i128) -> Option<(i64, Sum)> {
        if self.newest == i64::MIN {
            self.newest = bucket;
        }
        if bucket > self.newest {
            let skipped = (bucket - self.newest).min(KEPT as i64);
            (0..skipped).for_each(|back| self.buckets[place(bucket - back)] = 0);
            self.newest = bucket;
        }
        let width = BUCKETS as i64;
        if bucket < self.newest - width {
            return None;
        }
        self.buckets[place(bucket)] += value;
        let last = self.newest.min(bucket + width - 1);
        let (mut fullest, mut sum) = (bucket, self.sum(bucket));
        let mut rolling = sum;
        for end in bucket + 1..=last {
            rolling += self.buckets[place(end)] - self.buckets[place(end - width)];
            if rolling > sum {
                (fullest, sum) = (end, rolling);
            }
        }
        Some((fullest, Sum { value: sum, told: self.told_in(fullest) }))
    }

    /// Up to which threshold was told of what lies in the window that ends with a bucket: nothing, once a whole window
    /// has gone by.
    fn told_in(&self, end: i64) -> i128 {
        if end - self.told_at >= BUCKETS as i64 { 0 } else { self.told }
    }

    /// It was told of the window that ends with a bucket.
    pub fn tell(&mut self, end: i64, told: i128) {
        (self.told, self.told_at) = (told, end);
    }

    /// What the window that ends with a bucket holds.
    pub fn standing(&self, end: i64) -> Sum {
        if self.newest == i64::MIN || end < self.newest - BUCKETS as i64 {
            return Sum::default();
        }
        let from = end - BUCKETS as i64 + 1;
        let value = (from..=end.min(self.newest)).map(|bucket| self.buckets[place(bucket)]).sum();
        Sum { value, told: self.told_in(end) }
    }

    fn sum(&self, end: i64) -> i128 {
        (end - BUCKETS as i64 + 1..=end).map(|bucket| self.buckets[place(bucket)]).sum()
    }
}

fn place(bucket: i64) -> usize {
    bucket.rem_euclid(KEPT as i64) as usize
}

/// A calendar window: its number and its bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Follows that of the one before.
    pub number: i64,
    /// First instant.
    pub from: Timestamp,
    /// First instant behind it.
    pub to: Timestamp,
}

/// The months or days last met in each zone, so that most calls need no civil time.
#[derive(Default)]
pub struct Spans(Vec<Option<Span>>);

impl Spans {
    /// The span of an instant, found by `find` if it is another than the last one of its zone.
    pub fn of(&mut self, zone_index: u16, at: Timestamp, find: impl FnOnce() -> Span) -> Span {
        let index = usize::from(zone_index);
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        match self.0[index] {
            Some(span) if span.from <= at && at < span.to => span,
            _ => *self.0[index].insert(find()),
        }
    }
}

/// The month of an instant.
pub fn month(at: Timestamp, zone: &Zone) -> Span {
    let period = Period::containing(at, zone);
    let (from, to) = period.bounds(zone);
    Span { number: i64::from(period.0), from, to }
}

/// The day of an instant: 23 or 25 hours where the clocks change.
pub fn day(at: Timestamp, zone: &Zone) -> Span {
    let date = zone.wall(at).date;
    let next = date.tomorrow().unwrap_or(date);
    let start = |date: jiff::civil::Date| day_start(date.year(), date.month(), date.day(), zone).unwrap_or(at);
    let epoch = jiff::civil::Date::constant(1970, 1, 1);
    let number = (date - epoch).get_days();
    Span { number: i64::from(number), from: start(date), to: start(next) }
}
