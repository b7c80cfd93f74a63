//! R24: numbers on a list of the account or its plan cost nothing and draw nothing.
//!
//! Where the rule leaves something open, this is the answer:
//!
//! - Emergency numbers and the account's extensions come first; everything else may be on a list: the account's own numbers,
//!   premium and toll-free ones, short codes.
//! - What was dialled decides, not where a ported number leads.
//! - A list decides before any deck, so that a blocked row blocks no free number.
//! - The account's lists are asked before its plan's; all of them by the answer instant.
//!
//! Does not know prices or allowances.

use super::kind::{self, Kind};
use super::{Called, Leg};
use crate::call::CallType;
use crate::directory::AccountRow;
use crate::number::Number;
use crate::record::Direction;
use crate::tariff::free::Freed;
use crate::tariff::{PlanId, Tariff};

/// The rule's number.
pub(super) const RULE: u8 = 24;

/// The kind of a leg to a free number. Most accounts have no list at all.
#[inline(always)]
pub(super) fn kind<'a>(leg: &Leg, account: &AccountRow<'_>, plan: PlanId, tariff: &'a Tariff) -> Option<Kind<'a>> {
    if tariff.plan(plan).free.is_empty() && !account.has_free_lists() {
        return None;
    }
    freed(leg, account, plan, tariff)?;
    let class = leg.destination().map(|number| tariff.classify(number));
    Some(kind::free(RULE, CallType::Free, class))
}

/// Which list makes the called number free.
#[inline(never)]
pub(super) fn freed<'a>(leg: &Leg, account: &AccountRow<'_>, plan: PlanId, tariff: &'a Tariff) -> Option<Freed<'a>> {
    let number = dialled(leg)?;
    let plans = tariff.plan(plan).free.iter().map(String::as_str);
    tariff.freed(account.account().free_lists().chain(plans), number, leg.answer)
}

fn dialled(leg: &Leg) -> Option<Number> {
    match (leg.direction, leg.called) {
        (Direction::Outbound, Called::Number(number) | Called::ShortCode(number)) => Some(number),
        _ => None,
    }
}
