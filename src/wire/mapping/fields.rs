//! From values to the fields of a record: the first candidate that is not empty, as the mapping says it is written.
//!
//! Does not know how values were found in the message.

use super::settings::{Round, Unit};
use super::{Candidate, Mapping, Values, When};
use crate::time::{Micros, Reading, Timestamp, decimal};
use crate::wire::field::Draft;
use crate::wire::place::Place;
use crate::wire::sip::number_end;
use crate::wire::{self, Field, Origin, Refusal};

/// How far before its beginning a call's clock may seem to be: nodes round.
const SLACK: i64 = 60_000_000;

/// The draft of a record from its values.
pub(super) fn draft(
    mapping: &Mapping,
    answered: bool,
    origin: &Origin,
    values: &mut Values<'_>,
) -> Result<Draft, Refusal> {
    let mut draft = Draft::default();
    let mut times = Times::default();
    for (field, candidates) in Field::ALL.iter().zip(&mapping.fields) {
        match field {
            Field::Start | Field::Answer | Field::End => {
                let read = first_time(*field, candidates, origin, values)?;
                match field {
                    Field::Start => times.start = read,
                    Field::Answer => times.answer = read.filter(|_| answered),
                    _ => times.end = read,
                }
            }
            Field::Duration => times.duration = first_duration(candidates, values)?,
            _ => {
                if let Some(place) = first_text(candidates, values) {
                    let text = place.of(values.message, &values.scratch.text);
                    draft.set(*field, text, place)?;
                } else if candidates.iter().any(|c| c.parts.iter().any(|part| values.place(*part).is_some())) {
                    // There, and empty: a caller who withholds the number, a call to nowhere that nobody answered.
                    draft.see(*field);
                }
            }
        }
    }
    let clock = clock(mapping, values);
    if answered {
        times.settle(clock);
        draft.set_fold(times.answer);
    } else {
        times.duration = Some(Micros(0));
    }
    for (field, read) in [(Field::Start, times.start), (Field::Answer, times.answer), (Field::End, times.end)] {
        if let Some(read) = read {
            draft.set_instant(field, read.earlier());
        }
    }
    if let Some(duration) = times.duration {
        draft.set_duration(duration);
    }
    Ok(draft)
}

/// When what a part of a call tells of happened; set-up and answer are settled by Unix seconds near them, where there are any.
pub(super) fn at(mapping: &Mapping, origin: &Origin, values: &mut Values<'_>) -> Result<Reading, Refusal> {
    let read = first_time(Field::Answer, &mapping.at, origin, values)?.ok_or(Refusal::Missing("at"))?;
    let clock = clock(mapping, values);
    let mut times = Times { answer: Some(read), ..Times::default() };
    times.settle(clock);
    Ok(times.answer.unwrap_or(read))
}

fn clock(mapping: &Mapping, values: &mut Values<'_>) -> Option<Timestamp> {
    let place = first_text(&mapping.clock, values)?;
    unix_seconds(place.of(values.message, &values.scratch.text))
}

/// What a record says of its times.
#[derive(Default)]
struct Times {
    start: Option<Reading>,
    answer: Option<Reading>,
    end: Option<Reading>,
    duration: Option<Micros>,
}

impl Times {
    /// Tells the hours apart that autumn repeats, where something else in the record does: Unix seconds near the start, a
    /// set-up or an end outside that hour.
    fn settle(&mut self, clock: Option<Timestamp>) {
        let once = |read: Option<Reading>| match read {
            Some(Reading::Once(at)) => Some(at),
            _ => None,
        };
        // From its beginning on a call rings for less than the hour that is repeated.
        let after = |read: Option<Reading>, from: Option<Timestamp>| match (read, from) {
            (Some(Reading::Twice(at, more)), Some(from)) => {
                let later = Timestamp(at.0.saturating_add(more.0));
                let fits = |at: Timestamp| (-SLACK..more.0 - SLACK).contains(&at.0.saturating_sub(from.0));
                if fits(at) { Some(Reading::Once(at)) } else { fits(later).then_some(Reading::Once(later)).or(read) }
            }
            _ => read,
        };
        self.start = after(self.start, clock);
        self.answer = after(self.answer, clock.or(once(self.start)));
        self.answer = after(self.answer, once(self.start));
        // The end less the talk time is the answer, within what nodes round.
        if let (Some(Reading::Twice(at, more)), Some(end), Some(talk)) = (self.answer, once(self.end), self.duration) {
            let before_end = end.0.saturating_sub(talk.0);
            for at in [at, Timestamp(at.0.saturating_add(more.0))] {
                if at.0.abs_diff(before_end) <= SLACK.unsigned_abs() {
                    self.answer = Some(Reading::Once(at));
                }
            }
        }
        if let (Some(from), Some(talk)) = (once(self.answer), self.duration)
            && let Some(Reading::Twice(at, more)) = self.end
        {
            let later = Timestamp(at.0.saturating_add(more.0));
            let off = |at: Timestamp| at.0.saturating_sub(from.0).abs_diff(talk.0);
            self.end = Some(Reading::Once(if off(later) < off(at) { later } else { at }));
        }
    }
}

