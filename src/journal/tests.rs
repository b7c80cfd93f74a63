use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::recover::{Rest, judge};
use super::segment::path_of;
use super::*;
use crate::batch::{Batch, EntryKind, FRAME_HEAD, Frame, SourceId};
use crate::os::disk::{Disk, RealDisk};
use crate::os::sim::{Faults, SimDisk};

const DIR: &str = "/journal";
const FOLDER: FolderId = FolderId(*b"the test folder!");

fn settings(segment_bytes: u64) -> Settings {
    Settings { segment_bytes, folder: Some(FOLDER), ..Settings::default() }
}

fn open(disk: &SimDisk, settings: &Settings) -> Result<(Journal, Recovery), JournalError> {
    Journal::open(Arc::new(disk.clone()), Path::new(DIR), settings)
}

/// A batch whose bytes are never zero, told apart by `n`.
fn batch(n: u8, length: usize) -> Batch {
    let mut batch = Batch::new(SourceId(u16::from(n)));
    batch.push_entry(EntryKind::Source, &vec![n | 1; length]);
    batch.push_refused();
    batch
}

fn read_from(journal: &Journal, from: Position) -> Vec<Vec<u8>> {
    journal.reader().frames_from(from).map(|frame| frame.unwrap().bytes.to_vec()).collect()
}

/// A journal of three synced frames in one segment.
fn three() -> (SimDisk, Vec<Frame>) {
    let disk = SimDisk::new(7);
    let (mut journal, _) = open(&disk, &settings(4096)).unwrap();
    let mut frames = Vec::new();
    for n in 1..=3 {
        frames.push(journal.append(batch(n, 300), Timestamp(i64::from(n))).unwrap());
        journal.sync().unwrap();
    }
    (disk, frames)
}

fn segment() -> PathBuf {
    path_of(Path::new(DIR), Position(0))
}

#[test]
fn what_is_synced_is_read_back() {
    let disk = SimDisk::new(1);
    let (mut journal, recovery) = open(&disk, &settings(1 << 16)).unwrap();
    assert!(recovery.created && recovery.end == Position(0) && recovery.cut.is_none());
    let first = journal.append(batch(1, 10), Timestamp(11)).unwrap();
    assert_eq!((journal.position(), journal.durable()), (first.end(), Position(0)));
    assert!(read_from(&journal, Position(0)).is_empty(), "not durable yet");
    let second = journal.append(batch(2, 20), Timestamp(12)).unwrap();
    assert_eq!(journal.sync().unwrap(), second.end());
    assert_eq!(read_from(&journal, Position(0)), [first.bytes.to_vec(), second.bytes.to_vec()]);
    assert_eq!(read_from(&journal, second.position), [second.bytes.to_vec()]);
    assert!(read_from(&journal, second.end()).is_empty());

    let head = second.head();
    assert_eq!(check(&second.bytes, second.position), Ok(head));
    assert_eq!((head.position.get(), head.durable_before.get(), head.received_at.get()), (first.end().0, 0, 12));
    assert_eq!((head.source.get(), head.received.get(), head.refused.get(), head.entries.get()), (2, 1, 1, 1));

    let third = journal.append(batch(3, 30), Timestamp(13)).unwrap();
    assert_eq!(third.head().durable_before.get(), second.end().0);
    disk.crash();
    let (journal, recovery) = open(&disk, &settings(1 << 16)).unwrap();
    assert_eq!((recovery.end, recovery.last_received_at), (second.end(), Some(Timestamp(12))));
    assert_eq!(read_from(&journal, Position(0)), [first.bytes.to_vec(), second.bytes.to_vec()]);
}

#[test]
fn a_sync_of_nothing_costs_nothing() {
    let disk = SimDisk::new(1);
    let (mut journal, _) = open(&disk, &settings(4096)).unwrap();
    let before = disk.syncs();
    journal.sync().unwrap();
    assert_eq!(disk.syncs(), before);
    for n in 1..=5 {
        journal.append(batch(n, 100), Timestamp(0)).unwrap();
    }
    journal.sync().unwrap();
    assert_eq!(disk.syncs(), before + 1, "one sync for all that waits");
}

