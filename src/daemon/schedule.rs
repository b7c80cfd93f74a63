//! Which tariff applies to calls answered when, for whoever asks: a quote, a look at what is in force; and which one, planned for
//! later, never will, since another was activated after it. What is rated goes by the journal's entries, in the same way.
//!
//! Does not know where activations come from.

use std::sync::{Arc, PoisonError, RwLock};

use super::reload::Reloader;
use crate::entry::{self, Activation};
use crate::store::ActivationRow;
use crate::tariff::Tariff;
use crate::time::Timestamp;

/// Tariffs in the order in which they were activated: from when on they apply (none: since ever), and their digests.
#[derive(Debug, Default)]
pub struct Schedule(RwLock<Vec<(Option<i64>, String)>>);

/// A tariff that was planned, and by which no call will be rated after all: what was activated behind it goes before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Overtaken {
    /// Its digest.
    pub digest: String,
    /// For calls answered from then on it had been planned.
    pub planned_for: Timestamp,
    /// Digest of the one that applies then.
    pub by: String,
}

impl std::fmt::Display for Overtaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Overtaken { digest, planned_for, by } = self;
        let (digest, by) = (digest.get(..12).unwrap_or(digest), by.get(..12).unwrap_or(by));
        write!(
            f,
            "tariff {digest}, planned for calls answered from {planned_for} on, will not apply: {by} was activated after it. \
             Plan it again: `callrated tariff activate {digest} --from {planned_for}`"
        )
    }
}

/// What became of an activation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It rates calls that are answered now.
    InForce,
    /// Its time has not come.
    Planned,
    /// Another has taken its place; calls answered before may still be rated by it.
    Earlier,
    /// It was planned, and before its time came the one in that place was activated, which goes before it.
    Overtaken(usize),
}

/// What became of each of the activations there ever were, oldest first.
pub fn standings(activated: &[ActivationRow], now: Timestamp) -> Vec<Standing> {
    let from = |row: &ActivationRow| row.effective_from.map(|from| from.0);
    let in_force = entry::in_force(activated, from, now).map(|(place, _)| place);
    let of = |(place, row): (usize, &ActivationRow)| {
        let before = |later: &ActivationRow| {
            let in_time = row.effective_from.is_some_and(|planned| later.activated_at < planned);
            in_time && later.effective_from <= row.effective_from
        };
        let overtaken = activated.iter().enumerate().skip(place + 1).find(|(_, later)| before(later));
        match overtaken {
            _ if in_force == Some(place) => Standing::InForce,
            Some((by, later)) if later.digest != row.digest => Standing::Overtaken(by),
            None if row.effective_from.is_some_and(|from| from > now) => Standing::Planned,
            _ => Standing::Earlier,
        }
    };
    activated.iter().enumerate().map(of).collect()
}

