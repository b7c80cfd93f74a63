//! What the resolver holds at a position, and which tariff of it applies.
//!
//! Does not know how it is loaded, nor the records that change it.

use std::sync::Arc;

use super::Resolver;
use crate::assembly::Assembly;
use crate::batch::Position;
use crate::call::TariffSlot;
use crate::directory::Directory;
use crate::entry::{self, Activation, SourceProfile};
use crate::guard::Rules;
use crate::names::Names;
use crate::period::Ledger;
use crate::record::Direction;
use crate::road::Later;
use crate::shard::ToShard;
use crate::tariff::Tariff;
use crate::time::Timestamp;

/// A tariff that was activated, in the order of activation.
#[derive(Clone)]
pub struct KnownTariff {
    /// Its place in that order.
    pub slot: TariffSlot,
    /// From when it applies.
    pub activation: Activation,
    /// The image.
    pub tariff: Arc<Tariff>,
}

/// What the resolver holds at a position: loaded at start, changed by the journal.
pub struct ResolverState {
    /// Accounts seen, by stable number.
    pub accounts: Names,
    /// Billing groups seen, by stable number.
    pub groups: Names,
    /// Listeners' settings by index.
    pub sources: Vec<Option<SourceProfile>>,
    /// Positions of the entries that brought them, by index.
    pub profiles: Vec<Position>,
    /// Tariffs in order of activation.
    pub tariffs: Vec<KnownTariff>,
    /// Directory in force.
    pub directory: Option<Arc<Directory>>,
    /// How many directories were activated so far.
    pub directories: u32,
    /// Positions on which the process died twice: kept as `internal_error`, not resolved.
    pub set_aside: Vec<Position>,
    /// Calls told in parts that are not whole yet.
    pub assembly: Assembly,
    /// Months that are closed.
    pub periods: Ledger,
    /// What accounts are watched by.
    pub guards: Arc<Rules>,
    /// Latest attempt of everything that was ever retried.
    pub attempts: hashbrown::HashMap<(Position, Option<Direction>), Position>,
}

/// Names of accounts and of billing groups, as they come.
pub(super) type Coming = Later<(Names, Names)>;

impl Resolver {
    /// Begins once it has the names of accounts and groups.
    pub fn awaiting(mut self, names: Later<(Names, Names)>) -> Resolver {
        self.coming = Some(names);
        self
    }

    /// Has everything it starts from, and the shards have it; false if it will not come.
    pub(super) fn begun(&mut self) -> bool {
        if let Some(coming) = self.coming.take() {
            let Some((accounts, groups)) = coming.wait() else { return false };
            (self.state.accounts, self.state.groups) = (accounts, groups);
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            self.tell_shards();
        }
        true
    }

    /// What shards know before the first call. There may be more tariffs than a queue has room for, so somebody must be
    /// taking them.
    fn tell_shards(&mut self) {
        for known in &self.state.tariffs {
            self.to_all(|| ToShard::Tariff(known.slot, known.tariff.clone()));
        }
        if let Some(directory) = self.state.directory.clone() {
            self.use_directory(self.state.directories.saturating_sub(1), directory);
        }
        self.use_guards(self.state.guards.clone());
    }
}

/// The tariff by which a call answered then is rated.
pub(super) fn in_force(tariffs: &[KnownTariff], at: Timestamp) -> Option<&KnownTariff> {
    entry::in_force(tariffs, |known| known.activation.effective_from, at).map(|(_, known)| known)
}
