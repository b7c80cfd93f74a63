//! Which legs a run is about.

use std::collections::HashSet;

use crate::batch::Position;
use crate::call::{AccountKey, CallType, GroupKey, RatedCall, TariffSlot};
use crate::entry::RerateScope;
use crate::number::Number;
use crate::period::SealError;
use crate::store::{StoredCall, StoredState};
use crate::time::{Period, Timestamp};

/// A scope by this folder's numbers.
pub struct Scope {
    pub first: Period,
    pub last: Period,
    accounts: Option<HashSet<AccountKey>>,
    groups: Option<HashSet<GroupKey>>,
    prefixes: Vec<Number>,
    destinations: Vec<String>,
    call_types: Vec<CallType>,
    tariffs: Vec<String>,
    nodes: Vec<Vec<u8>>,
    /// The tariff by which they are rated.
    pub named: Option<TariffSlot>,
    from: Option<Timestamp>,
}

impl Scope {
    /// As asked, by what is known before a position.
    pub fn of(asked: &RerateScope, state: &StoredState, at: Position) -> Result<Scope, SealError> {
        let refused = |text: String| SealError::Refused(text);
        let known = state.tariffs.iter().filter(|row| row.position < at);
        let named = match &asked.by_tariff {
            None => None,
            Some(digest) => {
                let row = known.clone().rfind(|row| row.digest == *digest);
                let row = row.ok_or_else(|| refused(format!("the tariff {digest} was never in force")))?;
                Some(TariffSlot(row.slot as u16))
            }
        };
        let some = |names: &[String]| (!names.is_empty()).then(|| names.iter().cloned().collect::<HashSet<String>>());
        let accounts = some(&asked.accounts)
            .map(|names| state.accounts.iter().filter(|a| names.contains(&a.name)).map(|a| a.key).collect());
        let groups = some(&asked.groups)
            .map(|names| state.groups.iter().filter(|g| names.contains(&g.name)).map(|g| g.key).collect());
        let mut prefixes = Vec::with_capacity(asked.prefixes.len());
        for text in &asked.prefixes {
            let digits = text.trim_start_matches('+');
            let number = Number::from_digits(digits.as_bytes());
            prefixes.push(number.ok_or_else(|| refused(format!("prefix {text:?}: write digits, such as 4420")))?);
        }
        let mut call_types = Vec::with_capacity(asked.call_types.len());
        for name in &asked.call_types {
            call_types.push(CallType::named(name).ok_or_else(|| refused(format!("call type {name:?} is not known")))?);
        }
        if asked.last < asked.first {
            return Err(refused("the last month is before the first".to_owned()));
        }
        Ok(Scope {
            first: Period(asked.first),
            last: Period(asked.last),
            accounts,
            groups,
            prefixes,
            destinations: asked.destinations.clone(),
            call_types,
            tariffs: asked.tariffs.clone(),
            nodes: asked.nodes.iter().map(|node| node.as_bytes().to_vec()).collect(),
            named,
            from: asked.from.map(Timestamp),
        })
    }

    /// Whether a month is one of the run's.
    pub fn has(&self, month: Period) -> bool {
        self.first <= month && month <= self.last
    }

    /// Whether a stored leg of the run's months is rated again.
    pub fn holds(&self, stored: &StoredCall<'_>) -> bool {
        let any = |list: &[String], text: &str| list.is_empty() || list.iter().any(|one| one == text);
        self.fits(&stored.call)
            && any(&self.destinations, &stored.text.destination)
            && any(&self.tariffs, &stored.text.tariff)
            && self.node(stored.node)
    }

    /// Whether a leg that waits is: what it would come to, and its node.
    pub fn would_hold(&self, call: &RatedCall, node: &[u8]) -> bool {
        // It was priced by nothing so far.
        self.destinations.is_empty() && self.tariffs.is_empty() && self.fits(call) && self.node(node)
    }

    fn node(&self, node: &[u8]) -> bool {
        self.nodes.is_empty() || self.nodes.iter().any(|one| one == node)
    }

    fn fits(&self, call: &RatedCall) -> bool {
        let number = |number: Number| self.prefixes.iter().any(|prefix| number.starts_with(*prefix));
        self.from.is_none_or(|from| call.answer >= from)
            && self.accounts.as_ref().is_none_or(|keys| keys.contains(&call.account))
            && self.groups.as_ref().is_none_or(|keys| keys.contains(&call.group))
            && (self.call_types.is_empty() || self.call_types.contains(&call.call_type))
            && (self.prefixes.is_empty() || call.destination.is_some_and(number))
    }
}
