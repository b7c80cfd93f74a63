//! Rating plans that follow each other as one deck of ours, and the plan that names it.
//!
//! Does not know how the files are read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::model::{
    DESTINATION_RATES, DESTINATIONS, DestinationRate, Model, PlanLine, RATES, RATING_PLANS, RATING_PROFILES, TIMINGS,
};
use super::price::{Chain, chain};
use super::timing::{Tie, Timing, held};
use super::{ConvertedPlan, Losses, Schedule, Wishes};
use crate::money::Money;
use crate::number::Number;
use crate::number::prefix::lexicographic;
use crate::tariff::plans::COST_DECIMALS_MAX;
use crate::tariff::supplier::write::quoted;
use crate::tariff::{Finding, Severity};

/// Every destination, and every moment.
const ANY: &str = "*any";

/// A row of a deck but for its prefix, name and dates; a column that no row of a deck needs is left out.
type Cells = [String; 9];
const COLUMNS: [&str; 9] =
    ["rate", "connect_fee", "initial", "increment", "days", "hours", "after", "maximum_cost", "blocked"];
const RATE: usize = 0;
const FEE: usize = 1;
const INITIAL: usize = 2;
const INCREMENT: usize = 3;
const DAYS: usize = 4;
const HOURS: usize = 5;
const AFTER: usize = 6;
const CAP: usize = 7;
const BLOCKED: usize = 8;

/// A destination rate, and the line of the rating plan that says when.
type Offer<'m> = (&'m PlanLine, &'m DestinationRate);

/// Destinations that have a prefix, and in which row.
type Owners<'m> = Vec<(&'m str, u32)>;

pub(super) fn error(file: &str, line: u32, message: String, hint: &str) -> Finding {
    Finding { severity: Severity::Error, file: file.to_owned(), line, column: 0, message, hint: hint.to_owned() }
}

/// Names that no row has.
pub(super) fn references(model: &Model, findings: &mut Vec<Finding>) {
    let mut ask = |known: bool, file, line, what: &str, name: &str, elsewhere| {
        if !known {
            let message = format!("there is no {what} {name:?} in {elsewhere}");
            findings.push(error(file, line, message, "CGRateS does not load such a plan"));
        }
    };
    for rate in model.destination_rates.values().flatten() {
        let known = rate.destination == ANY || model.destinations.contains_key(&rate.destination);
        ask(known, DESTINATION_RATES, rate.line, "destination", &rate.destination, DESTINATIONS);
        ask(model.rates.contains_key(&rate.rate), DESTINATION_RATES, rate.line, "rate", &rate.rate, RATES);
    }
    for line in model.plans.values().flatten() {
        let known = model.destination_rates.contains_key(&line.rates);
        ask(known, RATING_PLANS, line.line, "destination rate", &line.rates, DESTINATION_RATES);
        let known = line.timing == ANY || model.timings.contains_key(&line.timing);
        ask(known, RATING_PLANS, line.line, "timing", &line.timing, TIMINGS);
    }
    for profile in &model.profiles {
        let known = model.plans.contains_key(&profile.plan);
        ask(known, RATING_PROFILES, profile.line, "rating plan", &profile.plan, RATING_PLANS);
    }
}

