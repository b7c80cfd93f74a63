//! Why a record or a leg could not be rated: one closed list, each with its suspense reason and a sentence.
//!
//! The reason is what is counted and retried by; the sentence is what a person reads in the list of suspense.
//!
//! Does not know where suspense is kept.

use std::fmt;

use crate::call::SuspenseReason;
use crate::number::dialling::BadNumber;

/// Why something waits in suspense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// R1: talk time, but no answer time.
    NoAnswerTime,
    /// R1: the answer lies in an hour that the node's clock shows twice, and the listener does not say which counts.
    AmbiguousTime,
    /// R2: neither duration nor end; doors refuse such records.
    NoTalkTime,
    /// R2: talk time below zero.
    NegativeTalkTime,
    /// R2: talk time over the limit.
    TooLong,
    /// R2: answered later than receipt allows.
    FromTheFuture,
    /// R2: answered earlier than receipt allows.
    TooOld,
    /// R4: the record names an account that does not exist at the answer instant.
    NoSuchAccount,
    /// R4: the listener's account does not exist at the answer instant.
    NoSuchNodeAccount,
    /// R5: the account's billing ended before the answer.
    AccountEnded,
    /// R4: no account is named, and no number belongs to one.
    NobodyPays,
    /// R5: kept, not charged.
    BeforeBillingStart,
    /// R3: the called number cannot be one.
    BadNumber(BadNumber),
    /// R3: the record's routing number cannot be one.
    BadRoutingNumber,
    /// The account's plan is not in the tariff.
    NoPlan,
    /// R16: no row in force.
    NoRow,
    /// R16: the number is not known as valid, and the longest row goes less than three digits beyond the calling code.
    RowTooShort,
    /// R12: the plan charges overage by the deck, the call goes beyond the allowance, and no row prices it.
    NoOverageRow,
    /// R16: the matching row forbids it.
    Blocked,
    /// R18: the deck is in another currency than the plan, and no exchange rate is in force.
    NoExchangeRate,
}

impl Why {
    /// The reason under which it is counted, listed and retried.
    pub const fn reason(self) -> SuspenseReason {
        match self {
            Why::NoAnswerTime => SuspenseReason::NoAnswerTime,
            Why::AmbiguousTime => SuspenseReason::AmbiguousTime,
            Why::NoTalkTime | Why::NegativeTalkTime | Why::TooLong | Why::FromTheFuture | Why::TooOld => {
                SuspenseReason::Implausible
            }
            Why::NoSuchAccount | Why::NoSuchNodeAccount | Why::AccountEnded | Why::NobodyPays => {
                SuspenseReason::UnknownAccount
            }
            Why::BeforeBillingStart => SuspenseReason::BeforeBillingStart,
            Why::BadNumber(_) | Why::BadRoutingNumber => SuspenseReason::BadNumber,
            Why::NoPlan | Why::NoRow | Why::RowTooShort | Why::NoOverageRow | Why::NoExchangeRate => {
                SuspenseReason::NoRate
            }
            Why::Blocked => SuspenseReason::Blocked,
        }
    }

    /// One sentence without its full stop.
    pub const fn detail(self) -> &'static str {
        match self {
            Why::NoAnswerTime => "a duration, but no answer time",
            Why::AmbiguousTime => {
                "the local time of the answer came twice that night: set the listener's ambiguous to earlier or later, and retry"
            }
            Why::NoTalkTime => "neither duration nor end",
            Why::NegativeTalkTime => "the talk time is negative",
            Why::TooLong => "the talk time is over 24 hours",
            Why::FromTheFuture => "answered more than an hour after it was received",
            Why::TooOld => "answered longer before it was received than the listener accepts",
            Why::NoSuchAccount => "the account named by the record does not exist at the answer instant",
            Why::NoSuchNodeAccount => "the listener's account does not exist at the answer instant",
            Why::AccountEnded => "the account's billing ended before the answer",
            Why::NobodyPays => "no account is named and neither number belongs to one",
            Why::BeforeBillingStart => "answered before the account's billing starts",
            Why::BadNumber(BadNumber::Absent) => "the called number is empty or anonymous",
            Why::BadNumber(BadNumber::NotDigits) => "the called number holds something that is no digit",
            Why::BadNumber(BadNumber::TooShort) => "the called number has fewer than 5 digits",
            Why::BadNumber(BadNumber::TooLong) => "the called number has more than 15 digits",
            Why::BadNumber(BadNumber::UnknownCallingCode) => "the called number's calling code does not exist",
            Why::BadNumber(BadNumber::WrongLength) => "numbers of the called number's calling code have another length",
            Why::BadNumber(BadNumber::Local) => "the called number is a local number without its area code",
            Why::BadRoutingNumber => "the routing number is no number",
            Why::NoPlan => "the account's plan is not in the tariff",
            Why::NoRow => "no row of the plan's decks in force matches the number",
            Why::RowTooShort => {
                "the number is not known as valid and no row goes three digits beyond its calling code or names a call type"
            }
            Why::NoOverageRow => "the call goes beyond the allowance, the plan charges by deck, and no row matches",
            Why::Blocked => "the longest matching row is blocked",
            Why::NoExchangeRate => "no exchange rate from the deck's currency to the plan's was in force",
        }
    }
}

/// Something waits in suspense: for which reason, and more exactly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Suspended {
    /// The reason under which it is counted, listed and retried.
    pub reason: SuspenseReason,
    /// One sentence for whoever reads the list.
    pub detail: &'static str,
    /// The exact case.
    pub why: Why,
}

impl From<Why> for Suspended {
    fn from(why: Why) -> Suspended {
        Suspended { reason: why.reason(), detail: why.detail(), why }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}
