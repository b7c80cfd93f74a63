//! The heart against a slow model of the rules, over random plans, decks and calls.
//!
//! The model knows nothing of images, packed numbers or integers of money: it reads the very rows from which the deck's
//! text is written, finds the longest prefix by looking at every row, steps by adding blocks, and computes with
//! `rust_decimal`. It shares with the heart only the names of the rules.

mod common;

use callrated::batch::Position;
use callrated::call::{AccountKey, GroupKey, LegKey, Meter};
use callrated::rating::{self, Drawn, Draws, Resolution, Standing, Told};
use callrated::record::Direction;
use callrated::store::Margin;
use callrated::tariff::PlanId;
use callrated::time::Period;
use common::{Books, COUNTRIES, Call, at, call};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::{Decimal, RoundingStrategy};

/// A numbering plan small enough to be looked through: prefix, country, type.
const NUMBERING: &[(&str, &str, &str)] = &[
    ("4930", "DE", "fixed"),
    ("4915", "DE", "mobile"),
    ("4918", "DE", "shared_cost"),
    ("49900", "DE", "premium"),
    ("49800", "DE", "toll_free"),
    ("4932", "DE", "voip"),
    ("1212", "US", "fixed_or_mobile"),
    ("1787", "PR", "fixed_or_mobile"),
    ("1204", "CA", "fixed_or_mobile"),
    ("1800", "CA", "toll_free"),
    ("1900", "US", "premium"),
    ("55119", "BR", "mobile"),
    ("55112", "BR", "fixed"),
    ("4312", "AT", "fixed"),
    ("43660", "AT", "mobile"),
    ("43800", "AT", "toll_free"),
];

/// Where called numbers begin: the numbering plan's prefixes, and some that it does not know.
const STEMS: &[&str] = &[
    "4930", "4915", "4918", "49900", "49800", "4932", "4977", "1212", "1787", "1204", "1800", "1900", "1333", "55119",
    "55112", "5577", "4312", "43660", "43800", "4377",
];

/// Numbers of the account: one ordinary, one toll-free, one that the numbering plan does not know.
const OWN: &[&str] = &["49301111111", "49800111111", "18001111111", "49771111111"];

#[derive(Clone, Debug)]
struct Row {
    prefix: String,
    rate: u32,
    fee: u32,
    steps: Option<Steps>,
    call_type: Option<&'static str>,
    least: Option<u32>,
    most: Option<u32>,
    blocked: bool,
    /// Days of October 2026.
    from: Option<u8>,
    to: Option<u8>,
    band: Option<Band>,
    /// Digits of the caller, or `anonymous`.
    origin: Option<&'static str>,
    lengths: Option<(usize, usize)>,
    /// Billed seconds from which on the rate is another.
    later: Option<(u32, u32)>,
}

/// The clock of the decks is UTC; the days are those of October 2026.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Band {
    Peak,
    OffPeak,
    Weekend,
}

