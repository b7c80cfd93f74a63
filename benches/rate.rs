//! What a call costs the machine: from a decoded record to its rated legs.
//!
//! `cargo bench --bench rate` rates calls of a thousand hot accounts under the tariff of the `rates` folder, with
//! `CALLRATED_ACCOUNTS=5000000` calls of any of so many; `--test` rates a few. A hash of all results is printed, which changes only when a rule, a rate or a call of this file does.

mod scene;

use std::sync::LazyLock;

use callrated::rating::{self, Draws, Leg, Standing, World};
use callrated::time::Period;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use scene::Scene;

fn main() {
    println!("{} calls, {} prefixes: {:016x}", SCENE.calls.len(), SCENE.tariff.prefixes(), SCENE.hash());
    divan::main();
}

/// From record to rated legs. The month is known, as it is to a shard, which asks for it once per zone and month.
#[divan::bench]
fn resolve_and_rate(bencher: Bencher<'_, '_>) {
    let world = SCENE.world();
    let month = SCENE.month();
    bencher.counter(ItemsCount::new(SCENE.calls.len())).bench(|| {
        let (mut cost, mut draws) = (0, Draws::default());
        SCENE.each_leg(&SCENE.calls, |leg| cost += rated(leg, world, month, &mut draws));
        cost
    });
}

/// Whose call it was.
#[divan::bench]
fn resolve(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(SCENE.calls.len())).bench(|| {
        SCENE.each_leg(&SCENE.calls, |leg| {
            black_box(leg);
        });
    });
}

/// The same, one call after the other: what looking up together gains.
#[divan::bench]
fn resolve_one_by_one(bencher: Bencher<'_, '_>) {
    let world = SCENE.world();
    bencher.counter(ItemsCount::new(SCENE.calls.len())).bench(|| {
        for call in &SCENE.calls {
            black_box(rating::resolve(black_box(&call.record()), call.answer, &SCENE.profile, world));
        }
    });
}

/// What it costs, the legs being known.
#[divan::bench]
fn rate(bencher: Bencher<'_, '_>) {
    let world = SCENE.world();
    let (legs, month) = (SCENE.legs(), SCENE.month());
    bencher.counter(ItemsCount::new(legs.len())).bench(|| {
        let (mut cost, mut draws) = (0, Draws::default());
        for (i, leg) in legs.iter().enumerate() {
            // As a shard does it.
            if let Some(ahead) = legs.get(i + 9) {
                world.directory.expect_row(ahead.account_row);
            }
            cost += rated(leg, world, month, &mut draws);
        }
        cost
    });
}

/// The month alone: a civil date in the account's zone.
#[divan::bench]
fn period(bencher: Bencher<'_, '_>) {
    let world = SCENE.world();
    let legs = SCENE.legs();
    bencher.counter(ItemsCount::new(legs.len())).bench(|| legs.iter().map(|leg| leg.period(world).0).sum::<i32>());
}

/// The least that a call takes, whatever the rules.
#[divan::bench]
fn bare(bencher: Bencher<'_, '_>) {
    let (calls, mut room) = (SCENE.bare_calls(), SCENE.room());
    bencher.counter(ItemsCount::new(calls.len())).bench_local(|| SCENE.bare(&calls, &mut room));
}

fn rated(leg: &Leg, world: World<'_>, month: Period, draws: &mut Draws) -> i64 {
    match rating::rate(leg, world, month, Standing::of(&0), draws) {
        Ok(rated) => rated.cost.0 + i64::from(rated.billable_seconds),
        Err(suspended) => suspended.reason as i64,
    }
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let small = std::env::args().any(|argument| argument == "--test");
    let accounts = std::env::var("CALLRATED_ACCOUNTS").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000);
    Scene::new(accounts, if small { 1_000 } else { 100_000 })
});
