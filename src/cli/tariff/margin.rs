//! `callrated tariff margin`: what each prefix brings and what it costs us, before a call is made.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::side::Side;
use super::{compiled, opened_image};
use crate::cli::out::{self, Paint};
use crate::cli::usage::this_moment;
use crate::config::Config;
use crate::exit::Exit;
use crate::money::Money;
use crate::rating::{Route, routes};
use crate::tariff::{PlanId, Tariff};
use crate::time::{Micros, parse_rfc3339};

/// Compare what prefixes are sold for with what they cost us.
///
/// For each prefix of a plan's decks and of its cost decks, by the longest prefix on either side: 49 sold at 0.02 and 4915 bought
/// at 0.03 is named. A call of --duration is priced on both sides, with steps, fees and exchange rates. Ends with code 1 if
/// something brings less than its least margin (the plan's minimum_margin, else [margin] warn_below_percent, else 0).
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  callrated tariff margin\n  callrated tariff margin de-business --tariff new-rates --duration 180\n  callrated tariff margin --all --format csv > routes.csv"
)]
pub struct MarginArguments {
    /// Only this plan (default: every plan that names cost decks).
    plan: Option<String>,
    /// A rates folder, an image, or the digest of an image of the data folder (default: the rates folder).
    #[arg(long, value_name = "TARIFF")]
    tariff: Option<String>,
    /// Length of the call, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    duration: u32,
    /// For a call answered then, RFC 3339 (default: now).
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Every prefix, not only those below their least margin.
    #[arg(long)]
    all: bool,
    /// How to print (default: a table, of which the first 200 lines).
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Print JSON.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    Table,
    Csv,
}

/// Rows of a table: a person reads no more.
const TABLE_MAX: usize = 200;
const COLUMNS: [&str; 11] =
    ["plan", "prefix", "destination", "carrier", "sold by", "revenue", "bought by", "cost", "margin", "%", "currency"];

struct Found {
    cells: [String; 11],
    /// What is lost, for the order; unknown costs last.
    left: Option<i64>,
    below: bool,
}

pub fn run(config: &Config, arguments: &MarginArguments) -> Result<(), Exit> {
    let side = arguments.tariff.as_deref().map(|named| Side::open(config, named)).transpose()?;
    let own;
    let tariff = match &side {
        None => {
            own = opened_image(compiled(&config.rates_dir)?.tariff.image)?;
            &own
        }
        Some(side) => side.tariff().ok_or_else(|| {
            Exit::usage("one deck says nothing of plans: name a rates folder that has it among the others, or an image")
        })?,
    };
    let at = match &arguments.at {
        None => this_moment(),
        Some(text) => parse_rfc3339(text.as_bytes())
            .ok_or_else(|| Exit::usage(format!("--at {text}: write RFC 3339, such as 2026-10-05T09:00:00Z")))?,
    };
    let plans: Vec<PlanId> = match &arguments.plan {
        Some(name) => {
            let id = tariff.plan_named(name).ok_or_else(|| Exit::faults(format!("there is no plan {name:?}")))?;
            if tariff.plan(id).buying.is_none() {
                return Err(Exit::faults(format!("plan {name:?} names no cost_decks, and neither do its resellers")));
            }
            vec![id]
        }
        None => (0..tariff.plans().len()).filter_map(|i| u16::try_from(i).ok()).map(PlanId).collect(),
    };
    let (mut found, mut counts) = (Vec::new(), [0_u64; 3]);
    for id in plans {
        let least = tariff.plan(id).buying.as_ref().and_then(|buying| buying.minimum_margin);
        let least = least.unwrap_or(config.least_margin);
        routes(tariff, id, at, Micros::seconds(i64::from(arguments.duration)), |route| {
            let below = route.is_below(least.0);
            counts[0] += 1;
            counts[1] += u64::from(below);
            counts[2] += u64::from(route.cost.is_none());
            if below || arguments.all {
                found.push(of(tariff, id, &route, below));
            }
        });
    }
    found.sort_by_key(|one| (one.left.is_none(), one.left));
    print(arguments, &found, counts)?;
    if counts[1] > 0 { Err(Exit { code: 1, message: String::new() }) } else { Ok(()) }
}