impl Band {
    fn cells(band: Option<Band>) -> &'static str {
        match band {
            None => ",",
            Some(Band::Peak) => "mon-fri,8-18",
            Some(Band::OffPeak) => "mon-fri,18:00-08:00",
            Some(Band::Weekend) => "sat;sun,",
        }
    }

    /// Minutes since 00:00 on 1 October 2026, a Thursday.
    fn holds(self, minute: u32) -> bool {
        let (weekday, hour) = ((minute / 1440 + 3) % 7, minute / 60 % 24);
        match self {
            Band::Weekend => weekday >= 5,
            Band::Peak => weekday < 5 && (8..18).contains(&hour),
            Band::OffPeak => weekday < 5 && !(8..18).contains(&hour),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Steps {
    nearest: bool,
    initial: u32,
    increment: u32,
    minimum: u32,
    free_below: u32,
}

#[derive(Clone, Debug)]
struct Plan {
    country: &'static str,
    minutes: Option<u64>,
    /// None: by the deck.
    overage: Option<u32>,
    steps: Option<Steps>,
    includes_austria: bool,
    prorate: bool,
    decimals: u32,
    billing_start_day: u8,
    decks: Vec<Vec<Row>>,
    inbound: Vec<Row>,
    split: bool,
    /// What a carrier charges; none: nothing is said of it.
    costs: Vec<Vec<Row>>,
    cost_steps: Option<Steps>,
    pools: Vec<Pool>,
}

/// Minutes for some calls, with the words of `of`.
#[derive(Clone, Debug)]
struct Pool {
    name: &'static str,
    minutes: u64,
    of: Vec<&'static str>,
}

const POOLS: [&str; 3] = ["a", "b", "c"];
const OF: &[&str] = &[
    "DE",
    "DE:mobile",
    "+4915",
    "+493",
    "US",
    "AT",
    "+1212",
    "international",
    "domestic_premium",
    "toll_free",
    "included",
    "off_net",
    "CA:fixed_or_mobile",
    "BR:mobile",
];

#[derive(Clone, Debug)]
struct OneCall {
    to: String,
    inbound: bool,
    micros: i64,
    day: u8,
    /// Of the day.
    second: u32,
    from: &'static str,
    used: u64,
    /// Of the pools, by their places in [`POOLS`].
    drawn: [u64; 3],
}

impl Drawn for OneCall {
    fn seconds(&self, _month: Period, meter: Meter) -> u64 {
        let pool = POOLS.iter().position(|name| Meter::named(name) == meter);
        // Nothing was handed on.
        pool.map_or(if meter == Meter::PLAN { self.used } else { 0 }, |pool| self.drawn[pool])
    }
}

// --- Text from rows ----------------------------------------------------------------------------------------------------

/// Hundred-thousandths of a unit as text.
fn amount(value: u32) -> String {
    Decimal::new(i64::from(value), 5).to_string()
}

fn steps_toml(steps: Steps) -> String {
    let mode = if steps.nearest { "nearest" } else { "up" };
    let Steps { initial, increment, minimum, free_below, .. } = steps;
    format!(
        "{{ mode = \"{mode}\", initial = {initial}, increment = {increment}, minimum = {minimum}, free_below = {free_below} }}"
    )
}

fn deck_csv(rows: &[Row]) -> String {
    let mut csv = "prefix,rate,connect_fee,initial,increment,minimum,mode,free_below,call_type,minimum_cost,maximum_cost,blocked,valid_from,valid_to,days,hours,origin,length,after\n"
        .to_owned();
    for row in rows {
        let steps = row.steps.map_or(",,,,".to_owned(), |s| {
            let mode = if s.nearest { "nearest" } else { "up" };
            format!("{},{},{},{mode},{}", s.initial, s.increment, s.minimum, s.free_below)
        });
        let day = |day: Option<u8>| day.map_or(String::new(), |day| format!("2026-10-{day:02}"));
        let asks = format!(
            "{},{},{}",
            Band::cells(row.band),
            row.origin.unwrap_or(""),
            row.lengths.map_or(String::new(), |(least, most)| format!("{least}-{most}")),
        );
        if let Some((after, rate)) = row.later {
            let dates = format!("{},{}", day(row.from), day(row.to));
            csv += &format!("{},{},,,,,,,,,,,{dates},{asks},{after}\n", row.prefix, amount(rate));
        }
        csv += &format!(
            "{},{},{},{steps},{},{},{},{},{},{},{asks},\n",
            row.prefix,
            amount(row.rate),
            amount(row.fee),
            row.call_type.unwrap_or(""),
            row.least.map_or(String::new(), amount),
            row.most.map_or(String::new(), amount),
            row.blocked,
            day(row.from),
            day(row.to),
        );
    }
    csv
}

fn books(plan: &Plan) -> Books {
    let names: Vec<String> = (0..plan.decks.len()).map(|i| format!("deck{i}")).collect();
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    let mut toml = format!(
        "[plan.p]\ncountry = {:?}\ncurrency = \"EUR\"\nbands = {:?}\nprorate_first = {}\ncost_decimals = {}\ndecks = [{}]\ninbound_decks = [\"inbound\"]\n",
        plan.country,
        if plan.split { "split" } else { "start" },
        plan.prorate,
        plan.decimals,
        quoted.join(", "),
    );
    toml +=
        &plan.minutes.map_or("included_minutes = \"unlimited\"\n".to_owned(), |m| format!("included_minutes = {m}\n"));
    toml +=
        &plan.overage.map_or("overage = \"deck\"\n".to_owned(), |rate| format!("overage_rate = {:?}\n", amount(rate)));
    if let Some(steps) = plan.steps {
        toml += &format!("steps = {}\n", steps_toml(steps));
    }
    if plan.includes_austria {
        toml += "included = [\"AT\"]\n";
    }
    let cost_names: Vec<String> = (0..plan.costs.len()).map(|i| format!("cost{i}")).collect();
    if !plan.costs.is_empty() {
        toml += &format!("cost_decks = {cost_names:?}\n");
    }
    if let Some(steps) = plan.cost_steps {
        toml += &format!("cost_steps = {}\n", steps_toml(steps));
    }
    for Pool { name, minutes, of } in &plan.pools {
        toml += &format!("allowances.{name} = {{ minutes = {minutes}, of = {of:?} }}\n");
    }
    let mut decks: Vec<(&str, String)> =
        names.iter().map(|n| n.as_str()).zip(plan.decks.iter().map(|d| deck_csv(d))).collect();
    decks.push(("inbound", deck_csv(&plan.inbound)));
    decks.extend(cost_names.iter().map(|n| n.as_str()).zip(plan.costs.iter().map(|d| deck_csv(d))));
    let decks: Vec<(&str, &str)> = decks.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let numbering: String = std::iter::once("prefix,country,type,total_lengths\n".to_owned())
        .chain(NUMBERING.iter().map(|(prefix, country, kind)| format!("{prefix},{country},{kind},\n")))
        .collect();
    let accounts = format!(
        "account,plan,country,billing_start,timezone,language,extensions\np,p,{},2026-10-{:02},UTC,en,100-199\n",
        plan.country, plan.billing_start_day
    );
    let numbers: String = std::iter::once("number,account,valid_from,valid_to\n".to_owned())
        .chain(OWN.iter().map(|number| format!("+{number},p,,\n")))
        .collect();
    Books::with(COUNTRIES, &numbering, &toml, &decks, &accounts, &numbers)
}

// --- The model ---------------------------------------------------------------------------------------------------------

/// What a row is asked: the called number, the caller, the day of the answer, and a minute of October.
#[derive(Clone, Copy)]
struct Asked<'a> {
    number: &'a str,
    from: &'a str,
    day: u8,
    minute: u32,
}

fn holds(row: &Row, asked: Asked<'_>) -> bool {
    let caller = asked.from.trim_start_matches('+');
    asked.number.starts_with(&row.prefix)
        && row.from.is_none_or(|from| from <= asked.day)
        && row.to.is_none_or(|to| asked.day < to)
        && row.band.is_none_or(|band| band.holds(asked.minute))
        && row.lengths.is_none_or(|(least, most)| (least..=most).contains(&asked.number.len()))
        && match row.origin {
            None => true,
            Some("anonymous") => caller.is_empty(),
            Some(origin) => caller.starts_with(origin),
        }
}

/// Of the rows of one prefix that hold, the one that says most.
fn says(row: &Row) -> (bool, usize, bool, usize, Option<u8>) {
    let origin = row.origin.filter(|origin| *origin != "anonymous").map_or(0, str::len);
    let narrow = row.lengths.map_or(0, |(least, most)| 100 - (most - least));
    (row.origin.is_some(), origin, row.lengths.is_some(), narrow, row.from)
}

/// The row of a deck with the longest prefix; where only rows that name a type count, a prefix whose row names none is
/// passed over.
fn of_deck<'a>(deck: &'a [Row], asked: Asked<'_>, typed: bool) -> Option<&'a Row> {
    (1..=asked.number.len()).rev().find_map(|digits| {
        let same = deck.iter().filter(|row| row.prefix.len() == digits && holds(row, asked));
        same.max_by_key(|row| says(row)).filter(|row| !typed || row.call_type.is_some())
    })
}

/// The longest prefix over decks in order.
fn longest<'a>(decks: &[&'a [Row]], asked: Asked<'_>, typed: bool) -> Option<&'a Row> {
    let mut best: Option<&Row> = None;
    for row in decks.iter().filter_map(|deck| of_deck(deck, asked, typed)) {
        if best.is_none_or(|best| row.prefix.len() > best.prefix.len()) {
            best = Some(row);
        }
    }
    best
}

