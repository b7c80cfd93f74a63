//! Images of directories that nothing needs any more.
//!
//! Needed is what is in force; by what any kept call was resolved, so that it can be explained; what a replay or an audit
//! of the journal opens; and what a seal or a run of re-rating under way reads. All else was replaced, and goes once that is
//! long enough ago. Images of tariffs stay: a late call is rated by the tariff of its day, however old, and manifests name
//! them; there are few, where a directory that changes all day leaves thousands.
//!
//! Does not know who asks, nor when.

use std::collections::BTreeSet;
use std::io;

use crate::batch::Position;
use crate::images::Images;
use crate::store::{ActivationRow, RerateState, Store, StoreError};
use crate::time::Timestamp;

/// Images that nothing needs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OldImages {
    /// Digests of those of which others consist. They go first: only what consists of them leads to them, so that what is cut
    /// off in between is found again.
    pub parts: Vec<String>,
    /// Digests of the others.
    pub wholes: Vec<String>,
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
    let mut bytes = 0;
    let mut there = |digest: &&String| {
        let found = images.bytes_of_directory(digest).filter(|_| !kept.contains(*digest));
        bytes += found.unwrap_or(0);
        found.is_some()
    };
    let wholes = wholes.difference(&parts).filter(&mut there).cloned().collect();
    let parts = parts.iter().filter(&mut there).cloned().collect();
    Ok(OldImages { parts, wholes, bytes })
}

impl OldImages {
    /// How many.
    pub fn count(&self) -> usize {
        self.parts.len() + self.wholes.len()
    }

    /// Deletes them, but for those that were kept anew meanwhile; how many are gone.
    ///
    /// # Errors
    /// The system refuses. Those that are left are found again.
    pub fn delete(&self, images: &Images) -> io::Result<u64> {
        let mut gone = 0;
        for digests in [&self.parts, &self.wholes].into_iter().filter(|digests| !digests.is_empty()) {
            for digest in digests {
                gone += u64::from(images.delete_directory(digest)?);
            }
            images.sync_deletions()?;
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests;
