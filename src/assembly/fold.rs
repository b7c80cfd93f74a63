//! What the pieces of one call say together.
//!
//! The result depends on the set of pieces only, never on the order in which they came.
//!
//! Does not know what came before, nor what waits.

use crate::piece::{Piece, PieceKind, Step};
use crate::record::Record;
use crate::time::{Micros, Timestamp};

/// What is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// How it ended.
    End,
    /// Who called whom, or when it was answered.
    Beginning,
}

impl Missing {
    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Missing::End => "the node never said how the call ended",
            Missing::Beginning => "the node said how the call ended, but not who called whom, or when it was answered",
        }
    }
}

/// What a set of pieces says; the record's `raw` is empty (`encode` fills it).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
// Short-lived, and nearly always looked at.
#[allow(clippy::large_enum_variant)]
pub enum Fold<'a> {
    /// More must come; what is known so far.
    Open(Missing, Record<'a>),
    /// The call ended and was not answered.
    Unanswered(Record<'a>),
    /// The call is whole.
    Whole(Record<'a>),
}

/// Says what pieces of one call amount to. Each must have its [`Piece::at`].
pub fn fold<'a>(pieces: &[Piece<'a>]) -> Fold<'a> {
    if pieces.iter().any(|piece| piece.kind == PieceKind::Segments) {
        return segments(pieces);
    }
    if pieces.iter().any(|piece| piece.kind == PieceKind::Sip) {
        return sip(pieces);
    }
    // As of two that say the same: see `Kept::order`.
    let order = |piece: &&Piece<'a>| (piece.step == Step::Answer && piece.record.destination.is_empty(), piece.at);
    let first = |step: Step| pieces.iter().filter(|piece| piece.step == step).min_by_key(order);
    let (begin, answer, update) = (first(Step::Begin), first(Step::Answer), first(Step::Update));
    let (end, fail) = (first(Step::End), first(Step::Fail));
    if let Some(end) = end {
        let alone = merged(&[Some(end)], None, Some(end));
        if is_whole(&alone) {
            return Fold::Whole(alone);
        }
        let together = merged(&[begin, answer, Some(end), update], answer, Some(end));
        if fail.is_some() && answer.is_none() && end.kind == PieceKind::Steps {
            return Fold::Unanswered(Record { answer: None, duration: None, ..together });
        }
        return if is_whole(&together) { Fold::Whole(together) } else { Fold::Open(Missing::Beginning, together) };
    }
    let together = merged(&[begin, answer, update, fail], answer, None);
    match fail {
        Some(_) if answer.is_none() => Fold::Unanswered(Record { answer: None, duration: None, ..together }),
        _ => Fold::Open(Missing::End, together),
    }
}

/// SIP messages. A call may be forked: its answer is the first of any branch, and only an end of that very dialog, which
/// both name by their `id`, ends it. Where a message was seen more than once on its way, the one nearest to the caller
/// (least `seq`, the hops) says who called whom; a failure further on is a branch's own and the caller may still be answered.
fn sip<'a>(pieces: &[Piece<'a>]) -> Fold<'a> {
    let of = |step: Step| pieces.iter().filter(move |piece| piece.step == step);
    // By content where times are equal, so that the order of arrival does not count.
    let nearest = |step: Step| of(step).min_by_key(|piece| (piece.record.seq, piece.at, piece.record.raw));
    let begin = nearest(Step::Begin);
    let answer = of(Step::Answer).min_by_key(|piece| (piece.at, piece.record.id));
    let known = |record: Record<'a>| Record { seq: None, ..record };
    if let Some(answer) = answer {
        let ends = of(Step::End).filter(|end| end.record.id == answer.record.id && end.at >= answer.at);
        let Some(end) = ends.min_by_key(|piece| (piece.at, piece.record.raw)) else {
            return Fold::Open(Missing::End, known(merged(&[begin, Some(answer)], Some(answer), None)));
        };
        let together = known(merged(&[begin, Some(answer), Some(end)], Some(answer), Some(end)));
        return if is_whole(&together) { Fold::Whole(together) } else { Fold::Open(Missing::Beginning, together) };
    }
    let fail = nearest(Step::Fail);
    let together = known(merged(&[begin, fail], None, None));
    match (begin, fail) {
        (Some(begin), Some(fail)) if fail.record.seq <= begin.record.seq => {
            Fold::Unanswered(Record { answer: None, duration: None, ..together })
        }
        (Some(_), _) => Fold::Open(Missing::End, together),
        (None, _) => Fold::Open(Missing::Beginning, together),
    }
}

/// Whether it can be rated: when it was answered, how long it was, and what was called.
fn is_whole(record: &Record<'_>) -> bool {
    record.answer.is_some() && (record.end.is_some() || record.duration.is_some()) && !record.destination.is_empty()
}

