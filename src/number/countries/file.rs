//! `countries.toml` as it is written: the raw form, and how it becomes what look-ups use.
//!
//! Does not know how numbers are read or classified.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CallingCode, Countries, Entry, NONE, StepEntry, place_of_letters};
use crate::call::{StepMode, StepRule};
use crate::number::dialling::{DiallingPlan, NUMBER_MAX, NUMBER_MIN, Shorts};
use crate::number::pattern::{Pattern, Rule};
use crate::number::{Country, NumberKind};
use crate::time::Micros;

/// The file. Also the form in which a tariff image holds the countries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountriesFile {
    pub territory: Vec<Territory>,
    #[serde(default)]
    pub steps: Vec<Steps>,
}

/// `[[territory]]`; the head of `rates/countries.toml` says what each key means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Territory {
    country: String,
    calling_code: u16,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    main: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total_length: Option<u8>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    leading_zero: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    trunk_required: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    domestic: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    international: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trunk: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rules: Vec<RuleText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    after_code: Vec<RuleText>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lists: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    local: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    emergency: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    short: Vec<String>,
    lengths: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    dialled: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    put: String,
    /// Digits of the result; any length of the territory if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    length: Option<u8>,
}

/// `[[steps]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Steps {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    home: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default = "up")]
    mode: String,
    increment: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initial: Option<u32>,
    #[serde(default, skip_serializing_if = "is_zero")]
    minimum: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    free_below: u32,
    source: String,
}

fn up() -> String {
    "up".to_owned()
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What is wrong, and in which key of which table it stands.
#[derive(Debug)]
pub(super) struct Fault {
    table: &'static str,
    index: usize,
    key: &'static str,
    what: String,
}

/// No block of seconds is longer than this: a day, the longest call there is (R2).
const STEP_SECONDS_MAX: u32 = 86_400;

/// Reads the file; the error begins with the line.
pub(super) fn parse(text: &str) -> Result<Countries, String> {
    let file: CountriesFile = toml::from_str(text).map_err(|e| {
        let start = e.span().map_or(0, |s| s.start.min(text.len()));
        let before = text.get(..start).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
        format!("line {line}, column {column}: {}", e.message().trim_end())
    })?;
    compile(file).map_err(|fault| format!("line {}: {}", fault.line(text), fault.what))
}

impl Fault {
    /// The line of the key, or of its table's head.
    fn line(&self, text: &str) -> usize {
        let head = format!("[[{}]]", self.table);
        let starts_table = |line: &str| line.starts_with("[[");
        let mut seen = 0;
        let mut at_table = 0;
        for (i, line) in text.lines().map(str::trim_start).enumerate() {
            if seen > self.index && starts_table(line) {
                break;
            }
            if line.starts_with(&head) {
                seen += 1;
                at_table = i + 1;
            }
            let key = line.split(['=', '.']).next().unwrap_or("").trim();
            if seen > self.index && key == self.key {
                return i + 1;
            }
        }
        at_table.max(1)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}, {}: {}", self.table, self.index + 1, self.key, self.what)
    }
}

/// Checks everything and builds the look-ups.
pub(super) fn compile(file: CountriesFile) -> Result<Countries, Fault> {
    let mut countries = Countries {
        territories: Vec::new(),
        by_letters: vec![NONE; 26 * 26],
        world: None,
        codes: Vec::new(),
        by_digits: vec![NONE; 1000],
        steps: Vec::new(),
        file: CountriesFile { territory: Vec::new(), steps: Vec::new() },
    };
    let names = name_territories(&file, &mut countries)?;
    add_calling_codes(&file, &names, &mut countries)?;
    for (index, (raw, country)) in file.territory.iter().zip(&names).enumerate() {
        add_territory(&mut countries, *country, raw).map_err(|e| territory_fault(index, e))?;
    }
    for (index, steps) in file.steps.iter().enumerate() {
        let fault = |(key, what)| Fault { table: "steps", index, key, what };
        let entry = step_entry(steps, &countries).map_err(fault)?;
        if countries.steps.iter().any(|e| e.same_scope(&entry)) {
            return Err(fault(("home", "a second rule for the same home, destination and type; keep one".to_owned())));
        }
        countries.steps.push(entry);
    }
    if !countries.steps.iter().any(|e| e.specificity() == 0) {
        let what = "no [[steps]] without home and destination; add it, it is the rule for all other calls".to_owned();
        return Err(Fault { table: "steps", index: 0, key: "", what });
    }
    // The most specific first (R14), so that the first that fits is the one.
    countries.steps.sort_by_key(|e| std::cmp::Reverse(e.specificity()));
    countries.file = file;
    Ok(countries)
}

