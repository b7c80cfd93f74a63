//! How many instructions a record costs in each room of the house, as callgrind counts them: noise cannot hide a loss.
//!
//! ```text
//! cargo bench --profile counted --bench instructions               counts, and compares with benches/instructions.txt
//! cargo bench --profile counted --bench instructions -- --write    makes that file anew
//! cargo bench --profile counted --bench instructions -- rate --keep rate.out    one of them, for callgrind_annotate
//! ```
//!
//! More than [`TOLERANCE`] above the file is a failure (exit 1), as much below it asks for a new file. The file names the
//! compiler: with another one, or on another kind of processor, counts are shown and not judged. Needs valgrind; without it
//! nothing is counted, and that is said. Without `--bench`, in a test run, each case runs once, uncounted.

mod messages;
mod scene;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use callrated::batch::{Batch, Position, SourceId};
use callrated::call::{AccountKey, GroupKey, LegKey, RatedCall};
use callrated::identity::{IdentityIndex, Key, Settings as IdentitySettings};
use callrated::journal::{Journal, Settings as JournalSettings};
use callrated::os::disk::RealDisk;
use callrated::rating::{self, Leg};
use callrated::record::{Content, Identity};
use callrated::store::sqlite::SqliteStore;
use callrated::store::{Account, BasisText, CallRow, FlushBatch, GroundsOf, Group, Store};
use callrated::time::Timestamp;
use callrated::wire::radius;
use callrated::wire::{Decoder, Format, Line, Scratch};
use scene::Scene;
use xxhash_rust::xxh3::xxh3_128;

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
    ("journal", journal),
    ("identity", identity),
    ("resolve", resolve),
    ("rate", rate),
    ("store", store),
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
    if write {
        let lines: String = counts.iter().map(|(name, count)| format!("{name} {count}\n")).collect();
        std::fs::write(FILE, format!("{here}\n{lines}")).expect("the file is written");
        print!("{here}\n{lines}");
        return ExitCode::SUCCESS;
    }
    let text = std::fs::read_to_string(FILE).unwrap_or_default();
    let mut lines = text.lines();
    let there = lines.next().unwrap_or_default();
    let known: BTreeMap<&str, u64> =
        lines.filter_map(|line| line.split_once(' ')).filter_map(|(name, n)| Some((name, n.parse().ok()?))).collect();
    let mut worse = false;
    println!("{:<14} {:>8} {:>8}", "", "counted", "known");
    for (name, count) in counts {
        let before = known.get(name).copied().unwrap_or(0);
        let verdict = match (count * 1000, before * (1000 + TOLERANCE), before * (1000 - TOLERANCE)) {
            (now, most, _) if now > most => "more",
            (now, _, least) if now < least => "less: cargo bench --profile counted --bench instructions -- --write",
            _ => "",
        };
        worse |= verdict == "more";
        println!("{name:<14} {count:>8} {before:>8} {verdict}");
    }
    if here != there {
        println!("not judged: the known counts are of {there}, this is {here}");
        return ExitCode::SUCCESS;
    }
    ExitCode::from(u8::from(worse))
}

/// Compiler and kind of processor, on which counts depend.
fn place() -> String {
    let output = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let compiler = String::from_utf8_lossy(&output).trim().to_owned();
    #[cfg(target_arch = "x86_64")]
    let wide = if std::arch::is_x86_feature_detected!("avx2") { " avx2" } else { "" };
    #[cfg(not(target_arch = "x86_64"))]
    let wide = "";
    format!("{compiler} {}{wide}", std::env::consts::ARCH)
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
    let scene = Scene::new(COUNT as u32);
    measure(&mut || drop(black_box(batches(&scene))), COUNT);
}

/// Checksum and write, without the sync.
fn journal(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let scene = Scene::new(COUNT as u32);
    let folder = tempfile::tempdir().expect("a folder");
    let (mut journal, _) =
        Journal::open(Arc::new(RealDisk), folder.path(), &JournalSettings::default()).expect("a journal");
    let mut waiting = [batches(&scene), batches(&scene)].into_iter();
    let mut work = || {
        for batch in waiting.next().unwrap_or_default() {
            black_box(journal.append(batch, Timestamp(0))).expect("an append");
        }
    };
    measure(&mut work, COUNT);
}

