//! The simulated world: one seed decides traffic, disk, store, scheduling, crashes and reloads; an auditor that computes
//! everything by its own means compares after every recovery and at the end.
//!
//! The road's own parts run in one thread, a step at a time, in the order the seed chooses, on a disk that loses what was
//! not synced and a store that refuses, or commits and loses the answer. What must hold, in every world:
//! - an acknowledgement comes only behind the sync: every acknowledged frame is there, byte for byte, after every crash;
//! - every durable record is rated exactly once, repeats and contradictions are told apart (R20), retries count once;
//! - the store at its position is exactly what the model has there: legs, totals, allowances, suspense, conflicts, books;
//! - after a stop everything is stored, and a replay of the whole journal into an empty store gives the same rows.
//!
//! ```text
//! cargo test --test simulation                                      2,000 seeds (or CALLRATED_SIM_SEEDS)
//! CALLRATED_SEED=1234 cargo test --test simulation -- --nocapture   one seed
//! CALLRATED_SIM_MINUTES=480 cargo test --test simulation -- --nocapture
//!                                                                   new seeds for so long, from CALLRATED_SIM_FROM on
//! ```

// A test that runs for a length of time asks the world for it; no seed sees it.
#![allow(clippy::disallowed_methods)]

mod audit;
mod model;
mod plain_store;
mod random;
mod rates;
mod traffic;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use world::Happened;

/// Seeds in an ordinary run.
const SEEDS: u64 = 2000;
/// Threads that play worlds; each world has one.
const THREADS: usize = 2;

/// A world whose end is told as text, whatever ended it.
fn play(seed: u64) -> Result<Happened, String> {
    catch_unwind(AssertUnwindSafe(|| world::play(seed))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("a panic: {}", text.unwrap_or_default()))
    })
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

#[test]
fn nothing_is_lost_and_nothing_is_charged_twice() {
    if let Some(seed) = number("CALLRATED_SEED") {
        match play(seed) {
            Ok(happened) => println!("seed {seed}: {happened:#?}"),
            Err(fault) => panic!("seed {seed}: {fault}"),
        }
        return;
    }
    let begun = Instant::now();
    let minutes = number("CALLRATED_SIM_MINUTES");
    let seeds = number("CALLRATED_SIM_SEEDS").unwrap_or(SEEDS);
    let first = number("CALLRATED_SIM_FROM").unwrap_or(0);
    let (next, stop) = (AtomicU64::new(first), AtomicBool::new(false));
    let (all, faults) = (Mutex::new(Happened::default()), Mutex::new(Vec::new()));
    let worlds = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let over = match minutes {
                        Some(minutes) => begun.elapsed() > Duration::from_secs(60 * minutes),
                        None => seed >= first + seeds,
                    };
                    if over {
                        break;
                    }
                    match play(seed) {
                        Ok(happened) => all.lock().unwrap().add(&happened),
                        Err(fault) => {
                            faults.lock().unwrap().push((seed, fault));
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                    worlds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let (worlds, time) = (worlds.into_inner(), begun.elapsed());
    let happened = all.into_inner().unwrap();
    println!(
        "{worlds} seeds in {:.1} s, {:.0} seeds/s: {happened:#?}",
        time.as_secs_f64(),
        worlds as f64 / time.as_secs_f64()
    );
    let mut faults = faults.into_inner().unwrap();
    faults.sort();
    if let Some((seed, fault)) = faults.first() {
        panic!("seed {seed}: {fault}\nreplay: CALLRATED_SEED={seed} cargo test --test simulation -- --nocapture");
    }
    // A world in which nothing goes wrong shows nothing.
    let Happened { crashes, store_lost_after, rot, index_lost, full, duplicates, conflicts, replays, .. } = happened;
    for count in [crashes, store_lost_after, rot, index_lost, full, duplicates, conflicts, replays] {
        assert!(count > worlds / 50, "{happened:#?}");
    }
}

#[test]
fn a_seed_is_a_world() {
    for seed in [1, 2, 3, 5, 8] {
        let (first, second) = (format!("{:?}", play(seed)), format!("{:?}", play(seed)));
        assert_eq!(first, second, "seed {seed}");
    }
}
