//! Every latency, kept and sorted: exact percentiles at four bytes a sample.
//!
//! Does not know what was measured.

use std::time::Duration;

/// Samples in microseconds; beyond an hour all are an hour.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    samples: Vec<u32>,
    sorted: bool,
}

impl Histogram {
    /// Adds one.
    pub fn record(&mut self, sample: Duration) {
        self.samples.push(u32::try_from(sample.as_micros()).unwrap_or(u32::MAX).min(3_600_000_000));
        self.sorted = false;
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Histogram) {
        self.samples.extend_from_slice(&other.samples);
        self.sorted = false;
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.samples.len()
    }

    /// The smallest sample that at least this share of all does not exceed; none without samples. 1.0: the greatest.
    pub fn percentile(&mut self, share: f64) -> Option<Duration> {
        if !self.sorted {
            self.samples.sort_unstable();
            self.sorted = true;
        }
        let rank = (share * self.samples.len() as f64).ceil().max(1.0) as usize;
        self.samples
            .get(rank.min(self.samples.len()) - usize::from(!self.samples.is_empty()))
            .map(|us| Duration::from_micros(u64::from(*us)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(0.5), None);
        for i in (1..=1000).rev() {
            histogram.record(Duration::from_micros(i));
        }
        for (share, expected) in [(0.0, 1), (0.5, 500), (0.99, 990), (0.999, 999), (0.9991, 1000), (1.0, 1000)] {
            assert_eq!(histogram.percentile(share), Some(Duration::from_micros(expected)), "{share}");
        }
        let mut more = Histogram::default();
        more.record(Duration::from_secs(9999));
        histogram.merge(&more);
        assert_eq!((histogram.percentile(1.0), histogram.count()), (Some(Duration::from_secs(3600)), 1001));
    }
}
