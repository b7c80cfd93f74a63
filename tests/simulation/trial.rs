//! A month tried by another tariff: by the one in force nothing changes, and by any it comes to what a plain list comes to,
//! sorted and rated from front to back.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use callrated::flush::Spill;
use callrated::money::{Money, Sum};
use callrated::os::sim::SimDisk;
use callrated::period::Progress;
use callrated::period::trial::{Billed, Both, Currency, Trial, Tried};
use callrated::rating::Rated;
use callrated::record::Direction;
use callrated::store::Store;
use callrated::tariff::Tariff;
use callrated::time::Period;

use super::months::{CHANGES, Folder, OCTOBER, month, plainly, told};
use super::rates::{SHELF, TARIFFS, pooled_of};

fn tried(folder: &Folder, tariff: &Tariff, account: Option<&str>, held: usize) -> Tried {
    tried_by(2, folder, tariff, account, held)
}

/// A month by the tariff in force: both sides are the same.
pub fn changes_nothing(folder: &Folder, period: Period, tariff: &Tariff) -> Tried {
    let tried = tried_in(period, 2, folder, tariff, None, 10);
    assert!(tried.accounts.values().chain(tried.destinations.values()).all(same), "{tried:#?}");
    assert!(tried.lost.is_empty() && tried.gained == 0, "{tried:#?}");
    tried
}

fn tried_by(threads: usize, folder: &Folder, tariff: &Tariff, account: Option<&str>, held: usize) -> Tried {
    tried_in(OCTOBER, threads, folder, tariff, account, held)
}

fn tried_in(
    period: Period,
    threads: usize,
    folder: &Folder,
    tariff: &Tariff,
    account: Option<&str>,
    held: usize,
) -> Tried {
    let mut spill = Spill::open(Arc::new(SimDisk::new(1)), Path::new("/aside")).unwrap();
    let (store, images) = (folder.store.as_ref(), &SHELF.images);
    let least_margin = Money::ZERO;
    let trial = Trial { store, images, period, tariff, account, least_margin, threads };
    trial.run_holding(&mut spill, held, &Progress::default()).unwrap()
}

type Plain = BTreeMap<(String, Direction), (String, Rated)>;

fn sums(plain: &Plain) -> BTreeMap<(String, Currency), Billed> {
    let mut sums: BTreeMap<(String, Currency), Billed> = BTreeMap::new();
    for (account, rated) in plain.values() {
        let sum = sums.entry((account.clone(), rated.basis.currency)).or_default();
        sum.calls += 1;
        sum.cost = Sum(sum.cost.0 + i128::from(rated.cost.0));
    }
    sums
}

fn side(tried: &Tried, of: impl Fn(&Both) -> Billed) -> BTreeMap<(String, Currency), Billed> {
    let sides = tried.accounts.iter().map(|(key, both)| (key.clone(), of(both)));
    sides.filter(|(_, billed)| billed.calls > 0).collect()
}

fn same(both: &Both) -> bool {
    both.before == both.after
}

#[test]
fn the_tariff_in_force_changes_nothing() {
    for seed in 0..40 {
        // One tariff all the month.
        let said = month(seed);
        let mut folder = told(seed, &said, 2);
        folder.flush();
        let tariff = SHELF.images.tariff(&SHELF.pooled[0]).unwrap();
        let open = tried(&folder, &tariff, None, 1 + seed as usize);
        assert!(open.accounts.values().chain(open.destinations.values()).all(same), "{open:#?}");
        assert!(open.lost.is_empty() && open.gained == 0, "{open:#?}");
        assert_eq!(side(&open, |both| both.before), sums(&plainly(&said, 2, None)), "month {seed}");
        // What is stored of a sealed month is what it says.
        folder.seal(OCTOBER);
        let sealed = tried(&folder, &tariff, None, 1000);
        assert_eq!((&sealed.accounts, &sealed.destinations), (&open.accounts, &open.destinations), "month {seed}");
        let mut stored = BTreeMap::new();
        for call in folder.calls(OCTOBER) {
            *stored.entry(call.call.basis.currency).or_insert(0) += i128::from(call.call.cost.0);
        }
        let told: BTreeMap<_, _> = sealed.total.iter().map(|(currency, both)| (*currency, both.after.cost.0)).collect();
        assert_eq!(told, stored, "month {seed}");
    }
}

#[test]
fn another_tariff_comes_to_what_a_plain_list_comes_to() {
    let (mut lost, mut gained, mut moved) = (0, 0, 0);
    // The three of the world, and one each with fewer and with more minutes: allowances of both sides run apart.
    let shelf = SHELF.pooled.iter().map(|digest| SHELF.images.tariff(digest).unwrap());
    let others = [2, 9].map(|minutes| SHELF.images.keep_tariff(&pooled_of(&TARIFFS[1], minutes)).unwrap());
    let tariffs: Vec<Arc<Tariff>> = shelf.chain(others).collect();
    for seed in 0..20 {
        let said = month(1_000 + seed);
        let mut folder = told(seed, &said, CHANGES);
        folder.flush();
        let before = folder.store.load().unwrap();
        let now = plainly(&said, CHANGES, None);
        for tariff in &tariffs {
            let then = plainly(&said, CHANGES, Some(tariff));
            let all = tried(&folder, tariff, None, 1 + seed as usize);
            for threads in [1, 5] {
                assert_eq!(tried_by(threads, &folder, tariff, None, 7), all, "month {seed}, {threads} threads");
            }
            assert_eq!(side(&all, |both| both.before), sums(&now), "month {seed}");
            assert_eq!(side(&all, |both| both.after), sums(&then), "month {seed}");
            let gone = now.keys().filter(|leg| !then.contains_key(*leg)).count() as u64;
            assert_eq!(all.lost.values().map(|billed| billed.calls).sum::<u64>(), gone, "month {seed}");
            // The first tariff has no row for France.
            for loss in all.lost.keys() {
                assert_eq!((loss.prefix.as_str(), loss.destination.as_str()), ("33", "France"), "{loss:?}");
            }
            assert_eq!(all.gained, then.keys().filter(|leg| !now.contains_key(*leg)).count() as u64, "month {seed}");
            // One account alone is what it is among all.
            for (account, _) in sums(&now).into_keys() {
                let one = tried(&folder, tariff, Some(&account), 1000);
                let of_all: BTreeMap<_, _> = all
                    .accounts
                    .iter()
                    .filter(|((name, _), _)| *name == account)
                    .map(|(k, v)| (k.clone(), *v))
                    .collect();
                assert_eq!(one.accounts, of_all, "month {seed}");
            }
            lost += gone;
            gained += all.gained;
            moved += u64::from(all.total.values().any(|both| !same(both)));
        }
        // Nothing was touched.
        let after = folder.store.load().unwrap();
        assert_eq!((&after.usage, &after.books, after.position), (&before.usage, &before.books, before.position));
    }
    assert!(lost > 10 && gained > 10 && moved > 40, "{lost} {gained} {moved}");
}
