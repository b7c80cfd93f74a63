//! What the records give beside what is stored, field by field.
//!
//! Does not know how either came about.

use super::fold::Fold;
use super::{AuditError, Audited, Difference, Sources};
use crate::batch::Position;
use crate::call::{AccountKey, Costs, GroupKey, LegKey, RatedCall, SuspenseReason};
use crate::record::Record;
use crate::store::{OwnedCall, StoredState};
use crate::time::Timestamp;

/// A rated leg with the text of its record.
pub(super) struct Expected {
    pub call: RatedCall,
    pub costs: Option<Costs>,
    /// As [`crate::store::StoredCall::draws`].
    pub draws: Vec<u8>,
    pub node: Vec<u8>,
    pub id: Vec<u8>,
    pub source_dialled: Vec<u8>,
    pub destination_dialled: Vec<u8>,
    pub start: Option<Timestamp>,
}

impl Expected {
    pub fn of(call: RatedCall, costs: Option<Costs>, draws: Vec<u8>, record: &Record<'_>) -> Expected {
        let [node, id] = [record.node, record.id].map(<[u8]>::to_vec);
        let [source_dialled, destination_dialled] = [record.source, record.destination].map(<[u8]>::to_vec);
        Expected { call, costs, draws, node, id, source_dialled, destination_dialled, start: record.start }
    }
}

/// Compares the rows of a flush with what its frames gave.
pub(super) fn calls(
    sources: &Sources<'_>,
    state: &StoredState,
    fold: &mut Fold<'_>,
    stored: Vec<OwnedCall>,
    audited: &mut Audited,
) -> Result<(), AuditError> {
    for stranger in fold.strangers.drain(..) {
        audited.differ(stranger);
    }
    for row in stored {
        match fold.expected.remove(&(row.call.key, row.revision)) {
            Some(expected) => fields(state, &expected, &row, audited),
            None if fold.untold.contains(&row.call.key.position)
                || fold.lost.iter().any(|lost| lost.contains(&row.call.key.position.0)) =>
            {
                // What is stored and cannot be rated again has drawn what it has drawn.
                fold.drawn.add(&row.call, &row.draws);
                audited.compared -= 1;
            }
            // Also a second row of a leg.
            None => audited.differ(Difference {
                account: Some(account(state, row.call.account)),
                call: Some(called(&row.node, &row.id, row.call.key)),
                field: "the call itself".to_owned(),
                expected: "no such call".to_owned(),
                found: summary(&row.call),
            }),
        }
    }
    for ((key, _), expected) in std::mem::take(&mut fold.expected) {
        if audited.gone.contains(&(expected.call.period, expected.call.account)) {
            continue;
        }
        if set_aside(sources, state, key)? {
            audited.set_aside = true;
            continue;
        }
        audited.differ(Difference {
            account: Some(account(state, expected.call.account)),
            call: Some(called(&expected.node, &expected.id, key)),
            field: "the call itself".to_owned(),
            expected: summary(&expected.call),
            found: "no such call".to_owned(),
        });
    }
    for position in fold.conflicts.drain(..) {
        if position < audited.conflicts_gone {
            continue;
        }
        let behind = position.0.checked_sub(1).map(Position);
        if sources.store.conflicts(behind, 1)?.first().is_none_or(|kept| kept.position != position) {
            audited.differ(Difference {
                account: None,
                call: None,
                field: format!("the contradicting record at position {position}"),
                expected: "kept".to_owned(),
                found: "not kept".to_owned(),
            });
        }
    }
    Ok(())
}

/// The daemon died twice on the record, so that it waited where it would have been rated.
fn set_aside(sources: &Sources<'_>, state: &StoredState, key: LegKey) -> Result<bool, AuditError> {
    if state.retried.iter().any(|r| r.key.position == key.position && r.key.leg.is_none()) {
        return Ok(true);
    }
    Ok(sources.store.suspense_of(key.position)?.iter().any(|item| item.reason == SuspenseReason::InternalError))
}

fn fields(state: &StoredState, expected: &Expected, row: &OwnedCall, audited: &mut Audited) {
    let (a, b) = (&expected.call, &row.call);
    let same_text = expected.node == row.node
        && expected.id == row.id
        && expected.source_dialled == row.source_dialled
        && expected.destination_dialled == row.destination_dialled
        && expected.start == row.start;
    if a == b && expected.costs == row.costs && expected.draws == row.draws && same_text {
        return;
    }
    let (node, id) = (row.node.clone(), row.id.clone());
    let mut differ = |field: &str, expected: String, found: String| {
        if expected != found {
            audited.differ(Difference {
                account: Some(account(state, a.account)),
                call: Some(called(&node, &id, b.key)),
                field: field.to_owned(),
                expected,
                found,
            });
        }
    };
    let cost = |call: &RatedCall| call.cost.fixed(u32::from(call.basis.decimals));
    let number = |n: Option<crate::number::Number>| n.map_or("none".to_owned(), |n| n.to_string());
    let start = |t: Option<crate::time::Timestamp>| t.map_or("none".to_owned(), |t| t.to_string());
    differ("cost", cost(a), cost(b));
    differ("account", account(state, a.account), account(state, b.account));
    differ("billing group", group(state, a.group), group(state, b.group));
    differ("month", a.period.to_string(), b.period.to_string());
    differ("answer", a.answer.to_string(), b.answer.to_string());
    differ("duration", a.duration.to_string(), b.duration.to_string());
    differ("call type", a.call_type.to_string(), b.call_type.to_string());
    differ("billable seconds", a.billable_seconds.to_string(), b.billable_seconds.to_string());
    if b.used_before.is_some() {
        differ("allowance used before", format!("{:?}", a.used_before), format!("{:?}", b.used_before));
    }
    differ("what was drawn", lossy(&expected.draws), lossy(&row.draws));
    let own = |call: &RatedCall| call.own_period().to_string();
    differ("own month", own(a), own(b));
    differ("included seconds", a.included_seconds.to_string(), b.included_seconds.to_string());
    differ("source", number(a.source), number(b.source));
    differ("destination", number(a.destination), number(b.destination));
    differ("what decided the price", format!("{:?}", a.basis), format!("{:?}", b.basis));
    differ("what it costs us", shown(&expected.costs), shown(&row.costs));
    differ("node", lossy(&expected.node), lossy(&row.node));
    differ("id", lossy(&expected.id), lossy(&row.id));
    differ("source as dialled", lossy(&expected.source_dialled), lossy(&row.source_dialled));
    differ("destination as dialled", lossy(&expected.destination_dialled), lossy(&row.destination_dialled));
    differ("set-up", start(expected.start), start(row.start));
}

/// What a call costs us, where anything is said of it.
pub(super) fn shown(costs: &Option<Costs>) -> String {
    costs.map_or_else(|| "nothing said".to_owned(), |costs| costs.to_string())
}

fn summary(call: &RatedCall) -> String {
    let cost = call.cost.fixed(u32::from(call.basis.decimals));
    format!("{} of {} s, {} {cost}", call.call_type, call.billable_seconds, lossy(&call.basis.currency))
}

fn called(node: &[u8], id: &[u8], key: LegKey) -> String {
    format!("{}/{} {} (position {})", lossy(node), lossy(id), key.leg.name(), key.position)
}

fn account(state: &StoredState, key: AccountKey) -> String {
    state.accounts.iter().find(|a| a.key == key).map_or_else(|| "unknown".to_owned(), |a| a.name.clone())
}

fn group(state: &StoredState, key: GroupKey) -> String {
    state.groups.iter().find(|g| g.key == key).map_or_else(|| "unknown".to_owned(), |g| g.name.clone())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