impl Schedule {
    /// Adds the latest activation; gives the tariffs planned for a time that had not come, and that will not apply then.
    pub fn activated(&self, latest: &Activation) -> Vec<Overtaken> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let planned = |(place, (from, digest)): (usize, &(Option<i64>, String))| {
            let planned_for =
                Timestamp((*from).filter(|from| *from > latest.activated_at && latest.applies(Timestamp(*from)))?);
            let would_apply =
                entry::in_force(&known, |(from, _)| *from, planned_for).is_some_and(|(at, _)| at == place);
            let overtaken = would_apply && *digest != latest.digest;
            overtaken.then(|| Overtaken { digest: digest.clone(), planned_for, by: latest.digest.clone() })
        };
        let overtaken = known.iter().enumerate().filter_map(planned).collect();
        known.push((latest.effective_from, latest.digest.clone()));
        overtaken
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
        let activated = |schedule: &Schedule, from, digest| schedule.activated(&activation(from, 0, digest));
        assert_eq!(schedule.digest_at(Timestamp(5)), None);
        for (from, digest) in
            [(None, "first"), (Some(100), "second"), (Some(200), "planned"), (Some(50), "in the past")]
        {
            activated(&schedule, from, digest);
        }
        // What was activated last for an earlier time goes before all that was said before of that time and later.
        for (answer, expected) in
            [(0, "first"), (49, "first"), (50, "in the past"), (150, "in the past"), (250, "in the past")]
        {
            assert_eq!(schedule.digest_at(Timestamp(answer)).as_deref(), Some(expected), "{answer}");
        }
        activated(&schedule, Some(300), "planned again");
        assert_eq!(schedule.digest_at(Timestamp(299)).as_deref(), Some("in the past"));
        assert_eq!(schedule.digest_at(Timestamp(300)).as_deref(), Some("planned again"));
        let later = Schedule::default();
        activated(&later, Some(100), "only");
        assert_eq!(later.digest_at(Timestamp(0)).as_deref(), Some("only"));
    }

    fn activation(effective_from: Option<i64>, activated_at: i64, digest: &str) -> Activation {
        Activation { digest: digest.to_owned(), effective_from, activated_at, by: String::new() }
    }

    /// Each row: when it was activated, for calls answered from when on, its name, what it overtakes; at last how each stands.
    #[test]
    fn what_was_planned_and_will_not_apply() {
        type Row = (i64, Option<i64>, &'static str, &'static [&'static str]);
        let table: [(&[Row], i64, &str); 7] = [
            // A change of today goes before what was planned for later, once.
            (
                &[
                    (0, None, "first", &[]),
                    (10, Some(100), "planned", &[]),
                    (20, Some(20), "today", &["planned 100"]),
                    (30, Some(30), "again", &[]),
                ],
                50,
                "Earlier, Overtaken(2), Earlier, InForce",
            ),
            // What begins later leaves it its time.
            (
                &[(0, None, "first", &[]), (10, Some(100), "planned", &[]), (20, Some(200), "later", &[])],
                50,
                "InForce, Planned, Planned",
            ),
            // At the same time: the latest word counts.
            (
                &[
                    (0, None, "first", &[]),
                    (10, Some(100), "planned", &[]),
                    (20, Some(100), "mended", &["planned 100"]),
                ],
                50,
                "InForce, Overtaken(2), Planned",
            ),
            // Its time had come before: it was in force, and rates the calls of then.
            (
                &[(0, None, "first", &[]), (10, Some(100), "planned", &[]), (120, Some(120), "next", &[])],
                150,
                "Earlier, Earlier, InForce",
            ),
            // Several, of which one had been overtaken already.
            (
                &[
                    (0, None, "first", &[]),
                    (10, Some(100), "a", &[]),
                    (11, Some(90), "b", &["a 100"]),
                    (12, Some(300), "c", &[]),
                    (13, Some(13), "d", &["b 90", "c 300"]),
                ],
                50,
                "Earlier, Overtaken(2), Overtaken(4), Overtaken(4), InForce",
            ),
            // The same prices sooner take nothing away.
            (
                &[(0, None, "first", &[]), (10, Some(100), "planned", &[]), (20, Some(20), "planned", &[])],
                50,
                "Earlier, Earlier, InForce",
            ),
            // The first reaches back for ever, whenever it was to begin.
            (&[(0, Some(100), "first", &[])], 50, "InForce"),
        ];
        for (rows, now, expected) in table {
            let (schedule, mut stored) = (Schedule::default(), Vec::new());
            for (at, from, digest, overtakes) in rows {
                let told = schedule.activated(&activation(*from, *at, digest));
                let told: Vec<String> =
                    told.iter().map(|one| format!("{} {}", one.digest, one.planned_for.0)).collect();
                assert_eq!(told, *overtakes, "{digest}");
                stored.push(ActivationRow {
                    slot: stored.len() as u32,
                    position: crate::batch::Position(0),
                    digest: (*digest).to_owned(),
                    effective_from: from.map(Timestamp),
                    activated_at: Timestamp(*at),
                    by: String::new(),
                });
            }
            let shown: Vec<String> =
                standings(&stored, Timestamp(now)).iter().map(|standing| format!("{standing:?}")).collect();
            assert_eq!(shown.join(", "), expected, "{rows:?}");
        }
    }
}