#[test]
fn bytes_made_from_a_batch_stay_where_they_are() {
    let mut full = batch(1, 1000);
    full.push_entry(EntryKind::Source, b"x");
    let bytes = full.into_bytes();
    let place = bytes.as_ptr();
    // The journal makes a frame from the batch's vector in this way.
    assert_eq!(bytes::Bytes::from(bytes).as_ptr(), place);
}

#[test]
fn a_tail_torn_at_any_byte_is_cut() {
    let (disk, frames) = three();
    let last = &frames[2];
    let whole = disk.contents(&segment()).unwrap();
    let start = (SEGMENT_HEAD + last.position.0) as usize;
    for kept in 0..last.bytes.len() {
        // Zeros behind the tear, as in room taken beforehand, and a file that ends there.
        let mut zeroed = whole.clone();
        zeroed[start + kept..].fill(0);
        for torn in [&zeroed[..], &whole[..start + kept]] {
            let disk = SimDisk::new(1);
            disk.put(&segment(), torn);
            let (mut journal, recovery) = open(&disk, &settings(4096)).unwrap();
            assert_eq!(recovery.end, last.position, "{kept} bytes kept");
            // A blank head is an end without a tear.
            let bytes = torn[start..].iter().rposition(|b| *b != 0).map_or(0, |at| at as u64 + 1);
            let cut = Cut { file: segment(), offset: start as u64, position: last.position, bytes };
            assert_eq!(recovery.cut, (bytes > 0).then_some(cut), "{kept} bytes kept");
            // What follows takes the place, and nothing of the tail comes back.
            let next = journal.append(batch(9, 10), Timestamp(4)).unwrap();
            journal.sync().unwrap();
            disk.crash();
            let (journal, recovery) = open(&disk, &settings(4096)).unwrap();
            assert_eq!((recovery.end, recovery.cut), (next.end(), None));
            assert_eq!(read_from(&journal, last.position), [next.bytes.to_vec()]);
        }
    }
}

#[test]
fn damage_in_the_middle_is_refused_at_every_byte() {
    let (disk, frames) = three();
    for frame in &frames {
        for at in 0..frame.bytes.len() as u64 {
            for mask in [0x01, 0x80, 0xff] {
                let disk = disk.copy(1);
                disk.rot(&segment(), SEGMENT_HEAD + frame.position.0 + at, mask);
                let Err(error) = open(&disk, &settings(4096)) else {
                    panic!("byte {at} of the frame at {} is damaged and was taken", frame.position)
                };
                let JournalError::Damaged { file, offset, position, .. } = &error else { panic!("{error}") };
                assert_eq!((file, *offset, *position), (&segment(), SEGMENT_HEAD + frame.position.0, frame.position));
            }
        }
    }
}

#[test]
fn the_operator_may_cut_damage_at_one_named_place() {
    let (disk, frames) = three();
    disk.rot(&segment(), SEGMENT_HEAD + frames[1].position.0 + 100, 1);
    let elsewhere = Settings { cut_at: Some(frames[2].position), ..settings(4096) };
    assert!(matches!(open(&disk, &elsewhere), Err(JournalError::Damaged { .. })));
    let there = Settings { cut_at: Some(frames[1].position), ..settings(4096) };
    let (_, recovery) = open(&disk, &there).unwrap();
    assert_eq!(recovery.end, frames[1].position);
    assert_eq!(recovery.cut.unwrap().bytes, frames[2].end().0 - frames[1].position.0);
}

#[test]
fn damage_in_the_head_of_a_segment_is_refused_at_every_byte() {
    let (disk, _) = three();
    for at in 0..SEGMENT_HEAD {
        let disk = disk.copy(1);
        disk.rot(&segment(), at, 0x10);
        assert!(matches!(open(&disk, &settings(4096)), Err(JournalError::Damaged { offset: 0, .. })), "byte {at}");
    }
}

