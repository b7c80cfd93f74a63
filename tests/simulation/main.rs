//! The simulated world: one seed decides traffic, disk, store, scheduling, crashes and reloads; an auditor that computes
//! everything by its own means compares after every recovery and at the end.
//!
//! The road's own parts run in one thread, a step at a time, in the order the seed chooses, on a disk that loses what was
//! not synced and a store that refuses, hangs, or commits and loses the answer; calls come whole or in parts, and time is told
//! by ticks. What must hold, in every world:
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
//!
//! What it is worth was tried: each of these was put into the code, one at a time, and taken out again.
//!
//! | the code broken on purpose | first red seed, and what the auditor says |
//! | --- | --- |
//! | an entry's position is one too high | 0: a rated leg is missing at its place |
//! | acknowledged without a sync | 0: sound data is refused, since what the store has seen is not there |
//! | identity by node and hour only | 0: a call passes for a repeat of another |
//! | totals not in the flush | 0: a line of totals is missing |
//! | allowances drawn not in the flush | 0: an allowance is missing |
//! | a torn tail is not cut | 450: what is left of it makes sound data look damaged after the next crash |
//! | a flush counts before the store said yes | 0: flushed up to 730, but the store is at 0 |
//! | the books are added up again at each attempt at the store | 0: twice the money in the books |
//! | SQLite writes a batch that it has committed already once more | 28: a leg is stored twice |
//! | the identity index is not fed again up to the flush | 9: a repeat is charged |
//! | a replay passes over activations of tariffs | 0: a rated leg is missing |
//! | the flush marker is forgotten for the last of four shards | 0: the replay does not end |
//! | latest attempts are not recovered | 17: a retry of what is still so is void |
//! | totals are spread over shards as if there were always two | 8: a line of totals begins anew |
//! | segments are dropped up to the durable end, not the stored one | 18: the journal begins behind the store |
//! | a batch that finds the disk full is acknowledged | 4: acknowledged, but the journal has no such frame |
//! | identities are not synced before the flush | 18: the index stands behind a journal that was trimmed |
//! | a leg's first attempt is always its record's place (found by this test) | 67: a retry is void |
//! | the marker names the last byte before the durable end | 0: after a stop the store stands a byte before the journal's end |
//! | a replay begins one frame too late | 0: a rated leg is missing |
//! | the first frame of a group is journalled, but not handed on | 0: a rated leg is missing |
//! | a contradiction passes for a repeat | 2: a conflict is missing |
//! | calls told in parts are not in the flush | 0: one is forgotten by a restart |
//! | a part asks the index without regard to the place | 0: a call that is replayed passes for a repeat of itself |
//! | a tick ends no waiting, or only in a replay not | 2: a call that should be unfinished is not in suspense |
//! | an unfinished call stays in suspense when its end comes | 8: something in suspense should not be there |
//! | what was put aside goes before the store said yes | 6: it cannot be read back |
//! | what is put aside forgets what left suspense | 21: something in suspense should not be there |
//! | what is put aside forgets calls told in parts | 6: 30 are remembered, and should be 33 |
//! | a larger table of the index forgets what is not in its file yet | 10: a repeat is no duplicate |
//! | an index that is fed again passes over calls told in parts | 21: a part that was told before opens a call anew |
//! | an index that is fed again asks the journal for parts that may have left it (found by this test) | 277: sound data is refused |
//! | the name of an index made by a process that was killed right then is not made durable (found by this test) | 1068: the index is gone after the next crash |
//! | a frame may end in a zero (found by this test) | 1216: one whose byte turned was cut as torn |
//!
//! Not simulated here, and tested elsewhere: threads (the index grows at once, the store hangs between two steps), images on
//! a disk that fails, records set aside after two deaths.

// A test that runs for a length of time asks the world for it; no seed sees it.
#![allow(clippy::disallowed_methods)]

mod audit;
mod guard;
mod minimum;
mod model;
mod months;
mod pieces;
mod plain_store;
mod random;
mod rates;
mod rerate;
mod rollover;
mod told;
mod traffic;
mod trial;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use world::Happened;

/// Seeds in an ordinary run.
const SEEDS: u64 = 2000;
/// Seeds that once found a fault of the program, which stays mended: a leg that came into suspense by a retry of its
/// record could never be tried again; an index that stood behind could not learn a call told in parts whose first part
/// had left the journal; the name of an index that was made by a process killed right then was never made durable; a
/// frame that ended in a zero passed for one cut short when one of its bits turned.
const ONCE_RED: [u64; 4] = [20, 277, 1068, 1216];
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
    let Happened { parts, unfinished, store_hangs, put_aside, index_grown, .. } = happened;
    let often = [crashes, store_lost_after, rot, index_lost, full, duplicates, conflicts, replays, parts, unfinished];
    for count in often.into_iter().chain([store_hangs, put_aside, index_grown]) {
        assert!(count > worlds / 50, "{happened:#?}");
    }
}

#[test]
fn a_seed_is_a_world() {
    for seed in [1, 2, 3, 5, 8].into_iter().chain(ONCE_RED) {
        let (first, second) = (format!("{:?}", play(seed)), format!("{:?}", play(seed)));
        assert_eq!(first, second, "seed {seed}");
        assert!(first.starts_with("Ok"), "seed {seed}: {first}");
    }
}
