//! The way on where the journal is damaged: what is given up is named, kept, and nothing else.

use super::*;
use crate::batch::{Entry, entries};
use crate::entry::Lost;

/// Five frames over two segments, the third one without entries.
fn five() -> (SimDisk, Vec<Frame>) {
    let disk = SimDisk::new(5);
    let (mut journal, _) = open(&disk, &settings(1024)).unwrap();
    let mut frames = Vec::new();
    for n in 1..=5u8 {
        let batch = if n == 3 {
            let mut refused = Batch::new(SourceId(1));
            refused.push_refused();
            refused
        } else {
            batch(n, 250)
        };
        frames.push(journal.append(batch, Timestamp(i64::from(n))).unwrap());
        journal.sync().unwrap();
    }
    assert_eq!(journal.segments().unwrap().len(), 2);
    (disk, frames)
}

fn file_of(disk: &SimDisk, position: Position) -> (PathBuf, u64) {
    let names = disk.list(Path::new(DIR)).unwrap();
    let starts = names.iter().filter_map(|name| name.strip_suffix(".seg")?.parse::<u64>().ok());
    let start = starts.filter(|start| *start <= position.0).max().unwrap();
    (path_of(Path::new(DIR), Position(start)), SEGMENT_HEAD + position.0 - start)
}

#[test]
fn damage_at_any_byte_can_be_given_up_and_the_rest_is_read() {
    let (disk, frames) = five();
    for (hit, frame) in frames.iter().enumerate() {
        for at in 0..frame.bytes.len() as u64 {
            let copy = disk.copy(at);
            let (file, offset) = file_of(&copy, frame.position);
            assert!(copy.rot(&file, offset + at, 0x10));
            let found = look(&copy, Path::new(DIR)).unwrap();
            // A last frame that is torn is cut, and not damage; one byte of rot never looks torn.
            assert_eq!(found.len(), 1, "frame {hit}, byte {at}");
            let damage = &found[0];
            assert_eq!((&damage.file, damage.offset, damage.position), (&file, offset, frame.position));
            assert_eq!(damage.bytes, frame.bytes.len() as u64);
            assert!(matches!(
                open(&copy, &settings(1024)),
                Err(JournalError::Damaged { offset: o, .. }) if o == offset
            ));

            let kept = accept_loss(&copy, Path::new(DIR), damage, Timestamp(99)).unwrap();
            let mut rotten = frame.bytes.to_vec();
            rotten[at as usize] ^= 0x10;
            assert_eq!(copy.contents(&kept).unwrap(), rotten, "what was given up is kept as it was");
            copy.crash();
            assert_eq!(look(&copy, Path::new(DIR)).unwrap(), []);
            let (journal, recovery) = open(&copy, &settings(1024)).unwrap();
            assert_eq!(recovery.end, frames[4].end());
            let read = read_from(&journal, Position(0));
            for (n, (read, written)) in read.iter().zip(&frames).enumerate() {
                assert_eq!(n != hit, read[..] == written.bytes[..], "frame {hit}, byte {at}: frame {n}");
            }
            let inside: Vec<Entry<'_>> = entries(&read[hit], frame.position).collect();
            if hit == 2 {
                assert_eq!(inside.len(), 0, "no room for words");
                continue;
            }
            assert_eq!(inside[0].kind, EntryKind::Lost as u8);
            let lost: Lost = serde_json::from_slice(inside[0].payload).unwrap();
            assert_eq!((lost.bytes, lost.accepted_at), (damage.bytes, 99));
            assert_eq!(Some(lost.kept_in.as_str()), kept.file_name().and_then(|n| n.to_str()));
        }
    }
}

#[test]
fn neighbours_that_are_damaged_are_given_up_together() {
    let (disk, frames) = five();
    for frame in &frames[..2] {
        let (file, offset) = file_of(&disk, frame.position);
        disk.rot(&file, offset + 70, 1);
    }
    let found = look(&disk, Path::new(DIR)).unwrap();
    assert_eq!((found.len(), found[0].bytes), (1, frames[1].end().0));
    accept_loss(&disk, Path::new(DIR), &found[0], Timestamp(1)).unwrap();
    let (journal, _) = open(&disk, &settings(1024)).unwrap();
    assert_eq!(read_from(&journal, frames[2].position).len(), 3);
}

#[test]
fn a_repair_that_is_interrupted_can_be_repeated() {
    let (disk, frames) = five();
    let (file, offset) = file_of(&disk, frames[1].position);
    disk.rot(&file, offset + 80, 4);
    for seed in 0..50 {
        let copy = disk.copy(seed);
        let damage = look(&copy, Path::new(DIR)).unwrap().remove(0);
        copy.fail_sync_after(seed % 3);
        assert!(accept_loss(&copy, Path::new(DIR), &damage, Timestamp(1)).is_err());
        copy.crash();
        for damage in look(&copy, Path::new(DIR)).unwrap() {
            assert_eq!(damage.offset, offset);
            accept_loss(&copy, Path::new(DIR), &damage, Timestamp(1)).unwrap();
        }
        let (journal, _) = open(&copy, &settings(1024)).unwrap();
        assert_eq!(read_from(&journal, Position(0)).len(), 5);
    }
}

#[test]
fn a_segment_that_is_too_short_is_filled_up_to_the_next() {
    let (disk, frames) = five();
    let (file, offset) = file_of(&disk, frames[1].position);
    disk.open(&file).unwrap().truncate(offset + 100).unwrap();
    let found = look(&disk, Path::new(DIR)).unwrap();
    assert_eq!(found.len(), 1);
    accept_loss(&disk, Path::new(DIR), &found[0], Timestamp(1)).unwrap();
    let (journal, _) = open(&disk, &settings(1024)).unwrap();
    let read = read_from(&journal, Position(0));
    assert_eq!(read.first().map(Vec::as_slice), Some(&frames[0].bytes[..]));
    assert_eq!(read.last().map(Vec::as_slice), Some(&frames[4].bytes[..]));
}

#[test]
fn sound_and_torn_journals_are_not_damaged() {
    let (disk, frames) = five();
    assert_eq!(look(&disk, Path::new(DIR)).unwrap(), []);
    let (file, offset) = file_of(&disk, frames[4].position);
    // The last frame reached the disk in part.
    disk.open(&file).unwrap().truncate(offset + 120).unwrap();
    assert_eq!(look(&disk, Path::new(DIR)).unwrap(), []);
}
