//! `callrated tariff diff`: what a change of prices changes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Value, json};

use super::side::{Side, read_deck};
use super::{compiled, opened_image};
use crate::cli::out::{self, Paint};
use crate::config::Config;
use crate::exit::Exit;
use crate::money::signed_percent as percent;
use crate::tariff::diff::{self, Change, Line, Move};
use crate::tariff::{Tariff, deck};
use crate::time::{Timestamp, parse_rfc3339};

/// Compare two tariffs or decks: rows that are added, removed, dearer or cheaper, by destination, and plans.
///
/// Each side is a rates folder, an image, the digest of an image that was in force (or its beginning), or a deck as CSV.
/// A deck is compared with the deck of its file's name on the other side. Rows are compared by deck, prefix and
/// conditions, over time: a row that ends where its successor begins is one price that changes then. Ends with code 1 if
/// they differ, with 0 if not.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated tariff diff 2d1e5223ab01 rates\n  callrated tariff diff rates/decks/world-eur.csv new/world-eur.csv --rows\n  callrated tariff diff old.csv rates --deck world-eur --from 2026-12-01T00:00:00Z --json"
)]
pub struct DiffArguments {
    /// What is.
    #[arg(value_name = "A")]
    before: String,
    /// What is to come.
    #[arg(value_name = "B")]
    after: String,
    /// Only this deck; a deck as CSV is taken for it, whatever its file is called.
    #[arg(long, value_name = "NAME")]
    deck: Option<String>,
    /// Leave out what ends by then, RFC 3339.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// So many destinations, the largest moves first (default: 20; all in JSON).
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Every row that changes, too.
    #[arg(long)]
    rows: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Destinations in a table where nobody says how many.
const TOP: usize = 20;

pub fn run(config: &Config, arguments: &DiffArguments) -> Result<(), Exit> {
    let from = match &arguments.from {
        None => None,
        Some(text) => Some(
            parse_rfc3339(text.as_bytes())
                .ok_or_else(|| Exit::usage(format!("--from {text}: write RFC 3339, such as 2026-12-01T00:00:00Z")))?,
        ),
    };
    let (before, after) = (Side::open(config, &arguments.before)?, Side::open(config, &arguments.after)?);
    // Two decks have no clocks and no short codes of their own: those of the rates folder, if there is a good one.
    let own = match (before.tariff(), after.tariff()) {
        (None, None) if config.rates_dir.is_dir() => {
            compiled(&config.rates_dir).ok().map(|rates| opened_image(rates.tariff.image)).transpose()?
        }
        _ => None,
    };
    let ground = before.tariff().or(after.tariff()).or(own.as_ref());
    let one_deck = match (&arguments.deck, &before, &after) {
        (Some(name), ..) => Some(name.clone()),
        (None, Side::Deck { name, .. }, _) | (None, _, Side::Deck { name, .. }) => Some(name.clone()),
        _ => None,
    };
    if let Some(name) = &one_deck {
        for tariff in [before.tariff(), after.tariff()].into_iter().flatten() {
            if tariff.deck_zone(name).is_none() {
                let known = tariff.decks().collect::<Vec<_>>().join(", ");
                return Err(Exit::usage(format!("there is no deck {name:?}: --deck names one of {known}")));
            }
        }
    }
    let name = one_deck.as_deref();
    let zone = name.and_then(|name| ground?.deck_zone(name)).unwrap_or("UTC");
    let read = |side: &Side| match side {
        Side::Tariff(_) => Ok(None),
        Side::Deck { name: file, text } => read_deck(file, text, zone, ground).map(Some),
    };
    let (old, new) = (read(&before)?, read(&after)?);
    let mut found = Found { rows: arguments.rows, ..Found::default() };
    let old = lines(&before, old.as_ref(), name, zone);
    let new = lines(&after, new.as_ref(), name, zone);
    found.unchanged = diff::rows(old, new, from, &mut |change| found.take(change));
    if let (Some(before), Some(after), None) = (before.tariff(), after.tariff(), name) {
        found.plans = diff::plans(before, after);
        found.beside = diff::beside(before, after);
    }
    if arguments.json {
        found.json(arguments)?
    } else {
        found.print(arguments)?
    }
    if found.is_empty() { Ok(()) } else { Err(Exit { code: 1, message: String::new() }) }
}

/// A side's rows, of one deck or of all.
fn lines<'a>(
    side: &'a Side,
    read: Option<&'a deck::Deck>,
    name: Option<&'a str>,
    zone: &'a str,
) -> Box<dyn Iterator<Item = Line<'a>> + 'a> {
    match (side, read) {
        (Side::Tariff(tariff), _) => Box::new(of_tariff(tariff, name)),
        (Side::Deck { .. }, Some(deck)) => Box::new(diff::lines_of(name.unwrap_or_default(), zone, deck)),
        (Side::Deck { .. }, None) => Box::new(std::iter::empty()),
    }
}

