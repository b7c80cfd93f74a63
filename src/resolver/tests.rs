use std::path::Path;

use super::*;
use crate::batch::{Batch, SourceId};
use crate::identity::{IdentityIndex, Settings};
use crate::names::Names;
use crate::os::sim::SimDisk;
use crate::period::Seals;
use crate::road::{Marker, queue};
use crate::store::sqlite::SqliteStore;
use crate::time::Timestamp;

fn record() -> Record<'static> {
    Record {
        id: b"call",
        node: b"node",
        source: b"1",
        destination: b"2",
        answer: Some(Timestamp(1)),
        ..Record::default()
    }
}

fn index(disk: &SimDisk) -> IdentityIndex {
    let end = Position(u64::MAX >> 1);
    IdentityIndex::open(Arc::new(disk.clone()), Path::new("/identity"), &Settings::default(), end).unwrap().0
}

fn nothing() -> ResolverState {
    ResolverState {
        accounts: Names::default(),
        groups: Names::default(),
        sources: Vec::new(),
        profiles: Vec::new(),
        guards: Arc::default(),
        periods: Default::default(),
        tariffs: Vec::new(),
        directory: None,
        directories: 0,
        set_aside: Vec::new(),
        attempts: hashbrown::HashMap::new(),
        assembly: Default::default(),
    }
}

/// With no shard running yet, and no room in its queue: a year of daily decks is more tariffs than a queue holds.
#[test]
fn a_resolver_is_made_before_anybody_takes_what_shards_are_told() {
    let (made, is_made) = crossbeam::channel::bounded(1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.sqlite");
    std::thread::spawn(move || {
        let disk = SimDisk::new(3);
        let (_travel, inbox) = queue(8);
        let (flush, _parts) = crossbeam::channel::unbounded();
        let (shard, told) = queue(0);
        let store = Arc::new(SqliteStore::open(&file).unwrap());
        let seals = Arc::new(Seals::new(store, Arc::default(), Arc::new(disk.clone()), Path::new("/sealing")));
        let resolver = Resolver::new(inbox, vec![shard], flush, index(&disk), Arc::default(), seals, nothing());
        made.send((resolver, told)).unwrap();
    });
    let (resolver, told) = is_made.recv_timeout(std::time::Duration::from_secs(60)).expect("it waits for the shard");
    let running = std::thread::spawn(move || resolver.run().unwrap());
    assert!(matches!(told.recv(), Ok(ToShard::Guards(_))));
    drop(told);
    running.join().unwrap();
}

/// The machine may die right after the store has a position: what the identity index says it has, it must then have.
#[test]
fn identities_are_durable_before_the_flush_hears_of_the_marker() {
    let disk = SimDisk::new(3);
    let (travel, inbox) = queue(8);
    let (flush, parts) = crossbeam::channel::unbounded();
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("store.sqlite")).unwrap());
    let seals = Arc::new(Seals::new(store, Arc::default(), Arc::new(disk.clone()), Path::new("/sealing")));
    let resolver = Resolver::new(inbox, Vec::new(), flush, index(&disk), Arc::default(), seals, nothing());

    let mut batch = Batch::new(SourceId(0));
    batch.push_record(&record());
    let mut bytes = batch.into_bytes();
    crate::journal::seal(&mut bytes, zerocopy::FromZeros::new_zeroed());
    let frame = Frame { position: Position(0), bytes: bytes.into() };
    let upto = frame.end();
    travel.send(Travel::Frame(frame)).unwrap();
    let marker = Marker { number: 1, upto, records: 1, at: Timestamp(1), replies: Vec::new() };
    travel.send(Travel::Marker(marker)).unwrap();
    drop(travel);
    resolver.run().unwrap();

    assert!(matches!(parts.try_recv(), Ok(crate::flush::Part::Resolver(..))));
    disk.crash();
    let again = index(&disk);
    assert_eq!(again.covered(), upto);
    assert!(again.find(record().identity()).unwrap().is_some());
}
