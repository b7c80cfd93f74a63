//! What the resolver answers: its part of a flush, and questions.

use tokio::sync::mpsc;

use super::{Resolver, ResolverError, shard_of};
use crate::call::{AccountKey, GroupKey};
use crate::flush::Part;
use crate::guard::Standing;
use crate::identity::IdentityError;
use crate::road::{Marker, Question};
use crate::shard::ToShard;
use crate::time::{Period, Timestamp, Zone};

impl Resolver {
    pub(super) fn marker(&mut self, marker: Marker) -> Result<(), ResolverError> {
        // Identities up to the marker are made durable before the store may say that it has this position. Where the disk
        // has no room for them they stay in memory and the journal keeps the records; the next marker tries again.
        match self.index.sync(marker.upto) {
            Ok(()) => self.covered = self.covered.max(marker.upto),
            Err(error @ IdentityError::NoSpace { .. }) => {
                tracing::warn!("{error}: the journal keeps the records from position {} on meanwhile", self.covered);
            }
            Err(error) => return Err(error.into()),
        }
        let (mut gathered, share) = self.tally.take(&self.state.sources);
        gathered.covered = self.covered;
        gathered.open_calls = self.state.assembly.changes();
        self.metrics.identity(self.index.len(), self.index.memory_bytes());
        self.metrics.open_calls(self.state.assembly.len());
        let (number, upto) = (marker.number, marker.upto);
        let _ = self.flush.send(Part::Resolver(marker, Box::new(gathered), share));
        self.to_all(|| ToShard::Marker { number, upto });
        Ok(())
    }

    pub(super) fn question(&mut self, question: Question) {
        match question {
            Question::Usage { account, period, reply } => {
                let directory = self.state.directory.as_ref();
                let at = latest_instant(period);
                let group = directory.and_then(|d| d.account_at(account.as_bytes(), at).map(|a| a.group().to_owned()));
                let known = self.state.accounts.find(&account);
                if known.is_none() && group.is_none() {
                    let _ = reply.send(None);
                    return;
                }
                let group = self.state.groups.find(group.as_deref().unwrap_or(&account)).map(GroupKey);
                // An account that changed its group has lines in more than one shard; each adds its own. One without a call yet
                // has no number, and draws what its group has left.
                let account = AccountKey(known.unwrap_or(u32::MAX));
                self.to_all(|| ToShard::Usage { account, group, period, reply: reply.clone() });
            }
            Question::Standings { account, at, reply } => self.standings(&account, at, reply),
            Question::Find { identities, reply } => {
                let found = identities.into_iter().map(|i| self.index.find(i).ok().flatten()).collect();
                let _ = reply.send(found);
            }
            Question::OpenCalls { reply } => {
                let _ = reply.send(self.state.assembly.len());
            }
            Question::Became { source, reply } => {
                let _ = reply.send(self.became.of(source));
            }
        }
    }
}

impl Resolver {
    /// The shard of the account's group answers: it is where the account's calls are judged.
    fn standings(&self, account: &str, at: Timestamp, reply: mpsc::UnboundedSender<Vec<Standing>>) {
        let directory = self.state.directory.as_ref();
        let group = directory.and_then(|d| d.account_at(account.as_bytes(), at).map(|a| a.group().to_owned()));
        // An account without a call yet has no number; its rules are known to any shard.
        let key = AccountKey(self.state.accounts.find(account).unwrap_or(u32::MAX));
        let group = GroupKey(group.and_then(|group| self.state.groups.find(&group)).unwrap_or(u32::MAX));
        let Some(shard) = self.shards.get(shard_of(group, self.shards.len())) else { return };
        let _ = shard.send(ToShard::Standings { key: (key, group), name: account.into(), at, reply });
    }
}

/// An instant by which a question about a month is answered: the month's end in UTC, near enough to find the group.
fn latest_instant(period: Period) -> Timestamp {
    period.bounds(&Zone::UTC).1
}
