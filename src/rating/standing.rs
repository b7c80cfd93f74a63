//! What has been drawn before a call, and what the call draws: the only state that a price depends on.
//!
//! Seconds are counted by [`Meter`]s, each for a billing group and a month. The heart asks the meters that the call's plan
//! names, and says by how much each of them goes on; whoever calls it keeps them.
//!
//! ```text
//! Standing ──seconds(month, meter)──▶ rate ──▶ Rated, and Draws: meter + seconds
//! ```
//! A call that asks the plan's minutes alone gives no [`Draws`]: what it drew is in [`Rated`](super::Rated), and nothing is
//! allocated for it. One that asks others gives all of them, the plan's minutes too, and their text, which is kept with
//! the call: `[["mobile",120,600,11400],["",0,0,60000]]` is name, seconds drawn, seconds drawn before, seconds that were
//! left (null: no limit) and, where there were any, how many of the month's seconds earlier months had left to it (below
//! zero: the month has handed on more than it was left); the plan's minutes have no name. A tier stands behind them:
//! `["tier:world",60,600000,null]` is seconds charged, and charged before. One that counts as one call with others before it
//! (R28) gives what those came to in front: `{"after":[…],"draws":[…]}`.
//!
//! Does not know where meters are kept.

use serde::Deserialize;

use super::successive::Whole;
use crate::call::{Chain, Linked, Meter, Pair, RatedCall};
use crate::tariff::tiers::TIER;
use crate::time::Period;

/// The meters of one billing group.
pub trait Drawn {
    /// Seconds that a meter has counted in a month.
    fn seconds(&self, month: Period, meter: Meter) -> u64;

    /// What was left of it before the call, where that is told rather than to be found: for a call that was rated before.
    fn left(&self, _meter: Meter) -> Option<u64> {
        None
    }

    /// Seconds that a month has of an allowance beside its own: what earlier months left to it, less what it has handed on
    /// itself once it is sealed. So no second is given twice. `lots`: the counters of what may be drawn; none where the call's
    /// plan lets nothing roll over, and still what another plan's month handed on is gone.
    fn carried(&self, month: Period, _meter: Meter, lots: &[Meter], handed_on: Meter) -> i64 {
        let lots: u64 = lots.iter().map(|lot| self.seconds(month, *lot)).sum();
        lots.cast_signed().saturating_sub_unsigned(self.seconds(month, handed_on))
    }

    /// R28: the calls between two numbers that a call may go on with.
    fn chain(&self, _pair: Pair) -> Option<Chain> {
        None
    }
}

/// So many seconds of the plan's minutes in whichever month, and nothing else.
impl Drawn for u64 {
    fn seconds(&self, _month: Period, meter: Meter) -> u64 {
        if meter == Meter::PLAN { *self } else { 0 }
    }
}

/// What a call finds: everything before it that has a say in its price.
#[derive(Clone, Copy)]
pub struct Standing<'a> {
    /// Of its billing group.
    pub drawn: &'a dyn Drawn,
}

impl<'a> Standing<'a> {
    /// By the meters of the billing group.
    pub fn of(drawn: &'a dyn Drawn) -> Standing<'a> {
        Standing { drawn }
    }
}

/// What a call draws from one meter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Draw {
    /// Which.
    pub meter: Meter,
    /// What it counts.
    pub of: DrawOf,
    /// Seconds drawn; 0 where it was asked and had none left.
    pub seconds: u32,
    /// Counted before the call.
    pub used: u64,
    /// Left before the call; none: no limit.
    pub left: Option<u64>,
    /// See [`Drawn::carried`].
    pub carried: i64,
}

/// What a draw is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DrawOf {
    /// The plan's minutes.
    Plan,
    /// A pool of the plan, by its place.
    Pool(u8),
    /// No allowance at all: seconds that are charged, as a tier of the plan counts them, by its place.
    Tier(u8),
}