#[test]
fn what_lies_behind_the_last_frame_is_judged() {
    // A frame of 700 bytes without zeros, at file offset 600: it touches three sectors, [600, 1024), [1024, 1300), and
    // all of its head lies in the first.
    let (position, offset) = (Position(536), 600);
    let mut frame = batch(5, 700 - FRAME_HEAD - 9).into_bytes();
    let mut head = Frame { position, bytes: frame.clone().into() }.head();
    head.position = position.0.into();
    seal(&mut frame, head);
    let room = 4096 - offset as usize;
    let place = |parts: &[(usize, &[u8])]| {
        let mut rest = vec![0; room];
        parts.iter().for_each(|(at, bytes)| rest[*at..*at + bytes.len()].copy_from_slice(bytes));
        rest
    };
    let mut rotten = frame.clone();
    rotten[300] ^= 1;
    let mut headless = frame.clone();
    headless[0] ^= 1;
    let mut later = batch(6, 100).into_bytes();
    let behind = 700;
    let mut sealed = |bytes: &mut Vec<u8>, durable_before: u64| {
        head.position = (position.0 + behind as u64).into();
        head.durable_before = durable_before.into();
        seal(bytes, head);
        bytes.clone()
    };
    let same_group = sealed(&mut later, position.0);
    let next_group = sealed(&mut later, position.0 + behind as u64);
    let damaged = |what: &str| format!("damaged: {what}");
    let whole = damaged("the last frame was wholly written but does not check");
    let durable = damaged("the frame does not check, and a later one says that it was durable");
    let cases: [(&str, Vec<u8>, String); 11] = [
        ("nothing", place(&[]), "empty".into()),
        ("second sector lost", place(&[(0, &frame[..424])]), "torn 424".into()),
        ("first sector lost", place(&[(424, &frame[424..])]), "torn 700".into()),
        ("one bit", place(&[(0, &rotten)]), whole.clone()),
        ("head", place(&[(0, &headless)]), whole.clone()),
        ("one bit, a frame of the same group behind", place(&[(0, &rotten), (behind, &same_group)]), whole.clone()),
        ("one bit, a later group behind", place(&[(0, &rotten), (behind, &next_group)]), durable.clone()),
        ("lost whole, the same group behind", place(&[(behind, &same_group)]), "torn 873".into()),
        ("lost whole, a later group behind", place(&[(behind, &next_group)]), durable.clone()),
        ("sector lost, a later group behind", place(&[(0, &frame[..424]), (behind, &next_group)]), durable),
        ("something far behind", place(&[(3000, b"x")]), "torn 3001".into()),
    ];
    for (name, rest, expected) in cases {
        let got = match judge(&rest, position, offset) {
            Rest::Empty => "empty".to_string(),
            Rest::Torn { bytes } => format!("torn {bytes}"),
            Rest::Damaged { what } => format!("damaged: {what}"),
        };
        assert_eq!(got, expected, "{name}");
    }
}

/// A journal of many segments: their starts and the frames.
fn many() -> (SimDisk, Vec<Position>, Vec<Frame>) {
    let disk = SimDisk::new(3);
    let (mut journal, _) = open(&disk, &settings(1024)).unwrap();
    let mut frames = Vec::new();
    for n in 1..=20 {
        frames.push(journal.append(batch(n, 150 + usize::from(n)), Timestamp(i64::from(n) * 10)).unwrap());
        if n % 7 == 0 {
            // Some syncs cover several segments.
            journal.sync().unwrap();
        }
    }
    journal.sync().unwrap();
    let starts = journal.segments().unwrap().iter().map(|segment| segment.start).collect();
    (disk, starts, frames)
}

#[test]
fn segments_join_exactly_and_frames_do_not_cross_them() {
    let (disk, starts, frames) = many();
    assert!(starts.len() > 4);
    let (journal, recovery) = open(&disk, &settings(1024)).unwrap();
    assert_eq!((recovery.first, recovery.end), (Position(0), frames[19].end()));
    let segments = journal.segments().unwrap();
    for pair in segments.windows(2) {
        assert_eq!(pair[0].end, pair[1].start);
        assert_eq!(pair[0].bytes, SEGMENT_HEAD + pair[0].end.0 - pair[0].start.0, "unused room is given back");
        assert!(pair[0].bytes <= 1024);
    }
    assert_eq!(segments.last().unwrap().bytes, 1024);
    for segment in &segments {
        assert!(frames.iter().any(|frame| frame.position == segment.start));
        let last = frames.iter().rfind(|frame| frame.end() <= segment.end).unwrap();
        assert_eq!(segment.last_received_at, Some(Timestamp(last.head().received_at.get())));
    }
    let bytes: Vec<Vec<u8>> = frames.iter().map(|frame| frame.bytes.to_vec()).collect();
    for (at, frame) in frames.iter().enumerate() {
        assert_eq!(read_from(&journal, frame.position), bytes[at..]);
    }
    // A frame larger than a segment gets a segment of its own size.
    let (mut journal, _) = open(&disk, &settings(1024)).unwrap();
    let large = journal.append(batch(1, 5000), Timestamp(0)).unwrap();
    journal.append(batch(2, 10), Timestamp(0)).unwrap();
    journal.sync().unwrap();
    assert_eq!(read_from(&journal, large.position)[0], large.bytes.to_vec());
}

