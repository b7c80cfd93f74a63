//! What is needed, fact by fact; and a deletion that is cut off at any place, by a kill or by a power cut, is ended by the next.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::*;
use crate::directory::Composition;
use crate::store::sqlite::SqliteStore;

/// Directories that came into force at positions 10, 20, … 60, a second after each other, and of what they consist.
const CAME: [(&str, &[&str]); 6] = [
    ("base", &[]),
    ("b", &["base", "l1"]),
    ("c", &["base", "l2"]),
    ("d", &["base", "l1", "l3"]),
    ("e", &["base", "l4"]),
    ("f", &["base", "l4", "l5"]),
];
/// All images.
const ALL: [&str; 11] = ["b", "base", "c", "d", "e", "f", "l1", "l2", "l3", "l4", "l5"];

/// The digest of an image that has a name here.
fn digest(name: &str) -> String {
    blake3::hash(name.as_bytes()).to_hex().to_string()
}

/// The name of an image that has one here.
fn named(digest_of: &str) -> String {
    ALL.iter().find(|name| digest(name) == digest_of).map_or_else(|| digest_of.to_owned(), |name| (*name).to_owned())
}

struct World {
    folder: tempfile::TempDir,
    store: SqliteStore,
}

impl World {
    /// With further facts as SQL.
    fn new(facts: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("callrated.db");
        let store = SqliteStore::open(&path).unwrap();
        let connection = Connection::open(&path).unwrap();
        for (slot, (name, _)) in (0_i64..).zip(CAME) {
            let sql = "INSERT INTO directories VALUES (?1, ?2, ?3, NULL, ?4, 'test')";
            connection.execute(sql, (slot, 10 * (slot + 1), digest(name), 1_000_000 * slot)).unwrap();
        }
        connection.execute_batch(facts).unwrap();
        let world = World { folder, store };
        std::fs::create_dir(world.images()).unwrap();
        world.filled();
        world
    }

    fn images(&self) -> std::path::PathBuf {
        self.folder.path().join("images")
    }

    /// Every image is there.
    fn filled(&self) {
        for name in ALL {
            let parts = CAME.iter().find(|(whole, parts)| *whole == name && !parts.is_empty()).map(|(_, parts)| parts);
            let bytes = parts.map_or_else(
                || name.as_bytes().to_vec(),
                |parts| {
                    let layers = parts.iter().map(|part| digest(part)).collect();
                    Composition { layers, accounts: 0, numbers: 0 }.bytes()
                },
            );
            std::fs::write(self.images().join(format!("{}.directory", digest(name))), bytes).unwrap();
        }
    }

    /// As a process that has just started sees it.
    fn old(&self, journal: u64, before: i64) -> OldImages {
        let images = Images::open(&self.images()).unwrap();
        old_images(&self.store, &images, Position(journal), Timestamp(before)).unwrap()
    }

    fn remove(&self, digest: &str) {
        std::fs::remove_file(self.images().join(format!("{digest}.directory"))).unwrap();
    }

    fn there(&self) -> BTreeSet<String> {
        let names = std::fs::read_dir(self.images()).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| named(name.to_str().unwrap().trim_end_matches(".directory"))).collect()
    }
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

const LONG_AGO: i64 = i64::MAX;

#[test]
fn what_is_needed_stays_with_all_of_which_it_consists() {
    let call = |slot: u32| {
        format!(
            "INSERT INTO grounds (source, profile, directory, direction, account, forwarded_by) VALUES (1, 1, {slot}, 0, '', '');"
        )
    };
    let seal = |at: u64, state: &str, sealed: &str| {
        format!("INSERT INTO periods VALUES (202610, '{state}', {at}, {sealed}, 3, 'x', 'd', x'7b7d');")
    };
    let run = |at: u64, state: &str| {
        format!("INSERT INTO rerate_runs (run, state, begun, entry) VALUES (1, '{state}', {at}, '{{}}');")
    };
    let in_force = ["f", "base", "l4", "l5"];
    // Facts, first position of the journal, before which instant, what is needed beside what is in force.
    let table: [(String, u64, i64, &[&str]); 16] = [
        (String::new(), 1000, LONG_AGO, &[]),
        (call(0), 1000, LONG_AGO, &["base"]),
        (call(1), 1000, LONG_AGO, &["b", "l1"]),
        (call(3) + &call(2), 1000, LONG_AGO, &["d", "l1", "l3", "c", "l2"]),
        // What a replay of the journal begins with, and all it meets.
        (String::new(), 61, LONG_AGO, &[]),
        (String::new(), 60, LONG_AGO, &["e"]),
        (String::new(), 35, LONG_AGO, &["c", "l2", "d", "l1", "l3", "e"]),
        (String::new(), 0, LONG_AGO, &ALL),
        // What was known at the place of a seal, until it is sealed; an activation at the very place is behind it.
        (seal(21, "sealing", "NULL"), 1000, LONG_AGO, &["b", "l1"]),
        (seal(20, "sealing", "NULL"), 1000, LONG_AGO, &[]),
        (seal(35, "sealed", "36"), 1000, LONG_AGO, &[]),
        (run(45, "rating"), 1000, LONG_AGO, &["d", "l1", "l3"]),
        (run(45, "counts"), 1000, LONG_AGO, &[]),
        (run(45, "given up"), 1000, LONG_AGO, &[]),
        // What was replaced at the instant or behind it; the base was replaced first of all, and others consist of it.
        (String::new(), 1000, 3_000_000, &["c", "l2", "d", "l1", "l3", "e"]),
        (String::new(), 1000, 0, &ALL),
    ];
    for (facts, journal, before, needed) in table {
        let world = World::new(&facts);
        let expected = set(needed.iter().copied().chain(in_force));
        let old = world.old(journal, before);
        let images = Images::open(&world.images()).unwrap();
        let bytes_of = |folder: &std::path::Path| -> u64 {
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
        };
        let whole = bytes_of(&world.images());
        assert_eq!(old.delete(&images).unwrap() as usize, old.count());
        assert_eq!(world.there(), expected, "{facts} {journal} {before}");
        assert_eq!(whole - bytes_of(&world.images()), old.bytes);
        assert_eq!(world.old(journal, before), OldImages::default(), "nothing is left to do");
    }
}

