//! Whose calls many records were (R1 to R4), a few at a time, so that they wait for the directory's memory together.
//!
//! Of millions of accounts hardly any lies in a cache. One record after the other, each look-up waits for a line of a table and
//! then for a row, four waits one behind the other; so all records of a window take one step, and ask for what their next
//! one reads, before any takes that.
//!
//! ```text
//! numbers read ─▶ calling numbers looked up ─▶ payers, dialled numbers read ─▶ called numbers looked up ─▶ legs
//! ```
//!
//! Does not know where records come from, nor where legs go.

use super::legs::Half;
use super::{Resolution, Why, World};
use crate::entry::SourceProfile;
use crate::record::Record;
use crate::time::Timestamp;

/// Records that take each step together. Enough for their lines to be on the way at once, of which a core has some twenty;
/// few enough to stay in the first cache themselves.
pub const TOGETHER: usize = 16;

/// Whose call was it? As [`resolve`](super::resolve) is asked.
#[derive(Clone, Copy)]
pub struct Question<'q> {
    /// The record.
    pub record: &'q Record<'q>,
    /// The frame's stamp.
    pub received_at: Timestamp,
    /// The listener's settings.
    pub source: &'q SourceProfile,
    /// By which it is resolved.
    pub world: World<'q>,
}

/// [`resolve`](super::resolve) of at most [`TOGETHER`] records; both slices are of one length. `at` hears of every record, by its
/// place, before it takes a step.
#[inline]
pub fn resolve_together(questions: &[Question<'_>], mut at: impl FnMut(usize), answers: &mut [Resolution]) {
    debug_assert!(questions.len() <= TOGETHER && questions.len() == answers.len());
    let mut halves = [Half::BLANK; TOGETHER];
    let mut faults: [Option<Why>; TOGETHER] = [None; TOGETHER];
    let all = || questions.iter().enumerate();
    for (((i, question), half), fault) in all().zip(&mut halves).zip(&mut faults) {
        at(i);
        match half.begin(question.record, question.received_at, question.source, question.world) {
            Ok(()) => half.expect_source(question.world),
            Err(why) => *fault = Some(why),
        }
    }
    for (((i, question), half), fault) in all().zip(&mut halves).zip(&faults) {
        if fault.is_none() {
            at(i);
            half.find_source(question.world);
        }
    }
    for (((i, question), half), fault) in all().zip(&mut halves).zip(&mut faults) {
        if fault.is_none() {
            at(i);
            match half.read(question.record, question.source, question.world) {
                Ok(()) => half.expect_called(question.world),
                Err(why) => *fault = Some(why),
            }
        }
    }
    for (((i, question), half), fault) in all().zip(&mut halves).zip(&faults) {
        if fault.is_none() {
            at(i);
            half.find_called(question.world);
        }
    }
    for ((((i, question), half), fault), answer) in all().zip(&halves).zip(&faults).zip(answers) {
        at(i);
        let legs = match fault {
            None => half.legs(question.record, question.world, answer),
            Some(why) => Err(*why),
        };
        if let Err(why) = legs {
            *answer = Resolution::Suspended(why.into());
        }
    }
}