fn step(steps: Steps, micros: i64) -> i64 {
    if micros == 0 || micros < i64::from(steps.free_below) * 1_000_000 {
        return 0;
    }
    let mut seconds = 0_i64;
    if steps.nearest {
        // Up as long as the middle of the next block is reached.
        while 2 * micros >= (2 * seconds + i64::from(steps.increment)) * 1_000_000 {
            seconds += i64::from(steps.increment);
        }
    } else {
        seconds = i64::from(steps.initial);
        while seconds * 1_000_000 < micros {
            seconds += i64::from(steps.increment);
        }
    }
    seconds.max(i64::from(steps.minimum))
}

fn country_steps(home: &str, country: &str, kind: &str) -> Steps {
    let brazil_mobile = (country, kind) == ("BR", "mobile") && (home == "US" || home == "BR");
    let (nearest, initial, increment, minimum) = match home {
        _ if brazil_mobile => (false, 30, 6, 30),
        "US" => (true, 60, 60, 0),
        _ => (false, 60, 60, 0),
    };
    Steps { nearest, initial, increment, minimum, free_below: 0 }
}

/// Type, rule, billable, included, cost, and what each of several pools gave.
type Expected = Result<(&'static str, u8, i64, i64, Decimal, Vec<(&'static str, i64)>), &'static str>;

