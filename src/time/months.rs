//! The month of an instant in a zone, without civil time for every call.

use super::{Period, Timestamp, Zone};

/// The last month met in each zone, by the zone's place in some list, with its bounds.
#[derive(Debug, Default)]
pub struct Months(Vec<Option<(Timestamp, Timestamp, Period)>>);

impl Months {
    /// The period in which the instant falls. Most calls fall in the month of the call before them.
    pub fn period(&mut self, zone_index: u16, zone: &Zone, at: Timestamp) -> Period {
        let index = usize::from(zone_index);
        if let Some(Some((start, end, period))) = self.0.get(index)
            && *start <= at
            && at < *end
        {
            return *period;
        }
        let period = Period::containing(at, zone);
        let (start, end) = period.bounds(zone);
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        self.0[index] = Some((start, end, period));
        period
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_rfc3339;

    #[test]
    fn agrees_with_civil_time() {
        let zones = [Zone::UTC, Zone::named("Europe/Berlin").unwrap(), Zone::named("America/New_York").unwrap()];
        let mut months = Months::default();
        for text in ["2026-10-31T22:59:59Z", "2026-10-31T23:00:00Z", "2026-11-01T03:59:59Z", "2026-10-01T00:00:00Z"] {
            let at = parse_rfc3339(text.as_bytes()).unwrap();
            for (i, zone) in zones.iter().enumerate() {
                assert_eq!(months.period(i as u16, zone, at), Period::containing(at, zone), "{text} {i}");
            }
        }
    }
}