/// Every subset of some names.
fn subsets(names: &[String]) -> impl Iterator<Item = Vec<&String>> {
    (0..1_u32 << names.len()).map(|bits| (0..names.len()).filter(|i| bits >> i & 1 == 1).map(|i| &names[i]).collect())
}

#[test]
fn what_is_cut_off_at_any_place_is_ended_by_the_next_and_takes_nothing_that_is_needed() {
    let call = "INSERT INTO grounds (source, profile, directory, direction, account, forwarded_by) VALUES (1, 1, 2, 0, '', '');";
    let world = World::new(call);
    let all = world.old(1000, LONG_AGO);
    assert_eq!(
        (all.parts.iter().map(|s| named(s)).collect(), all.wholes.iter().map(|s| named(s)).collect()),
        (set(["l1", "l3"]), set(["b", "d", "e"]))
    );
    let kept = set(["f", "base", "l4", "l5", "c", "l2"]);
    // The parts' removal is durable before the first whole goes: before that, any of the parts may be gone, behind it any of
    // the wholes. A kill leaves the first so many of either gone, which is one of these.
    let parts_go = subsets(&all.parts).map(|gone| (gone, Vec::new()));
    let wholes_go = subsets(&all.wholes).map(|gone| (all.parts.iter().collect(), gone));
    let mut cut = 0;
    for (parts, wholes) in parts_go.chain(wholes_go) {
        world.filled();
        parts.iter().chain(&wholes).for_each(|name| world.remove(name));
        let left = world.old(1000, LONG_AGO);
        assert!(
            left.parts.iter().all(|name| !parts.contains(&name))
                && left.wholes.iter().all(|name| !wholes.contains(&name))
        );
        left.delete(&Images::open(&world.images()).unwrap()).unwrap();
        assert_eq!(world.there(), kept, "{parts:?} {wholes:?} were gone");
        cut += 1;
    }
    assert_eq!(cut, 4 + 8);
}

/// The system refuses one of the parts: what leads to it stays, and the next goes on.
#[test]
fn nothing_goes_before_that_of_which_it_consists() {
    let world = World::new("");
    let last = world.old(1000, LONG_AGO).parts.pop().unwrap();
    let place = world.images().join(format!("{last}.directory"));
    world.remove(&last);
    std::fs::create_dir(&place).unwrap();
    let images = Images::open(&world.images()).unwrap();
    world.old(1000, LONG_AGO).delete(&images).unwrap_err();
    let there = world.there();
    assert!(set(["b", "c", "d", "e"]).is_subset(&there) && !there.contains("l1"), "{there:?}");
    std::fs::remove_dir(&place).unwrap();
    world.old(1000, LONG_AGO).delete(&images).unwrap();
    assert_eq!(world.there(), set(["f", "base", "l4", "l5"]));
}

#[test]
fn what_is_kept_anew_while_it_goes_stays() {
    let world = World::new("");
    let images = Images::open(&world.images()).unwrap();
    let old = old_images(&world.store, &images, Position(1000), Timestamp(LONG_AGO)).unwrap();
    // Activated again: its entry is on its way, and the store does not have it yet.
    let again =
        crate::directory::compile(b"account,plan,country,billing_start\na,p,DE,2020-01-01\n", b"number,account\n");
    let digest = images.keep_directory(&again.unwrap().0).unwrap().digest().to_owned();
    let old = OldImages { wholes: [old.wholes, vec![digest.clone()]].concat(), ..old };
    assert_eq!(old.delete(&images).unwrap() as usize, old.count() - 1);
    assert!(world.there().contains(&digest));
}