/// The Unix seconds with which a text begins, behind the name of a system and a hyphen: `pbx1-1795298211.4`.
fn unix_seconds(text: &[u8]) -> Option<Timestamp> {
    let text = text.rsplit(|b| *b == b'-').next()?;
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    decimal(text.get(..digits)?, 1_000_000).map(Timestamp)
}

/// The first text that is not empty.
fn first_text(candidates: &[Candidate], values: &mut Values<'_>) -> Option<Place> {
    candidates.iter().find_map(|candidate| text(candidate, values))
}

fn text(candidate: &Candidate, values: &mut Values<'_>) -> Option<Place> {
    let mut place = match &*candidate.parts {
        [] => {
            let from = values.scratch.text.len();
            values.write(&candidate.constant);
            values.written(from)
        }
        [only] => values.place(*only)?,
        [first, ..] => {
            if values.text(*first).is_empty() || candidate.parts.iter().any(|part| values.place(*part).is_none()) {
                return None;
            }
            let from = values.scratch.text.len();
            for (at, part) in candidate.parts.iter().enumerate() {
                if at > 0 {
                    values.write(&candidate.with);
                }
                append(*part, values);
            }
            values.written(from)
        }
    };
    if candidate.uri {
        place = user_of(place, values);
    }
    if !candidate.strip.is_empty() && place.of(values.message, &values.scratch.text).starts_with(&candidate.strip) {
        place.start += candidate.strip.len() as u32;
    }
    if !candidate.map.is_empty() {
        let text = place.of(values.message, &values.scratch.text);
        let (_, to) = candidate.map.iter().find(|(from, _)| **from == *text)?;
        let from = values.scratch.text.len();
        values.scratch.text.extend_from_slice(to);
        place = values.written(from);
    }
    (place.start < place.end).then_some(place)
}

/// Appends a value to the scratch.
fn append(value: u16, values: &mut Values<'_>) {
    let Some(place) = values.place(value) else { return };
    if place.in_scratch {
        let range = place.start as usize..(place.end as usize).min(values.scratch.text.len());
        values.scratch.text.extend_from_within(range);
    } else {
        values.scratch.text.extend_from_slice(place.of(values.message, &[]));
    }
}

/// The user of `"Name" <sip:user;phone-context=x@host;user=phone>`, of `tel:+49…;ext=1`; anything else as it is. A routing
/// number stays beside it.
fn user_of(place: Place, values: &Values<'_>) -> Place {
    let text = place.of(values.message, &values.scratch.text);
    let (mut start, mut end) = (0, text.len());
    if let Some(open) = memchr::memrchr(b'<', text) {
        start = open + 1;
        end = memchr::memchr(b'>', text.get(start..).unwrap_or_default()).map_or(end, |length| start + length);
    }
    let part = |start: usize, end: usize| text.get(start..end).unwrap_or_default();
    for scheme in [&b"sips:"[..], b"sip:", b"tel:"] {
        if part(start, end).get(..scheme.len()).is_some_and(|have| have.eq_ignore_ascii_case(scheme)) {
            start += scheme.len();
            break;
        }
    }
    end = memchr::memchr(b'@', part(start, end)).map_or(end, |length| start + length);
    end = start + number_end(part(start, end));
    Place { start: place.start + start as u32, end: place.start + end as u32, ..place }
}

fn first_time(
    field: Field,
    candidates: &[Candidate],
    origin: &Origin,
    values: &mut Values<'_>,
) -> Result<Option<Reading>, Refusal> {
    for candidate in candidates {
        let Some(place) = text(candidate, values) else { continue };
        let text = place.of(values.message, &values.scratch.text);
        let read = match &candidate.time {
            When::Format(format) => format.read(text, &origin.zone, origin.now),
            When::Cisco => wire::clock::read(text, &origin.zone).ok().map(Reading::Once),
        };
        let plus = candidate.plus.map_or(0, |value| decimal(values.text(value), 1_000_000).unwrap_or(0));
        let later = |at: Timestamp| Timestamp(at.0.saturating_add(plus));
        let read = read.map(|read| match read {
            Reading::Once(Timestamp(0)) => read,
            Reading::Once(at) => Reading::Once(later(at)),
            Reading::Twice(at, more) => Reading::Twice(later(at), more),
        });
        match read {
            // Counts since 1970 say "never" with a zero.
            Some(Reading::Once(Timestamp(0))) => {}
            Some(read) => return Ok(Some(read)),
            // Words such as 0000-00-00: with all digits zero nothing happened.
            None if nothing(text) => {}
            // The set-up cannot change an amount: it stays in the raw bytes.
            None if field == Field::Start => return Ok(None),
            None => return Err(Refusal::Clock(field.name())),
        }
    }
    Ok(None)
}

