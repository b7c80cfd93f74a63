use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::log::{HEAD, SLOT, STRETCH};
use super::*;
use crate::os::disk::RealDisk;
use crate::os::sim::{Faults, SimDisk};

const DIR: &str = "/data/identity";
const LOG: &str = "/data/identity/identities.log";
const END: Position = Position(1 << 62);

fn settings() -> Settings {
    Settings { folder: Some(*b"the test folder!"), start_entries: 30, generation_entries: 240, helper: true }
}

fn open(disk: &SimDisk, durable_end: Position) -> Result<(IdentityIndex, Rebuilt), IdentityError> {
    IdentityIndex::open(Arc::new(disk.clone()), Path::new(DIR), &settings(), durable_end)
}

/// A key whose identity is spread like a hash.
fn key(id: u64, content: u64, position: u64) -> Key {
    let identity = crate::record::identity(b"node", &id.to_le_bytes(), None);
    Key { identity, content: Content(content), position: Position(position) }
}

fn check(index: &mut IdentityIndex, batch: &[Key]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    index.check(batch, &mut verdicts).unwrap();
    verdicts
}

#[test]
fn the_four_verdicts_also_within_one_batch() {
    let disk = SimDisk::new(1);
    let (mut index, rebuilt) = open(&disk, END).unwrap();
    assert_eq!(rebuilt, Rebuilt { created: true, ..Rebuilt::default() });
    let batch = [key(1, 7, 100), key(2, 7, 110), key(1, 7, 120), key(1, 8, 130), key(1, 7, 100), key(2, 9, 110)];
    let first = Position(100);
    let expected = [
        Verdict::New,
        Verdict::New,
        Verdict::Duplicate { first },
        Verdict::Conflict { first },
        Verdict::Itself,
        Verdict::Itself,
    ];
    assert_eq!(check(&mut index, &batch), expected);
    assert_eq!(index.len(), 2);
    assert_eq!(index.find(batch[0].identity).unwrap(), Some((Content(7), first)));
    assert_eq!(index.find(key(3, 0, 0).identity).unwrap(), None);
    // And the same after a restart.
    index.sync(Position(200)).unwrap();
    disk.crash();
    let (mut index, rebuilt) = open(&disk, END).unwrap();
    let expected = Rebuilt { created: false, entries: 2, covered: Position(200), cut: 0, dropped: 0 };
    assert_eq!(rebuilt, expected);
    assert_eq!(check(&mut index, &batch)[..2], [Verdict::Itself, Verdict::Itself]);
    assert_eq!(check(&mut index, &[key(2, 8, 210)]), [Verdict::Conflict { first: Position(110) }]);
}

#[test]
fn fingerprints_that_collide_are_told_apart() {
    let disk = SimDisk::new(1);
    let (mut index, _) = open(&disk, END).unwrap();
    // Equal in the group and the fingerprint, different in between.
    let keys: Vec<Key> = (0..200u64)
        .map(|n| Key { identity: Identity(5 << 100 | u128::from(n) << 40 | 3), ..key(0, n, n + 1) })
        .collect();
    assert!(check(&mut index, &keys).iter().all(|verdict| *verdict == Verdict::New));
    for key in &keys {
        assert_eq!(index.find(key.identity).unwrap(), Some((key.content, key.position)));
    }
    // Fingerprint 0 and 1 share a place in the table, not an answer.
    let (zero, one) = (Identity(9 << 100), Identity(9 << 100 | 1));
    assert_eq!(check(&mut index, &[Key { identity: zero, ..key(0, 0, 900) }]), [Verdict::New]);
    assert_eq!(index.find(one).unwrap(), None);
}

#[test]
fn it_grows_through_tables_and_generations() {
    let disk = SimDisk::new(1);
    let (mut index, _) = open(&disk, END).unwrap();
    let keys: Vec<Key> = (0..3000).map(|n| key(n, n, n + 1)).collect();
    for (n, batch) in keys.chunks(7).enumerate() {
        assert!(check(&mut index, batch).iter().all(|verdict| *verdict == Verdict::New));
        if n % 50 == 0 {
            index.sync(Position(n as u64)).unwrap();
        }
    }
    assert!(index.generations() > 8, "{}", index.generations());
    assert!(check(&mut index, &keys).iter().all(|verdict| *verdict == Verdict::Itself));
    index.sync(Position(3001)).unwrap();
    assert!(index.memory_bytes() > 3000 * 6);
    let (mut again, rebuilt) = open(&disk, END).unwrap();
    assert_eq!((rebuilt.entries, rebuilt.covered), (3000, Position(3001)));
    assert!(check(&mut again, &keys).iter().all(|verdict| *verdict == Verdict::Itself));
    // One flood in a single batch, larger than any table.
    let flood: Vec<Key> = (5000..9000).map(|n| key(n, n, n + 1)).collect();
    assert!(check(&mut again, &flood).iter().all(|verdict| *verdict == Verdict::New));
    assert!(check(&mut again, &flood).iter().all(|verdict| *verdict == Verdict::Itself));
    assert_eq!(again.len(), 7000);
}

