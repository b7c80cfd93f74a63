//! Whom record and listener name, and who pays for a call that was made (R4).
//!
//! Does not know who is called.

use super::{PayerBy, Why, World, numbers};
use crate::directory::{AccountRow, OwnerPlace};
use crate::entry::SourceProfile;
use crate::number::Country;
use crate::record::Record;
use crate::time::Timestamp;

/// The accounts and countries that record and listener name.
#[derive(Clone, Copy)]
pub(super) struct Parties<'a> {
    /// The record's account.
    pub named: Option<AccountRow<'a>>,
    /// The listener's account, where the record names none.
    pub node: Option<AccountRow<'a>>,
    /// The listener names an account that does not exist.
    node_missing: bool,
    node_country: Option<Country>,
    /// By whose habits the calling number is read.
    pub source_country: Option<Country>,
}

impl<'a> Parties<'a> {
    /// Nobody is named.
    pub const NOBODY: Parties<'a> =
        Parties { named: None, node: None, node_missing: false, node_country: None, source_country: None };

    pub fn of(
        record: &Record<'_>,
        answer: Timestamp,
        profile: &SourceProfile,
        world: World<'a>,
    ) -> Result<Parties<'a>, Why> {
        let mut parties = Parties::NOBODY;
        parties.fill(record, answer, profile, world)?;
        Ok(parties)
    }

    /// Gives the country by whose habits a calling number is read.
    #[inline]
    pub fn fill(
        &mut self,
        record: &Record<'_>,
        answer: Timestamp,
        profile: &SourceProfile,
        world: World<'a>,
    ) -> Result<Option<Country>, Why> {
        if !record.account.is_empty() {
            let account = world.directory.row_at(record.account, answer).ok_or(Why::NoSuchAccount)?;
            not_ended(&account, answer)?;
            self.named = Some(account);
        } else if !profile.account.is_empty() {
            self.node = world.directory.row_at(profile.account.as_bytes(), answer);
            self.node_missing = self.node.is_none();
        }
        // The listener's country comes before that of its account: it is the dialling plan of the place, and it is
        // what R3 names. Without it, the account's is the best there is.
        let node_country = Country::parse(&profile.country).or(self.node.map(|account| account.country()));
        let source_country = self.named.map(|account| account.country()).or(node_country);
        (self.node_country, self.source_country) = (node_country, source_country);
        Ok(source_country)
    }

    /// Whether neither the record nor the listener names an account.
    #[inline]
    pub fn names_nobody(&self) -> bool {
        self.named.is_none() && self.node.is_none() && !self.node_missing
    }

    /// R4: who pays the outbound leg, if anyone does. `source`: the owner of the calling number, where nobody is named.
    #[inline]
    pub fn payer(
        &self,
        record: &Record<'_>,
        source: Option<OwnerPlace<'a>>,
        answer: Timestamp,
        world: World<'a>,
    ) -> Result<Option<(AccountRow<'a>, PayerBy)>, Why> {
        let found = if let Some(named) = self.named {
            Some((named, PayerBy::Record))
        } else if let Some(forwarder) = self.forwarder(record, answer, world) {
            Some((forwarder, PayerBy::ForwardedBy))
        } else if let Some(node) = self.node {
            Some((node, PayerBy::Node))
        } else if self.node_missing {
            return Err(Why::NoSuchNodeAccount);
        } else {
            let owner = source.and_then(|source| world.directory.owner_row(source, answer));
            owner.map(|owner| (owner, PayerBy::Source))
        };
        if let Some((account, _)) = &found {
            not_ended(account, answer)?;
        }
        Ok(found)
    }

    fn forwarder(&self, record: &Record<'_>, answer: Timestamp, world: World<'a>) -> Option<AccountRow<'a>> {
        if record.forwarded_by.is_empty() {
            return None;
        }
        let number = numbers::presented(record.forwarded_by, self.node_country, world).ok()?;
        world.directory.owner_row_at(number, answer)
    }

    /// R3: the dialling plan of the destination.
    pub fn country(&self, payer: Option<AccountRow<'_>>) -> Option<Country> {
        payer.or(self.named).map(|account| account.country()).or(self.node_country)
    }

    pub fn nobody(&self) -> Why {
        if self.node_missing { Why::NoSuchNodeAccount } else { Why::NobodyPays }
    }
}

/// R5: after `billing_end` an account pays for nothing. Ends are exclusive.
pub(super) fn not_ended(account: &AccountRow<'_>, answer: Timestamp) -> Result<(), Why> {
    if account.has_ended(answer) { Err(Why::AccountEnded) } else { Ok(()) }
}