/// The deck of a schedule, and its part of `plans.toml`.
pub(super) fn plan(
    model: &Model,
    schedule: &Schedule,
    subjects: &[String],
    wishes: &Wishes,
    names: &mut BTreeSet<String>,
    losses: &mut Losses,
) -> (ConvertedPlan, String) {
    let from: Vec<String> = schedule.iter().map(|(_, plan)| plan.clone()).collect();
    let name = unused(from.last().map_or("", String::as_str), names);
    let mut rows: Vec<Row> = Vec::new();
    let mut offers: Vec<Offer<'_>> = Vec::new();
    for (at, (begin, plan)) in schedule.iter().enumerate() {
        let date = |at: Option<&(Option<crate::time::Timestamp>, String)>| {
            at.and_then(|(from, _)| *from).map_or_else(String::new, |from| from.to_string())
        };
        let valid = [begin.map_or_else(String::new, |from| from.to_string()), date(schedule.get(at + 1))];
        offers.extend(rating_plan(model, plan, &valid, &wishes.calling_codes, &mut rows, losses));
    }
    rows.sort_by_key(|row| lexicographic(row.prefix));
    let decimals = decimals(&offers, losses);
    let split =
        rows.iter().flat_map(|row| &row.cells).any(|cells| !(cells[DAYS].is_empty() && cells[HOURS].is_empty()));
    let mut prefixes: Vec<Number> = rows.iter().map(|row| row.prefix).collect();
    prefixes.dedup();
    let blocked = rows.iter().flat_map(|row| &row.cells).filter(|cells| !cells[BLOCKED].is_empty()).count();
    let source = format!("CGRateS: {}", from.join(", "));
    let toml = plan_toml(&name, subjects, wishes, split, Some(decimals), &source);
    let deck = deck(&rows);
    let count = rows.iter().map(|row| row.cells.len()).sum();
    let subjects = subjects.to_vec();
    (ConvertedPlan { name, from, subjects, prefixes: prefixes.len(), rows: count, blocked, deck }, toml)
}

/// The sections of a plan and its deck in `plans.toml`.
pub(super) fn plan_toml(
    name: &str,
    subjects: &[String],
    wishes: &Wishes,
    split: bool,
    decimals: Option<u64>,
    source: &str,
) -> String {
    let flat = |text: &str| text.replace(char::is_control, " ");
    let text = |value: &str| toml::Value::from(flat(value)).to_string();
    let mut toml = String::new();
    if !subjects.is_empty() {
        let _ = writeln!(toml, "# For {}.", flat(&subjects.join(", ")));
    }
    let _ = write!(
        toml,
        "[plan.{name}]\ncountry = {}\ncurrency = {currency}\noverage = \"deck\"\ndecks = [\"{name}\"]\n{}{}\n\
         [deck.{name}]\ncurrency = {currency}\ntimezone = {}\nsource = {}\n\n",
        text(&wishes.country),
        if split { "bands = \"split\"\n" } else { "" },
        decimals.map_or_else(String::new, |decimals| format!("cost_decimals = {decimals}\n")),
        text(&wishes.timezone),
        text(source),
        currency = text(&wishes.currency),
    );
    toml
}

/// A name for plan and deck that no other has, not even one in other letters: not all disks tell them apart.
pub(super) fn unused(wanted: &str, names: &mut BTreeSet<String>) -> String {
    let sound = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    let base: String = wanted.chars().map(sound).collect();
    let mut name = base.clone();
    let mut n = 1;
    while !names.insert(name.to_ascii_lowercase()) {
        n += 1;
        name = format!("{base}-{n}");
    }
    name
}

/// What a deck says of a prefix between two dates.
struct Row {
    prefix: Number,
    destination: String,
    valid: [String; 2],
    cells: Vec<Cells>,
}

fn deck(rows: &[Row]) -> String {
    let dated = [0, 1].map(|at| rows.iter().any(|row| row.valid.get(at).is_some_and(|date| !date.is_empty())));
    let used: Vec<usize> = (0..COLUMNS.len())
        .filter(|at| {
            *at == 0 || rows.iter().flat_map(|row| &row.cells).any(|c| c.get(*at).is_some_and(|c| !c.is_empty()))
        })
        .collect();
    let line = |prefix: &str, destination: &str, cells: &[&str], valid: [&str; 2]| {
        let cells = used.iter().filter_map(|at| cells.get(*at).copied());
        let dates = dated.into_iter().zip(valid).filter(|(used, _)| *used).map(|(_, date)| date);
        let all: Vec<&str> = [prefix, destination].into_iter().chain(cells).chain(dates).collect();
        all.join(",")
    };
    let mut out = line("prefix", "destination", &COLUMNS, ["valid_from", "valid_to"]);
    out.push('\n');
    for row in rows {
        let [from, to] = &row.valid;
        for cells in &row.cells {
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            out.push_str(&line(&row.prefix.to_string(), &quoted(&row.destination), &cells, [from, to]));
            out.push('\n');
        }
    }
    out
}