/// A journal longer than memory would have each write find room first.
#[test]
fn old_segments_leave_memory_and_the_latest_stay() {
    let disk = SimDisk::new(3);
    let (mut journal, _) = open(&disk, &settings(1024)).unwrap();
    for n in 1..=60 {
        journal.append(batch(n, 300), Timestamp(i64::from(n))).unwrap();
        journal.sync().unwrap();
    }
    let segments = journal.segments().unwrap();
    let forgotten =
        segments.iter().map(|segment| disk.is_forgotten(&path_of(Path::new(DIR), segment.start))).collect::<Vec<_>>();
    // The one that is written, and four before it.
    let (old, warm) = forgotten.split_at(segments.len() - 5);
    assert!(old.len() > 5 && old.iter().all(|forgotten| *forgotten), "{forgotten:?}");
    assert!(warm.iter().all(|forgotten| !*forgotten), "{forgotten:?}");
}

#[test]
fn a_gap_or_damage_in_an_earlier_segment_is_refused() {
    let (disk, starts, frames) = many();
    let path = |at: usize| path_of(Path::new(DIR), starts[at]);
    let check = |change: &dyn Fn(&SimDisk), expected: Option<(usize, Position)>| {
        let disk = disk.copy(1);
        change(&disk);
        match (open(&disk, &settings(1024)), expected) {
            (Ok(_), None) => {}
            (Err(JournalError::Damaged { file, position, .. }), Some((at, place))) => {
                assert_eq!((file, position), (path(at), place));
            }
            (Err(other), _) => panic!("{other}"),
            (Ok(_), Some(_)) => panic!("taken"),
        }
    };
    check(&|_| {}, None);
    check(&|disk| disk.remove(&path(0)).unwrap(), None);
    check(&|disk| disk.remove(&path(2)).unwrap(), Some((1, starts[2])));
    let short = |disk: &SimDisk| {
        let file = disk.open(&path(1)).unwrap();
        file.truncate(file.len().unwrap() - 1).unwrap();
    };
    check(&short, Some((1, Position(starts[2].0 - 1))));
    check(&|disk| disk.open(&path(1)).unwrap().truncate(4096).unwrap(), None);
    let victim = frames.iter().find(|frame| frame.position > starts[1]).unwrap().position;
    let rot = |disk: &SimDisk| assert!(disk.rot(&path(1), SEGMENT_HEAD + victim.0 - starts[1].0 + 70, 1));
    check(&rot, Some((1, victim)));

    let renamed = path_of(Path::new(DIR), Position(starts[1].0 + 1));
    disk.rename(&path(1), &renamed).unwrap();
    let error = open(&disk, &settings(1024)).err().unwrap();
    assert!(matches!(&error, JournalError::Damaged { file, .. } if *file == renamed), "{error}");
}

#[test]
fn only_what_is_asked_for_is_verified_at_open_and_the_rest_when_read() {
    let (disk, starts, _) = many();
    assert!(disk.rot(&path_of(Path::new(DIR), starts[1]), SEGMENT_HEAD + 70, 1));
    let late = Settings { verify_from: starts[2], ..settings(1024) };
    let (journal, _) = open(&disk, &late).unwrap();
    let read: Vec<_> = journal.reader().frames_from(Position(0)).collect();
    let (last, good) = read.split_last().unwrap();
    assert_eq!(good.last().unwrap().as_ref().unwrap().end(), starts[1]);
    assert!(matches!(last, Err(JournalError::Damaged { position, .. }) if *position == starts[1]));
    let early = Settings { verify_from: Position(starts[2].0 - 1), ..settings(1024) };
    assert!(matches!(open(&disk, &early), Err(JournalError::Damaged { .. })));
}