type KeyError = (&'static str, String);

fn territory_fault(index: usize, (key, what): KeyError) -> Fault {
    Fault { table: "territory", index, key, what }
}

/// Gives each territory its ordinal: its place in alphabetical order. All calling codes of 001 are one territory.
fn name_territories(file: &CountriesFile, countries: &mut Countries) -> Result<Vec<Country>, Fault> {
    let mut names = Vec::with_capacity(file.territory.len());
    for (index, raw) in file.territory.iter().enumerate() {
        let country = Country::parse(&raw.country).ok_or_else(|| {
            let what = format!("`{}` is no territory; write ISO 3166 alpha-2 like DE, or 001", raw.country);
            territory_fault(index, ("country", what))
        })?;
        if country != Country::WORLD && names.contains(&country) {
            return Err(territory_fault(index, ("country", format!("{country} is there twice"))));
        }
        names.push(country);
    }
    let mut order = names.clone();
    order.sort();
    order.dedup();
    // Two letters and 001 are fewer names than an ordinal counts.
    for (ordinal, country) in order.iter().enumerate() {
        match place_of_letters(*country) {
            Some(place) => countries.by_letters[place] = ordinal as u16,
            None => countries.world = Some(ordinal as u16),
        }
        countries.territories.push(Entry { country: *country, plan: None, lengths: [0; 12], domestic: Vec::new() });
    }
    Ok(names)
}

fn add_calling_codes(file: &CountriesFile, names: &[Country], countries: &mut Countries) -> Result<(), Fault> {
    let mut sharing: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (index, raw) in file.territory.iter().enumerate() {
        sharing.entry(raw.calling_code).or_default().push(index);
    }
    for (code, indexes) in sharing {
        let raws = || indexes.iter().map(|i| &file.territory[*i]);
        let first = indexes[0];
        let fault = |key, what| territory_fault(first, (key, what));
        let digits = (code.checked_ilog10().unwrap_or(3) + 1) as u8;
        let Some(scale) = 10usize.checked_pow(3u32.wrapping_sub(u32::from(digits))).filter(|_| digits <= 3) else {
            return Err(fault("calling_code", format!("{code} is no calling code; it has 1 to 3 digits")));
        };
        let main = match raws().filter(|t| t.main).count() {
            1 => indexes.iter().find(|i| file.territory[**i].main),
            0 => indexes.first().filter(|_| indexes.len() == 1),
            _ => None,
        };
        let Some(main) = main else {
            let what = format!("+{code} is shared; write `main = true` for one of its territories, and for one only");
            return Err(fault("calling_code", what));
        };
        let total_length = file.territory[*main].total_length;
        if total_length.is_some_and(|n| !(NUMBER_MIN..=NUMBER_MAX).contains(&usize::from(n))) {
            return Err(territory_fault(*main, ("total_length", format!("write {NUMBER_MIN} to {NUMBER_MAX}"))));
        }
        let stray = |i: &&usize| *i != main && file.territory[**i].total_length.is_some();
        if let Some(index) = indexes.iter().find(stray) {
            let what = format!("belongs to the main territory of +{code}");
            return Err(territory_fault(*index, ("total_length", what)));
        }
        let place = usize::from(code) * scale;
        for slot in &mut countries.by_digits[place..place + scale] {
            if *slot != NONE {
                return Err(fault("calling_code", format!("+{code} begins like another calling code")));
            }
            *slot = countries.codes.len() as u16;
        }
        let rewrites = !file.territory[*main].after_code.is_empty();
        let main = countries.ordinal(names[*main]).unwrap_or(NONE);
        let leading_zero = raws().any(|t| t.leading_zero);
        let packed = code.to_string().bytes().fold(0, |packed, b| packed << 4 | u64::from(b & 0xF));
        countries.codes.push(CallingCode {
            code,
            digits,
            packed,
            main,
            total_length,
            lengths: 0,
            leading_zero,
            rewrites,
        });
    }
    Ok(())
}

fn add_territory(countries: &mut Countries, country: Country, raw: &Territory) -> Result<(), KeyError> {
    let mut by_kind = [0u32; 12];
    for (name, text) in &raw.lengths {
        let kind = NumberKind::named(name).ok_or_else(|| {
            let all = NumberKind::ALL.map(NumberKind::name).join(", ");
            ("lengths", format!("`{name}` is no kind of number; there are {all}"))
        })?;
        by_kind[kind as usize] = length_set(text).map_err(|what| ("lengths", what))?;
    }
    by_kind[NumberKind::FixedOrMobile as usize] |=
        by_kind[NumberKind::Fixed as usize] | by_kind[NumberKind::Mobile as usize];
    let lengths = by_kind.iter().fold(0, |all, one| all | one);
    for code in countries.codes.iter_mut().filter(|c| c.code == raw.calling_code) {
        code.lengths |= lengths;
    }
    let ordinals = raw.domestic.iter().map(|name| {
        let known = Country::parse(name).and_then(|c| countries.ordinal(c));
        known.ok_or_else(|| ("domestic", format!("`{name}` is none of the territories of this file")))
    });
    let domestic: Vec<u16> = ordinals.collect::<Result<_, _>>()?;
    let ordinal = countries.ordinal(country).unwrap_or(NONE);
    if !domestic.is_empty() && !domestic.contains(&ordinal) {
        return Err(("domestic", format!("list {country} itself too")));
    }
    let plan = if country == Country::WORLD { None } else { Some(dialling_plan(country, raw, lengths)?) };
    let Some(entry) = countries.territories.get_mut(usize::from(ordinal)) else { return Ok(()) };
    for (sum, one) in entry.lengths.iter_mut().zip(by_kind) {
        *sum |= one;
    }
    (entry.plan, entry.domestic) = (plan, domestic);
    Ok(())
}

fn dialling_plan(country: Country, raw: &Territory, lengths: u32) -> Result<DiallingPlan, KeyError> {
    let patterns = |key: &'static str, texts: &[String]| -> Result<Vec<Pattern>, KeyError> {
        let found: Vec<Pattern> =
            texts.iter().map(|t| Pattern::parse(t)).collect::<Result<_, _>>().map_err(|what| (key, what))?;
        match found.iter().position(|p| *p.lengths().end() == 0) {
            Some(at) => Err((key, format!("`{}` is empty", texts[at]))),
            None => Ok(found),
        }
    };
    let fronts = |key: &'static str, texts: &[String]| -> Result<Vec<Pattern>, KeyError> {
        let found = patterns(key, texts)?;
        match found.iter().position(|p| p.lengths().count() > 1) {
            Some(at) => Err((key, format!("`{}` has no fixed length; leave the end out, it is a front", texts[at]))),
            None => Ok(found),
        }
    };
    let names: Vec<&str> = raw.lists.keys().map(String::as_str).collect();
    let rules = |key: &'static str, rules: &[RuleText]| -> Result<Vec<Rule>, KeyError> {
        rules.iter().map(|r| Rule::parse(&r.dialled, &r.put, r.length, &names).map_err(|what| (key, what))).collect()
    };
    let lists = raw.lists.values().map(|texts| fronts("lists", texts));
    Ok(DiallingPlan {
        country,
        code: raw.calling_code,
        lengths,
        local: if raw.local.is_empty() { 0 } else { length_set(&raw.local).map_err(|what| ("local", what))? },
        leading_zero: raw.leading_zero,
        trunk_required: raw.trunk_required,
        international: fronts("international", &raw.international)?,
        trunk: fronts("trunk", &raw.trunk)?,
        rules: rules("rules", &raw.rules)?,
        after_code: rules("after_code", &raw.after_code)?,
        lists: lists.collect::<Result<_, _>>()?,
        emergency: Shorts::new(patterns("emergency", &raw.emergency)?),
        short: Shorts::new(patterns("short", &raw.short)?),
    })
}

