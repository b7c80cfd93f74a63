//! Trying again what waits: entries for what is in suspense, put on the road.
//!
//! Does not know why something waits.

use crate::batch::{Batch, EntryKind, SourceId};
use crate::call::SuspenseReason;
use crate::entry::Retry;
use crate::ingest::{BATCH_BYTES, NotTaken};
use crate::record::Direction;
use crate::road::Road;
use crate::store::{Store, StoreError, SuspenseItem, SuspenseKey, SuspensePage, Visit};
use std::sync::Arc;

/// Items read at a time; they go into as many journal frames as their bytes need.
const RETRY_BATCH: usize = 500;

/// Why not everything was tried.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// What waits cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal takes nothing.
    #[error(transparent)]
    Journal(#[from] NotTaken),
}

/// Tries again everything that waits, or what waits for one reason; how much that is.
pub async fn retry(road: &Road, store: &Arc<dyn Store>, reason: Option<SuspenseReason>) -> Result<u64, RetryError> {
    let (mut tried, mut after) = (0u64, None);
    loop {
        let from = store.clone();
        let read = tokio::task::spawn_blocking(move || page(from.as_ref(), reason, after));
        let items = read.await.map_err(|_| NotTaken::ShuttingDown)??;
        let Some(last) = items.last() else { return Ok(tried) };
        after = Some(last.key);
        let mut batch = Batch::new(SourceId(0));
        for item in &items {
            let mut payload = Vec::with_capacity(item.record.len() + 256);
            if entry(item).encode(&item.record, &mut payload).is_ok() {
                batch.push_entry(EntryKind::Retry, &payload);
                tried += 1;
            }
            if batch.len() >= BATCH_BYTES {
                road.enter(std::mem::replace(&mut batch, Batch::new(SourceId(0)))).await?;
            }
        }
        road.enter(batch).await?;
        if items.len() < RETRY_BATCH {
            return Ok(tried);
        }
    }
}

/// The same store that shows a page gives the records of its items.
fn page(
    store: &dyn Store,
    reason: Option<SuspenseReason>,
    after: Option<SuspenseKey>,
) -> Result<Vec<SuspenseItem>, StoreError> {
    let mut keys = Vec::new();
    store.suspense(SuspensePage { reason, after, limit: RETRY_BATCH }, &mut |item| {
        keys.push(item.key);
        Visit::Continue(())
    })?;
    let mut items: Vec<SuspenseItem> = Vec::with_capacity(keys.len());
    for key in keys {
        items.extend(store.suspense_of(key.position)?.into_iter().filter(|item| item.key == key));
    }
    Ok(items)
}

/// How an entry names something in suspense.
pub fn entry(item: &SuspenseItem) -> Retry {
    Retry {
        position: item.key.position.0,
        leg: item.key.leg.map(|leg| match leg {
            Direction::Outbound => 0,
            Direction::Inbound => 1,
        }),
        attempt: item.attempt.0,
        reason: item.reason.name().to_owned(),
        period: item.period.map(|p| p.0),
        source: item.source.0,
        received_at: item.received_at.0,
    }
}