#[test]
fn what_is_not_ours_is_refused_by_name() {
    let (disk, frames) = three();
    let other = Settings { folder: Some(FolderId([9; 16])), ..settings(4096) };
    assert!(matches!(open(&disk, &other), Err(JournalError::OtherFolder { .. })));
    let any = Settings { folder: None, ..settings(4096) };
    assert_eq!(open(&disk, &any).unwrap().1.folder, FOLDER);
    let reached = Settings { at_least: frames[2].end(), ..settings(4096) };
    assert!(open(&disk, &reached).is_ok());
    let beyond = Settings { at_least: Position(frames[2].end().0 + 1), ..settings(4096) };
    assert!(matches!(open(&disk, &beyond), Err(JournalError::EndLost { .. })));
    assert!(matches!(open(&SimDisk::new(1), &beyond), Err(JournalError::EndLost { .. })));

    let mut bytes = disk.contents(&segment()).unwrap();
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    disk.put(&segment(), &bytes);
    let error = open(&disk, &settings(4096)).err().unwrap();
    assert!(matches!(error, JournalError::NewerVersion { version: 2, known: 1, .. }), "{error}");
}

#[test]
fn after_a_failed_write_or_sync_nothing_more_is_taken() {
    type Fail = fn(&SimDisk);
    let failures: [Fail; 2] = [|disk| disk.fail_write_after(0), |disk| disk.fail_sync_after(0)];
    for fail in failures {
        let (disk, frames) = three();
        let (mut journal, _) = open(&disk, &settings(4096)).unwrap();
        journal.append(batch(4, 10), Timestamp(4)).unwrap();
        fail(&disk);
        assert!(matches!(journal.sync(), Err(JournalError::Io { .. })));
        assert!(journal.is_latched());
        assert!(matches!(journal.sync(), Err(JournalError::Latched)));
        assert!(matches!(journal.append(batch(5, 10), Timestamp(5)), Err(JournalError::Latched)));
        assert_eq!(journal.durable(), frames[2].end());
        assert_eq!(read_from(&journal, Position(0)).len(), 3, "readers go on");
    }
}

#[test]
fn a_frame_fits_to_the_last_byte_and_not_beyond() {
    let frame_bytes = batch(1, 300).len() as u64;
    // Room for two frames, less one byte, exactly, and one byte more: (room, frames in the first segment).
    for (room, expected) in [(2 * frame_bytes - 1, 1), (2 * frame_bytes, 2), (2 * frame_bytes + 1, 2)] {
        let disk = SimDisk::new(1);
        let (mut journal, _) = open(&disk, &settings(SEGMENT_HEAD + room)).unwrap();
        for n in 1..=3 {
            journal.append(batch(n, 300), Timestamp(1)).unwrap();
        }
        journal.sync().unwrap();
        let segments = journal.segments().unwrap();
        assert_eq!(segments[1].start.0, expected * frame_bytes, "room of {room} bytes");
        assert!(segments.iter().all(|segment| segment.bytes <= SEGMENT_HEAD + room), "{segments:?}");
        assert_eq!(read_from(&journal, Position(0)).len(), 3);
    }
}