/// Whether a time has digits, and all are zero.
fn nothing(text: &[u8]) -> bool {
    text.contains(&b'0') && !text.iter().any(|b| matches!(b, b'1'..=b'9'))
}

fn first_duration(candidates: &[Candidate], values: &mut Values<'_>) -> Result<Option<Micros>, Refusal> {
    for candidate in candidates {
        let micros = if candidate.sum {
            let Some(sum) = sum_of(candidate, values)? else { continue };
            sum
        } else {
            let Some(place) = text(candidate, values) else { continue };
            length(candidate.unit, place.of(values.message, &values.scratch.text)).ok_or(Refusal::Duration)?
        };
        const SECOND: i64 = 1_000_000;
        let part = micros.rem_euclid(SECOND);
        let whole = micros - part;
        return Ok(Some(Micros(match candidate.round {
            Round::None => micros,
            Round::Down => whole,
            Round::Up if part > 0 => whole.saturating_add(SECOND),
            Round::HalfUp if part >= SECOND / 2 => whole.saturating_add(SECOND),
            Round::Up | Round::HalfUp => whole,
        })));
    }
    Ok(None)
}

/// Talk times added up; none if none is there.
fn sum_of(candidate: &Candidate, values: &Values<'_>) -> Result<Option<i64>, Refusal> {
    let mut sum = None;
    for part in &candidate.parts {
        let text = values.text(*part);
        if !text.is_empty() {
            // Beside a clock's face others of a sum are plain seconds (Avaya IP Office).
            let plain = candidate.unit == Unit::Clock && !text.contains(&b':');
            let unit = if plain { Unit::Seconds } else { candidate.unit };
            let micros = length(unit, text).ok_or(Refusal::Duration)?;
            sum = Some(sum.unwrap_or(0i64).checked_add(micros).ok_or(Refusal::Duration)?);
        }
    }
    Ok(sum)
}

/// A length of time in microseconds.
fn length(unit: Unit, text: &[u8]) -> Option<i64> {
    match unit {
        Unit::Seconds => decimal(text, 1_000_000),
        Unit::Milliseconds => decimal(text, 1_000),
        Unit::Microseconds => decimal(text, 1),
        Unit::Centiseconds => decimal(text, 10_000),
        Unit::Clock => clock_face(text),
    }
}

/// `[[H]H:]MM:SS[.mmm]`.
fn clock_face(text: &[u8]) -> Option<i64> {
    let mut parts = text.split(|b| *b == b':');
    let mut total: i64 = 0;
    let mut count = 0;
    let mut last = parts.next()?;
    for next in parts {
        total = total.checked_add(decimal(last, 1)?)?.checked_mul(60)?;
        last = next;
        count += 1;
    }
    let whole = count > 0 && count < 3 && !text.contains(&b'-');
    whole.then(|| total.checked_mul(1_000_000)?.checked_add(decimal(last, 1_000_000)?))?
}

/// Appends a value to the scratch with `%20` and the like resolved; a percent sign that begins none stays.
pub(super) fn percent_decode(place: Place, values: &mut Values<'_>) {
    let hex = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16)).map(|digit| digit as u8);
    let mut at = place.start as usize;
    while at < place.end as usize {
        let text = if place.in_scratch { &values.scratch.text[..] } else { values.message };
        let byte = |at: usize| text.get(at).copied().filter(|_| at < place.end as usize);
        let Some(mut resolved) = byte(at) else { return };
        at += 1;
        if resolved == b'%'
            && let (Some(high), Some(low)) = (hex(byte(at)), hex(byte(at + 1)))
        {
            resolved = high * 16 + low;
            at += 2;
        }
        values.scratch.text.push(resolved);
    }
}

/// Replaces what is not UTF-8 in a value.
pub(super) fn make_utf8(value: u16, values: &mut Values<'_>) {
    let Some(place) = values.place(value) else { return };
    let text = place.of(values.message, &values.scratch.text);
    if let std::borrow::Cow::Owned(mended) = String::from_utf8_lossy(text) {
        let from = values.scratch.text.len();
        values.write(mended.as_bytes());
        let written = values.written(from);
        values.set(value, written);
    }
}
