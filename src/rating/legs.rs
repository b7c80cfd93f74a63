//! Whether a call was answered (R1), how long was talked (R2), and whose call it was (R4).
//!
//! Where R4 leaves something open, this is the answer:
//!
//! - A record whose side is known to be outbound goes to the payer; one whose side is known to be inbound goes to the
//!   account it names, else to the owner of the destination, else to the node's account.
//! - A `forwarded_by` that belongs to nobody is passed over, and the next of R4's list is asked.
//! - An account that is named or found but whose billing has ended makes the whole record wait; only the owner of a
//!   called number whose billing has ended is passed over where a payer of the outbound leg is there, since a caller
//!   must not wait for the called side's books.
//! - A forwarded call is inbound only for the owner of its own destination: what came in at the forwarder is another
//!   record.
//!
//! Does not know what a call costs.

use super::parties::{Parties, not_ended};
use super::{Answered, Called, Leg, PayerBy, Resolution, Routing, Why, World, numbers};
use crate::directory::{AccountRow, OwnerPlace};
use crate::entry::{Ambiguous, LegsPolicy, SourceProfile, Talk};
use crate::number::Number;
use crate::record::{Direction, Record};
use crate::time::{Micros, Timestamp};

/// R2: talk time over this is implausible.
pub const MAX_TALK: Micros = Micros::seconds(24 * 3600);
/// R2: an answer later than this after receipt is implausible.
pub const MAX_AHEAD: Micros = Micros::seconds(3600);
/// R2: stated duration and end − answer differ noticeably.
const MAX_DIFFERENCE: Micros = Micros::seconds(2);

/// R1. A record without answer time and without duration is unanswered even if it has an end: many nodes write the end
/// of calls that were never answered.
pub fn answered(record: &Record<'_>) -> Answered {
    match (record.answer, record.duration) {
        (None, None | Some(Micros(0))) => Answered::No,
        _ => Answered::Yes,
    }
}

/// R2: talk time as the source means it, not yet judged. With `talk = "end-answer"` a record that has no end falls back
/// on its duration.
pub fn talk_time(record: &Record<'_>, talk: Talk) -> Option<Micros> {
    match talk {
        Talk::Duration => record.duration.or_else(|| end_less_answer(record)),
        Talk::EndAnswer => end_less_answer(record).or(record.duration),
    }
}

/// R2: whether a record's duration and its end − answer differ by more than two seconds, to be counted.
pub fn durations_differ(record: &Record<'_>) -> bool {
    match (record.duration, end_less_answer(record)) {
        (Some(stated), Some(measured)) => stated.0.abs_diff(measured.0) > MAX_DIFFERENCE.0 as u64,
        _ => false,
    }
}

fn end_less_answer(record: &Record<'_>) -> Option<Micros> {
    Some(Micros(record.end?.0.saturating_sub(record.answer?.0)))
}

/// R1 to R4: whose call it was. `received_at` is the frame's stamp. Expects [`answered`] to have been asked.
pub fn resolve(record: &Record<'_>, received_at: Timestamp, source: &SourceProfile, world: World<'_>) -> Resolution {
    let (mut half, mut legs) = (Half::BLANK, Resolution::Legs(None, None));
    let mut resolve = || {
        half.begin(record, received_at, source, world)?;
        half.find_source(world);
        half.read(record, source, world)?;
        half.find_called(world);
        half.legs(record, world, &mut legs)
    };
    match resolve() {
        Ok(()) => legs,
        Err(why) => Resolution::Suspended(why.into()),
    }
}

/// What is known of a record on the way to its legs, step by step: each step that looks an account up by its number comes
/// behind one that reads the number, so that whoever resolves many records has time between the two.
///
/// It is filled where it stands: to move it costs more than most of its steps.
#[derive(Clone, Copy)]
pub(super) struct Half<'a> {
    answer: Timestamp,
    duration: Micros,
    parties: Parties<'a>,
    sides: LegsPolicy,
    source: Option<Number>,
    /// Owner of the number that was looked up last: the calling one, then the called one.
    owner: Option<OwnerPlace<'a>>,
    payer: Option<(AccountRow<'a>, PayerBy)>,
    read: numbers::Read,
}

