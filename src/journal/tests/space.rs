//! Space on the disk: what is left free, what goes first.

use super::*;

const MIN_FREE: u64 = 2 << 20;

fn short(capacity: u64) -> (SimDisk, Journal) {
    let disk = SimDisk::new(3);
    disk.set_capacity(capacity);
    let settings = Settings { min_free: MIN_FREE, ..settings(4 << 20) };
    let (journal, _) = open(&disk, &settings).unwrap();
    (disk, journal)
}

/// Appends while there is room; gives how many bytes.
fn fill(journal: &mut Journal) -> u64 {
    let mut written = 0;
    while journal.has_room(60_000, 0) {
        let frame = journal.append(batch(1, 60_000 - 200), Timestamp(written as i64)).unwrap();
        journal.sync().unwrap();
        written += frame.bytes.len() as u64;
    }
    written
}

#[test]
fn segments_get_smaller_and_the_rest_stays_free() {
    let (disk, mut journal) = short(10 << 20);
    let written = fill(&mut journal);
    let free = disk.free_space(Path::new(DIR)).unwrap();
    assert!((MIN_FREE..MIN_FREE + (256 << 10)).contains(&free), "{free}");
    // Of the eight MiB above the limit not much is lost to the ends of segments and to what a last one would need.
    assert!(written > 7 << 20, "{written}");
    let segments = journal.segments().unwrap();
    assert!((5..=24).contains(&segments.len()), "{}", segments.len());
    // What changes course may use what is left.
    journal.append(batch(2, 100_000), Timestamp(1)).unwrap();
    journal.sync().unwrap();
}

#[test]
fn stored_segments_go_first_and_no_more_than_needed() {
    let (disk, mut journal) = short(10 << 20);
    fill(&mut journal);
    let before = journal.segments().unwrap();
    assert_eq!(journal.make_space(before[0].start, 60_000, 0).unwrap(), Removed::default(), "none is stored");
    assert!(!journal.has_room(60_000, 0));
    let removed = journal.make_space(before[2].end, 60_000, 0).unwrap();
    assert_eq!(removed.segments, 1, "the first is enough");
    assert!(journal.has_room(60_000, 0));
    assert_eq!(journal.segments().unwrap(), before[1..]);
    // The one being written stays, whatever is stored and however much is wanted.
    journal.make_space(journal.position(), 1 << 40, 0).unwrap();
    assert_eq!(journal.segments().unwrap(), before[before.len() - 1..]);
    assert!(!journal.has_room(1 << 40, 0));
    // Somebody else's files count too.
    disk.set_capacity(MIN_FREE);
    assert!(!journal.has_room(1, 0));
    disk.set_capacity(10 << 20);
    assert!(journal.has_room(1, 0));
}

#[test]
fn a_journal_opened_on_a_short_disk_leaves_what_is_to_be_left() {
    for capacity in [MIN_FREE / 2, MIN_FREE, MIN_FREE + (1 << 20), 100 << 20] {
        let (disk, journal) = short(capacity);
        drop(journal);
        disk.kill();
        let (journal, _) = open(&disk, &Settings { min_free: MIN_FREE, ..settings(4 << 20) }).unwrap();
        let free = disk.free_space(Path::new(DIR)).unwrap();
        assert!(free + (256 << 10) + 64 >= MIN_FREE.min(capacity), "{capacity}: {free}");
        assert_eq!(journal.has_room(1, 0), free >= MIN_FREE, "{capacity}");
    }
}