fn of_tariff<'a>(tariff: &'a Tariff, name: Option<&'a str>) -> impl Iterator<Item = Line<'a>> {
    tariff.lines().filter(move |line| name.is_none_or(|name| line.deck == name))
}

/// What was found.
#[derive(Default)]
struct Found<'a> {
    unchanged: u64,
    counts: BTreeMap<Move, u64>,
    /// By deck and destination.
    destinations: BTreeMap<(&'a str, &'a str), Destination<'a>>,
    /// Whether `changes` are wanted.
    rows: bool,
    changes: Vec<Change<'a>>,
    plans: Vec<diff::Differs>,
    beside: Vec<&'static str>,
}

/// What changes at one destination.
struct Destination<'a> {
    counts: BTreeMap<Move, u64>,
    /// The one that moves most.
    largest: Change<'a>,
}

/// How far a change moves a price: from nothing to something is farthest, then by per cent, then rows that come and go.
fn distance(change: &Change<'_>) -> (u8, u64) {
    match (change.kind, change.hundredths) {
        (Move::Up | Move::Down, None) => (4, 0),
        (_, Some(by)) => (3, by.unsigned_abs()),
        (Move::Removed, None) => (2, 0),
        (Move::Added, None) => (1, 0),
        (Move::Other, None) => (0, 0),
    }
}

impl<'a> Found<'a> {
    fn take(&mut self, change: Change<'a>) {
        let Some(line) = change.line() else { return };
        *self.counts.entry(change.kind).or_default() += 1;
        let entry = self.destinations.entry((line.deck, line.destination));
        let at = entry.or_insert_with(|| Destination { counts: BTreeMap::new(), largest: change });
        *at.counts.entry(change.kind).or_default() += 1;
        if distance(&change) > distance(&at.largest) {
            at.largest = change;
        }
        if self.rows {
            self.changes.push(change);
        }
    }

    fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.plans.is_empty() && self.beside.is_empty()
    }

    /// Largest moves first; of equal ones those with more rows.
    fn ranked(&self) -> Vec<(&(&'a str, &'a str), &Destination<'a>)> {
        let mut ranked: Vec<_> = self.destinations.iter().collect();
        ranked.sort_by_key(|(_, of)| (Reverse(distance(&of.largest)), Reverse(of.counts.values().sum::<u64>())));
        ranked
    }

    fn json(&self, arguments: &DiffArguments) -> Result<(), Exit> {
        let counted = |counts: &BTreeMap<Move, u64>| -> serde_json::Map<String, Value> {
            let count = |kind: Move| json!(counts.get(&kind).copied().unwrap_or(0));
            Move::ALL.into_iter().map(|kind| (kind.name().to_owned(), count(kind))).collect()
        };
        let mut rows = counted(&self.counts);
        rows.insert("unchanged".to_owned(), json!(self.unchanged));
        let top = arguments.top.unwrap_or(usize::MAX);
        let destinations = self.ranked().into_iter().take(top).map(|((deck, destination), of)| {
            json!({
                "deck": deck, "destination": destination, "rows": counted(&of.counts), "largest": shown(&of.largest),
            })
        });
        let plans = self.plans.iter().map(|differs| {
            json!({
                "of": differs.of, "field": differs.field, "before": differs.before, "after": differs.after,
            })
        });
        let mut answer = json!({
            "equal": self.is_empty(),
            "rows": rows,
            "destinations": destinations.collect::<Vec<_>>(),
            "plans": plans.collect::<Vec<_>>(),
            "beside": self.beside,
        });
        if self.rows {
            answer["changes"] = self.changes.iter().map(shown).collect();
        }
        out::json(&answer)
    }

    fn print(&self, arguments: &DiffArguments) -> Result<(), Exit> {
        if self.is_empty() {
            return out::line(&format!("no difference; {} rows are the same", out::grouped(self.unchanged)));
        }
        let count =
            |kind: Move| format!("{} {}", out::grouped(self.counts.get(&kind).copied().unwrap_or(0)), kind.name());
        let counts: Vec<String> = Move::ALL.into_iter().map(count).collect();
        out::line(&format!("rows: {}, {} unchanged", counts.join(", "), out::grouped(self.unchanged)))?;
        if !self.beside.is_empty() {
            out::line(&format!("also different: {}", self.beside.join(", ")))?;
        }
        if !self.plans.is_empty() {
            let mut table = out::table(&["plan or deck", "field", "before", "after"], &[]);
            for differs in &self.plans {
                table.add_row([&differs.of, differs.field, &differs.before, &differs.after]);
            }
            out::line(&format!("\n{}\n{table}", out::paint("plans and decks", Paint::Bold)))?;
        }
        let ranked = self.ranked();
        let top = arguments.top.unwrap_or(TOP);
        if !ranked.is_empty() && top > 0 {
            let headings = [
                "destination",
                "deck",
                "added",
                "removed",
                "up",
                "down",
                "other",
                "largest",
                "prefix",
                "before",
                "after",
            ];
            let mut table = out::table(&headings, &[2, 3, 4, 5, 6, 7, 9, 10]);
            for ((deck, destination), of) in ranked.iter().take(top) {
                let mut row = vec![(*destination).to_owned(), (*deck).to_owned()];
                row.extend(Move::ALL.map(|kind| of.counts.get(&kind).map_or_else(String::new, |n| out::grouped(*n))));
                let largest = of.largest;
                row.extend([by(&largest), prefix(&largest), price(largest.before), price(largest.after)]);
                table.add_row(row);
            }
            let more = ranked.len().saturating_sub(top);
            let more = if more > 0 { format!(" (--top shows the other {more})") } else { String::new() };
            out::line(&format!("\n{}{more}\n{table}", out::paint("destinations, largest move first", Paint::Bold)))?;
        }
        if self.rows {
            let headings = ["deck", "prefix", "destination", "what", "by", "before", "after", "when", "only"];
            let mut table = out::table(&headings, &[4, 5, 6]);
            for change in &self.changes {
                let Some(line) = change.line() else { continue };
                table.add_row([
                    line.deck.to_owned(),
                    prefix(change),
                    line.destination.to_owned(),
                    change.kind.name().to_owned(),
                    by(change),
                    price(change.before),
                    price(change.after),
                    when(change),
                    line.condition.words(line.zone),
                ]);
            }
            out::line(&format!("\n{}\n{table}", out::paint("rows", Paint::Bold)))?;
        }
        Ok(())
    }
}