impl<'a> Half<'a> {
    /// Of no record.
    pub const BLANK: Half<'a> = Half {
        answer: Timestamp(0),
        duration: Micros(0),
        parties: Parties::NOBODY,
        sides: LegsPolicy::Both,
        source: None,
        owner: None,
        payer: None,
        read: numbers::Read { called: Called::Emergency, bare: false },
    };

    /// R1, R2, who is named, and the calling number. Expects to be blank.
    #[inline]
    pub fn begin(
        &mut self,
        record: &Record<'_>,
        received_at: Timestamp,
        profile: &SourceProfile,
        world: World<'a>,
    ) -> Result<(), Why> {
        (self.answer, self.duration) = plausible(record, received_at, profile)?;
        let source_country = self.parties.fill(record, self.answer, profile, world)?;
        self.source = numbers::presented(record.source, source_country, world).ok();
        self.sides = match (record.direction, profile.legs) {
            (Some(Direction::Outbound), _) | (None, LegsPolicy::Outbound) => LegsPolicy::Outbound,
            (Some(Direction::Inbound), _) | (None, LegsPolicy::Inbound) => LegsPolicy::Inbound,
            (None, LegsPolicy::Both) => LegsPolicy::Both,
        };
        Ok(())
    }

    /// The calling number, where its owner may be who pays.
    #[inline]
    fn asked_source(&self) -> Option<Number> {
        self.source.filter(|_| self.sides != LegsPolicy::Inbound && self.parties.names_nobody())
    }

    /// Asks for the memory in which the calling number is looked up.
    #[inline]
    pub fn expect_source(&self, world: World<'a>) {
        if let Some(number) = self.asked_source() {
            world.directory.expect_owner(number);
        }
    }

    /// Looks the calling number up.
    #[inline]
    pub fn find_source(&mut self, world: World<'a>) {
        self.owner = self.asked_source().and_then(|number| world.directory.owner_place(number, self.answer));
    }

    /// R4: who pays; R3: what was dialled, by the habits of who pays.
    #[inline]
    pub fn read(&mut self, record: &Record<'_>, profile: &SourceProfile, world: World<'a>) -> Result<(), Why> {
        let strip = &profile.strip;
        if self.sides == LegsPolicy::Inbound {
            let (country, account) = (self.parties.country(None), self.parties.named.or(self.parties.node));
            let called = numbers::Reader { country, account, strip }.reached(record.destination, world);
            self.read = numbers::Read { called, bare: false };
            return Ok(());
        }
        self.payer = self.parties.payer(record, self.owner, self.answer, world)?;
        let account = self.payer.map(|(account, _)| account);
        let country = self.parties.country(account);
        self.read = numbers::Reader { country, account, strip }.dialled(record.destination, world);
        Ok(())
    }

    /// Asks for the memory in which the called number is looked up.
    #[inline]
    pub fn expect_called(&self, world: World<'a>) {
        if let Called::Number(number) = self.read.called {
            world.directory.expect_owner(number);
        }
    }

    /// Looks the called number up.
    #[inline]
    pub fn find_called(&mut self, world: World<'a>) {
        self.owner = match self.read.called {
            Called::Number(number) => world.directory.owner_place(number, self.answer),
            _ => None,
        };
    }

    /// The legs.
    #[inline]
    pub fn legs(&self, record: &Record<'_>, world: World<'a>, out: &mut Resolution) -> Result<(), Why> {
        let owner = self.owner.and_then(|place| world.directory.owner_row(place, self.answer));
        if self.sides == LegsPolicy::Inbound {
            let payee = match (self.parties.named, owner, self.parties.node) {
                (Some(named), _, _) => (named, PayerBy::Record),
                (None, Some(owner), _) => (owner, PayerBy::Destination),
                (None, None, Some(node)) => (node, PayerBy::Node),
                (None, None, None) => return Err(self.parties.nobody()),
            };
            not_ended(&payee.0, self.answer)?;
            let own = owner.is_some_and(|owner| owner.index() == payee.0.index());
            *out = Resolution::Legs(Some(self.leg(Direction::Inbound, payee, own, record, world)), None);
            return Ok(());
        }
        let own = match (self.payer, owner) {
            (Some((payer, _)), Some(owner)) => payer.index() == owner.index(),
            _ => false,
        };
        let payee = match owner.filter(|_| self.sides == LegsPolicy::Both && !own) {
            None => None,
            Some(owner) => match (self.payer, not_ended(&owner, self.answer)) {
                (_, Ok(())) => Some((owner, PayerBy::Destination)),
                (Some(_), Err(_)) => None,
                (None, Err(why)) => return Err(why),
            },
        };
        let inbound = |payee| Some(self.leg(Direction::Inbound, payee, true, record, world));
        let Some(payer) = self.payer else {
            *out = Resolution::Legs(inbound(payee.ok_or(Why::NobodyPays)?), None);
            return Ok(());
        };
        *out = Resolution::Legs(Some(self.leg(Direction::Outbound, payer, own, record, world)), None);
        if let (Some(payee), Resolution::Legs(_, second)) = (payee, out) {
            *second = inbound(payee);
        }
        Ok(())
    }

    #[inline(always)]
    fn leg(
        &self,
        direction: Direction,
        (account, payer_by): (AccountRow<'_>, PayerBy),
        to_own_number: bool,
        record: &Record<'_>,
        world: World<'_>,
    ) -> Leg {
        // It says where the caller's call went; what the called side pays goes by the number it owns.
        let routing = match direction {
            Direction::Inbound => Routing::None,
            Direction::Outbound => numbers::routing(record, self.read.bare, account.country(), world),
        };
        Leg {
            direction,
            account_row: account.row(),
            payer_by,
            answer: self.answer,
            duration: self.duration,
            source: self.source,
            called: self.read.called,
            to_own_number,
            routing,
            carrier: world.tariff.carrier_named(record.carrier),
        }
    }
}