/// How closely words of `of` mean a call; 0: not at all.
fn closeness(of: &str, call_type: &str, own: bool, number: &str, country: &str, kind: &str) -> usize {
    let ordinary = ["fixed", "mobile", "fixed_or_mobile", "voip", "uan"];
    let by_country = call_type == "included" || call_type == "international";
    if let Some(prefix) = of.strip_prefix('+') {
        return if call_type != "toll_free" && number.starts_with(prefix) { 1000 + prefix.len() } else { 0 };
    }
    let fits = match of.split_once(':') {
        Some((of, kinds)) => (by_country && of == country && kinds == kind, 400),
        None if of == country => (by_country && ordinary.contains(&kind), 300),
        None if of == "off_net" => (call_type == "included" && !own, 200),
        None => (of == call_type, 100),
    };
    if fits.0 { fits.1 } else { 0 }
}

fn model(plan: &Plan, call: &OneCall) -> Expected {
    if call.day < plan.billing_start_day {
        return Err("before_billing_start");
    }
    let number = call.to.as_str();
    let known =
        NUMBERING.iter().filter(|(prefix, ..)| number.starts_with(prefix)).max_by_key(|(prefix, ..)| prefix.len());
    let main = if number.starts_with("49") {
        "DE"
    } else if number.starts_with("55") {
        "BR"
    } else if number.starts_with("43") {
        "AT"
    } else {
        "US"
    };
    let code_digits = if main == "US" { 1 } else { 2 };
    let (country, kind) = known.map_or((main, "unknown"), |(_, country, kind)| (*country, *kind));
    let home = plan.country;
    let at_home = country == home || (home, country) == ("US", "PR");
    let ordinary = matches!(kind, "fixed" | "mobile" | "fixed_or_mobile" | "voip");
    let own = OWN.contains(&number);
    let decks: Vec<&[Row]> = plan.decks.iter().map(Vec::as_slice).collect();
    let second_of_october = (u32::from(call.day) - 1) * 86_400 + call.second;
    let asked = Asked { number, from: call.from, day: call.day, minute: second_of_october / 60 };
    let row = longest(&decks, asked, false);
    let typed = longest(&decks, asked, true);
    let may_price = |row: &Row| kind != "unknown" || row.call_type.is_some() || row.prefix.len() >= code_digits + 3;
    let by_deck = plan.overage.is_none() && plan.minutes.is_some();

    // What kind of call, and which row has a say.
    enum Charge<'a> {
        Free,
        InPlan(Option<&'a Row>),
        By(&'a Row),
    }
    let (call_type, rule, charge) = if call.inbound {
        if own && kind == "toll_free" {
            let row = longest(&[&plan.inbound], asked, false).ok_or("no_rate")?;
            if row.blocked {
                return Err("blocked");
            }
            ("toll_free", 11, Charge::By(row))
        } else {
            ("inbound", 11, Charge::Free)
        }
    } else if own {
        ("", 7, Charge::InPlan(row.filter(|row| may_price(row))))
    } else if let Some(typed) = typed {
        match typed.call_type.unwrap() {
            "included" => ("", 8, Charge::InPlan(Some(typed))),
            name => {
                let barred = row.is_some_and(|row| row.blocked && row.prefix.len() > typed.prefix.len());
                if typed.blocked || barred {
                    return Err("blocked");
                }
                (name, 8, Charge::By(typed))
            }
        }
    } else if at_home && ordinary || plan.includes_austria && country == "AT" && ordinary {
        ("", 9, Charge::InPlan(row.filter(|row| may_price(row))))
    } else if kind == "toll_free" && main == home {
        if row.is_some_and(|row| row.blocked) {
            return Err("blocked");
        }
        ("toll_free_outbound", 10, Charge::Free)
    } else {
        let row = row.ok_or("no_rate")?;
        if !may_price(row) {
            return Err("no_rate");
        }
        if row.blocked {
            return Err("blocked");
        }
        (if at_home { "domestic_premium" } else { "international" }, 10, Charge::By(row))
    };

    // How long.
    let own_steps = match &charge {
        Charge::By(row) => row.steps,
        Charge::InPlan(Some(row)) if by_deck => row.steps,
        _ => None,
    };
    let steps = own_steps.or(plan.steps).unwrap_or_else(|| country_steps(home, country, kind));
    let billable = step(steps, call.micros);
    let forgiven = call.micros == 0 || call.micros < i64::from(steps.free_below) * 1_000_000;

    // How much: every block at its own rate, as if each were a call.
    let decimal = |value: u32| Decimal::new(i64::from(value), 5);
    let priced = |row: &Row| !(row.blocked && row.rate == 0 && row.fee == 0);
    let in_plan = matches!(charge, Charge::InPlan(_));
    let rate_at = |second: i64| -> Result<u32, &'static str> {
        let into = if plan.split { second as u32 } else { 0 };
        let asked = Asked { minute: (second_of_october + into) / 60, ..asked };
        let row = match rule {
            8 => longest(&decks, asked, true),
            11 => longest(&[&plan.inbound], asked, false),
            _ => longest(&decks, asked, false),
        };
        let row = row.ok_or("no_rate")?;
        match (may_price(row), row.blocked, in_plan) {
            (false, ..) => return Err("no_rate"),
            (_, true, false) => return Err("blocked"),
            (_, _, true) if !priced(row) => return Err("no_rate"),
            _ => {}
        }
        Ok(row.later.filter(|(after, _)| second >= i64::from(*after)).map_or(row.rate, |(_, rate)| rate))
    };
    let cost = |row: &Row, beyond: i64| -> Result<Decimal, &'static str> {
        let mut cost = if forgiven { Decimal::ZERO } else { decimal(row.fee) };
        let (mut begin, mut sixtieths) = (0_i64, Decimal::ZERO);
        while begin < billable {
            let block = if begin == 0 && steps.initial > 0 { steps.initial } else { steps.increment };
            let end = (begin + i64::from(block)).min(billable);
            let charged = end - begin.max(beyond);
            if charged > 0 {
                sixtieths += decimal(rate_at(begin)?) * Decimal::from(charged);
            }
            begin = end;
        }
        cost += sixtieths / Decimal::from(60);
        if billable > beyond {
            cost = row.least.map_or(cost, |least| cost.max(decimal(least)));
            cost = row.most.map_or(cost, |most| cost.min(decimal(most)));
        }
        Ok(cost.round_dp_with_strategy(plan.decimals, RoundingStrategy::MidpointAwayFromZero))
    };
    let left = |minutes: u64, used: u64| {
        let days = 32 - i64::from(plan.billing_start_day);
        let minutes = if plan.prorate {
            // Whole minutes, up.
            (Decimal::from(minutes) * Decimal::from(days) / Decimal::from(31)).ceil()
        } else {
            Decimal::from(minutes)
        };
        (i64::try_from(minutes).unwrap() * 60 - used as i64).max(0)
    };
    // What pools give: the closest first, of those alike the first by name.
    let drawing = match &charge {
        Charge::Free => None,
        Charge::InPlan(_) => Some("included"),
        Charge::By(_) => Some(call_type),
    };
    let mut fitting: Vec<(usize, &Pool)> = Vec::new();
    if let Some(drawing) = drawing.filter(|_| billable > 0) {
        for pool in &plan.pools {
            let closest =
                pool.of.iter().map(|of| closeness(of, drawing, rule == 7, number, country, kind)).max().unwrap();
            fitting.extend((closest > 0).then_some((closest, pool)));
        }
    }
    fitting.sort_by_key(|(closest, pool)| (std::cmp::Reverse(*closest), pool.name));
    let (mut rest, mut gave) = (billable, Vec::new());
    for (_, pool) in fitting {
        if rest > 0 {
            let place = POOLS.iter().position(|name| *name == pool.name).unwrap();
            let seconds = rest.min(left(pool.minutes, call.drawn[place]));
            gave.push((pool.name, seconds));
            rest -= seconds;
        }
    }
    match charge {
        Charge::Free => Ok((call_type, rule, billable, 0, Decimal::ZERO, gave)),
        Charge::By(_) if billable > 0 && rest == 0 => Ok((call_type, rule, billable, billable, Decimal::ZERO, gave)),
        Charge::By(row) => Ok((call_type, rule, billable, billable - rest, cost(row, billable - rest)?, gave)),
        Charge::InPlan(row) => {
            let of_plan = rest.min(plan.minutes.map_or(i64::MAX, |minutes| left(minutes, call.used)));
            if !gave.is_empty() && rest > 0 {
                gave.push(("", of_plan));
            }
            let included = billable - rest + of_plan;
            if billable == included {
                return Ok(("included", rule, billable, included, Decimal::ZERO, gave));
            }
            let cost = match (plan.overage, row) {
                (Some(rate), _) => (decimal(rate) * Decimal::from(billable - included) / Decimal::from(60))
                    .round_dp_with_strategy(plan.decimals, RoundingStrategy::MidpointAwayFromZero),
                // A blocked row without a price prices nothing.
                (None, Some(row)) if priced(row) => cost(row, included)?,
                (None, _) => return Err("no_rate"),
            };
            Ok((if included == 0 { "overage" } else { "included" }, rule, billable, included, cost, gave))
        }
    }
}