#[test]
fn an_index_ahead_of_the_journal_forgets_what_the_journal_lost() {
    let disk = SimDisk::new(1);
    let (mut index, _) = open(&disk, END).unwrap();
    let keys: Vec<Key> = (0..500).map(|n| key(n, n, n * 10)).collect();
    check(&mut index, &keys);
    index.sync(Position(5000)).unwrap();
    for (durable_end, left) in [(4985u64, 499), (2000, 200), (2000, 200), (1, 1), (0, 0)] {
        let (index, rebuilt) = open(&disk, Position(durable_end)).unwrap();
        assert_eq!((rebuilt.entries, rebuilt.covered, rebuilt.cut), (left, Position(durable_end), 0));
        disk.crash();
        // The next start finds it so, even when the journal has grown over the place since.
        let (mut again, rebuilt) = open(&disk.copy(1), END).unwrap();
        assert_eq!((rebuilt.entries, rebuilt.covered, rebuilt.dropped), (left, Position(durable_end), 0));
        assert_eq!(again.len(), index.len());
        let moved: Vec<Key> = (left..500).map(|n| key(n, n, 9000 + n)).collect();
        assert!(check(&mut again, &moved).iter().all(|verdict| *verdict == Verdict::New));
    }
}

#[test]
fn an_index_behind_the_journal_is_fed_again() {
    let disk = SimDisk::new(1);
    let (mut index, _) = open(&disk, END).unwrap();
    let keys: Vec<Key> = (0..300).map(|n| key(n % 250, n % 250, n * 10)).collect();
    let verdicts = check(&mut index, &keys[..100]);
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::New));
    index.sync(keys[100].position).unwrap();
    check(&mut index, &keys[100..]);
    // Never synced: some of it may be on the disk, none of it is promised.
    drop(index);
    disk.crash();
    let (mut index, rebuilt) = open(&disk, END).unwrap();
    assert_eq!(rebuilt.covered, keys[100].position);
    for (at, verdict) in check(&mut index, &keys[100..]).into_iter().enumerate() {
        let known = matches!(verdict, Verdict::New | Verdict::Itself);
        let repeat = at + 100 >= 250;
        assert_eq!(known, !repeat);
        assert!(!repeat || verdict == Verdict::Duplicate { first: keys[at - 150].position });
    }
    assert_eq!(index.len(), 250);
}

/// A log with several synced stretches, and its bytes.
fn stretches() -> (SimDisk, Vec<u8>) {
    let disk = SimDisk::new(1);
    let (mut index, _) = open(&disk, END).unwrap();
    for n in 0..5u64 {
        let keys: Vec<Key> = (0..20).map(|m| key(n * 20 + m, 0, n * 20 + m + 1)).collect();
        check(&mut index, &keys);
        index.sync(Position(n * 20 + 21)).unwrap();
    }
    let bytes = disk.contents(Path::new(LOG)).unwrap();
    assert_eq!(bytes.len() as u64, HEAD + 5 * 21 * SLOT as u64);
    (disk, bytes)
}

#[test]
fn damage_is_refused_at_every_byte_or_costs_only_the_last_stretch() {
    let (_, bytes) = stretches();
    let last = HEAD as usize + 4 * 21 * SLOT;
    for at in 0..bytes.len() {
        for mask in [1, 0x80] {
            let mut rotten = bytes.clone();
            rotten[at] ^= mask;
            let disk = SimDisk::new(1);
            disk.put(Path::new(LOG), &rotten);
            match open(&disk, END) {
                Err(IdentityError::Damaged { offset, .. }) => {
                    let stretch = (at as u64).checked_sub(HEAD).map_or(0, |at| HEAD + at / 672 * 672);
                    assert_eq!(offset, stretch, "byte {at}");
                    // A seal's own word about what was durable may be what is damaged; then caution costs a start.
                    assert!(at < last || (bytes.len() - 24..bytes.len() - 16).contains(&at), "byte {at}");
                }
                Ok((_, rebuilt)) => {
                    // Not to be told from a torn tail, and harmless: `covered` says from where to feed again.
                    assert!(at >= last, "byte {at} is damaged and was taken");
                    assert_eq!((rebuilt.entries, rebuilt.covered, rebuilt.cut), (80, Position(81), 672));
                }
                Err(other) => panic!("byte {at}: {other}"),
            }
        }
    }
}