/// Bits of `8-10` or `6,8-10`.
fn length_set(text: &str) -> Result<u32, String> {
    let mut set = 0;
    for part in text.split(',') {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let number = |n: &str| n.trim().parse::<u32>().ok().filter(|n| (1..=20).contains(n));
        match (number(low), number(high)) {
            (Some(low), Some(high)) if low <= high => (low..=high).for_each(|n| set |= 1 << n),
            _ => return Err(format!("`{text}` are no lengths; write 8 or 8-10 or 6,8-10")),
        }
    }
    Ok(set)
}

fn step_entry(raw: &Steps, countries: &Countries) -> Result<StepEntry, KeyError> {
    let territory = |key: &'static str, name: &Option<String>| match name {
        None => Ok(None),
        Some(name) => match Country::parse(name).filter(|c| countries.ordinal(*c).is_some()) {
            None => Err((key, format!("`{name}` is none of the territories of this file"))),
            found => Ok(found),
        },
    };
    let (home, destination) = (territory("home", &raw.home)?, territory("destination", &raw.destination)?);
    let kind = match &raw.kind {
        None => None,
        Some(_) if destination.is_none() => return Err(("type", "needs a destination".to_owned())),
        Some(name) => Some(NumberKind::named(name).ok_or_else(|| ("type", format!("`{name}` is no kind of number")))?),
    };
    let mode = match raw.mode.as_str() {
        "up" => StepMode::Up,
        "nearest" => StepMode::Nearest,
        other => return Err(("mode", format!("`{other}`: write up or nearest"))),
    };
    let initial = raw.initial.unwrap_or(raw.increment);
    if raw.increment == 0 || mode == StepMode::Nearest && initial != raw.increment {
        let what = "at least 1 second; with nearest, `initial` must be equal or left out".to_owned();
        return Err(("increment", what));
    }
    for (key, seconds) in
        [("increment", raw.increment), ("initial", initial), ("minimum", raw.minimum), ("free_below", raw.free_below)]
    {
        if seconds > STEP_SECONDS_MAX {
            return Err((key, format!("{seconds} seconds is over a day")));
        }
    }
    if raw.source.trim().is_empty() {
        return Err(("source", "say who says so".to_owned()));
    }
    let free_below = Micros::seconds(i64::from(raw.free_below));
    let rule = StepRule { mode, initial, increment: raw.increment, minimum: raw.minimum, free_below };
    Ok(StepEntry::new(home, destination, kind, rule))
}
