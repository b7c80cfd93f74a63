//! Which tariff applies to calls answered when, for whoever asks: a quote, a look at what is in force. What is rated goes by the
//! journal's entries, in the same way.
//!
//! Does not know where activations come from.

use std::sync::{Arc, PoisonError, RwLock};

use super::reload::Reloader;
use crate::entry;
use crate::tariff::Tariff;
use crate::time::Timestamp;

/// Tariffs in the order in which they were activated: from when on they apply (none: since ever), and their digests.
#[derive(Debug, Default)]
pub struct Schedule(RwLock<Vec<(Option<i64>, String)>>);

impl Schedule {
    /// Adds the latest activation.
    pub fn activated(&self, from: Option<i64>, digest: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push((from, digest.to_owned()));
    }

    /// The one that applies to a call answered then.
    pub fn digest_at(&self, answer: Timestamp) -> Option<String> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        entry::in_force(&known, |(from, _)| *from, answer).map(|(_, (_, digest))| digest.clone())
    }
}

impl Reloader {
    /// The tariff by which a call answered then is rated, as far as is known now: the one activated last may apply later.
    pub fn tariff_at(&self, answer: Timestamp) -> Option<Arc<Tariff>> {
        let latest = self.in_force()?.tariff.clone();
        match self.schedule.digest_at(answer) {
            Some(digest) if digest != latest.digest() => self.images.tariff(&digest).ok(),
            _ => Some(latest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_that_applies_and_the_first_for_ever() {
        let schedule = Schedule::default();
        assert_eq!(schedule.digest_at(Timestamp(5)), None);
        for (from, digest) in
            [(None, "first"), (Some(100), "second"), (Some(200), "planned"), (Some(50), "in the past")]
        {
            schedule.activated(from, digest);
        }
        // What was activated last for an earlier time goes before all that was said before of that time and later.
        for (answer, expected) in
            [(0, "first"), (49, "first"), (50, "in the past"), (150, "in the past"), (250, "in the past")]
        {
            assert_eq!(schedule.digest_at(Timestamp(answer)).as_deref(), Some(expected), "{answer}");
        }
        schedule.activated(Some(300), "planned again");
        assert_eq!(schedule.digest_at(Timestamp(299)).as_deref(), Some("in the past"));
        assert_eq!(schedule.digest_at(Timestamp(300)).as_deref(), Some("planned again"));
        let later = Schedule::default();
        later.activated(Some(100), "only");
        assert_eq!(later.digest_at(Timestamp(0)).as_deref(), Some("only"));
    }
}