#[test]
fn a_log_cut_at_any_byte_falls_back_to_its_last_whole_stretch() {
    let (_, bytes) = stretches();
    for length in HEAD as usize..=bytes.len() {
        let disk = SimDisk::new(1);
        disk.put(Path::new(LOG), &bytes[..length]);
        let (mut index, rebuilt) = open(&disk, END).unwrap();
        let whole = (length as u64 - HEAD) / 672;
        assert_eq!((rebuilt.entries, rebuilt.cut), (whole * 20, (length as u64 - HEAD) % 672));
        let covered = if whole == 0 { 0 } else { whole * 20 + 1 };
        assert_eq!(rebuilt.covered, Position(covered));
        if length % 97 == 0 {
            // What is put on top is kept.
            check(&mut index, &[key(900, 1, 900)]);
            index.sync(Position(901)).unwrap();
            disk.crash();
            assert_eq!(open(&disk, END).unwrap().1.entries, whole * 20 + 1);
        }
    }
}

/// A process that was killed leaves whole stretches that were never synced, in a file that the system still has, and
/// half a stretch behind them. The rest is cut and the others are made durable, however many blocks they fill.
#[test]
fn more_than_a_block_that_was_never_synced_is_kept_and_its_tail_cut() {
    let big = Settings { start_entries: 1 << 17, generation_entries: 1 << 17, ..settings() };
    // A block is 32,768 slots: less than one, a little more, and several.
    for count in [1_000u64, 33_000, 70_000, 100_000] {
        let disk = SimDisk::new(1);
        let open = || IdentityIndex::open(Arc::new(disk.clone()), Path::new(DIR), &big, END).unwrap();
        let keys: Vec<Key> = (1..=count).map(|n| key(n, n, n)).collect();
        let (mut index, _) = open();
        keys.chunks(1000).for_each(|batch| drop(check(&mut index, batch)));
        drop(index);
        let mut bytes = disk.contents(Path::new(LOG)).unwrap();
        bytes.extend([7; SLOT + 5]);
        disk.put(Path::new(LOG), &bytes);

        let (mut index, rebuilt) = open();
        assert!(rebuilt.cut > SLOT as u64 && rebuilt.entries <= count, "{count}: {rebuilt:?}");
        assert!(count - rebuilt.entries < 2 * u64::from(STRETCH), "{count}: {rebuilt:?}");
        let known = rebuilt.entries as usize;
        assert!(check(&mut index, &keys[..known]).iter().all(|verdict| *verdict == Verdict::Itself), "{count}");
        // What was kept is durable now.
        drop(index);
        disk.crash();
        assert_eq!(open().1.entries, rebuilt.entries, "{count}");
    }
}

#[test]
fn what_is_not_ours_is_refused() {
    let (disk, bytes) = stretches();
    let other = Settings { folder: Some([1; 16]), ..settings() };
    let opened = IdentityIndex::open(Arc::new(disk.clone()), Path::new(DIR), &other, END);
    assert!(matches!(opened, Err(IdentityError::OtherFolder { .. })));
    let mut newer = bytes;
    newer[8] = 2;
    let crc = crc32fast::hash(&newer[..60]);
    newer[60..64].copy_from_slice(&crc.to_le_bytes());
    disk.put(Path::new(LOG), &newer);
    assert!(matches!(open(&disk, END), Err(IdentityError::NewerVersion { version: 2, known: 1, .. })));
    disk.put(Path::new(LOG), b"x");
    assert!(matches!(open(&disk, END), Err(IdentityError::Damaged { offset: 0, .. })));
}