/// What the call costs us: nothing said, not known, or an amount.
fn cost_model(plan: &Plan, call: &OneCall) -> Option<Option<Decimal>> {
    if plan.costs.is_empty() || call.inbound {
        return None;
    }
    let number = call.to.as_str();
    if OWN.contains(&number) {
        return Some(Some(Decimal::ZERO));
    }
    let decks: Vec<&[Row]> = plan.costs.iter().map(Vec::as_slice).collect();
    let second_of_october = (u32::from(call.day) - 1) * 86_400 + call.second;
    let row_at = |into: u32| {
        let asked = Asked { number, from: call.from, day: call.day, minute: (second_of_october + into) / 60 };
        longest(&decks, asked, false).filter(|row| !row.blocked)
    };
    let Some(first) = row_at(0) else { return Some(None) };
    let by_the_second = Steps { nearest: false, initial: 1, increment: 1, minimum: 0, free_below: 0 };
    let steps = first.steps.or(plan.cost_steps).unwrap_or(by_the_second);
    let billable = step(steps, call.micros);
    let forgiven = call.micros == 0 || call.micros < i64::from(steps.free_below) * 1_000_000;
    let decimal = |value: u32| Decimal::new(i64::from(value), 5);
    let (mut begin, mut cost) = (0_i64, if forgiven { Decimal::ZERO } else { decimal(first.fee) });
    let mut sixtieths = Decimal::ZERO;
    while begin < billable {
        let block = i64::from(if begin == 0 && steps.initial > 0 { steps.initial } else { steps.increment });
        let Some(row) = row_at(if plan.split { begin as u32 } else { 0 }) else { return Some(None) };
        let rate = row.later.filter(|(after, _)| begin >= i64::from(*after)).map_or(row.rate, |(_, rate)| rate);
        sixtieths += decimal(rate) * Decimal::from(block.min(billable - begin));
        begin += block;
    }
    cost += sixtieths / Decimal::from(60);
    if billable > 0 {
        cost = first.least.map_or(cost, |least| cost.max(decimal(least)));
        cost = first.most.map_or(cost, |most| cost.min(decimal(most)));
    }
    Some(Some(cost.round_dp_with_strategy(plan.decimals, RoundingStrategy::MidpointAwayFromZero)))
}

