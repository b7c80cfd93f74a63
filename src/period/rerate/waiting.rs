//! Legs that wait, and would be rated.

use super::Run;
use super::rater::Rater;
use super::scope::Scope;
use crate::call::{Costs, RatedCall, SuspenseReason};
use crate::period::{Ledger, SealError, everywhere};
use crate::store::{StoredState, SuspenseItem, SuspensePage, Visit};

/// Items of suspense read at a time.
const PAGE: usize = 1000;

/// A leg that waits, the call it would be, what that would cost us and what it would draw.
pub type Gain = (SuspenseItem, RatedCall, Option<Costs>, Vec<u8>);

/// Legs that wait, and would be rated if their group had drawn nothing.
pub fn gains(run: &Run<'_>, state: &StoredState, scope: &Scope, ledger: &Ledger) -> Result<Vec<Gain>, SealError> {
    let mut rater = Rater::new(run, state, scope, ledger)?;
    let (start, end) = (everywhere(scope.first).0, everywhere(scope.last).1);
    let (mut gains, mut after) = (Vec::new(), None);
    loop {
        let mut keys = Vec::new();
        run.store.suspense(SuspensePage { reason: None, after, limit: PAGE }, &mut |item| {
            let near = item.answer.is_some_and(|answer| start <= answer && answer < end);
            // What waits for a seal is tried again by itself, and what is helpless is not helped here.
            let helpless = matches!(item.reason, SuspenseReason::PeriodSealing | SuspenseReason::InternalError);
            keys.push((item.key, near && !helpless && item.key.leg.is_some() && item.key.position < run.at));
            Visit::Continue(())
        })?;
        for (key, _) in keys.iter().filter(|(_, wanted)| *wanted) {
            let found = run.store.suspense_of(key.position)?.into_iter().find(|item| item.key == *key);
            let Some(item) = found else { continue };
            let Some(call) = rater.waiting(&item, &0)? else { continue };
            if scope.has(call.own_period()) && scope.would_hold(&call, &item.node) {
                gains.push((item, call, rater.costs(), rater.drew().to_vec()));
            }
        }
        after = keys.last().map(|(key, _)| *key).or(after);
        if keys.len() < PAGE {
            return Ok(gains);
        }
    }
}