#[test]
fn a_full_disk_shows_at_the_sync_and_loses_nothing() {
    let disk = SimDisk::new(1);
    let (mut index, _) = open(&disk, END).unwrap();
    disk.set_capacity(3000);
    let keys: Vec<Key> = (0..1000).map(|n| key(n, n, n + 1)).collect();
    for batch in keys.chunks(10) {
        assert!(check(&mut index, batch).iter().all(|verdict| *verdict == Verdict::New));
    }
    assert!(matches!(index.sync(Position(1001)), Err(IdentityError::NoSpace { .. })));
    assert!(check(&mut index, &keys).iter().all(|verdict| *verdict == Verdict::Itself));
    disk.set_capacity(1 << 30);
    index.sync(Position(1001)).unwrap();
    disk.crash();
    let (mut index, rebuilt) = open(&disk, END).unwrap();
    assert_eq!((rebuilt.entries, rebuilt.covered), (1000, Position(1001)));
    assert!(check(&mut index, &keys).iter().all(|verdict| *verdict == Verdict::Itself));
}

#[test]
fn after_a_failed_sync_nothing_more_is_taken() {
    let disk = SimDisk::new(1);
    let (mut index, _) = open(&disk, END).unwrap();
    check(&mut index, &[key(1, 1, 1)]);
    disk.fail_sync_after(0);
    assert!(matches!(index.sync(Position(2)), Err(IdentityError::Io { .. })));
    assert!(matches!(index.sync(Position(2)), Err(IdentityError::Latched)));
    assert!(matches!(index.check(&[key(2, 2, 2)], &mut Vec::new()), Err(IdentityError::Latched)));
}

#[test]
fn a_sync_of_nothing_costs_nothing() {
    let disk = SimDisk::new(1);
    let (mut index, _) = open(&disk, END).unwrap();
    let before = disk.syncs();
    index.sync(Position(0)).unwrap();
    assert_eq!(disk.syncs(), before);
    check(&mut index, &[key(1, 1, 1)]);
    index.sync(Position(2)).unwrap();
    index.sync(Position(2)).unwrap();
    assert_eq!(disk.syncs(), before + 1);
}

#[derive(Clone, Debug)]
enum Step {
    Batch(Vec<(u64, u64)>),
    Sync,
    FailingSync,
    FailingWrite(u64),
    Full(u64),
    /// Crash or kill; how much of the journal's unsynced tail survives, in 256ths.
    Restart(bool, u8),
}

fn step() -> impl Strategy<Value = Step> {
    // Few identities, so that repeats and conflicts are common, and many, so that tables grow.
    let id = prop_oneof![0u64..20, 0u64..2000];
    let batch = || proptest::collection::vec((id.clone(), 0u64..3), 1..150).prop_map(Step::Batch);
    prop_oneof![
        10 => batch(),
        4 => Just(Step::Sync),
        1 => Just(Step::FailingSync),
        1 => (0u64..4).prop_map(Step::FailingWrite),
        1 => (0u64..20_000).prop_map(Step::Full),
        4 => (any::<bool>(), any::<u8>()).prop_map(|(crash, kept)| Step::Restart(crash, kept)),
    ]
}

