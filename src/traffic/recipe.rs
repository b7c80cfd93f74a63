//! Calls as they might be: who calls whom, how long, how often nothing comes of it, and how records reach us.
//!
//! The shape follows published measurements where there are any: durations are log-normal with a spike of very short calls
//! (Pattavina and Parini; Badarch 2013), arrivals a Poisson stream (Brown et al. 2004) with bursts, destinations abroad
//! Zipf. The shares are assumptions and stand together in [`Recipe`].
//!
//! Does not know clocks or sockets: the time of the calls is given.

use std::fmt::Write;

use super::random::Random;
use crate::time::{MICROS_PER_SECOND, Micros, Timestamp};

/// A number of an account, and its country.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// E.164 with `+`.
    pub number: String,
    /// ISO 3166 alpha-2: decides how national numbers are dialled.
    pub country: String,
}

/// The shares of things.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Calls that are answered.
    pub answered: f64,
    /// Answered calls that last no time at all.
    pub empty: f64,
    /// Answered calls of one to six seconds.
    pub short: f64,
    /// Calls to the caller's own country.
    pub home: f64,
    /// Exponent of the destinations abroad.
    pub zipf: f64,
    /// Calls to another account of ours: the record yields two legs.
    pub two_legs: f64,
    /// Records sent twice.
    pub repeated: f64,
    /// Records that come up to 32 places later than they should.
    pub disordered: f64,
    /// Calls that begin a burst: the next 50 records come at once.
    pub bursts: f64,
    /// Calls a second, for the spacing of their times.
    pub rate: f64,
}

impl Default for Recipe {
    fn default() -> Recipe {
        Recipe {
            answered: 0.58,
            empty: 0.015 / 0.58,
            short: 0.07,
            home: 0.82,
            zipf: 1.1,
            two_legs: 0.05,
            repeated: 0.01,
            disordered: 0.02,
            bursts: 0.001,
            rate: 100.0,
        }
    }
}

/// Longest call.
const LONGEST: f64 = 4.0 * 3600.0;
/// How far a disordered record is put off, in records.
const PUT_OFF_MAX: u64 = 32;
/// Records of a burst.
const BURST: u32 = 50;

/// The numbers of one kind in a country: how they begin, and how many digits they have behind the country's code.
type Plan = (&'static str, usize);

/// A country that is called.
struct Destination {
    country: &'static str,
    code: &'static str,
    mobile: Plan,
    fixed: Plan,
}

const fn destination(country: &'static str, code: &'static str, mobile: Plan, fixed: Plan) -> Destination {
    Destination { country, code, mobile, fixed }
}

/// In the order of the Zipf ranks. Every number that begins so and has so many digits is valid by libphonenumber's metadata.
const DESTINATIONS: &[Destination] = &[
    destination("DE", "49", ("151", 11), ("30", 10)),
    destination("US", "1", ("201", 10), ("212", 10)),
    destination("GB", "44", ("7400", 10), ("2079", 10)),
    destination("FR", "33", ("612", 9), ("142", 9)),
    destination("IT", "39", ("339", 10), ("0266", 10)),
    destination("ES", "34", ("612", 9), ("910", 9)),
    destination("NL", "31", ("612", 9), ("20", 9)),
    destination("AT", "43", ("664", 10), ("1", 8)),
    destination("CH", "41", ("78", 9), ("21", 9)),
    destination("PL", "48", ("512", 9), ("22", 9)),
    destination("BR", "55", ("1196", 11), ("1131", 10)),
    destination("MX", "52", ("5512", 10), ("5555", 10)),
    destination("IN", "91", ("98123", 10), ("1126", 10)),
    destination("CN", "86", ("131", 11), ("10", 10)),
    destination("TR", "90", ("532", 10), ("212", 10)),
    destination("CA", "1", ("416", 10), ("514", 10)),
    destination("AU", "61", ("412", 9), ("29", 9)),
    destination("SE", "46", ("70", 9), ("8", 9)),
    destination("RU", "7", ("912", 10), ("495", 10)),
    destination("ZA", "27", ("71", 9), ("11", 9)),
    destination("JP", "81", ("90", 10), ("3", 9)),
    destination("AE", "971", ("50", 9), ("4", 8)),
    destination("NG", "234", ("803", 10), ("803", 10)),
    destination("PH", "63", ("917", 10), ("2", 8)),
];

/// Where people of other countries call when they call home: the first of the list.
fn of_country(country: &str) -> &'static Destination {
    DESTINATIONS.iter().find(|d| d.country == country).unwrap_or(&DESTINATIONS[0])
}

