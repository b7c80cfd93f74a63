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

use super::{Answered, Called, Leg, PayerBy, Resolution, Routing, Why, World, numbers};
use crate::directory::AccountRow;
use crate::entry::{Ambiguous, LegsPolicy, SourceProfile, Talk};
use crate::number::Country;
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
    match legs(record, received_at, source, world) {
        Ok(resolution) => resolution,
        Err(why) => Resolution::Suspended(why.into()),
    }
}

fn legs(
    record: &Record<'_>,
    received_at: Timestamp,
    profile: &SourceProfile,
    world: World<'_>,
) -> Result<Resolution, Why> {
    let (answer, duration) = plausible(record, received_at, profile)?;
    let parties = Parties::of(record, answer, profile, world)?;
    let source = numbers::presented(record.source, parties.source_country, world).ok();
    let carrier = world.tariff.carrier_named(record.carrier);
    let leg = |direction, (account, payer_by): (AccountRow<'_>, PayerBy), read: numbers::Read, to_own_number| Leg {
        // It says where the caller's call went; what the called side pays goes by the number it owns.
        routing: match direction {
            Direction::Inbound => Routing::None,
            Direction::Outbound => numbers::routing(record, read.bare, account.country(), world),
        },
        direction,
        account_row: account.row(),
        payer_by,
        answer,
        duration,
        source,
        called: read.called,
        to_own_number,
        carrier,
    };

    let sides = match (record.direction, profile.legs) {
        (Some(Direction::Outbound), _) | (None, LegsPolicy::Outbound) => LegsPolicy::Outbound,
        (Some(Direction::Inbound), _) | (None, LegsPolicy::Inbound) => LegsPolicy::Inbound,
        (None, LegsPolicy::Both) => LegsPolicy::Both,
    };
    if sides == LegsPolicy::Inbound {
        let (country, account) = (parties.country(None), parties.named.or(parties.node));
        let called = numbers::Reader { country, account, strip: &profile.strip }.reached(record.destination, world);
        let owner = owner_of(called, answer, world);
        let payee = match (parties.named, owner, parties.node) {
            (Some(named), _, _) => (named, PayerBy::Record),
            (None, Some(owner), _) => (owner, PayerBy::Destination),
            (None, None, Some(node)) => (node, PayerBy::Node),
            (None, None, None) => return Err(parties.nobody()),
        };
        not_ended(&payee.0, answer)?;
        let own = owner.is_some_and(|owner| owner.index() == payee.0.index());
        let read = numbers::Read { called, bare: false };
        return Ok(Resolution::Legs(Some(leg(Direction::Inbound, payee, read, own)), None));
    }

    let payer = parties.payer(record, source, answer, world)?;
    let account = payer.map(|(account, _)| account);
    let country = parties.country(account);
    let read = numbers::Reader { country, account, strip: &profile.strip }.dialled(record.destination, world);
    let owner = owner_of(read.called, answer, world);
    let own = match (payer, owner) {
        (Some((payer, _)), Some(owner)) => payer.index() == owner.index(),
        _ => false,
    };
    let outbound = payer.map(|payer| leg(Direction::Outbound, payer, read, own));
    let inbound = match owner {
        Some(owner) if sides == LegsPolicy::Both && !own => match (outbound, not_ended(&owner, answer)) {
            (_, Ok(())) => Some(leg(Direction::Inbound, (owner, PayerBy::Destination), read, true)),
            (Some(_), Err(_)) => None,
            (None, Err(why)) => return Err(why),
        },
        _ => None,
    };
    match (outbound, inbound) {
        (None, None) => Err(Why::NobodyPays),
        (None, inbound) => Ok(Resolution::Legs(inbound, None)),
        (outbound, inbound) => Ok(Resolution::Legs(outbound, inbound)),
    }
}

/// R1, R2: answer instant and talk time, or why they cannot be.
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

/// The accounts and countries that record and listener name.
pub(super) struct Parties<'a> {
    /// The record's account.
    named: Option<AccountRow<'a>>,
    /// The listener's account, where the record names none.
    node: Option<AccountRow<'a>>,
    /// The listener names an account that does not exist.
    node_missing: bool,
    node_country: Option<Country>,
    pub(super) source_country: Option<Country>,
}

impl<'a> Parties<'a> {
    pub(super) fn of(
        record: &Record<'_>,
        answer: Timestamp,
        profile: &SourceProfile,
        world: World<'a>,
    ) -> Result<Parties<'a>, Why> {
        let named = if record.account.is_empty() {
            None
        } else {
            let account = world.directory.row_at(record.account, answer).ok_or(Why::NoSuchAccount)?;
            not_ended(&account, answer)?;
            Some(account)
        };
        let asks_node = named.is_none() && !profile.account.is_empty();
        let node = if asks_node { world.directory.row_at(profile.account.as_bytes(), answer) } else { None };
        // The listener's country comes before that of its account: it is the dialling plan of the place, and it is
        // what R3 names. Without it, the account's is the best there is.
        let node_country = Country::parse(&profile.country).or(node.map(|account| account.country()));
        Ok(Parties {
            named,
            node,
            node_missing: asks_node && node.is_none(),
            node_country,
            source_country: named.map(|account| account.country()).or(node_country),
        })
    }

    /// R4: who pays the outbound leg, if anyone does.
    fn payer(
        &self,
        record: &Record<'_>,
        source: Option<crate::number::Number>,
        answer: Timestamp,
        world: World<'a>,
    ) -> Result<Option<(AccountRow<'a>, PayerBy)>, Why> {
        let found = if let Some(named) = self.named {
            Some((named, PayerBy::Record))
        } else if let Some(forwarder) = self.forwarder(record, answer, world) {
            Some((forwarder, PayerBy::ForwardedBy))
        } else if let Some(node) = self.node {
            Some((node, PayerBy::Node))
        } else if self.node_missing {
            return Err(Why::NoSuchNodeAccount);
        } else {
            let owner = source.and_then(|source| world.directory.owner_row_at(source, answer));
            owner.map(|owner| (owner, PayerBy::Source))
        };
        if let Some((account, _)) = &found {
            not_ended(account, answer)?;
        }
        Ok(found)
    }

    fn forwarder(&self, record: &Record<'_>, answer: Timestamp, world: World<'a>) -> Option<AccountRow<'a>> {
        if record.forwarded_by.is_empty() {
            return None;
        }
        let number = numbers::presented(record.forwarded_by, self.node_country, world).ok()?;
        world.directory.owner_row_at(number, answer)
    }

    /// R3: the dialling plan of the destination.
    pub(super) fn country(&self, payer: Option<AccountRow<'_>>) -> Option<Country> {
        payer.or(self.named).map(|account| account.country()).or(self.node_country)
    }

    fn nobody(&self) -> Why {
        if self.node_missing { Why::NoSuchNodeAccount } else { Why::NobodyPays }
    }
}

fn owner_of<'a>(called: Called, answer: Timestamp, world: World<'a>) -> Option<AccountRow<'a>> {
    match called {
        Called::Number(number) => world.directory.owner_row_at(number, answer),
        _ => None,
    }
}

/// R5: after `billing_end` an account pays for nothing. Ends are exclusive.
fn not_ended(account: &AccountRow<'_>, answer: Timestamp) -> Result<(), Why> {
    if account.has_ended(answer) { Err(Why::AccountEnded) } else { Ok(()) }
}
