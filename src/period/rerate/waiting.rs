//! Legs that wait, and would be rated.

use super::Run;
use super::rater::Rater;
use super::scope::Scope;
use crate::call::{Costs, RatedCall, SuspenseReason};
use crate::period::{Ledger, SealError, everywhere};
use crate::store::{StoredState, SuspenseItem, Visit};

/// A leg that waits, the call it would be, what that would cost us and what it would draw.
pub type Gain = (SuspenseItem, RatedCall, Option<Costs>, Vec<u8>);

/// Legs that wait, and would be rated if their group had drawn nothing.
pub fn gains(run: &Run<'_>, state: &StoredState, scope: &Scope, ledger: &Ledger) -> Result<Vec<Gain>, SealError> {
    let mut rater = Rater::new(run, state, scope, ledger)?;
    let (start, end) = (everywhere(scope.first).0, everywhere(scope.last).1);
    let (mut gains, mut failed) = (Vec::new(), None);
    run.store.suspense_part((0, 1), &mut |item| {
        let near = item.answer.is_some_and(|answer| start <= answer && answer < end);
        // What waits for a seal is tried again by itself, and what is helpless is not helped here.
        let helpless = matches!(item.reason, SuspenseReason::PeriodSealing | SuspenseReason::InternalError);
        if !near || helpless || item.key.leg.is_none() || item.key.position >= run.at {
            return Visit::Continue(());
        }
        match rater.waiting(item, &0) {
            Ok(Some(call)) if scope.has(call.own_period()) && scope.would_hold(&call, &item.node) => {
                gains.push((item.clone(), call, rater.costs(), rater.drew().to_vec()));
            }
            Ok(_) => {}
            Err(error) => {
                failed = Some(error);
                return Visit::Break(());
            }
        }
        Visit::Continue(())
    })?;
    failed.map_or(Ok(gains), Err)
}