fn prefix(change: &Change<'_>) -> String {
    change.line().map_or_else(String::new, |line| line.prefix.to_string())
}

/// `+25.00 %`; what happens, where there is no per cent.
fn by(change: &Change<'_>) -> String {
    change.hundredths.map_or_else(|| change.kind.name().to_owned(), |by| format!("{} %", percent(by)))
}

/// A row's price in few words: `0.12`, `0.12 + 0.05`, `blocked`.
fn price(line: Option<Line<'_>>) -> String {
    let Some(terms) = line.map(|line| line.terms) else { return String::new() };
    if terms.blocked {
        return "blocked".to_owned();
    }
    let price = terms.price;
    let fee = (price.connect_fee.0 != 0).then(|| format!(" + {}", price.connect_fee.fixed(0)));
    let least = price.minimum_cost.map(|cost| format!(", min {}", cost.fixed(0)));
    let most = price.maximum_cost.map(|cost| format!(", max {}", cost.fixed(0)));
    let steps = terms.steps.map(|steps| format!(", {}/{}", steps.initial, steps.increment));
    let parts = [fee, least, most, steps].into_iter().flatten();
    parts.fold(price.rate.fixed(0), |text, part| text + &part)
}

fn when(change: &Change<'_>) -> String {
    let at = |word: &str, at: Option<Timestamp>| at.map(|at| format!("{word} {at}"));
    let parts = [at("from", change.from), at("before", change.to)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn shown(change: &Change<'_>) -> Value {
    let side = |line: Option<Line<'_>>| {
        line.map(|line| {
            let terms = line.terms;
            json!({
                "destination": line.destination,
                "rate": terms.price.rate.fixed(0),
                "connect_fee": terms.price.connect_fee.fixed(0),
                "minimum_cost": terms.price.minimum_cost.map(|cost| cost.fixed(0)),
                "maximum_cost": terms.price.maximum_cost.map(|cost| cost.fixed(0)),
                "call_type": terms.call_type.map(|of| of.name()),
                "blocked": terms.blocked,
                "steps": terms.steps.map(|s| json!({
                    "mode": s.mode.name(), "initial": s.initial, "increment": s.increment, "minimum": s.minimum,
                })),
            })
        })
    };
    let line = change.line();
    let words = line.map(|line| line.condition.words(line.zone)).filter(|words| !words.is_empty());
    json!({
        "deck": line.map(|line| line.deck),
        "prefix": prefix(change),
        "only": words,
        "what": change.kind.name(),
        "percent": change.hundredths.map(percent),
        "from": change.from.map(|at| at.to_string()),
        "to": change.to.map(|at| at.to_string()),
        "before": side(change.before),
        "after": side(change.after),
    })
}
