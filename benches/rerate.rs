//! Stored calls rated again: read from the store, resolved and priced under what is known, compared; and written as revisions.
//! Then their month is sealed: all of it put in canonical order, rated, and written into a manifest. And it is tried by another
//! tariff: put in order in the same way, and rated by both.
//!
//! ```text
//! cargo bench --bench rerate                                 a million calls of a thousand accounts
//! cargo bench --bench rerate -- --only try                   or dry, draft, seal
//! cargo bench --bench rerate -- --only try --strangers 50    of a hundred calls, so many wait, as nobody's
//! cargo bench --bench rerate -- --minimum --accounts 1000000 --calls 100000
//!                                                            every account owes a minimum spend: sealed and tried
//! cargo bench --bench rerate -- --test                       a small run that only shows that it works
//! ```
//! `--threads N` and `--folder PATH` as one likes. The calls are rated under the tariff of the `rates` folder; a second one, in force
//! from before the month on, prices the United Kingdom otherwise, so that a tenth of the calls changes and no allowance is drawn
//! anew. Hashes of the digests, the report and what was tried are printed.

mod scene;
mod stored;

use std::path::Path;
use std::sync::Arc;

use callrated::entry::{RerateBegin, RerateScope};
use callrated::money::Money;
use callrated::os::clock::Clock;
use callrated::os::disk::RealDisk;
use callrated::period::rerate::{HELD, Run, THREADS, rate};
use callrated::period::trial::Trial;
use callrated::period::{Progress, Seals};
use stored::{END, MONTH, Mix, Stored};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Of a hundred calls, those that wait in a month as others have it, and in one in which half of the accounts are not set up.
const WAITING: [u32; 2] = [2, 50];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // In a test run nobody says `--bench`.
    let whole = arguments.iter().any(|a| a == "--bench") && !arguments.iter().any(|a| a == "--test");
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|i| arguments.get(i + 1));
    let number = |name: &str| value(name).map(|n| n.parse::<u32>().unwrap_or_else(|_| panic!("{name} N")));
    let calls = number("--calls").unwrap_or(if whole { 1_000_000 } else { 2_000 });
    let threads = number("--threads").map_or(THREADS, |n| n as usize);
    let (only, strangers, minimum) =
        (value("--only"), number("--strangers"), arguments.iter().any(|a| a == "--minimum"));
    let asked = |name: &str| only.is_none_or(|only| only == name);
    let folder = || {
        let folder = value("--folder").map_or_else(tempfile::tempdir, tempfile::tempdir_in);
        folder.expect("a temporary folder")
    };
    let mix = Mix { accounts: number("--accounts").unwrap_or(1000), minimum, ..Mix::plain(calls) };
    if !minimum && (asked("dry") || asked("draft")) || asked("seal") {
        let folder = folder();
        let scene = Stored::new(folder.path(), Mix { strangers: strangers.unwrap_or(0), ..mix });
        let mut hash = Xxh3::new();
        if !minimum {
            for (name, what, draft) in [("dry", "dry run", None), ("draft", "with its draft", Some(1))] {
                if asked(name) {
                    rerate(&scene, what, draft, threads, &mut hash);
                }
            }
        }
        if asked("seal") {
            seal(&scene, folder.path(), &mut hash);
        }
        println!("totals {:016x}", hash.digest());
    }
    if asked("try") {
        let shares = strangers.map_or_else(|| WAITING.to_vec(), |one| vec![one]);
        for strangers in if minimum { vec![strangers.unwrap_or(0)] } else { shares } {
            let folder = folder();
            let scene = Stored::new(folder.path(), Mix { strangers, ..mix });
            attempt(&scene, folder.path(), strangers, threads);
        }
    }
}

fn rerate(scene: &Stored, what: &str, draft: Option<u32>, threads: usize, hash: &mut Xxh3) {
    let scope = RerateScope { first: MONTH.0, last: MONTH.0, ..RerateScope::default() };
    let begin = RerateBegin { scope, at: scene.begin.0, ..RerateBegin::default() };
    let (store, images) = (scene.store.as_ref(), &scene.images);
    let run = Run { store, images, at: END, begin: &begin, draft, threads, held: HELD };
    let clock = Clock::wall();
    let began = clock.running();
    let (report, drafted) = rate(&run, &Progress::default()).expect("it is rated");
    let seconds = clock.since(began).as_secs_f64();
    println!(
        "{what:<16} {:>9.0} stored calls/s ({} read, {} change, {threads} threads)",
        report.read as f64 / seconds,
        report.read,
        report.changed
    );
    assert!(report.read == scene.rated && report.changed > 0 && report.follow_on == 0);
    hash.update(format!("{:?}", report.total).as_bytes());
    hash.update(drafted.map_or_else(String::new, |(draft, _)| draft.digest).as_bytes());
}

fn seal(scene: &Stored, folder: &Path, hash: &mut Xxh3) {
    let seals = Seals::new(scene.store.clone(), scene.images.clone(), Arc::new(RealDisk), &folder.join("aside"));
    let clock = Clock::wall();
    let began = clock.running();
    let draft = seals.draft(MONTH, END).expect("it is sealed");
    let seconds = clock.since(began).as_secs_f64();
    let (read, rated) = seals.progress().get();
    println!(
        "{:<16} {:>9.0} stored calls/s in {seconds:.2} s ({read} read, {rated} rated)",
        "seal",
        read as f64 / seconds
    );
    assert!(read == scene.rated && rated + 1 >= read && !draft.superseded.is_empty());
    hash.update(draft.digest.as_bytes());
}

/// The tariff by which calls are stored, tried on what the other one makes of them.
fn attempt(scene: &Stored, folder: &Path, strangers: u32, threads: usize) {
    let (store, images, tariff) = (scene.store.as_ref(), &scene.images, scene.first.as_ref());
    let (account, least_margin) = (None, Money::ZERO);
    let trial = Trial { store, images, period: MONTH, tariff, account, least_margin, threads };
    let clock = Clock::wall();
    let began = clock.running();
    let tried = trial.run(Arc::new(RealDisk), &folder.join("trying"), &Progress::default()).expect("it is tried");
    let seconds = clock.since(began).as_secs_f64();
    let (rated, waiting) = (scene.rated, scene.waiting);
    println!(
        "{:<16} {:>9.0} stored calls/s in {seconds:.2} s ({rated} rated, {waiting} wait, {threads} threads), tried {:016x}",
        format!("try, {strangers} % wait"),
        (rated + waiting) as f64 / seconds,
        xxh3_64(format!("{tried:?}").as_bytes())
    );
    let legs = |of: fn(&callrated::period::trial::Both) -> u64| tried.total.values().map(of).sum::<u64>();
    assert_eq!((legs(|both| both.before.calls), legs(|both| both.after.calls)), (rated, rated));
}
