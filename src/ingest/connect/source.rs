//! How it stands with a node that we call: connected or not, and what may have been missed. Kept over a restart.
//!
//! Does not know how a connection is made.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

use crate::time::{MICROS_PER_SECOND, Timestamp};

/// Says what the metrics of this part mean; once, after the recorder is installed.
pub fn describe() {
    describe_gauge!("callrated_source_connected", "1 while we are connected to a node that we call, else 0");
    describe_counter!(
        "callrated_source_gap_seconds_total",
        "Seconds in which a node that we call was not connected: what it reported then is not here"
    );
}

/// A node that we call, as others see it.
#[derive(Debug)]
pub struct Source {
    /// Its name in metrics and logs, `connect:pbx:5038`.
    pub name: String,
    standing: Mutex<Standing>,
    connected: Gauge,
    gap_seconds: Counter,
    /// Where it is kept until when all was heard.
    book: PathBuf,
}

/// How it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Whether events come.
    pub connected: bool,
    /// Since when it has been so.
    pub since: Timestamp,
    /// What is in the way.
    pub trouble: Option<String>,
    /// From when on something may be missing; none: nothing is, as far as we have listened.
    pub missed_since: Option<Timestamp>,
    /// The last time in which something may have been missed.
    pub last_gap: Option<(Timestamp, Timestamp)>,
    /// Seconds of gaps since the start of the process.
    pub gap_seconds: u64,
    /// Up to here gaps are counted.
    counted: Timestamp,
}

/// What was kept.
#[derive(serde::Serialize, serde::Deserialize)]
struct Book {
    /// For people.
    source: String,
    /// Microseconds since 1970.
    heard_until: i64,
}

impl Source {
    /// A source that is not connected yet, and what the last run of the daemon noted in that folder.
    pub fn new(name: &str, data_dir: &Path, now: Timestamp) -> Source {
        let digest = blake3::hash(name.as_bytes()).to_hex();
        let book = data_dir.join("connected").join(format!("{}.json", digest.get(..16).unwrap_or_default()));
        let noted = fs::read(&book).ok().and_then(|text| serde_json::from_slice::<Book>(&text).ok());
        // A clock that was set back since makes no gap.
        let missed_since = noted.map(|noted| Timestamp(noted.heard_until.min(now.0)));
        let connected = gauge!("callrated_source_connected", "listener" => name.to_owned());
        connected.set(0.0);
        let gap_seconds = counter!("callrated_source_gap_seconds_total", "listener" => name.to_owned());
        let standing = Standing {
            connected: false,
            since: now,
            trouble: None,
            missed_since,
            last_gap: None,
            gap_seconds: 0,
            counted: missed_since.unwrap_or(now),
        };
        Source { name: name.to_owned(), standing: Mutex::new(standing), connected, gap_seconds, book }
    }

    /// How it stands now.
    pub fn standing(&self) -> Standing {
        self.lock().clone()
    }

    /// Events come from now on. Gives the time since which some may be missing.
    pub fn opened(&self, now: Timestamp) -> Option<Timestamp> {
        self.waits(now);
        self.connected.set(1.0);
        let mut standing = self.lock();
        let missed = standing.missed_since.take();
        standing.last_gap = missed.map(|from| (from, now)).or(standing.last_gap);
        (standing.connected, standing.since, standing.trouble) = (true, now, None);
        missed
    }

    /// The connection is gone; all was heard until then.
    pub fn lost(&self, now: Timestamp, heard_until: Timestamp) {
        self.connected.set(0.0);
        let mut standing = self.lock();
        if standing.connected {
            (standing.connected, standing.since) = (false, now);
            (standing.missed_since, standing.counted) = (Some(heard_until), heard_until);
        }
        drop(standing);
        self.waits(now);
    }

    /// Something is in the way; true: that is new.
    pub fn troubled(&self, why: &str) -> bool {
        let mut standing = self.lock();
        let new = standing.trouble.as_deref() != Some(why);
        standing.trouble = Some(why.to_owned());
        new
    }

    /// Counts the seconds of a gap that goes on.
    pub fn waits(&self, now: Timestamp) {
        let mut standing = self.lock();
        if standing.connected || standing.missed_since.is_none() {
            return;
        }
        let seconds = now.0.saturating_sub(standing.counted.0).max(0) / MICROS_PER_SECOND;
        standing.counted = Timestamp(standing.counted.0 + seconds * MICROS_PER_SECOND);
        standing.gap_seconds += seconds.unsigned_abs();
        self.gap_seconds.increment(seconds.unsigned_abs());
    }

    /// Keeps until when all was heard and is safe; what cannot be kept makes only the next gap look longer.
    pub fn note(&self, heard_until: Timestamp) {
        let book = Book { source: self.name.clone(), heard_until: heard_until.0 };
        let aside = self.book.with_extension("new");
        let folder = self.book.parent().unwrap_or(Path::new(""));
        let written = fs::create_dir_all(folder)
            .and_then(|()| fs::write(&aside, serde_json::to_vec(&book).unwrap_or_default()))
            .and_then(|()| fs::rename(&aside, &self.book));
        if let Err(error) = written {
            tracing::warn!(listener = self.name, %error, "until when all was heard cannot be kept");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: fn(i64) -> Timestamp = |seconds| Timestamp(seconds * MICROS_PER_SECOND);

    #[test]
    fn gaps_are_told_and_outlive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let source = |now| Source::new("connect:pbx:5038", folder.path(), T(now));
        let one = source(100);
        // Nobody has listened before: nothing is missed.
        assert_eq!((one.opened(T(101)), one.standing().last_gap), (None, None));
        one.note(T(150));
        one.lost(T(160), T(155));
        assert!(one.troubled("away") && !one.troubled("away") && one.troubled("refused"));
        one.waits(T(170));
        assert_eq!((one.standing().gap_seconds, one.standing().missed_since), (15, Some(T(155))));
        // A failed try after it is no second loss.
        one.lost(T(171), T(171));
        assert_eq!(one.opened(T(200)), Some(T(155)));
        let standing = one.standing();
        assert_eq!((standing.last_gap, standing.gap_seconds), (Some((T(155), T(200))), 45));
        assert_eq!((standing.connected, standing.trouble), (true, None));
        // Killed: what was noted last is what is known.
        let two = source(300);
        assert_eq!((two.opened(T(301)), two.standing().gap_seconds), (Some(T(150)), 151));
        // The clock was set back meanwhile.
        assert_eq!(source(120).opened(T(121)), Some(T(120)));
    }
}
