//! What becomes of a leg's row: it stays, is replaced, is taken back, or its leg waits.

use super::job::Job;
use super::rater::{Again, Rater};
use super::sink::{Place, Sink};
use crate::call::{Costs, RatedCall};
use crate::period::known::read;
use crate::period::{SealError, SuspendedLeg};
use crate::store::{CallRow, StoredCall, SuspenseItem};

impl Job<'_> {
    /// What becomes of a row that stands for its leg.
    pub(super) fn apply(
        &self,
        rater: &Rater<'_>,
        sink: &mut Sink,
        place: &Place<'_>,
        stored: &StoredCall<'_>,
        again: &Again,
    ) -> Result<(), SealError> {
        match again {
            Again::Moved | Again::NotKept => Ok(()),
            Again::Rated(new) if rater.same(stored, new) => Ok(()),
            Again::Rated(new) => {
                self.replace(rater, sink, place, stored)?;
                let directory = rater.known.directory_slot;
                let grounds = stored.grounds.map(|grounds| crate::store::GroundsOf { directory, ..grounds.borrowed() });
                let new = (*new, rater.costs(), rater.drew());
                sink.row(place, stored, new, grounds, stored.revision + 1, self.scope.named.is_some())
            }
            Again::Gone => self.replace(rater, sink, place, stored),
            Again::Waits(reason) => {
                self.replace(rater, sink, place, stored)?;
                if let Some(grounds) = stored.grounds {
                    let mut record = Vec::with_capacity(192);
                    stored.record(grounds).encode(&mut record);
                    let key = stored.call.key;
                    sink.suspend(SuspendedLeg {
                        key: crate::store::SuspenseKey { position: key.position, leg: Some(key.leg) },
                        reason: *reason,
                        period: stored.call.own_period(),
                        account: Some(stored.call.account),
                        record,
                        source: grounds.source,
                        // When it came is not kept; the answer is as good for what R2 asks.
                        received_at: stored.call.answer,
                    });
                }
                Ok(())
            }
        }
    }

    /// A row no longer stands for its leg.
    pub(super) fn replace(
        &self,
        rater: &Rater<'_>,
        sink: &mut Sink,
        place: &Place<'_>,
        stored: &StoredCall<'_>,
    ) -> Result<(), SealError> {
        if self.ledger.get(stored.call.period).is_none() {
            sink.supersede(stored.row, &stored.call, stored.draws);
            return Ok(());
        }
        sink.reverse(place, stored, rater.open_of(&stored.call))
    }

    /// A leg that waited is rated.
    pub(super) fn gain(
        &self,
        rater: &Rater<'_>,
        sink: &mut Sink,
        place: &Place<'_>,
        item: &SuspenseItem,
        (call, costs, draws): (RatedCall, Option<Costs>, &[u8]),
    ) -> Result<(), SealError> {
        sink.gain(SuspendedLeg {
            key: item.key,
            reason: item.reason,
            period: item.period.unwrap_or(call.own_period()),
            account: item.account,
            record: item.record.clone(),
            source: item.source,
            received_at: item.received_at,
        });
        let record = read(&item.record)?;
        sink.new_row(
            place,
            &CallRow {
                call,
                node: record.node,
                id: record.id,
                source_dialled: record.source,
                destination_dialled: record.destination,
                start: record.start,
                grounds: Some(rater.grounds_of(item, &record)),
                // As first rated is what came down the road.
                revision: 1,
                run: place.run,
                named_tariff: self.scope.named.is_some(),
                costs,
                draws,
            },
        )
    }
}