#[test]
fn a_full_disk_shows_before_anything_is_written() {
    let disk = SimDisk::new(1);
    disk.set_capacity(2048);
    let (mut journal, _) = open(&disk, &settings(1024)).unwrap();
    let mut end = Position(0);
    let error = loop {
        match journal.append(batch(1, 300), Timestamp(1)) {
            Ok(frame) => end = frame.end(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, JournalError::NoSpace { bytes: 1024, .. }), "{error}");
    assert_eq!(journal.free_space().unwrap(), 0);
    // What had its place is written all the same, and the journal opens on the full disk.
    assert_eq!(journal.sync().unwrap(), end);
    drop(journal);
    disk.crash();
    let (mut journal, recovery) = open(&disk, &settings(1024)).unwrap();
    assert_eq!(recovery.end, end);
    assert!(matches!(journal.append(batch(1, 300), Timestamp(1)), Err(JournalError::NoSpace { .. })));
    disk.set_capacity(4096);
    let frame = journal.append(batch(1, 300), Timestamp(1)).unwrap();
    assert_eq!((frame.position, journal.sync().unwrap()), (end, frame.end()));
}

#[test]
fn a_batch_beyond_all_limits_is_refused() {
    let disk = SimDisk::new(1);
    let (mut journal, _) = open(&disk, &settings(1024)).unwrap();
    let error = journal.append(batch(1, FRAME_LIMIT), Timestamp(0)).unwrap_err();
    assert!(matches!(error, JournalError::TooLarge { .. }), "{error}");
    journal.append(batch(1, 10), Timestamp(0)).unwrap();
    journal.sync().unwrap();
}

#[test]
fn old_segments_go_whole_and_oldest_first() {
    let (disk, starts, frames) = many();
    let (mut journal, _) = open(&disk, &settings(1024)).unwrap();
    let reader = journal.reader();
    let mut replay = reader.frames_from(Position(0));
    replay.next().unwrap().unwrap();
    assert_eq!(journal.remove_before(Position(starts[1].0 - 1), None).unwrap(), Removed::default());
    // Old enough by position, too young by time.
    assert_eq!(journal.remove_before(starts[3], Some(Timestamp(0))).unwrap(), Removed::default());
    let of_second = journal.segments().unwrap()[1].last_received_at.unwrap();
    let removed = journal.remove_before(starts[3], Some(Timestamp(of_second.0 + 1))).unwrap();
    assert_eq!((removed.segments, removed.bytes), (2, starts[2].0 + 2 * SEGMENT_HEAD));
    assert_eq!(reader.first(), starts[2]);
    // A replay that stood in a dropped segment reads what it has open, then learns that the next one is gone.
    assert!(replay.any(|frame| matches!(frame, Err(JournalError::Gone { .. }))));
    assert!(reader.entry(Position(FRAME_HEAD as u64)).unwrap().is_none());
    // Everything may go but the segment being written.
    let removed = journal.remove_before(frames[19].end(), None).unwrap();
    assert_eq!((removed.segments, journal.segments().unwrap().len()), (starts.len() - 3, 1));
    let (journal, recovery) = open(&disk, &settings(1024)).unwrap();
    assert_eq!((recovery.first, recovery.end), (*starts.last().unwrap(), frames[19].end()));
    assert_eq!(journal.reader().first(), recovery.first);
}

#[test]
fn an_entry_is_found_by_its_position() {
    let disk = SimDisk::new(1);
    let (mut journal, _) = open(&disk, &settings(1 << 16)).unwrap();
    let mut wanted = Vec::new();
    for n in 0..5u8 {
        let mut batch = Batch::new(SourceId(u16::from(n)));
        for m in 0..4u8 {
            batch.push_entry(EntryKind::Source, &vec![m; usize::from(m) * 20]);
        }
        let frame = journal.append(batch, Timestamp(0)).unwrap();
        wanted.extend(frame.entries().map(|entry| (n, entry.position, entry.payload.to_vec())));
    }
    journal.sync().unwrap();
    let unsynced = journal.append(batch(1, 10), Timestamp(0)).unwrap();
    let reader = journal.reader();
    for (source, position, payload) in &wanted {
        let (head, entry) = reader.entry(*position).unwrap().unwrap();
        assert_eq!(
            (head.source.get(), entry.position, &entry.payload[..]),
            (u16::from(*source), *position, &payload[..])
        );
    }
    let positions: Vec<u64> = wanted.iter().map(|(_, position, _)| position.0).collect();
    for at in (0..unsynced.end().0 + 10).filter(|at| !positions.contains(at)) {
        assert!(reader.entry(Position(at)).unwrap().is_none(), "no entry begins at {at}");
    }
    let (_, victim, payload) = wanted.last().unwrap();
    disk.rot(&segment(), SEGMENT_HEAD + victim.0 + 9 + payload.len() as u64 - 1, 1);
    assert!(matches!(reader.entry(*victim), Err(JournalError::Damaged { .. })));
}

#[test]
fn readers_follow_the_writer() {
    fn may_go_to_any_thread<T: Clone + Send + Sync>(_: &T) {}
    let disk = SimDisk::new(1);
    let (mut journal, _) = open(&disk, &settings(1024)).unwrap();
    may_go_to_any_thread(&journal.reader());
    let mut follower = journal.reader().frames_from(Position(0));
    for n in 1..=30 {
        assert!(follower.next().is_none());
        let length = if n == 20 { 3 << 20 } else { 200 };
        let frame = journal.append(batch(n, length), Timestamp(0)).unwrap();
        assert!(follower.next().is_none());
        journal.sync().unwrap();
        assert_eq!(follower.next().unwrap().unwrap().bytes, frame.bytes);
    }
}

#[test]
fn a_segment_can_be_looked_into() {
    let (disk, frames) = three();
    disk.rot(&segment(), SEGMENT_HEAD + frames[1].position.0 + 100, 1);
    let inspection = inspect(&disk, &segment()).unwrap();
    assert_eq!((inspection.head.start, inspection.head.folder), (Position(0), FOLDER));
    let bad = Found::Bad {
        offset: SEGMENT_HEAD + frames[1].position.0,
        position: frames[1].position,
        bytes: frames[1].bytes.len() as u64,
        why: BadFrame::Checksum,
    };
    let good = |at: usize| Found::Frame { offset: SEGMENT_HEAD + frames[at].position.0, head: frames[at].head() };
    assert_eq!(inspection.found, [good(0), bad, good(2)]);
    assert_eq!(inspection.unused, 4096 - SEGMENT_HEAD - frames[2].end().0);
}

/// Appends, syncs and crashes by chance; what is checked afterwards does not use the journal's own book-keeping.
#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Sync,
    FailingSync(u64),
    FailingWrite(u64),
    Full(u64),
    Kill,
    Crash,
    Drop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (1usize..1500).prop_map(Step::Append),
        6 => Just(Step::Sync),
        1 => (0u64..5).prop_map(Step::FailingSync),
        1 => (0u64..5).prop_map(Step::FailingWrite),
        1 => (0u64..9000).prop_map(Step::Full),
        1 => Just(Step::Kill),
        2 => Just(Step::Crash),
        1 => Just(Step::Drop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_was_synced_survives_and_nothing_else_appears(
        seed in any::<u64>(), segment_bytes in 600u64..6000, steps in proptest::collection::vec(step(), 1..60)
    ) {
        let disk = SimDisk::new(seed);
        disk.set_faults(Faults { short_writes: true });
        let settings = settings(segment_bytes);
        let (mut journal, _) = open(&disk, &settings).unwrap();
        // The one log as it must be read: what is synced for certain, and what may or may not be there.
        let mut certain: Vec<Vec<u8>> = Vec::new();
        let mut perhaps: Vec<Vec<u8>> = Vec::new();
        let mut removed = 0;
        for (n, step) in steps.into_iter().enumerate() {
            let crashed = match step {
                Step::Append(length) => {
                    match journal.append(batch(n as u8, length), Timestamp(n as i64)) {
                        Ok(frame) => perhaps.push(frame.bytes.to_vec()),
                        Err(error) => {
                            prop_assert!(matches!(error, JournalError::Latched | JournalError::NoSpace { .. }), "{error}");
                        }
                    }
                    false
                }
                Step::Sync | Step::FailingSync(_) | Step::FailingWrite(_) => {
                    match step {
                        Step::FailingSync(after) => disk.fail_sync_after(after),
                        Step::FailingWrite(after) => disk.fail_write_after(after),
                        _ => {}
                    }
                    if journal.sync().is_ok() {
                        certain.append(&mut perhaps);
                    }
                    false
                }
                // From nothing free at all to enough; the journal opens on a full disk too.
                Step::Full(bytes) => { disk.set_capacity(bytes); false }
                Step::Kill => { disk.kill(); true }
                Step::Crash => { disk.crash(); true }
                Step::Drop => {
                    let keep = journal.reader().first().0.midpoint(journal.durable().0);
                    // It may fail to sync the folder, which harms nobody.
                    let _ = journal.remove_before(Position(keep), None);
                    removed = removed.max(journal.reader().first().0);
                    false
                }
            };
            if crashed {
                let twin = disk.copy(seed ^ 1);
                let (reopened, recovery) = open(&disk, &settings).unwrap_or_else(|error| panic!("{error}"));
                let read = read_from(&reopened, recovery.first);
                let first = recovery.first.0 as usize;
                // A removal that was not synced may be undone, never more than asked for.
                prop_assert!(first as u64 <= removed);
                let certain_end = certain.concat().len();
                let offered = [certain.concat(), perhaps.concat()].concat();
                let read_bytes = read.concat();
                let end = first + read_bytes.len();
                prop_assert!(end >= certain_end, "something synced is lost");
                prop_assert!(offered.get(first..end) == Some(&read_bytes[..]), "not what was appended, or not in order");
                // A second look at the same disk finds the same.
                let (again, second) = open(&twin, &settings).unwrap();
                prop_assert_eq!((second.first, second.end), (recovery.first, recovery.end));
                prop_assert_eq!(read_from(&again, second.first), read.clone());
                let (again, second) = open(&disk, &settings).unwrap();
                prop_assert_eq!((second.end, &second.cut), (recovery.end, &None));
                prop_assert_eq!(read_from(&again, second.first), read);
                // What was found at open is certain from now on: the store may build on it.
                certain = vec![offered[..end].to_vec()];
                perhaps.clear();
                journal = again;
            }
        }
    }

    #[test]
    fn any_bytes_as_a_segment_are_taken_or_refused(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..600), head in any::<bool>(), frame in any::<bool>()
    ) {
        if head && bytes.len() >= 64 {
            let good = SegmentHead { start: Position(0), folder: FOLDER, received_before: None };
            bytes[..64].copy_from_slice(&good.to_bytes());
        }
        if frame && bytes.len() >= 140 {
            bytes[64..68].copy_from_slice(b"cRf1");
            bytes[70..72].fill(0);
            bytes[80..96].fill(0);
        }
        let disk = SimDisk::new(1);
        disk.put(&segment(), &bytes);
        let _ = open(&disk, &settings(4096));
        let _ = inspect(&disk, &segment());
    }
}

