//! What is held for an account: where it has called, and the windows of the rules that watch it.
//!
//! Does not know which rules these are.

use serde::{Deserialize, Serialize};

use super::rules::{Per, Rule, What, bit};
use super::windows::{Calendar, Windows};
use crate::call::RatedCall;
use crate::directory::Account;
use crate::number::Country;
use crate::record::Direction;
use crate::time::Timestamp;

/// What is held for an account.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AccountState {
    /// Answer of its first call.
    pub(super) since: Option<Timestamp>,
    /// Countries it has called, in order.
    countries: Vec<[u8; 3]>,
    /// Call types it has made: bit n for the one with discriminant n.
    call_types: u16,
    /// By rule, as a hash of its name.
    pub(super) sums: Vec<(u64, Windows)>,
    /// Changed since the last marker.
    #[serde(skip)]
    pub(super) touched: bool,
}

impl AccountState {
    /// From the bytes of [`Judge::changes`].
    pub fn read(bytes: &[u8]) -> Option<AccountState> {
        postcard::from_bytes(bytes).ok()
    }

    /// The windows of a rule, mostly at its own place.
    pub(super) fn windows(&mut self, nth: usize, key: u64, per: Per) -> &mut Windows {
        let at = match self.sums.get(nth) {
            Some(held) if held.0 == key => Some(nth),
            _ => self.sums.iter().position(|held| held.0 == key),
        };
        let fresh = || match per {
            Per::Last(_) => Windows::Rolling(Box::default()),
            _ => Windows::Calendar(Calendar::default()),
        };
        let at = at.unwrap_or_else(|| {
            self.sums.push((key, fresh()));
            self.sums.len() - 1
        });
        let held = &mut self.sums[at].1;
        // A rule of the same name that now adds up in another way begins anew.
        if matches!(held, Windows::Rolling(_)) != matches!(per, Per::Last(_)) {
            *held = fresh();
        }
        held
    }

    /// What is new about a call, once it is known what is not.
    pub(super) fn first(
        &self,
        rule: &Rule,
        call: &RatedCall,
        account: &Account<'_>,
        country: Option<Country>,
    ) -> Option<String> {
        let since = self.since?;
        if call.answer.0.saturating_sub(since.0) < rule.learn.0 {
            return None;
        }
        match rule.what {
            What::NewCountry => country
                .filter(|country| *country != account.country && self.countries.binary_search(&country.0).is_err())
                .map(|country| country.as_str().to_owned()),
            _ => (self.call_types & bit(call.call_type) == 0).then(|| call.call_type.name().to_owned()),
        }
    }

    /// Remembers where an account calls. What its users make of it counts, not who calls them.
    pub(super) fn learn(&mut self, call: &RatedCall, country: Option<Country>) {
        if call.key.leg != Direction::Outbound {
            return;
        }
        self.since = Some(self.since.map_or(call.answer, |since| since.min(call.answer)));
        self.call_types |= bit(call.call_type);
        if let Some(country) = country
            && let Err(at) = self.countries.binary_search(&country.0)
        {
            self.countries.insert(at, country.0);
        }
    }
}