// --- Random worlds ------------------------------------------------------------------------------------------------------

fn steps() -> impl Strategy<Value = Steps> {
    (any::<bool>(), 0..100_u32, 1..100_u32, select(vec![0_u32, 0, 30, 90]), select(vec![0_u32, 0, 3])).prop_map(
        |(nearest, initial, increment, minimum, free_below)| {
            let initial = if nearest { increment } else { initial };
            Steps { nearest, initial, increment, minimum, free_below }
        },
    )
}

fn row() -> impl Strategy<Value = Row> {
    let prefix = (select(STEMS), 1..6_usize, "[0-2]{0,3}").prop_map(|(stem, keep, more)| {
        if keep < stem.len() { stem[..keep].to_owned() } else { format!("{stem}{more}") }
    });
    let amounts = (0..300_000_u32, select(vec![0_u32, 0, 0, 10_000, 12_345]), any::<bool>());
    let caps = (proptest::option::weighted(0.1, 0..50_000_u32), proptest::option::weighted(0.1, 50_000..100_000_u32));
    let named = proptest::option::weighted(
        0.15,
        select(vec!["included", "domestic_premium", "international", "toll_free_outbound"]),
    );
    let days = (proptest::option::weighted(0.2, 1..12_u8), proptest::option::weighted(0.2, 12..28_u8));
    let asks = (
        proptest::option::weighted(0.5, select(vec![Band::Peak, Band::OffPeak, Band::Weekend])),
        proptest::option::weighted(0.2, select(vec!["49", "4930", "1", "anonymous"])),
        proptest::option::weighted(0.1, select(vec![(11, 11), (10, 12), (13, 13)])),
        proptest::option::weighted(0.2, (1..200_u32, 0..300_000_u32)),
    );
    (prefix, amounts, proptest::option::weighted(0.3, steps()), named, caps, proptest::bool::weighted(0.1), days, asks)
        .prop_map(|(prefix, (rate, fee, free), steps, call_type, (least, most), blocked, (from, to), asks)| Row {
            prefix,
            rate: if free && rate % 4 == 0 { 0 } else { rate },
            fee,
            steps,
            call_type,
            least,
            most,
            blocked,
            from,
            to,
            band: asks.0,
            origin: asks.1,
            lengths: asks.2,
            // Where a block has no price there is none to change.
            later: asks.3.filter(|_| !blocked),
        })
}

