//! The auditor's idea of calls that are told in parts: a set of parts a call, and a time at which waiting for more ends.
//!
//! Slow and plain: every tick looks at every call.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{At, Call, Held, Model};

/// How long a call that is over is remembered, an end waits for its beginning, an unfinished call for its end.
const OVER_KEPT: i64 = 600_000_000;
const END_WAITS: i64 = 3_600_000_000;
const UNFINISHED_KEPT: i64 = 30 * 86_400_000_000;
/// How long a call may be open, as the listeners have it here.
pub const MAX_OPEN_SECONDS: u32 = 1800;

/// What a part says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// Who called whom, and that it was answered.
    Answer,
    /// That it ended.
    End,
    /// That it ended and was not answered.
    Fail,
}

/// A part of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    pub call: Call,
    pub what: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Suspended(u64),
    Answered,
    Unanswered,
}

/// A call as far as it was told.
pub struct Told {
    state: State,
    said: BTreeSet<What>,
    first_received: i64,
    until: i64,
    /// Place and content of each part that counts.
    parts: BTreeMap<u64, What>,
}

impl Told {
    fn says(&self, what: What) -> bool {
        self.parts.values().any(|one| *one == what)
    }
}

impl Model {
    /// A part of a call.
    pub fn part(&mut self, at: At, part: &Part) {
        let key = (part.call.node, part.call.id);
        let state = self.told.get(&key).map(|told| told.state);
        let repeat = match state {
            Some(State::Waiting | State::Suspended(_)) => self.told[&key].says(part.what),
            Some(State::Answered) => return self.late(key, part.what),
            Some(State::Unanswered) if part.what == What::Fail => return self.late(key, part.what),
            // Forgotten, or to be told anew: what was rated under this identity before is known.
            _ => part.what != What::Fail && self.seen.contains_key(&key),
        };
        if repeat {
            return self.book("records/duplicate".into(), 1);
        }
        if matches!(state, None | Some(State::Unanswered)) {
            let said = self.told.remove(&key).map(|old| old.said).unwrap_or_default();
            let (state, parts) = (State::Waiting, BTreeMap::new());
            self.told.insert(key, Told { state, said, first_received: at.received_at, until: at.received_at, parts });
        }
        let told = self.told.get_mut(&key).expect("just put there");
        let before = told.parts.len() as i128;
        told.said.insert(part.what);
        told.parts.insert(at.position, part.what);
        let suspended = match told.state {
            State::Suspended(place) => Some(place),
            _ => None,
        };
        let (answer, end, fail) = (told.says(What::Answer), told.says(What::End), told.says(What::Fail));
        let over = match (answer, end, fail) {
            (true, true, _) => State::Answered,
            (false, false, true) => State::Unanswered,
            _ => {
                if suspended.is_some() {
                    return self.book("records/merged".into(), 1);
                }
                let max_open = i64::from(MAX_OPEN_SECONDS) * 1_000_000;
                told.until =
                    if end { at.received_at + END_WAITS.min(max_open) } else { told.first_received + max_open };
                return self.book("records/open".into(), 1);
            }
        };
        let places: Vec<u64> = std::mem::take(&mut told.parts).into_keys().collect();
        (told.state, told.until) = (over, at.received_at + OVER_KEPT);
        match suspended {
            None => {
                self.book("records/open".into(), -before);
                self.book("records/merged".into(), before);
            }
            Some(place) => {
                self.suspense.remove(&(place, None));
                self.book("records/suspended/unfinished".into(), -1);
                self.book("records/merged".into(), 1);
            }
        }
        if over == State::Unanswered {
            return self.book("records/unanswered".into(), 1);
        }
        self.assembled.insert(at.position, places);
        self.call(at, &part.call);
    }

    /// A part of a call that is over.
    fn late(&mut self, key: (&'static str, u64), what: What) {
        let news = self.told.get_mut(&key).is_some_and(|told| told.said.insert(what));
        self.book(if news { "records/merged".into() } else { "records/duplicate".into() }, 1);
    }

    /// A time at which waiting may end.
    pub fn tick(&mut self, now: i64) {
        let over: Vec<_> = self.told.iter().filter(|(_, told)| told.until <= now).map(|(key, _)| *key).collect();
        for key in over {
            let told = self.told.get_mut(&key).expect("it is there");
            if told.state != State::Waiting {
                self.told.remove(&key);
                continue;
            }
            let waited = told.parts.len() as i128;
            let first = *told.parts.keys().next().expect("a call that waits has parts");
            (told.state, told.until) = (State::Suspended(first), now + UNFINISHED_KEPT);
            self.suspense.insert((first, None), Held { reason: "unfinished", attempt: first, period: None });
            self.book("records/open".into(), -waited);
            self.book("records/merged".into(), waited - 1);
            self.book("records/suspended/unfinished".into(), 1);
        }
    }
}
