//! Orders of retention, where a job reads what they delete.
//!
//! Does not know how anything is deleted.

use super::progress::SealError;
use crate::batch::Position;
use crate::store::{OrderRow, Retired, Store};

/// Carries out what was ordered before a job's place, as far as nothing holds it. The job's own place is in the journal, how far
/// a deletion is is not: so that the job finds the same in every replay, all of it is gone first.
pub fn carry_out(store: &dyn Store, at: Position) -> Result<(), SealError> {
    for order in store.retention()?.iter().filter(|order| !order.stored && order.position < at) {
        while let Retired::More(_) = store.retire(order.position)? {}
    }
    Ok(())
}

/// What was ordered, for a job that writes nothing and so keeps nothing from being deleted.
pub struct Watched(Vec<OrderRow>);

impl Watched {
    /// What was ordered by now.
    ///
    /// # Errors
    /// Something is being deleted just now.
    pub fn now(store: &dyn Store) -> Result<Watched, SealError> {
        let (orders, holds) = (store.retention()?, store.holds()?);
        let held = |order: &OrderRow| holds.iter().any(|hold| hold.entry.account == order.entry.account);
        if orders.iter().any(|order| !order.stored && !held(order)) {
            return Err(refused());
        }
        Ok(Watched(orders))
    }

    /// Nothing was ordered since.
    ///
    /// # Errors
    /// Something was, so that what was counted is neither what stood there nor what does.
    pub fn unchanged(&self, store: &dyn Store) -> Result<(), SealError> {
        let same = |(then, now): (&OrderRow, &OrderRow)| (then.position, then.stored) == (now.position, now.stored);
        let now = store.retention()?;
        if now.len() == self.0.len() && self.0.iter().zip(&now).all(same) { Ok(()) } else { Err(refused()) }
    }
}

fn refused() -> SealError {
    SealError::Refused(
        "call details are being deleted, so that a figure would be of neither before nor after: ask again once \
         `callrated retention` shows no order under way"
            .to_owned(),
    )
}