/// R1, R2: answer instant and talk time, or why they cannot be.
#[inline]
fn plausible(record: &Record<'_>, received_at: Timestamp, profile: &SourceProfile) -> Result<(Timestamp, Micros), Why> {
    let Some(answer) = record.answer else {
        return Err(if record.duration < Some(Micros(0)) && record.duration.is_some() {
            Why::NegativeTalkTime
        } else {
            Why::NoAnswerTime
        });
    };
    let (answer, duration) = match (record.fold, profile.ambiguous) {
        (None, _) => (answer, talk_time(record, profile.talk).ok_or(Why::NoTalkTime)?),
        (Some(_), Ambiguous::Suspense) => return Err(Why::AmbiguousTime),
        (Some(fold), chosen) => folded(record, answer, fold, chosen)?,
    };
    if duration < Micros(0) {
        return Err(Why::NegativeTalkTime);
    }
    if duration > MAX_TALK {
        return Err(Why::TooLong);
    }
    if answer.0.saturating_sub(received_at.0) > MAX_AHEAD.0 {
        return Err(Why::FromTheFuture);
    }
    let max_age = Micros::seconds(24 * 3600).0.saturating_mul(i64::from(profile.max_age_days));
    if received_at.0.saturating_sub(answer.0) > max_age {
        return Err(Why::TooOld);
    }
    Ok((answer, duration))
}

/// R2: the instant that the source chose of two, and the talk time, for which a stated one is the better witness here.
fn folded(
    record: &Record<'_>,
    earlier: Timestamp,
    fold: Micros,
    chosen: Ambiguous,
) -> Result<(Timestamp, Micros), Why> {
    let answer = match chosen {
        Ambiguous::Later => Timestamp(earlier.0.saturating_add(fold.0)),
        Ambiguous::Earlier | Ambiguous::Suspense => earlier,
    };
    let measured = || {
        let talk = record.end?.0.saturating_sub(answer.0);
        // An end that is doubtful too stands for its earlier instant.
        Some(Micros(if talk < 0 { talk.saturating_add(fold.0) } else { talk }))
    };
    Ok((answer, record.duration.or_else(measured).ok_or(Why::NoTalkTime)?))
}