/// Makes records, one after the other, for ever.
#[derive(Debug)]
pub struct Traffic {
    recipe: Recipe,
    random: Random,
    callers: Vec<Caller>,
    /// Cumulated Zipf weights of [`DESTINATIONS`].
    ranks: Vec<f64>,
    node: String,
    run: u64,
    made: u64,
    at: i64,
    burst_left: u32,
    /// Records put off, and by how many records still.
    put_off: Vec<(u64, String)>,
    repeat: Option<String>,
}

/// A record on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Made {
    /// One line of JSON without its LF.
    pub line: String,
    /// It belongs to the burst that is under way: due at once with the one before.
    pub burst: bool,
}

impl Traffic {
    /// The traffic of a seed: calls of these callers that are answered from `from` on. Ids hold `run`, so that two runs
    /// with different ones are different calls and two with the same are repeats.
    pub fn new(recipe: Recipe, seed: u64, run: u64, callers: Vec<Caller>, from: Timestamp, node: &str) -> Traffic {
        let mut sum = 0.0;
        let ranks = (1..=DESTINATIONS.len())
            .map(|rank| {
                sum += (rank as f64).powf(-recipe.zipf);
                sum
            })
            .collect();
        Traffic {
            recipe,
            random: Random::new(seed),
            callers,
            ranks,
            node: node.to_owned(),
            run,
            made: 0,
            at: from.0,
            burst_left: 0,
            put_off: Vec::new(),
            repeat: None,
        }
    }

    /// Calls made so far; repeats are not calls.
    pub fn calls(&self) -> u64 {
        self.made
    }

    /// The next record.
    pub fn next_record(&mut self) -> Made {
        let burst = self.burst_left > 0;
        self.burst_left = match self.burst_left {
            0 if self.random.chance(self.recipe.bursts) => BURST,
            left => left.saturating_sub(1),
        };
        Made { line: self.next_line(), burst }
    }

    fn next_line(&mut self) -> String {
        for (left, _) in &mut self.put_off {
            *left -= 1;
        }
        if let Some(due) = self.put_off.iter().position(|(left, _)| *left == 0) {
            return self.put_off.swap_remove(due).1;
        }
        if let Some(line) = self.repeat.take() {
            return line;
        }
        let line = self.call();
        // One record is due at a time, so a place that is taken is left to the one that has it.
        let place = 1 + self.random.below(PUT_OFF_MAX);
        if self.random.chance(self.recipe.disordered) && self.put_off.iter().all(|(left, _)| *left != place) {
            self.put_off.push((place, line));
            return self.call();
        }
        if self.random.chance(self.recipe.repeated) {
            self.repeat = Some(line.clone());
        }
        line
    }

