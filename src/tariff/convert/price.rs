//! A CGRateS rate as the prices and steps of a deck's row, exactly or not at all.
//!
//! A rate is a list of slots: from so many seconds of the call on, so much for each unit of time, counted in increments.
//! A deck's row has a price per minute, a first block and one increment; further rows with `after` change the price.
//!
//! Does not know destinations or times of day.

use crate::money::Money;
use crate::tariff::steps::STEP_SECONDS_MAX;

/// Largest price a deck may state, in nano-units.
const PRICE_MAX: i128 = 1_000_000_000_000_000;

/// One row of Rates.csv. A time without a counterpart says why.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub line: u32,
    pub fee: Money,
    pub rate: Money,
    pub unit: Result<u32, String>,
    pub increment: Result<u32, String>,
    pub start: Result<u32, String>,
}

/// What a row of a deck says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Chain {
    pub fee: Money,
    pub initial: u32,
    pub increment: u32,
    /// From which second of the call on, and the price per minute.
    pub prices: Vec<(u32, Money)>,
}

/// A duration as Go writes it. The outer error: it is none; the inner: a deck cannot say it.
pub(super) fn seconds(text: &str) -> Result<Result<u32, String>, String> {
    let bad = || format!("{text:?} is no duration such as 60s");
    if text.is_empty() {
        return Err(bad());
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(match text.bytes().all(|b| b == b'0') {
            true => Ok(0),
            false => Err(format!("{text} has no unit: seconds to some versions, nanoseconds to others; write {text}s")),
        });
    }
    let (mut rest, mut nanos) = (text, 0_u128);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at(digits);
        let letters = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, behind) = behind.split_at(letters);
        let worth: u128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" => 1000,
            "ns" => 1,
            _ => return Err(bad()),
        };
        nanos = nanos.saturating_add(number.parse::<u128>().map_err(|_| bad())?.saturating_mul(worth));
        rest = behind;
    }
    let whole = u32::try_from(nanos / 1_000_000_000).ok().filter(|s| *s <= STEP_SECONDS_MAX);
    Ok(match whole {
        Some(seconds) if nanos.is_multiple_of(1_000_000_000) => Ok(seconds),
        Some(_) => Err(format!("{text} is not whole seconds")),
        None => Err(format!("{text} is longer than a call may last")),
    })
}

/// The slots of one rate, in the order of the file, as a row and those that follow in the call.
pub(super) fn chain(slots: &[Slot]) -> Result<Chain, String> {
    let fee = slots.first().map_or(Money::ZERO, |slot| slot.fee);
    // Where no second costs anything it is no matter in what steps they are counted.
    if let [Slot { rate: Money::ZERO, start: Ok(0), unit, increment, .. }] = slots
        && (unit.is_err() || increment.is_err())
    {
        return Ok(Chain { fee, initial: 1, increment: 1, prices: vec![(0, Money::ZERO)] });
    }
    let mut parts = Vec::with_capacity(slots.len());
    for slot in slots {
        let (start, increment) = (slot.start.clone()?, slot.increment.clone()?);
        if increment == 0 {
            return Err("an increment of 0 seconds".to_owned());
        }
        parts.push((start, increment, per_minute(slot.rate, slot.unit.clone()?)?));
    }
    parts.sort_by_key(|(start, ..)| *start);
    let Some((0, first, _)) = parts.first().copied() else {
        return Err("no slot says what is paid from second 0 on".to_owned());
    };
    for ((start, increment, _), (next, ..)) in parts.iter().zip(parts.iter().skip(1)) {
        if start == next {
            return Err(format!("two slots begin at second {start}"));
        }
        if (next - start) % increment != 0 {
            return Err(format!("an increment of {increment} s from second {start} on is cut short at second {next}"));
        }
    }
    // A first block, and one increment for all the rest.
    let increment = parts.get(1).map_or(first, |(_, increment, _)| *increment);
    let block_ends_first_slot = parts.get(1).is_none_or(|(start, ..)| *start == first);
    let even = parts.iter().skip(1).all(|(_, other, _)| *other == increment);
    if !even || first != increment && !block_ends_first_slot {
        let list: Vec<String> = parts.iter().map(|(start, by, _)| format!("{by} s from second {start}")).collect();
        return Err(format!("steps of {}: a deck has a first block and one increment", list.join(", ")));
    }
    Ok(Chain {
        fee,
        initial: first,
        increment,
        prices: parts.into_iter().map(|(start, _, price)| (start, price)).collect(),
    })
}

fn per_minute(rate: Money, unit: u32) -> Result<Money, String> {
    if unit == 0 {
        return Err("a unit of 0 seconds".to_owned());
    }
    let (nanos, unit) = (i128::from(rate.0) * 60, i128::from(unit));
    if nanos % unit != 0 {
        return Err(format!("{rate} for {unit} s is no price per minute of at most 9 decimals"));
    }
    let nanos = nanos / unit;
    match i64::try_from(nanos) {
        Ok(whole) if nanos <= PRICE_MAX => Ok(Money(whole)),
        _ => Err(format!("{rate} for {unit} s is more per minute than a deck may state")),
    }
}
