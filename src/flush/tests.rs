use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::os::sim::SimDisk;
use crate::road::queue;
use crate::sequencer::{Control, Progress};
use crate::store::faulty::{Faults, FaultyStore};
use crate::store::sqlite::SqliteStore;
use crate::time::Timestamp;

/// While the store refuses, nobody may believe that it has the position: not who waits for the flush, not the sequencer,
/// which would drop the journal's segments.
#[test]
fn nobody_hears_of_a_position_that_the_store_has_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("store.db")).unwrap();
    let store = Arc::new(FaultyStore::new(store, 1, Faults::default()));
    store.set_away(true);
    let (controls, mut sequencer) = mpsc::channel(8);
    let progress = Arc::new(Progress::default());
    let road = Road::new(controls, progress.clone());
    let (parts, inbox) = queue(8);
    let spill = Spill::open(Arc::new(SimDisk::new(1)), std::path::Path::new("/spill")).unwrap();
    let state = FlushState { position: Position(0), books: Books::default(), tariffs: Vec::new(), spill };
    let flush = Flush::new(inbox, 0, store.clone(), Arc::default(), road.clone(), Clock::wall(), state);
    let thread = std::thread::spawn(move || flush.run());

    let (reply, mut answer) = oneshot::channel();
    let upto = Position(640);
    let marker = Marker { number: 1, upto, records: 5, at: Timestamp(1), replies: vec![reply] };
    let gathered = Gathered { covered: upto, ..Gathered::default() };
    parts.send(Part::Resolver(marker, Box::new(gathered), Share::default())).unwrap();
    // Asked twice at least, so the first refusal has been dealt with.
    while store.played().flushes < 2 {
        std::thread::yield_now();
    }
    let said = || {
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::SeqCst);
        (load(&progress.stored), load(&progress.markers_stored), load(&progress.records_stored))
    };
    assert_eq!(said(), (0, 0, 0));
    assert!(progress.store_away.load(Ordering::SeqCst));
    assert!(answer.try_recv().is_err() && sequencer.try_recv().is_err());

    store.set_away(false);
    assert_eq!(answer.blocking_recv(), Ok(upto));
    assert_eq!(said(), (upto.0, 1, 5));
    assert_eq!(store.inner().load().unwrap().position, upto);
    drop(parts);
    thread.join().unwrap().unwrap();
    assert!(matches!(sequencer.try_recv(), Ok(Control::Trim(position)) if position == upto));
}
