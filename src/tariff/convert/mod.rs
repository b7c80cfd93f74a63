//! Tariffs of other software as decks and plans of ours: CGRateS' tariff plans, ASTPP's and A2Billing's decks.
//!
//! ```text
//! files ─▶ table (cells) ─▶ model (names) ─▶ timing, price (what a deck can say) ─▶ decks and plans
//!                                               └─▶ Lost: what has no counterpart
//! ```
//!
//! A price is converted exactly or not at all; what rounding, caps and special days do otherwise is told. Where a price has no counterpart, or none holds at some time, the deck has a
//! row that is `blocked`: such calls wait in suspense instead of falling to a shorter prefix.
//!
//! Does not know files, or whether the decks suit the rest of a rates folder.

mod export;
mod model;
mod price;
mod table;
mod timing;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Finding, Severity};
use crate::number::Number;
use crate::time::Timestamp;
pub use export::{Product, exports};
use model::Model;

/// The files of a tariff plan that say what calls cost.
pub const FILES: [&str; 6] = [
    model::DESTINATIONS,
    model::TIMINGS,
    model::RATES,
    model::DESTINATION_RATES,
    model::RATING_PLANS,
    model::RATING_PROFILES,
];

/// What CGRateS leaves to its configuration.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// ISO 3166: where the plans' accounts are.
    pub country: String,
    /// ISO 4217: of every price.
    pub currency: String,
    /// IANA name: whose clocks the timings follow.
    pub timezone: String,
    /// Profiles of this category are converted.
    pub category: String,
    /// Of all countries: what the destination `*any` is made of.
    pub calling_codes: Vec<Number>,
}

/// Something that a deck or a plan cannot say.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Lost {
    /// File it stands in.
    pub file: String,
    /// Its rows, 1-based, in order.
    pub lines: Vec<u32>,
    /// `rate RT_40CNT`
    pub what: String,
    /// Why, and what becomes of it.
    pub why: String,
}

/// A deck and its plan, which have one name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConvertedPlan {
    /// Of `decks/NAME.csv` and `[plan.NAME]`.
    pub name: String,
    /// Rating plans in it, in the order in which they come into force.
    pub from: Vec<String>,
    /// `TENANT:SUBJECT` whose calls it prices.
    pub subjects: Vec<String>,
    /// Distinct prefixes.
    pub prefixes: usize,
    /// Rows of the deck.
    pub rows: usize,
    /// Rows that are blocked because a price has no counterpart.
    pub blocked: usize,
    /// The deck.
    #[serde(skip)]
    pub deck: String,
}

/// All that came of a folder. With an error among the findings there are no plans.
#[derive(Debug, Default)]
pub struct Converted {
    /// Ordered by name.
    pub plans: Vec<ConvertedPlan>,
    /// For `plans.toml`.
    pub toml: String,
    /// What has no counterpart, by file and row.
    pub lost: Vec<Lost>,
    /// What cannot be read.
    pub findings: Vec<Finding>,
    /// Rows of each file that was read.
    pub rows: BTreeMap<String, usize>,
}

impl Converted {
    /// Whether anything cannot be read.
    fn refused(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }
}

/// Gathers what is lost, the same of many rows once.
#[derive(Default)]
struct Losses(BTreeMap<(String, String, String), BTreeSet<u32>>);

impl Losses {
    fn add(&mut self, file: &str, line: u32, what: impl Into<String>, why: impl Into<String>) {
        self.0.entry((file.to_owned(), what.into(), why.into())).or_default().insert(line);
    }

    fn finish(self) -> Vec<Lost> {
        let mut list: Vec<Lost> = self
            .0
            .into_iter()
            .map(|((file, what, why), lines)| Lost { file, lines: lines.into_iter().collect(), what, why })
            .collect();
        let place = |file: &str| FILES.iter().position(|known| *known == file);
        list.sort_by_cached_key(|lost| (place(&lost.file), lost.file.clone(), lost.lines.first().copied()));
        list
    }
}

/// Rating plans one after the other, each from a moment on.
type Schedule = Vec<(Option<Timestamp>, String)>;

/// Converts a CGRateS tariff plan: name of each of [`FILES`] that is there → its bytes.
pub fn cgrates(files: &BTreeMap<String, Vec<u8>>, wishes: &Wishes) -> Converted {
    let (mut losses, mut findings) = (Losses::default(), Vec::new());
    let model = Model::read(files, &wishes.category, &mut losses, &mut findings);
    write::references(&model, &mut findings);
    let mut converted = Converted { rows: model.rows.clone(), findings, ..Converted::default() };
    if !converted.refused() {
        let schedules = schedules(&model, &mut losses, &mut converted.findings);
        let mut names = BTreeSet::new();
        for (schedule, subjects) in &schedules {
            let (plan, toml) = write::plan(&model, schedule, subjects, wishes, &mut names, &mut losses);
            converted.plans.push(plan);
            converted.toml.push_str(&toml);
        }
        if converted.refused() {
            (converted.plans, converted.toml) = Default::default();
        }
    }
    converted.plans.sort_by(|a, b| a.name.cmp(&b.name));
    converted.lost = losses.finish();
    converted
}

/// Which rating plans follow each other for which subjects. Without profiles each plan is on its own.
fn schedules(model: &Model, losses: &mut Losses, findings: &mut Vec<Finding>) -> BTreeMap<Schedule, Vec<String>> {
    let mut of_subject: BTreeMap<&str, Schedule> = BTreeMap::new();
    for profile in &model.profiles {
        let schedule = of_subject.entry(&profile.subject).or_default();
        if schedule.iter().any(|(from, plan)| *from == profile.from && *plan != profile.plan) {
            let message = format!("{} has two rating plans from one moment on", profile.subject);
            findings.push(write::error(model::RATING_PROFILES, profile.line, message, "leave one out"));
        }
        schedule.push((profile.from, profile.plan.clone()));
    }
    let mut schedules: BTreeMap<Schedule, Vec<String>> = BTreeMap::new();
    for (subject, mut schedule) in of_subject {
        schedule.sort();
        schedule.dedup();
        schedules.entry(schedule).or_default().push(subject.to_owned());
    }
    if !model.has_profiles {
        return model.plans.keys().map(|plan| (vec![(None, plan.clone())], Vec::new())).collect();
    }
    for (name, lines) in &model.plans {
        if !model.profiles.iter().any(|profile| profile.plan == *name) {
            let why = "no profile that is converted names it";
            lines
                .iter()
                .for_each(|line| losses.add(model::RATING_PLANS, line.line, format!("rating plan {name}"), why));
        }
    }
    schedules
}