fn identity(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = IdentitySettings::default();
    let (mut index, _) =
        IdentityIndex::open(Arc::new(RealDisk), folder.path(), &settings, Position(u64::MAX >> 2)).expect("an index");
    let (mut next, mut verdicts) = (0_u64, Vec::new());
    let mut work = || {
        for _ in 0..COUNT / 500 {
            let keys: Vec<Key> = (next..next + 500)
                .map(|n| Key {
                    identity: Identity(xxh3_128(&n.to_le_bytes())),
                    content: Content(n),
                    position: Position(64 + n * 300),
                })
                .collect();
            next += 500;
            verdicts.clear();
            index.check(&keys, &mut verdicts).expect("a check");
        }
    };
    measure(&mut work, COUNT);
}

fn resolve(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let scene = Scene::new(COUNT as u32);
    let world = scene.world();
    measure(
        &mut || scene.calls.iter().flat_map(|call| scene.legs(call, world)).for_each(|leg| drop(black_box(leg))),
        COUNT,
    );
}

fn rate(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let scene = Scene::new(COUNT as u32);
    let (world, month) = (scene.world(), scene.month());
    let legs: Vec<Leg> = scene.calls.iter().flat_map(|call| scene.legs(call, world)).take(COUNT).collect();
    let mut work = || {
        for leg in &legs {
            let _ = black_box(rating::rate(leg, world, month, 0));
        }
    };
    measure(&mut work, COUNT);
}

/// One flush, as the flush thread hands it over, totals apart.
fn store(measure: &mut dyn FnMut(&mut dyn FnMut(), usize)) {
    let scene = Scene::new(COUNT as u32);
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("store.db")).expect("a store");
    let accounts: Vec<Account> = (0..1000).map(|i| Account { key: AccountKey(i), name: format!("a{i}") }).collect();
    let groups: Vec<Group> = (0..1000).map(|i| Group { key: GroupKey(i), name: format!("a{i}") }).collect();
    let begin = FlushBatch::empty(Position(0), Position(1), Timestamp(0));
    store.flush(&FlushBatch { accounts: &accounts, groups: &groups, ..begin }).expect("accounts");
    let (world, month) = (scene.world(), scene.month());
    let mut position = 1;
    let mut work = || {
        let ids: Vec<String> =
            (0..COUNT).map(|i| format!("{:032x}", xxh3_128(&(position + i).to_le_bytes()))).collect();
        let rated: Vec<(RatedCall, &scene::Call)> = scene
            .calls
            .iter()
            .enumerate()
            .flat_map(|(i, call)| scene.legs(call, world).map(move |leg| (i, call, leg)))
            .filter_map(|(i, call, leg)| {
                let key = LegKey { position: Position((position + i * 300) as u64), leg: leg.direction };
                let rated = rating::rate(&leg, world, month, 0).ok()?;
                Some((rated.call(&leg, key, AccountKey(leg.account_row), GroupKey(leg.account_row)), call))
            })
            .collect();
        let rows: Vec<CallRow<'_>> = rated.iter().zip(&ids).map(|((call, said), id)| row(*call, said, id)).collect();
        let batch =
            FlushBatch::empty(Position(position as u64), Position((position + COUNT * 300) as u64), Timestamp(0));
        store.flush(&FlushBatch { calls: &rows, describe: &|_| BasisText::default(), ..batch }).expect("a flush");
        position += COUNT * 300;
    };
    measure(&mut work, COUNT);
}

fn row<'a>(call: RatedCall, said: &'a scene::Call, id: &'a str) -> CallRow<'a> {
    CallRow {
        call,
        node: b"lab",
        id: id.as_bytes(),
        source_dialled: said.source.as_bytes(),
        destination_dialled: said.destination.as_bytes(),
        start: Some(said.answer),
        grounds: Some(GroundsOf {
            source: SourceId(0),
            profile: Position(0),
            directory: 0,
            direction: None,
            account: b"",
            forwarded_by: b"",
            routing_number: b"",
        }),
        revision: 0,
    }
}
