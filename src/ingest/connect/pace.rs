//! How long to wait before a node is called again.
//!
//! Does not know why it must be called again, nor what time it is.

use std::time::Duration;

/// Times of a source; a test has shorter ones.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Before the first try anew; doubled up to `most`.
    pub first: Duration,
    /// The longest wait: a node that was repaired is found within a minute.
    pub most: Duration,
    /// Before a refused login is tried anew, doubled up to `refused_most`: somebody must mend it, and tools that count
    /// failures lock out whoever knocks too often.
    pub refused_first: Duration,
    /// The longest wait behind a refused login.
    pub refused_most: Duration,
    /// A connection that held for this long is not taken for one that always breaks.
    pub steady: Duration,
    /// The longest time in which a connection must be made, and in which a login must be answered.
    pub answer: Duration,
    /// Time between two looks at a connection: a word to the node where the protocol has one, and a note of how far we are.
    pub look: Duration,
    /// A node that says nothing for so long, asked several times, is gone.
    pub silence: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        let seconds = Duration::from_secs;
        Pace {
            first: seconds(1),
            most: seconds(60),
            refused_first: seconds(60),
            refused_most: seconds(600),
            steady: seconds(60),
            answer: seconds(10),
            look: seconds(30),
            silence: seconds(95),
        }
    }
}

/// Waits that grow.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
    refusals: u32,
}

impl Backoff {
    /// Forgets what failed before.
    pub fn reset(&mut self) {
        *self = Backoff::default();
    }

    /// The wait behind one more failure; a refusal if the login was refused. `random` spreads it over its second half,
    /// so that sources which lost a network together do not come back together.
    pub fn next(&mut self, pace: &Pace, refused: bool, random: u64) -> Duration {
        let (count, first, most) = match refused {
            true => (&mut self.refusals, pace.refused_first, pace.refused_most),
            false => (&mut self.failures, pace.first, pace.most),
        };
        let whole = first.saturating_mul(1 << (*count).min(20)).min(most);
        *count = count.saturating_add(1);
        let half = whole / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
        half + Duration::from_micros(random % spread.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit() {
        let (pace, mut backoff) = (Pace::default(), Backoff::default());
        let waits = |backoff: &mut Backoff, refused, random| -> Vec<u64> {
            (0..9).map(|_| backoff.next(&pace, refused, random).as_millis() as u64).collect()
        };
        assert_eq!(waits(&mut backoff, false, 0), [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(
            waits(&mut backoff, true, 0),
            [30_000, 60_000, 120_000, 240_000, 300_000, 300_000, 300_000, 300_000, 300_000]
        );
        backoff.reset();
        assert_eq!(waits(&mut backoff, false, 500_000)[0], 1000);
        for random in [0, 1, u64::MAX] {
            let wait = backoff.next(&pace, false, random);
            assert!(wait >= pace.most / 2 && wait <= pace.most, "{wait:?}");
        }
    }
}
