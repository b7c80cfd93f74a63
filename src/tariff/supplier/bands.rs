//! Hours as suppliers sell them: `Peak`, `Off peak`, `Weekend`. When those are, a deck seldom says; the mapping does.
//!
//! ```toml
//! [bands]
//! peak = "mon-fri 8-18"
//! weekend = "sat;sun"          # or ["sat 14-24", "sun;holiday"]
//! ```
//!
//! Off-peak is what neither of them holds, unless it is named too. Holidays count only where a band names them, since a
//! deck of ours without a list of holidays knows none.
//!
//! Does not know rows or prices.

use serde::{Deserialize, Serialize};

use super::header::Role;
use super::mapping::Mapping;
use crate::tariff::bands::{Band, WORDS};

type Bad = (String, String);

/// Kinds of day that a week has; holidays stand behind them.
const WEEKDAYS: u8 = 7;

/// Days, hours or both: `mon-fri 8-18`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BandText {
    /// One stretch of days and hours.
    One(String),
    /// Several that belong together.
    Many(Vec<String>),
}

impl BandText {
    fn texts(&self) -> &[String] {
        match self {
            BandText::One(text) => std::slice::from_ref(text),
            BandText::Many(texts) => texts,
        }
    }
}

/// Names of bands in a mapping, and the columns that hold their prices.
pub const NAMES: [(&str, Role); 3] = [("peak", Role::Peak), ("off_peak", Role::OffPeak), ("weekend", Role::Weekend)];

/// When each is, as far as it is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Named(Vec<(Role, Vec<Band>)>);

impl Named {
    /// What the mapping says; `weekend` tells whether the deck prices weekends apart.
    pub fn read(mapping: &Mapping, weekend: bool) -> Result<Named, Bad> {
        let mut named = Named::default();
        for (name, text) in &mapping.bands {
            let Some((_, role)) = NAMES.iter().find(|(known, _)| known == name) else {
                let hint = "there are peak, off_peak and weekend".to_owned();
                return Err((format!("the mapping names a band {name:?}"), hint));
            };
            let bands = text
                .texts()
                .iter()
                .map(|text| band(text).map_err(|(why, hint)| (format!("bands.{name}: {why}"), hint)));
            named.0.push((*role, bands.collect::<Result<_, Bad>>()?));
        }
        let known = |role| named.of(role).is_some();
        // What is neither is told only once both are.
        if !known(Role::OffPeak) && known(Role::Peak) && (known(Role::Weekend) || !weekend) {
            let rest = rest(named.0.iter().flat_map(|(_, bands)| bands));
            named.0.push((Role::OffPeak, rest));
        }
        Ok(named)
    }

    /// When a band is.
    pub fn of(&self, role: Role) -> Option<&[Band]> {
        self.0.iter().find(|(known, _)| *known == role).map(|(_, bands)| bands.as_slice())
    }

    /// A cell that names a band: none where the row holds at all times.
    pub fn cell(&self, cell: &str) -> Result<Option<&[Band]>, Bad> {
        let key: String = cell.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let role = match key.as_str() {
            "flat" | "all" | "any" | "anytime" | "always" | "allday" | "24x7" | "247" | "24h" | "standard" => {
                return Ok(None);
            }
            "peak" | "day" | "daytime" => Role::Peak,
            "offpeak" | "evening" | "night" => Role::OffPeak,
            "weekend" | "weekends" => Role::Weekend,
            _ => return Err((format!("{cell:?} is no band"), "peak, off-peak, weekend and flat are known".to_owned())),
        };
        self.of(role).map(Some).ok_or_else(|| unknown(role))
    }
}

/// Nobody said when a band is.
pub fn unknown(role: Role) -> Bad {
    let name = role.name();
    let example = if role == Role::Weekend { "sat;sun" } else { "mon-fri 8-18" };
    (
        format!("when is {}?", name.replace('_', "-")),
        format!("[bands] {name} = {example:?} in the mapping, or another time"),
    )
}

/// `mon-fri 8-18`: what begins with a digit is hours.
fn band(text: &str) -> Result<Band, Bad> {
    let joined = text.replace(" - ", "-");
    let (hours, days): (Vec<&str>, Vec<&str>) =
        joined.split_whitespace().partition(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    if hours.is_empty() && days.is_empty() {
        return Err(("an empty band".to_owned(), "write days, hours or both: mon-fri 8-18".to_owned()));
    }
    Band::read(&days.join(";"), &hours.join(";")).map_err(|(_, bad)| bad)
}

/// All other hours of the week.
fn rest<'b>(bands: impl Iterator<Item = &'b Band> + Clone) -> Vec<Band> {
    let Ok(Band { minutes: whole, .. }) = Band::read("", "") else { return Vec::new() };
    let kinds = WEEKDAYS + u8::from(bands.clone().any(Band::names_holidays));
    let mut found: Vec<Band> = Vec::new();
    for day in 0..kinds {
        let mut minutes = whole;
        for band in bands.clone().filter(|band| band.days >> day & 1 == 1) {
            for (word, taken) in minutes.iter_mut().zip(band.minutes) {
                *word &= !taken;
            }
        }
        if minutes == [0; WORDS] {
            continue;
        }
        match found.iter_mut().find(|band| band.minutes == minutes) {
            Some(band) => band.days |= 1 << day,
            None => found.push(Band { days: 1 << day, minutes }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_peak_is_what_is_neither_peak_nor_weekend() {
        let named = |text: &str, weekend| Named::read(&Mapping::parse(&format!("[bands]\n{text}")).unwrap(), weekend);
        let shown = |named: &Named, role| -> Vec<String> {
            named.of(role).unwrap_or_default().iter().map(Band::words).collect()
        };
        let two = named("peak = \"mon-fri 8-18\"", false).unwrap();
        assert_eq!(shown(&two, Role::OffPeak), ["mon-fri 00:00-08:00, 18:00-24:00", "sat-sun"]);
        let three = named("peak = \"mon-fri 8-18\"\nweekend = [\"fri 20-24\", \"sat;sun;holiday\"]", true).unwrap();
        assert_eq!(shown(&three, Role::OffPeak), ["mon-thu 00:00-08:00, 18:00-24:00", "fri 00:00-08:00, 18:00-20:00"]);
        // Half of it is not enough, and what is named is taken as named.
        assert_eq!(named("peak = \"8-18\"", true).unwrap().of(Role::OffPeak), None);
        let told = named("peak = \"8-18\"\noff_peak = \"20-8\"", false).unwrap();
        assert_eq!(shown(&told, Role::OffPeak), ["00:00-08:00, 20:00-24:00"]);
        for (text, expected) in [
            ("pek = \"8-18\"", "the mapping names a band \"pek\""),
            ("peak = \"\"", "bands.peak: an empty band"),
            ("peak = \"mon-fri 8\"", "bands.peak: \"8\" is no time of day from and to"),
            ("peak = \"foo 8-18\"", "bands.peak: \"foo\" is no day"),
        ] {
            assert_eq!(named(text, false).unwrap_err().0, expected);
        }
    }
}
