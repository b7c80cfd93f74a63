//! What the resolver answers: its part of a flush, and questions.

use super::{Resolver, ResolverError};
use crate::call::{AccountKey, GroupKey};
use crate::flush::Part;
use crate::road::{Marker, Question};
use crate::shard::ToShard;
use crate::time::{Period, Timestamp, Zone};

impl Resolver {
    pub(super) fn marker(&mut self, marker: Marker) -> Result<(), ResolverError> {
        // Identities up to the marker are durable before the store may say that it has this position.
        self.index.sync(marker.upto)?;
        let (mut gathered, share) = self.tally.take(&self.state.sources);
        gathered.open_calls = self.state.assembly.changes();
        self.metrics.identity(self.index.len());
        self.metrics.open_calls(self.state.assembly.len());
        let (number, upto) = (marker.number, marker.upto);
        let _ = self.flush.send(Part::Resolver(marker, Box::new(gathered), share));
        self.to_all(|| ToShard::Marker { number, upto });
        Ok(())
    }

    pub(super) fn question(&mut self, question: Question) {
        match question {
            Question::Usage { account, period, reply } => {
                let Some(key) = self.state.accounts.find(&account) else {
                    return;
                };
                let directory = self.state.directory.as_ref();
                let at = latest_instant(period);
                let group = directory.and_then(|d| d.account_at(account.as_bytes(), at).map(|a| a.group().to_owned()));
                let group = self.state.groups.find(group.as_deref().unwrap_or(&account)).map(GroupKey);
                // An account that changed its group has lines in more than one shard; each adds its own.
                let account = AccountKey(key);
                self.to_all(|| ToShard::Usage { account, group, period, reply: reply.clone() });
            }
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

/// An instant by which a question about a month is answered: the month's end in UTC, near enough to find the group.
fn latest_instant(period: Period) -> Timestamp {
    period.bounds(&Zone::UTC).1
}