/// The fields of pieces in the order of their weight.
fn merged<'a>(pieces: &[Option<&Piece<'a>>], answer: Option<&Piece<'a>>, end: Option<&Piece<'a>>) -> Record<'a> {
    let records = || pieces.iter().flatten().map(|piece| &piece.record);
    let text = |field: fn(&Record<'a>) -> &'a [u8]| records().map(field).find(|text| !text.is_empty()).unwrap_or(b"");
    let of_end = |field: fn(&Record<'a>) -> &'a [u8]| {
        let own = end.map(|end| field(&end.record)).unwrap_or(b"");
        if own.is_empty() { text(field) } else { own }
    };
    let ended = end.and_then(|end| end.record.end.or(end.at));
    let duration = end.and_then(|end| end.record.duration);
    let answered = records()
        .find_map(|record| record.answer)
        .or(answer.and_then(|answer| answer.at))
        // A node that says only how long was talked has said when it was answered.
        .or_else(|| Some(Timestamp(ended?.0.saturating_sub(duration.filter(|talk| talk.0 > 0)?.0))));
    Record {
        id: of_end(|record| record.id),
        node: text(|record| record.node),
        account: text(|record| record.account),
        forwarded_by: text(|record| record.forwarded_by),
        source: text(|record| record.source),
        destination: text(|record| record.destination),
        cause: of_end(|record| record.cause),
        routing_number: text(|record| record.routing_number),
        incumbent_cost: of_end(|record| record.incumbent_cost),
        incumbent_currency: of_end(|record| record.incumbent_currency),
        incumbent_seconds: of_end(|record| record.incumbent_seconds),
        carrier: text(|record| record.carrier),
        direction: records().find_map(|record| record.direction),
        start: records().find_map(|record| record.start),
        answer: answered,
        end: ended,
        duration,
        seq: end.and_then(|end| end.record.seq),
        // Of the piece that says when it was answered.
        fold: records().find(|record| record.answer.is_some()).and_then(|record| record.fold),
        raw: b"",
    }
}

/// Segments: whole once the last one is there and, where they are numbered (`seq` from 0 or 1), none is missing.
fn segments<'a>(pieces: &[Piece<'a>]) -> Fold<'a> {
    let mut sorted: Vec<&Piece<'a>> = pieces.iter().collect();
    sorted.sort_by_key(|piece| (piece.record.seq, piece.at, piece.step));
    let last = sorted.iter().find(|piece| piece.step == Step::End).copied();
    let all: Vec<Option<&Piece<'a>>> = sorted.iter().copied().map(Some).collect();
    let talk: Option<i64> = sorted.iter().map(|piece| piece.record.duration.map(|talk| talk.0)).sum();
    let answered = |piece: &&&Piece<'a>| piece.record.duration.is_some_and(|talk| talk.0 > 0);
    let together = Record {
        answer: sorted.iter().find(answered).and_then(|piece| piece.record.answer.or(piece.at)),
        duration: talk.map(Micros),
        end: last.and_then(|last| last.record.end),
        seq: None,
        ..merged(&all, None, last)
    };
    let Some(last) = last else { return Fold::Open(Missing::End, together) };
    let numbered = sorted.iter().filter(|piece| piece.record.seq.is_some_and(|seq| seq > 0)).count() as u64;
    if last.record.seq.is_some_and(|seq| numbered < seq) {
        return Fold::Open(Missing::Beginning, together);
    }
    match together.duration {
        Some(Micros(0)) | None => Fold::Unanswered(Record { answer: None, duration: None, ..together }),
        _ if is_whole(&together) => Fold::Whole(together),
        _ => Fold::Open(Missing::Beginning, together),
    }
}

/// Appends the canonical form of a whole call: the raw bytes of its pieces in the order of their arrival, a line end
/// between two.
pub(super) fn encode(record: &Record<'_>, pieces: &[Piece<'_>], out: &mut Vec<u8>) {
    let mut raw = Vec::with_capacity(pieces.iter().map(|piece| piece.record.raw.len() + 1).sum());
    for (i, piece) in pieces.iter().enumerate() {
        if i > 0 {
            raw.push(b'\n');
        }
        raw.extend_from_slice(piece.record.raw);
    }
    Record { raw: &raw, ..*record }.encode(out);
}

/// The canonical record of a call from its pieces as they lie in the journal, each with the receipt of its frame: what
/// a proof derives again. None if they make no whole call.
pub fn rebuild(pieces: &[(Timestamp, Piece<'_>)]) -> Option<Vec<u8>> {
    let timed: Vec<Piece<'_>> =
        pieces.iter().map(|(received_at, piece)| Piece { at: Some(piece.happened(*received_at)), ..*piece }).collect();
    let Fold::Whole(record) = fold(&timed) else { return None };
    let mut out = Vec::new();
    encode(&record, &timed, &mut out);
    Some(out)
}
