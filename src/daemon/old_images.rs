//! Images of directories that nothing needs any more.
//!
//! Needed is what is in force; by what any kept call was resolved, so that it can be explained; what a replay or an audit
//! of the journal opens; and what a seal or a run of re-rating under way reads. All else was replaced, and goes once that is
//! long enough ago. Images of tariffs stay: a late call is rated by the tariff of its day, however old, and manifests name
//! them; there are few, where a directory that changes all day leaves thousands.
//!
//! Does not know who asks, nor when.

use std::collections::BTreeSet;

use crate::batch::Position;
use crate::images::Images;
use crate::store::{ActivationRow, RerateState, Store, StoreError};
use crate::time::Timestamp;

/// Images that nothing needs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OldImages {
    /// Their digests, in the order in which they go: a composition behind what it consists of, so that what is cut off in
    /// between is found again.
    pub digests: Vec<String>,
    /// What they take.
    pub bytes: u64,
}

/// Images of directories that were replaced before an instant and that nothing needs. `journal`: its first position.
///
/// # Errors
/// The store.
pub fn old_images(
    store: &dyn Store,
    images: &Images,
    journal: Position,
    before: Timestamp,
) -> Result<OldImages, StoreError> {
    let (_, rows) = store.load_activations()?;
    let Some(used) = store.directories_of_calls()? else { return Ok(OldImages::default()) };
    let mut needed: BTreeSet<u32> = used.into_iter().collect();
    let in_force_at = |at: Position| rows.iter().rfind(|row| row.position < at);
    // Places at which a directory was in force that is asked for again.
    let mut places = vec![journal, Position(u64::MAX)];
    places.extend(store.periods()?.iter().filter(|row| row.sealed.is_none()).map(|row| row.seal));
    places.extend(store.rerate_runs()?.iter().filter(|run| run.state == RerateState::Rating).map(|run| run.begun));
    needed.extend(places.into_iter().filter_map(in_force_at).map(|row| row.slot));
    needed.extend(rows.iter().filter(|row| row.position >= journal).map(|row| row.slot));
    let replaced = rows.windows(2).filter_map(|two| match two {
        [old, next] if next.activated_at < before => Some(old.slot),
        _ => None,
    });
    let replaced: BTreeSet<u32> = replaced.collect();
    let goes = |row: &&ActivationRow| replaced.contains(&row.slot) && !needed.contains(&row.slot);
    let (old, kept): (Vec<&ActivationRow>, Vec<&ActivationRow>) = rows.iter().partition(goes);
    let mut kept: BTreeSet<String> = kept.into_iter().map(|row| row.digest.clone()).collect();
    let parts: Vec<String> = kept.iter().flat_map(|digest| images.layers_of_directory(digest)).collect();
    kept.extend(parts);
    let wholes: BTreeSet<String> = old.into_iter().map(|row| row.digest.clone()).collect();
    let parts: BTreeSet<String> = wholes.iter().flat_map(|digest| images.layers_of_directory(digest)).collect();
    let mut found = OldImages::default();
    for digest in parts.iter().chain(wholes.difference(&parts)).filter(|digest| !kept.contains(*digest)) {
        if let Some(bytes) = images.bytes_of_directory(digest) {
            found.bytes += bytes;
            found.digests.push(digest.clone());
        }
    }
    Ok(found)
}
