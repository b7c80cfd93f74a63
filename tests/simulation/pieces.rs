//! An identity index that is lost is fed again from the journal: records, and calls that were told in parts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use callrated::batch::{Batch, SourceId};
use callrated::daemon::parts::Parts;
use callrated::daemon::recover::{self, Ground, Recovered};
use callrated::flush::HELD_BYTES_MAX;
use callrated::identity;
use callrated::ingest::Delivery;
use callrated::journal;
use callrated::os::clock::Clock;
use callrated::os::disk::Disk;
use callrated::os::sim::SimDisk;
use callrated::piece::{Piece, PieceKind, Step};
use callrated::record::Record;
use callrated::sequencer::{Control, SequencerSettings};
use callrated::store::Store;
use callrated::time::{Micros, Timestamp};

use super::model::NOVEMBER;
use super::plain_store::PlainStore;
use super::rates::SHELF;
use super::traffic;

fn recovered(disk: &SimDisk, store: &Arc<dyn Store>) -> Recovered {
    let ground = Ground {
        disk: Arc::new(disk.clone()),
        folder: PathBuf::from("/data"),
        store: store.clone(),
        images: SHELF.images.clone(),
        journal: journal::Settings { segment_bytes: 8192, ..journal::Settings::default() },
        identity: identity::Settings { start_entries: 1024, ..identity::Settings::default() },
        shards: 2,
        set_aside: Vec::new(),
        in_memory: HELD_BYTES_MAX,
    };
    recover::recover_from(ground).unwrap()
}

/// Sends batches through all parts until everything is stored.
fn send(recovered: Recovered, batches: Vec<Batch>) {
    let settings = SequencerSettings { flush_calls: 1000, keep_micros: i64::MAX / 4, max_delay_micros: 0 };
    let mut parts = Parts::join(recovered, settings, &Clock::fake(Timestamp(NOVEMBER)), 256);
    for batch in batches {
        parts.outbox.depth().upgrade().unwrap().try_send(Delivery { batch, reply: None, patient: false }).unwrap();
        parts.sequencer.step().unwrap();
    }
    parts.road.try_send(Control::Flush(None)).unwrap();
    parts.sequencer.step().unwrap();
    for _ in 0..100 {
        parts.resolver.step().unwrap();
        for shard in &mut parts.shards {
            shard.step();
        }
        parts.flush.step().unwrap();
    }
}

fn half(step: Step, id: &str, record: Record<'_>) -> Batch {
    let mut batch = Batch::new(SourceId(0));
    let record = Record { id: id.as_bytes(), node: b"sbc", ..record };
    let (key, at) = (id.as_bytes(), Some(Timestamp(NOVEMBER)));
    batch.push_piece(&Piece { kind: PieceKind::Acc, step, key, at, delay: Micros(0), record });
    batch
}

#[test]
fn a_lost_index_learns_calls_told_in_parts_again() {
    let disk = SimDisk::new(1);
    let store: Arc<dyn Store> = Arc::new(PlainStore::default());
    let mut batches = vec![traffic::beginning(NOVEMBER).0];
    for id in ["one", "two", "three"] {
        let (source, destination) = (b"+493023125000".as_slice(), b"015123456789".as_slice());
        let answer = Some(Timestamp(NOVEMBER - 90_000_000));
        batches.push(half(Step::Answer, id, Record { source, destination, answer, ..Record::default() }));
        batches.push(half(Step::End, id, Record { end: Some(Timestamp(NOVEMBER)), ..Record::default() }));
    }
    send(recovered(&disk, &store), batches);
    let before = recovered(&disk, &store);
    assert_eq!((before.identity.len(), before.flush.position), (3, before.journal.durable()));
    drop(before);
    disk.remove(Path::new("/data/identity/identities.log")).unwrap();
    let after = recovered(&disk, &store);
    assert_eq!(after.identity.len(), 3);
}