fn of(tariff: &Tariff, id: PlanId, route: &Route<'_>, below: bool) -> Found {
    let plan = tariff.plan(id);
    let amount = |money: Money| money.fixed(u32::from(plan.cost_decimals));
    let left = route.cost.map(|cost| Money(route.revenue.0.saturating_sub(cost.0)));
    let destination = route.bought.map_or("", |row| row.destination);
    let percent = left.filter(|_| route.revenue.0 > 0).map_or_else(String::new, |left| {
        let points = (i128::from(left.0) * 1_000).div_euclid(i128::from(route.revenue.0));
        let sign = if points < 0 { "-" } else { "" };
        format!("{sign}{}.{}", points.unsigned_abs() / 10, points.unsigned_abs() % 10)
    });
    Found {
        cells: [
            plan.name.clone(),
            route.prefix.to_string(),
            if destination.is_empty() { route.sold.destination } else { destination }.to_owned(),
            route.carrier.unwrap_or("").to_owned(),
            format!("{} of {}", route.sold.prefix, route.sold.deck),
            amount(route.revenue),
            route.bought.map_or_else(String::new, |row| format!("{} of {}", row.prefix, row.deck)),
            route.cost.map_or_else(|| "unknown".to_owned(), amount),
            left.map_or_else(String::new, amount),
            percent,
            String::from_utf8_lossy(&plan.currency).into_owned(),
        ],
        left: left.map(|left| left.0),
        below,
    }
}

fn print(arguments: &MarginArguments, found: &[Found], [routes, below, unknown]: [u64; 3]) -> Result<(), Exit> {
    if arguments.json {
        let lines: Vec<_> = found
            .iter()
            .map(|one| {
                let mut line = serde_json::Map::new();
                for (name, cell) in COLUMNS.iter().zip(&one.cells) {
                    let name = if *name == "%" { "percent".to_owned() } else { name.replace(' ', "_") };
                    line.insert(name, json!(cell));
                }
                line.insert("below".to_owned(), json!(one.below));
                line
            })
            .collect();
        return out::json(&json!({
            "duration": arguments.duration, "routes": routes, "below": below, "unknown": unknown, "lines": lines,
        }));
    }
    if arguments.format == Some(Format::Csv) {
        let mut csv = format!("{}\r\n", COLUMNS.join(",").replace(' ', "_").replace('%', "percent"));
        for one in found {
            let cells: Vec<String> = one.cells.iter().map(|cell| quoted(cell)).collect();
            csv.push_str(&format!("{}\r\n", cells.join(",")));
        }
        return out::write(csv.as_bytes());
    }
    if routes == 0 {
        return out::line("no plan names cost_decks and sells by decks");
    }
    if !found.is_empty() {
        let mut table = out::table(&COLUMNS, &[5, 7, 8, 9]);
        for one in found.iter().take(TABLE_MAX) {
            let mut cells = one.cells.clone();
            if one.below {
                cells[8] = out::paint(&cells[8], Paint::Red);
            }
            table.add_row(cells);
        }
        out::line(&table.to_string())?;
        if let Some(more) = found.len().checked_sub(TABLE_MAX).filter(|more| *more > 0) {
            out::line(&format!("and {} more; --format csv gives all", out::grouped(more as u64)))?;
        }
    }
    out::line(&format!(
        "{} prefixes in a call of {} s: {} below their least margin, {} that no cost deck knows",
        out::grouped(routes),
        arguments.duration,
        out::grouped(below),
        out::grouped(unknown)
    ))
}

/// A cell of CSV; decks and destinations are an operator's own text.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r', ';']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