    fn call(&mut self) -> String {
        self.at += (self.random.exponential() / self.recipe.rate * MICROS_PER_SECOND as f64) as i64;
        let random = &mut self.random;
        let mut line = String::with_capacity(320);
        let _ = write!(line, r#"{{"id":"{:x}-{:x}","node":"{}","#, self.run, self.made, self.node);
        let seq = self.made;
        self.made += 1;
        let none = Caller { number: "+4930123456".to_owned(), country: "DE".to_owned() };
        let caller = self.callers.get(random.below(self.callers.len() as u64) as usize).unwrap_or(&none);
        let _ = write!(line, r#""source":"{}","destination":""#, caller.number);
        let mobile = random.chance(0.5);
        if random.chance(self.recipe.two_legs) && self.callers.len() > 1 {
            let called = &self.callers[random.below(self.callers.len() as u64) as usize];
            line.push_str(&called.number);
        } else if random.chance(self.recipe.home) {
            dial(of_country(&caller.country), caller, mobile, random, &mut line);
        } else {
            let at = random.unit() * self.ranks.last().copied().unwrap_or(1.0);
            let rank = self.ranks.partition_point(|sum| *sum <= at).min(DESTINATIONS.len() - 1);
            dial(&DESTINATIONS[rank], caller, mobile, random, &mut line);
        }
        let _ = write!(line, r#"","start":"{}""#, Timestamp(self.at));
        let ringing = (random.exponential() * 7.0 * MICROS_PER_SECOND as f64) as i64;
        let answered = random.chance(self.recipe.answered);
        let cause = if answered { 16 } else { [17, 18, 19, 34, 1][random.below(5) as usize] };
        let talk = if answered { talk(&self.recipe, mobile, random) } else { 0.0 };
        if answered {
            let _ = write!(line, r#","answer":"{}""#, Timestamp(self.at + ringing));
        }
        // Milliseconds, as most nodes give.
        let talk = Micros((talk * 1000.0).round() as i64 * 1000);
        let _ = write!(line, r#","duration":{talk},"cause":{cause},"seq":{seq}}}"#);
        line
    }
}

/// Writes a number of the destination as the caller would dial it.
fn dial(destination: &Destination, caller: &Caller, mobile: bool, random: &mut Random, out: &mut String) {
    let (start, length) = if mobile { destination.mobile } else { destination.fixed };
    let home = destination.country == caller.country;
    match random.below(10) {
        0..2 => {
            out.push('+');
            out.push_str(destination.code);
        }
        _ if home => out.push_str(match caller.country.as_str() {
            // No trunk prefix is dialled here; in Italy the zero belongs to the number.
            "IT" | "ES" | "PL" | "MX" => "",
            "US" | "CA" => "1",
            "RU" => "8",
            // A carrier's code belongs behind Brazil's zero; Embratel's stands for all.
            "BR" => "021",
            _ => "0",
        }),
        _ => {
            out.push_str(match caller.country.as_str() {
                "US" | "CA" => "011",
                "BR" => "0021",
                "RU" => "810",
                "AU" => "0011",
                "JP" => "010",
                "NG" => "009",
                _ => "00",
            });
            out.push_str(destination.code);
        }
    }
    out.push_str(start);
    random.digits(length - start.len(), out);
}

/// Seconds of an answered call.
fn talk(recipe: &Recipe, mobile: bool, random: &mut Random) -> f64 {
    if random.chance(recipe.empty) {
        return 0.0;
    }
    if random.chance(recipe.short) {
        return 1.0 + random.unit() * 5.0;
    }
    let (median, sigma): (f64, f64) = if mobile { (95.0, 1.25) } else { (120.0, 1.35) };
    (median.ln() + sigma * random.normal()).exp().min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::wire::{Scratch, json};

    fn callers() -> Vec<Caller> {
        [("+4930123456", "DE"), ("+12015550100", "US"), ("+390612345678", "IT"), ("+551123456789", "BR")]
            .map(|(number, country)| Caller { number: number.to_owned(), country: country.to_owned() })
            .to_vec()
    }

    fn traffic(seed: u64, recipe: Recipe) -> Traffic {
        Traffic::new(recipe, seed, 1, callers(), Timestamp(1_791_190_800_000_000), "lab")
    }

    fn each(traffic: &mut Traffic, count: usize, mut look: impl FnMut(&Record<'_>)) {
        let mut scratch = Scratch::default();
        for _ in 0..count {
            let made = traffic.next_record();
            let record = json::decode(made.line.as_bytes(), b"", &mut scratch);
            look(&record.unwrap_or_else(|e| panic!("{e}: {}", made.line)));
        }
    }

    #[test]
    fn a_seed_is_a_sequence() {
        let lines = |seed| {
            let mut traffic = traffic(seed, Recipe::default());
            (0..500).map(|_| traffic.next_record()).collect::<Vec<_>>()
        };
        assert_eq!(lines(1), lines(1));
        assert_ne!(lines(1), lines(2));
        // Two versions of the program must send the same for their figures to be compared.
        let first = r#"{"id":"1-0","node":"lab","source":"+4930123456","destination":"03050193030","start":"2026-10-05T09:00:00.013747Z","answer":"2026-10-05T09:00:01.203844Z","duration":101.263,"cause":16,"seq":0}"#;
        assert_eq!(lines(1)[0].line, first);
    }

    #[test]
    fn the_mix_is_that_of_the_recipe() {
        let mut traffic = traffic(3, Recipe::default());
        let (mut ids, mut answered, mut short, mut talks, mut home, mut late) = (Vec::new(), 0, 0, Vec::new(), 0, 0);
        let mut highest = 0;
        each(&mut traffic, 20_000, |record| {
            ids.push(record.id.to_vec());
            late += usize::from(record.seq.unwrap() < highest);
            highest = highest.max(record.seq.unwrap());
            let seconds = record.duration.unwrap().0 as f64 / 1e6;
            assert!(record.answer.is_some() || seconds == 0.0);
            if record.answer.is_some() {
                answered += 1;
                talks.push(seconds);
                short += usize::from(seconds > 0.0 && seconds <= 6.0);
            }
            let (source, destination) = (record.source, record.destination);
            home += usize::from(
                source.starts_with(b"+49") && destination.starts_with(b"0") && !destination.starts_with(b"00"),
            );
        });
        let share = |n: usize, of: usize| n as f64 / of as f64;
        let repeats = {
            let all = ids.len();
            ids.sort_unstable();
            ids.dedup();
            all - ids.len()
        };
        talks.sort_by(f64::total_cmp);
        let median = talks[talks.len() / 2];
        let mean = talks.iter().sum::<f64>() / talks.len() as f64;
        for (what, got, from, to) in [
            ("answered", share(answered, 20_000), 0.56, 0.60),
            ("short", share(short, answered), 0.07, 0.10),
            ("median", median, 85.0, 105.0),
            ("mean", mean, 200.0, 270.0),
            ("repeats", share(repeats, 20_000), 0.006, 0.014),
            // Late are the repeats of a record behind which nothing came: none; so only the disordered.
            ("late", share(late, 20_000), 0.012, 0.028),
            // A quarter of callers, 0.95 × 0.82 at home, 0.8 of them dialled nationally.
            ("home", share(home, 20_000), 0.14, 0.17),
        ] {
            assert!((from..to).contains(&got), "{what}: {got} is not within {from} and {to}");
        }
    }

    #[test]
    fn numbers_are_whole() {
        for destination in DESTINATIONS {
            for (start, length) in [destination.mobile, destination.fixed] {
                assert!(start.len() < length, "{}", destination.country);
            }
        }
        let all_home = Recipe { home: 1.0, two_legs: 0.0, ..Recipe::default() };
        each(&mut traffic(5, all_home), 2000, |record| {
            let destination = std::str::from_utf8(record.destination).unwrap();
            let digits = match record.source {
                s if s.starts_with(b"+49") => {
                    destination.trim_start_matches("+49").trim_start_matches('0').len() / 2 == 5
                }
                s if s.starts_with(b"+39") => destination.trim_start_matches("+39").len() == 10,
                s if s.starts_with(b"+55") => {
                    destination.trim_start_matches("+55").trim_start_matches("021").len().abs_diff(10) <= 1
                }
                _ => destination.trim_start_matches("+1").trim_start_matches('1').len() == 10,
            };
            assert!(digits, "{destination}");
        });
    }

    #[test]
    fn bursts_come_in_one() {
        let mut traffic = traffic(9, Recipe { bursts: 0.01, ..Recipe::default() });
        let flags: Vec<bool> = (0..10_000).map(|_| traffic.next_record().burst).collect();
        let share = flags.iter().filter(|b| **b).count() as f64 / 10_000.0;
        // A burst of 50 begins after 100 calls in the mean: a third of all.
        assert!((0.2..0.5).contains(&share), "{share}");
    }
}