/// Rows of one deck: no two that begin together, ask for the same and could both hold, which a deck may not have.
fn deck(rows: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec(row(), rows).prop_map(|rows: Vec<Row>| {
        let mut kept: Vec<Row> = Vec::new();
        for row in rows {
            let rivals = |other: &Row| {
                let asks = |row: &Row| (row.prefix.clone(), row.from, row.origin, row.lengths);
                asks(&row) == asks(other) && (row.band.is_none() || other.band.is_none() || row.band == other.band)
            };
            if !kept.iter().any(rivals) {
                kept.push(row);
            }
        }
        kept
    })
}

fn plan() -> impl Strategy<Value = Plan> {
    let money = (
        select(vec![Some(0_u64), Some(1), Some(3), Some(31), Some(1000), None]),
        proptest::option::weighted(0.6, 0..5_000_u32),
        select(vec![0_u32, 2, 4, 4, 6, 8]),
    );
    let flags = (any::<bool>(), any::<bool>(), 1..20_u8, any::<bool>());
    let costs = (proptest::collection::vec(deck(1..25), 0..3), proptest::option::weighted(0.3, steps()));
    let decks = (proptest::collection::vec(deck(1..25), 1..4), deck(0..10), costs);
    let pool = (1..6_u64, proptest::collection::vec(select(OF), 1..4));
    let pools = proptest::collection::vec(pool, 0..=POOLS.len());
    let money = (money, pools);
    (select(vec!["DE", "US", "BR", "AT"]), money, proptest::option::weighted(0.3, steps()), flags, decks).prop_map(
        |(
            country,
            ((minutes, overage, decimals), pools),
            steps,
            (includes_austria, prorate, billing_start_day, split),
            (decks, mut inbound, (costs, cost_steps)),
        )| {
            // Rows of inbound decks name no type.
            inbound.iter_mut().for_each(|row| row.call_type = None);
            Plan {
                country,
                minutes,
                overage,
                steps,
                includes_austria,
                prorate,
                decimals,
                billing_start_day,
                decks,
                inbound,
                split,
                costs,
                cost_steps,
                pools: POOLS.iter().zip(pools).map(|(name, (minutes, of))| Pool { name, minutes, of }).collect(),
            }
        },
    )
}

fn one_call() -> impl Strategy<Value = OneCall> {
    let to = prop_oneof![
        6 => (select(STEMS), "[0-2]{9}").prop_map(|(stem, more)| {
            let digits = if stem.starts_with("55") { 13 } else { 11 };
            format!("{stem}{more}")[..digits].to_owned()
        }),
        1 => select(OWN).prop_map(str::to_owned),
    ];
    let micros = prop_oneof![
        0..200_000_000_i64,
        (0..300_i64).prop_map(|seconds| seconds * 1_000_000),
        (1..100_i64).prop_map(|half_minutes| half_minutes * 30_000_000 + 1),
        Just(0),
    ];
    let used = prop_oneof![Just(0_u64), 0..300_u64, (0..1100_u64).prop_map(|minutes| minutes * 60 - minutes % 2)];
    // Around the hours at which bands begin and end, or at any time.
    let second = prop_oneof![
        0..86_400_u32,
        (select(vec![8_u32, 18, 24]), 0..400_u32).prop_map(|(hour, before)| (hour * 3600 - before) % 86_400),
    ];
    let from = select(vec!["", "+49301234567", "+4915112345678", "+12125550100", "+43123456789"]);
    let drawn = proptest::array::uniform3(0..400_u64);
    (to, proptest::bool::weighted(0.2), micros, 1..29_u8, (second, from), (used, drawn)).prop_map(
        |(to, inbound, micros, day, (second, from), (used, drawn))| OneCall {
            to,
            inbound,
            micros,
            day,
            second,
            from,
            used,
            drawn,
        },
    )
}

