//! How many instructions a record costs where it is read and where it is rated, as callgrind counts them: noise cannot hide a
//! loss.
//!
//! ```text
//! alias counted='cargo bench --profile dev --config benches/instructions.toml --bench instructions'
//! counted                              counts, and compares with benches/instructions.txt
//! counted -- --write                   makes that file anew
//! counted -- rate --keep rate.out      one of them, for callgrind_annotate
//! cargo bench --bench instructions     what a release build counts
//! ```
//!
//! More than [`TOLERANCE`] above the file is a failure (exit 1), as much below it asks for a new file. The file names compiler
//! and build: with another one, or on another kind of processor, counts are shown and not judged. Needs valgrind; without it
//! nothing is counted, and that is said. Without `--bench`, in a test run, each case runs once, uncounted.

mod messages;
mod scene;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use callrated::batch::{Batch, SourceId};
use callrated::number::Number;
use callrated::number::prefix::{PrefixMap, build, lexicographic};
use callrated::rating::{self, Draws, Standing};
use callrated::wire::radius;
use callrated::wire::{Decoder, Format, Scratch};
use scene::Scene;

/// Parts in a thousand by which a count may be off: hash seeds and addresses differ from run to run.
const TOLERANCE: u64 = 30;
const COUNT: usize = 4_000;
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");

/// Makes what is needed, then gives `measure` the work and how many records that is.
type Case = fn(&mut dyn FnMut(&mut dyn FnMut(), usize));

const CASES: [(&str, Case); 9] = [
    ("decode_json", decode_json),
    ("decode_csv", decode_csv),
    ("decode_radius", decode_radius),
    ("encode", encode),
    ("resolve", resolve),
    ("rate", rate),
    ("bare", bare),
    ("look_up", look_up),
    ("look_up_batch", look_up_batch),
];

/// What callgrind collects in: nothing else is counted.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if let Some(name) = arguments.iter().position(|a| a == "--case").and_then(|at| arguments.get(at + 1)) {
        run(name, true);
        return ExitCode::SUCCESS;
    }
    if !has("--bench") || has("--test") {
        for (name, _) in CASES {
            println!("{name}: {} records", run(name, false));
        }
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("nothing is counted: valgrind is not installed");
        return ExitCode::SUCCESS;
    }
    let keep = arguments.iter().position(|a| a == "--keep").and_then(|at| arguments.get(at + 1));
    let wanted = |name: &str| CASES.iter().all(|(case, _)| !has(case)) || has(name);
    let counts: BTreeMap<&str, u64> =
        CASES.iter().filter(|(name, _)| wanted(name)).map(|(name, _)| (*name, count(name, keep))).collect();
    judge(&counts, has("--write"))
}

/// Runs a case once; gives the number of records.
fn run(name: &str, warm: bool) -> usize {
    let mut records = 0;
    let (_, case) = CASES.iter().find(|(case, _)| *case == name).expect("a case");
    case(&mut |work, count| {
        // What happens once only, such as pages that are touched first, is not what a record costs.
        if warm {
            work();
        }
        counted(work);
        records = count;
    });
    records
}

/// Instructions a record.
fn count(name: &str, keep: Option<&String>) -> u64 {
    let out = keep.map_or(PathBuf::from("/dev/null"), PathBuf::from);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=instructions::counted*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().expect("this program"))
        .args(["--case", name])
        .output()
        .expect("valgrind runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split("Collected : ").nth(1)?.trim().parse::<u64>().ok());
    collected.filter(|_| output.status.success()).unwrap_or_else(|| panic!("{name}: {said}")) / COUNT as u64
}

fn judge(counts: &BTreeMap<&str, u64>, write: bool) -> ExitCode {
    let here = place();
    let text = std::fs::read_to_string(FILE).unwrap_or_default();
    let (there, lines) = text.split_once('\n').unwrap_or_default();
    let mut known: BTreeMap<&str, u64> = lines
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, n)| Some((name, n.parse().ok()?)))
        .collect();
    if write {
        known.extend(counts);
        let lines: String = known.iter().map(|(name, count)| format!("{name} {count}\n")).collect();
        std::fs::write(FILE, format!("{here}\n{lines}")).expect("the file is written");
        print!("{here}\n{lines}");
        return ExitCode::SUCCESS;
    }
    let mut worse = false;
    println!("{:<14} {:>8} {:>8}", "", "counted", "known");
    for (name, count) in counts {
        let before = known.get(name).copied().unwrap_or(0);
        let verdict = match count * 1000 {
            _ if before == 0 => "not known",
            now if now > before * (1000 + TOLERANCE) => "more",
            now if now < before * (1000 - TOLERANCE) => "less: keep it with -- --write",
            _ => "",
        };
        worse |= verdict == "more";
        println!("{name:<14} {count:>8} {before:>8} {verdict}");
    }
    if there.is_empty() {
        println!("not judged: no counts are known yet; -- --write keeps these");
        return ExitCode::SUCCESS;
    }
    if here != there {
        println!("not judged: the known counts are of {there}, this is {here}");
        return ExitCode::SUCCESS;
    }
    ExitCode::from(u8::from(worse))
}