/// The bytes of a small segment as version 1 wrote them; they stay readable for ever.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/journal-v1.seg");

fn golden() -> (SimDisk, Vec<Frame>) {
    let disk = SimDisk::new(1);
    let (mut journal, _) = open(&disk, &settings(1024)).unwrap();
    let mut frames = Vec::new();
    for n in [1u8, 2] {
        let mut batch = Batch::new(SourceId(u16::from(n)));
        batch.push_entry(EntryKind::Source, br#"{"index":1,"listener":"udp:127.0.0.1:7070"}"#);
        let raw = br#"{"id":"c1","node":"lab","source":"+4930123456","destination":"015123456789"}"#.as_slice();
        batch.push_record(&crate::record::Record {
            id: &raw[7..9],
            node: &raw[19..22],
            source: &raw[34..45],
            destination: &raw[62..74],
            answer: Some(Timestamp(1_791_190_800_000_000)),
            duration: Some(crate::time::Micros(61_000_000)),
            raw,
            ..Default::default()
        });
        batch.push_refused();
        frames.push(journal.append(batch, Timestamp(1_791_190_900_000_000 + i64::from(n))).unwrap());
        journal.sync().unwrap();
    }
    (disk, frames)
}

#[test]
fn version_1_is_written_as_ever_and_read_for_ever() {
    let (disk, frames) = golden();
    let written = disk.contents(&segment()).unwrap();
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &written).unwrap();
    }
    let kept = std::fs::read(GOLDEN).unwrap();
    assert!(kept == written, "the layout has changed: raise the version, keep reading version 1");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("00000000000000000000.seg"), &kept).unwrap();
    let (journal, recovery) = Journal::open(Arc::new(RealDisk), dir.path(), &settings(1024)).unwrap();
    assert_eq!((recovery.cut, recovery.end), (None, frames[1].end()));
    let bytes: Vec<Vec<u8>> = frames.iter().map(|frame| frame.bytes.to_vec()).collect();
    assert_eq!(read_from(&journal, Position(0)), bytes);
}

#[test]
fn the_real_disk_keeps_it_too() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("data/journal");
    let open = || Journal::open(Arc::new(RealDisk), &dir, &settings(8192)).unwrap();
    let mut kept = Vec::new();
    for life in 0..3u8 {
        let (mut journal, recovery) = open();
        assert_eq!(recovery.created, life == 0);
        for n in 0..20u8 {
            kept.push(journal.append(batch(n, 700), Timestamp(i64::from(life))).unwrap().bytes.to_vec());
            if n % 3 == 0 {
                journal.sync().unwrap();
            }
        }
        journal.sync().unwrap();
        // Lost with the process: it was never synced.
        journal.append(batch(99, 10), Timestamp(0)).unwrap();
    }
    let (journal, recovery) = open();
    assert_eq!(recovery.last_received_at, Some(Timestamp(2)));
    assert_eq!(read_from(&journal, Position(0)), kept);
    assert!(journal.segments().unwrap().len() > 5);
}

mod repair;
mod space;