fn as_call(one: &OneCall) -> Call {
    let direction = if one.inbound { Direction::Inbound } else { Direction::Outbound };
    let mut call = call(one.from, &format!("+{}", one.to)).account("p").direction(direction).used(one.used);
    let midnight = at(&format!("2026-10-{:02}T00:00:00Z", one.day));
    call.answer = Some(callrated::time::Timestamp(midnight.0 + i64::from(one.second) * 1_000_000));
    call.duration = Some(callrated::time::Micros(one.micros));
    call
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_heart_equals_a_slow_model(plan in plan(), calls in proptest::collection::vec(one_call(), 200)) {
        let books = books(&plan);
        let world = books.world();
        for one in &calls {
            let call = as_call(one);
            let record = call.record();
            let Resolution::Legs(Some(leg), None) = rating::resolve(&record, call.received(), &call.profile, world) else {
                return Err(TestCaseError::fail(format!("no single leg: {one:?}")));
            };
            let mut draws = Draws::default();
            let rated = rating::rate(&leg, world, leg.period(world), Standing::of(one), &mut draws);
            let told = Told::read(&draws.text);
            let gave: Vec<(&str, i64)> = told.iter().map(|told| (told.0.as_str(), i64::from(told.1))).collect();
            let got = rated.map_err(|why| why.reason.name()).map(|r| {
                let (billable, included) = (i64::from(r.billable_seconds), i64::from(r.included_seconds));
                (r.call_type.name(), r.basis.rule, billable, included, r.cost.decimal().normalize(), gave)
            });
            let expected = model(&plan, one)
                .map(|(t, rule, billable, included, cost, gave)| (t, rule, billable, included, cost.normalize(), gave));
            prop_assert_eq!(got, expected.clone(), "{:?}", one);
            if let Ok(rated) = rated {
                let costs = rating::costs(&leg, world, PlanId(rated.basis.plan), leg.period(world));
                let amount = costs.map(|costs| costs.carrier_cost.map(|cost| cost.decimal().normalize()));
                let expected = cost_model(&plan, one).map(|cost| cost.map(|cost| cost.normalize()));
                prop_assert_eq!(amount, expected, "{:?}", one);
                // Revenue less cost is the margin, to the digit; of the call, taken back, and of both together.
                if let (Some(costs), Ok((.., price, _))) = (costs, model(&plan, one)) {
                    let left = costs.margin(rated.cost).map(|left| left.decimal());
                    prop_assert_eq!(left, expected.flatten().map(|cost| price - cost), "{:?}", one);
                    let key = LegKey { position: Position(1), leg: leg.direction };
                    let call = rated.call(&leg, key, AccountKey(0), GroupKey(0));
                    let mut sum = Margin::of(&call, &costs);
                    prop_assert_eq!(Decimal::from_i128_with_scale(sum.margin(), 9), left.unwrap_or_default());
                    sum.add(&Margin::of(&call.reversed(), &costs.reversed()), 1);
                    prop_assert_eq!(sum, Margin::default());
                }
            }

            // The proof comes to the same, to the digit.
            let proof = rating::prove(&record, call.received(), &call.profile, world, leg.direction, &|_, _| Standing::of(one));
            match (expected, &proof.quote, &proof.suspended) {
                (Ok((call_type, .., cost, _)), Some(quote), None) => {
                    let shown: Decimal = quote.cost.parse().unwrap();
                    prop_assert_eq!((quote.call_type, shown.normalize()), (call_type, cost), "{:?}", one);
                    let last = &proof.lines.last().unwrap().text;
                    prop_assert!(last.ends_with(&format!(": {} EUR", quote.cost)), "{}", last);
                }
                (Err(reason), None, Some(suspended)) => prop_assert_eq!(suspended.reason, reason),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    /// Any text in any field is answered, and the answer is the same twice.
    #[test]
    fn any_record_is_answered(
        texts in proptest::collection::vec(prop_oneof!["\\PC{0,24}", "[+0-9*#;,. ]{0,20}", "sip:[0-9a-z+@;=.]{0,30}"], 4),
        answer in any::<Option<i64>>(), end in any::<Option<i64>>(), duration in any::<Option<i64>>(), received in any::<i64>(),
        plain in any::<bool>(), used in any::<u64>(),
    ) {
        let books = &common::world::BOOKS;
        let mut call = call(&texts[0], &texts[1]).account(if plain { "de" } else { &texts[2] }).forwarded_by(&texts[3]).used(used);
        if !plain {
            call.answer = answer.map(callrated::time::Timestamp);
            call.end = end.map(callrated::time::Timestamp);
            call.duration = duration.map(callrated::time::Micros);
            call.received = Some(callrated::time::Timestamp(received));
        }
        prop_assert_eq!(books.outcome(&call), books.outcome(&call));
    }
}