/// What must be said of each record of a journal, computed from the beginning; new and itself are one.
fn model(journal: &[Key]) -> (Vec<Option<Verdict>>, HashMap<Identity, Key>) {
    let mut known: HashMap<Identity, Key> = HashMap::new();
    let verdicts = journal
        .iter()
        .map(|key| {
            let first = *known.entry(key.identity).or_insert(*key);
            match (first.position == key.position, first.content == key.content) {
                (true, _) => None,
                (false, true) => Some(Verdict::Duplicate { first: first.position }),
                (false, false) => Some(Verdict::Conflict { first: first.position }),
            }
        })
        .collect();
    (verdicts, known)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn it_says_what_a_map_says_whatever_happens(
        seed in any::<u64>(), steps in proptest::collection::vec(step(), 1..40)
    ) {
        let disk = SimDisk::new(seed);
        disk.set_faults(Faults { short_writes: true });
        let (mut index, _) = open(&disk, END).unwrap();
        // The journal, and how much of it the store has been told.
        let mut journal: Vec<Key> = Vec::new();
        let mut promised = 0;
        let mut alive = true;
        for step in steps {
            match step {
                Step::Batch(batch) => {
                    let from = journal.len();
                    let place = |at: usize| 1 + 10 * (from + at) as u64;
                    journal.extend(batch.iter().enumerate().map(|(at, (id, content))| key(*id, *content, place(at))));
                    let mut verdicts = Vec::new();
                    if index.check(&journal[from..], &mut verdicts).is_ok() {
                        let (expected, known) = model(&journal);
                        for (verdict, expected) in verdicts.iter().zip(&expected[from..]) {
                            prop_assert_eq!(*verdict, expected.unwrap_or(Verdict::New));
                        }
                        prop_assert_eq!(index.len(), known.len() as u64);
                    } else {
                        // What a latched index has not seen the journal still has.
                        alive = false;
                    }
                }
                Step::Sync => {
                    let covered = journal.last().map_or(0, |key| key.position.0 + 1);
                    if alive && index.sync(Position(covered)).is_ok() {
                        promised = journal.len();
                    }
                }
                Step::FailingSync => disk.fail_sync_after(0),
                Step::FailingWrite(after) => disk.fail_write_after(after),
                Step::Full(bytes) => disk.set_capacity(bytes),
                Step::Restart(crash, kept) => {
                    disk.set_capacity(1 << 30);
                    if crash { disk.crash() } else { disk.kill() }
                    // The journal's end: never before what the store has been told.
                    let end = promised + (journal.len() - promised) * usize::from(kept) / 256;
                    journal.truncate(end);
                    let durable_end = Position(journal.last().map_or(0, |key| key.position.0 + 1));
                    let (reopened, rebuilt) = open(&disk, durable_end).unwrap_or_else(|error| panic!("{error}"));
                    index = reopened;
                    alive = true;
                    let told = journal[..promised].last().map_or(0, |key| key.position.0 + 1);
                    prop_assert!(rebuilt.covered.0 >= told, "covered {} of {}", rebuilt.covered, told);
                    // Fed again from where the index says.
                    let (expected, known) = model(&journal);
                    let from = journal.partition_point(|key| key.position < rebuilt.covered);
                    for (verdict, expected) in check(&mut index, &journal[from..]).iter().zip(&expected[from..]) {
                        let said = Some(*verdict).filter(|verdict| !matches!(verdict, Verdict::New | Verdict::Itself));
                        prop_assert_eq!(said, *expected);
                    }
                    prop_assert_eq!(index.len(), known.len() as u64);
                    for id in (0..20).chain((20..2000).step_by(17)) {
                        let identity = key(id, 0, 0).identity;
                        let expected = known.get(&identity).map(|key| (key.content, key.position));
                        prop_assert_eq!(index.find(identity).unwrap(), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn any_bytes_as_a_log_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000), head: bool) {
        let disk = SimDisk::new(1);
        open(&disk, END).unwrap();
        let mut content = if head { disk.contents(Path::new(LOG)).unwrap() } else { Vec::new() };
        content.extend_from_slice(&bytes);
        disk.put(Path::new(LOG), &content);
        if let Ok((_, rebuilt)) = open(&disk, END) {
            prop_assert_eq!(rebuilt.entries, 0);
        }
    }
}

/// A small log as version 1 wrote it; it stays readable for ever.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/identities-v1.log");

#[test]
fn version_1_is_written_as_ever_and_read_for_ever() {
    let (_, written) = stretches();
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &written).unwrap();
    }
    let kept = std::fs::read(GOLDEN).unwrap();
    assert!(kept == written, "the layout has changed: raise the version, keep reading version 1");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("identities.log"), &kept).unwrap();
    let (index, rebuilt) = IdentityIndex::open(Arc::new(RealDisk), dir.path(), &settings(), END).unwrap();
    assert_eq!((rebuilt.entries, rebuilt.covered, rebuilt.cut), (100, Position(101), 0));
    for n in 0..100 {
        assert_eq!(index.find(key(n, 0, 0).identity).unwrap(), Some((Content(0), Position(n + 1))));
    }
}

#[test]
fn long_stretches_are_sealed_on_the_way() {
    let disk = SimDisk::new(1);
    let (mut index, _) = open(&disk, END).unwrap();
    let many = u64::from(STRETCH) * 3 + 5;
    let keys: Vec<Key> = (0..many).map(|n| key(n, n, n + 1)).collect();
    check(&mut index, &keys);
    index.sync(Position(many + 1)).unwrap();
    let slots = (disk.contents(Path::new(LOG)).unwrap().len() as u64 - HEAD) / SLOT as u64;
    assert_eq!(slots, many + 4);
    assert_eq!(open(&disk, END).unwrap().1.entries, many);
}