/// The rows of one rating plan; which offers they are made of.
fn rating_plan<'m>(
    model: &'m Model,
    plan: &str,
    valid: &[String; 2],
    codes: &[Number],
    rows: &mut Vec<Row>,
    losses: &mut Losses,
) -> Vec<Offer<'m>> {
    let mut of_destination: BTreeMap<&str, Vec<Offer<'m>>> = BTreeMap::new();
    for line in model.plans.get(plan).into_iter().flatten() {
        for rate in model.destination_rates.get(&line.rates).into_iter().flatten() {
            of_destination.entry(&rate.destination).or_default().push((line, rate));
        }
    }
    let cells: BTreeMap<&str, Vec<Cells>> = of_destination
        .iter()
        .map(|(destination, offers)| (*destination, destination_cells(model, plan, destination, offers, losses)))
        .collect();
    let weight = |destination: &str| of_destination.get(destination)?.iter().map(|(line, _)| line.weight).max();
    // A prefix may be of several destinations: the one of most weight has it.
    let mut prefixes: BTreeMap<u64, (Number, Owners<'_>)> = BTreeMap::new();
    for destination in of_destination.keys() {
        for (prefix, line) in model.destinations.get(*destination).into_iter().flatten() {
            let (_, of) = prefixes.entry(lexicographic(*prefix)).or_insert_with(|| (*prefix, Vec::new()));
            if of.iter().all(|(known, _)| known != destination) {
                of.push((destination, *line));
            }
        }
    }
    for (prefix, mut of) in prefixes.values().cloned() {
        of.sort_by_key(|(destination, _)| std::cmp::Reverse(weight(destination)));
        let Some((first, line)) = of.first().copied() else { continue };
        let mut cells_of = cells.get(first).cloned().unwrap_or_default();
        if let Some((second, _)) = of.get(1)
            && weight(second) == weight(first)
            && cells.get(second) != cells.get(first)
        {
            let why = format!("{first} and {second} have it at one weight in {plan}; blocked");
            losses.add(DESTINATIONS, line, format!("prefix {prefix}"), why);
            cells_of = vec![blocked("", "")];
        }
        rows.push(Row { prefix, destination: first.to_owned(), valid: valid.clone(), cells: cells_of });
    }
    if let Some(anywhere) = cells.get(ANY) {
        // A prefix of the plan's own is the longer one, to CGRateS, than none.
        let own =
            |code: &Number| (1..=code.len()).any(|digits| prefixes.contains_key(&lexicographic(code.prefix(digits))));
        rows.extend(codes.iter().filter(|code| !own(code)).map(|code| Row {
            prefix: *code,
            destination: "anywhere".to_owned(),
            valid: valid.clone(),
            cells: anywhere.clone(),
        }));
    }
    of_destination.into_values().flatten().collect()
}

fn blocked(days: &str, hours: &str) -> Cells {
    let mut cells = Cells::default();
    [cells[DAYS], cells[HOURS], cells[BLOCKED]] = [days, hours, "true"].map(str::to_owned);
    cells
}