/// Compiler, kind of processor, and how this was built, on which counts depend.
fn place() -> String {
    let output = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let compiler = String::from_utf8_lossy(&output).trim().to_owned();
    #[cfg(target_arch = "x86_64")]
    let wide = if std::arch::is_x86_feature_detected!("avx2") { " avx2" } else { "" };
    #[cfg(not(target_arch = "x86_64"))]
    let wide = "";
    // The folder of the build: target/debug/deps/…
    let program = std::env::current_exe().unwrap_or_default();
    let build = program.iter().rev().nth(2).unwrap_or_default().to_string_lossy();
    format!("{compiler} {}{wide} {build}", std::env::consts::ARCH)
}

fn decode_lines(lines: &[String], format: &Format) {
    let mut decoder = Decoder::new(format.clone(), "bench");
    let mut scratch = Scratch::default();
    for line in lines {
        if let Ok(line) = decoder.decode(line.as_bytes(), &mut scratch) {
            black_box(line);
        }
    }
}

fn decode_json(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let lines = messages::json(COUNT);
    measure(&mut || decode_lines(&lines, &Format::Json), COUNT);
}

fn decode_csv(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let lines = messages::csv(COUNT);
    measure(&mut || decode_lines(&lines, &Format::Csv), COUNT);
}

fn decode_radius(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let packets: Vec<Vec<u8>> = (0..COUNT).map(messages::cisco_stop).collect();
    let (reading, mut scratch) = (radius::Reading::default(), Scratch::default());
    let mut work = || {
        for packet in packets.iter().filter_map(|bytes| radius::Packet::read(bytes)) {
            black_box(radius::decode(&packet, &reading, None, &mut scratch)).expect("a piece");
        }
    };
    measure(&mut work, COUNT);
}

/// Records of the scene in batches, each as one door hands them on.
fn batches(scene: &Scene) -> Vec<Batch> {
    let fill = |calls: &[scene::Call]| {
        let mut batch = Batch::new(SourceId(0));
        calls.iter().for_each(|call| batch.push_record(&call.record()));
        batch
    };
    scene.calls.chunks(500).map(fill).collect()
}

fn encode(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let scene = Scene::new(1_000, COUNT as u32);
    measure(&mut || drop(black_box(batches(&scene))), COUNT);
}

fn resolve(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let scene = Scene::new(1_000, COUNT as u32);
    let mut work = || {
        scene.each_leg(&scene.calls, |leg| {
            black_box(leg);
        });
    };
    measure(&mut work, COUNT);
}

fn rate(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let scene = Scene::new(1_000, COUNT as u32);
    let (world, month) = (scene.world(), scene.month());
    let mut legs = scene.legs();
    legs.truncate(COUNT);
    let mut draws = Draws::default();
    let mut work = || {
        for leg in &legs {
            let _ = black_box(rating::rate(leg, world, month, Standing::of(&0), &mut draws));
        }
    };
    measure(&mut work, COUNT);
}

/// What `resolve` and `rate` cannot go below.
fn bare(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let scene = Scene::new(1_000, COUNT as u32);
    let (mut calls, mut room) = (scene.bare_calls(), scene.room());
    calls.truncate(COUNT);
    let mut work = || {
        black_box(scene.bare(&calls, &mut room));
    };
    measure(&mut work, calls.len());
}

/// The numbering plan's prefixes as a map, and numbers below them as ASCII digits.
fn map_and_numbers() -> (Vec<u8>, Vec<Vec<u8>>) {
    let text = include_str!("../rates/numbering.csv");
    let digits = |line: &str| Number::from_digits(line.split(',').next()?.as_bytes());
    let mut prefixes: Vec<Number> = text.lines().filter_map(digits).collect();
    prefixes.sort_by_key(|prefix| lexicographic(*prefix));
    prefixes.dedup();
    let number = |i: usize| {
        let digits = format!("{}{:014}", prefixes[i * 7919 % prefixes.len()], i * 1_299_709);
        digits.as_bytes()[..9 + i % 6].to_vec()
    };
    let numbers = (0..COUNT).map(number).collect();
    (build(&prefixes), numbers)
}

fn look_up(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let (bytes, numbers) = map_and_numbers();
    let map = PrefixMap::validate(&bytes).expect("a map that was just built");
    let mut work = || {
        for number in &numbers {
            black_box(Number::from_digits(number).and_then(|number| map.longest(number)));
        }
    };
    measure(&mut work, COUNT);
}

fn look_up_batch(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let (bytes, numbers) = map_and_numbers();
    let map = PrefixMap::validate(&bytes).expect("a map that was just built");
    let mut work = || {
        let (mut packed, mut ids) = ([Number(0); 256], [0; 256]);
        for numbers in numbers.chunks(256) {
            for (packed, number) in packed.iter_mut().zip(numbers) {
                *packed = Number::from_digits(number).expect("digits");
            }
            map.longest_batch(&packed[..numbers.len()], &mut ids[..numbers.len()]);
            black_box(&ids);
        }
    };
    measure(&mut work, COUNT);
}