/// What a call draws where it asks more than the plan's minutes. Used again from call to call.
#[derive(Clone, Default, Debug)]
pub struct Draws {
    /// In the order in which they were asked.
    pub list: Vec<Draw>,
    /// The same, as it is kept with the call; empty where the list is.
    pub text: Vec<u8>,
    /// R28: what it went on with.
    pub follows: Option<Chain>,
    /// R28: what a next call may go on with, to be kept by whoever rates.
    pub linked: Option<Linked>,
}

impl Draws {
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.text.clear();
        (self.follows, self.linked) = (None, None);
    }

    /// Adds one with the name of its pool, which has no character that JSON escapes.
    pub(super) fn push(&mut self, name: &str, draw: Draw) {
        self.text.pop();
        self.text.extend_from_slice(if self.list.is_empty() { b"[[\"" } else { b",[\"" });
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"\",");
        let mut number = |n: u64, end: u8| {
            self.text.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
            self.text.push(end);
        };
        number(u64::from(draw.seconds), b',');
        number(draw.used, b',');
        let end = if draw.carried == 0 { b']' } else { b',' };
        match draw.left {
            Some(left) => number(left, end),
            None => self.text.extend_from_slice(if end == b']' { b"null]" } else { b"null," }),
        }
        if draw.carried != 0 {
            self.text.extend_from_slice(itoa::Buffer::new().format(draw.carried).as_bytes());
            self.text.push(b']');
        }
        self.text.push(b']');
        self.list.push(draw);
    }
}

/// A draw as its text has it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Told(
    /// Name of the pool; empty: the plan's minutes.
    pub String,
    /// Seconds drawn.
    pub u32,
    /// Counted before.
    pub u64,
    /// Left before; none: no limit.
    pub Option<u64>,
    /// See [`Drawn::carried`].
    #[serde(default)]
    pub i64,
);

impl Told {
    /// Reads [`Draws::text`]; nothing where it is empty or no such text.
    pub fn read(text: &[u8]) -> Vec<Told> {
        match text.first() {
            None => Vec::new(),
            Some(b'{') => Whole::read(text).map_or_else(Vec::new, |whole| whole.draws),
            Some(_) => serde_json::from_slice(text).unwrap_or_default(),
        }
    }

    /// Whether it is what a tier counts, rather than what an allowance gave.
    pub fn is_tier(&self) -> bool {
        self.0.starts_with(TIER)
    }

    /// Which meter counts it.
    pub fn meter(&self) -> Meter {
        Meter::named(&self.0)
    }
}

/// What a rated call drew, meter by meter; `text` is that of its [`Draws`].
pub fn drawn(call: &RatedCall, text: &[u8], mut show: impl FnMut(Meter, u32)) {
    if text.is_empty() {
        if call.included_seconds > 0 {
            show(Meter::PLAN, call.included_seconds);
        }
        return;
    }
    Told::read(text).iter().filter(|told| told.1 > 0).for_each(|told| show(told.meter(), told.1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_draws_is_read_back() {
        let mut draws = Draws::default();
        let draw = |name, seconds, used, left, carried| {
            let meter = Meter::named(name);
            Draw { meter, of: DrawOf::Plan, seconds, used, left, carried }
        };
        draws.push("mobile", draw("mobile", 120, 600, Some(11_400), 0));
        draws.push("world-1", draw("world-1", 0, 5, None, 0));
        draws.push("kept", draw("kept", 60, 5, Some(7), 3600));
        draws.push("given", draw("given", 0, 5, None, -60));
        draws.push("", draw("", 7, 0, Some(u64::MAX), 0));
        let text = String::from_utf8(draws.text.clone()).unwrap();
        let expected = r#"[["mobile",120,600,11400],["world-1",0,5,null],["kept",60,5,7,3600],["given",0,5,null,-60],"#;
        assert_eq!(text, format!(r#"{expected}["",7,0,18446744073709551615]]"#));
        let told = Told::read(&draws.text);
        let again: Vec<_> = told.iter().map(|t| draw(&t.0, t.1, t.2, t.3, t.4)).collect();
        assert_eq!(again, draws.list);
        assert_eq!((Told::read(b"").len(), Told::read(b"[[1]]").len()), (0, 0));
    }
}