/// What the deck says of a destination at all times.
fn destination_cells(
    model: &Model,
    plan: &str,
    destination: &str,
    offers: &[Offer<'_>],
    losses: &mut Losses,
) -> Vec<Cells> {
    let mut timed: Vec<(Money, Timing)> = Vec::new();
    let mut taken: Vec<Offer<'_>> = Vec::new();
    for (line, rate) in offers {
        let timing = match model.timings.get(&line.timing) {
            None => Timing::ALWAYS,
            Some((_, Ok(timing))) => *timing,
            Some((at, Err(why))) => {
                let why = format!("{why}; not converted: other timings price that time, too");
                losses.add(TIMINGS, *at, format!("timing {}", line.timing), why);
                continue;
            }
        };
        timed.push((line.weight, timing));
        taken.push((line, rate));
    }
    let same = |a: usize, b: usize| {
        let price = |at: usize| taken.get(at).map(|(_, rate)| (&rate.rate, rate.max_cost, &rate.strategy));
        price(a) == price(b)
    };
    let held = match held(&timed, same) {
        Ok(held) => held,
        Err(Tie(a, b)) => {
            let why = format!("two prices of one weight begin together in {plan}; blocked");
            for (line, _) in [a, b].into_iter().filter_map(|at| taken.get(at)) {
                losses.add(RATING_PLANS, line.line, format!("destination {destination}"), why.clone());
            }
            return vec![blocked("", "")];
        }
    };
    let (mut cells, mut steps) = (Vec::new(), BTreeSet::new());
    for held in held {
        let Some((line, rate)) = held.line.and_then(|at| taken.get(at)) else {
            let when = [held.days, held.hours];
            let shown = when.iter().filter(|cell| !cell.is_empty()).cloned().collect::<Vec<_>>().join(" ");
            let shown = if shown.is_empty() { "at any time".to_owned() } else { shown };
            if let Some((line, _)) = offers.first() {
                let why = format!("no price holds {shown}; blocked then");
                losses.add(RATING_PLANS, line.line, format!("destination {destination} of {plan}"), why);
            }
            cells.push(blocked(&when[0], &when[1]));
            continue;
        };
        let slots = model.rates.get(&rate.rate).map_or(&[][..], Vec::as_slice);
        match chain(slots) {
            Ok(chain) => {
                steps.insert((chain.initial, chain.increment));
                let cap = cap(rate, losses);
                cells.extend(priced(&chain, cap, &held.days, &held.hours));
            }
            Err(why) => {
                for slot in slots {
                    losses.add(RATES, slot.line, format!("rate {}", rate.rate), format!("{why}; blocked"));
                }
                cells.push(blocked(&held.days, &held.hours));
            }
        }
        if steps.len() > 1 {
            let why = "steps differ by time of day: a call that crosses a boundary is stepped as it began";
            losses.add(RATING_PLANS, line.line, format!("rating plan {plan}"), why);
        }
    }
    cells
}

/// The row with which a call begins, and those that follow.
fn priced(chain: &Chain, cap: Option<Money>, days: &str, hours: &str) -> Vec<Cells> {
    let row = |(after, price): &(u32, Money)| {
        let mut cells = Cells::default();
        [cells[RATE], cells[DAYS], cells[HOURS]] = [price.to_string(), days.to_owned(), hours.to_owned()];
        if *after > 0 {
            cells[AFTER] = after.to_string();
            return cells;
        }
        if chain.fee != Money::ZERO {
            cells[FEE] = chain.fee.to_string();
        }
        if chain.initial != chain.increment {
            cells[INITIAL] = chain.initial.to_string();
        }
        cells[INCREMENT] = chain.increment.to_string();
        cells[CAP] = cap.map_or_else(String::new, |cap| cap.to_string());
        cells
    };
    chain.prices.iter().map(row).collect()
}

/// `maximum_cost`, where a strategy says that there is one.
fn cap(rate: &DestinationRate, losses: &mut Losses) -> Option<Money> {
    if rate.max_cost == Money::ZERO {
        return None;
    }
    let (taken, why) = match rate.strategy.as_str() {
        "*free" => (true, "taken as maximum_cost; CGRateS charges the increment that reaches it in full"),
        "*disconnect" => (true, "taken as maximum_cost; a call that reaches it is not ended"),
        _ => (false, "CGRateS knows *free and *disconnect; not taken"),
    };
    losses.add(DESTINATION_RATES, rate.line, format!("max cost {} {}", rate.max_cost, rate.strategy), why);
    taken.then_some(rate.max_cost)
}

/// Decimals of a plan's costs, and what of the rounding is otherwise.
fn decimals(offers: &[Offer<'_>], losses: &mut Losses) -> u64 {
    let most = offers.iter().map(|(_, rate)| u64::from(rate.decimals)).max();
    let decimals = most.unwrap_or(4).min(COST_DECIMALS_MAX);
    for (_, rate) in offers {
        if u64::from(rate.decimals) != decimals || !matches!(rate.method.as_str(), "*middle" | "") {
            let why = format!("a call's cost is rounded once, halves up, to {decimals} decimals");
            let method = if rate.method.is_empty() { "without a method" } else { &rate.method };
            losses.add(DESTINATION_RATES, rate.line, format!("rounding {method} to {}", rate.decimals), why);
        }
    }
    decimals
}
