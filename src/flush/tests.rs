use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::os::sim::SimDisk;
use crate::road::queue;
use crate::sequencer::{Control, Progress};
use crate::store::faulty::{Faults, FaultyStore};
use crate::store::sqlite::SqliteStore;
use crate::time::Timestamp;

type Faulty = Arc<FaultyStore<SqliteStore>>;

/// A running flush without shards, a store that fails as told, and everything the flush says to others.
struct Desk {
    _folder: tempfile::TempDir,
    store: Faulty,
    parts: crossbeam::channel::Sender<Part>,
    sequencer: mpsc::Receiver<Control>,
    progress: Arc<Progress>,
    thread: std::thread::JoinHandle<Result<(), FlushError>>,
}

impl Desk {
    fn new(clock: Clock, in_memory: u64) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("store.db")).unwrap();
        let store = Arc::new(FaultyStore::new(store, 1, Faults::default()));
        let (controls, sequencer) = mpsc::channel(64);
        let progress = Arc::new(Progress::default());
        let road = Road::new(controls, progress.clone());
        let (parts, inbox) = queue(8);
        let spill = Spill::open(Arc::new(SimDisk::new(1)), std::path::Path::new("/spill")).unwrap();
        let (books, tariffs) = (Books::default(), Vec::new());
        let state = FlushState { position: Position(0), books, tariffs, spill, in_memory, least_margin: Money::ZERO };
        let flush = Flush::new(inbox, 0, store.clone(), Arc::default(), road, clock, state);
        let thread = std::thread::spawn(move || flush.run());
        Desk { _folder: folder, store, parts, sequencer, progress, thread }
    }

    /// The resolver's part of a flush, which is all of it.
    fn send(&self, number: u64, upto: u64) -> oneshot::Receiver<Position> {
        let (reply, answer) = oneshot::channel();
        let upto = Position(upto);
        let marker = Marker { number, upto, records: 5 * number, at: Timestamp(1), replies: vec![reply] };
        let gathered = Gathered { covered: upto, ..Gathered::default() };
        self.parts.send(Part::Resolver(marker, Box::new(gathered), Share::default())).unwrap();
        answer
    }

    fn said(&self) -> (u64, u64, u64) {
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::SeqCst);
        (load(&self.progress.stored), load(&self.progress.markers_stored), load(&self.progress.records_stored))
    }

    fn until(&self, done: impl Fn(&Desk) -> bool) {
        while !done(self) {
            std::thread::yield_now();
        }
    }
}

/// While the store refuses, nobody may believe that it has the position: not who waits for the flush, not the sequencer,
/// which would drop the journal's segments.
#[test]
fn nobody_hears_of_a_position_that_the_store_has_not() {
    let mut desk = Desk::new(Clock::wall(), HELD_BYTES_MAX);
    desk.store.set_away(true);
    let mut answer = desk.send(1, 640);
    // Asked twice at least, so the first refusal has been dealt with.
    desk.until(|desk| desk.store.played().flushes >= 2);
    assert_eq!(desk.said(), (0, 0, 0));
    assert!(desk.progress.store_away.load(Ordering::SeqCst));
    assert!(answer.try_recv().is_err() && desk.sequencer.try_recv().is_err());

    desk.store.set_away(false);
    assert_eq!(answer.blocking_recv(), Ok(Position(640)));
    assert_eq!(desk.said(), (640, 1, 5));
    assert_eq!(desk.store.inner().load().unwrap().position, Position(640));
    drop(desk.parts);
    desk.thread.join().unwrap().unwrap();
    assert!(matches!(desk.sequencer.try_recv(), Ok(Control::Trim(Position(640)))));
}

/// A store that does not answer holds up nobody: flushes go on coming, and are put aside but for the one it was asked to
/// take, and it counts as away.
#[test]
fn a_store_that_does_not_answer_holds_nobody_up() {
    let clock = Clock::fake(Timestamp(0));
    let desk = Desk::new(clock.clone(), 0);
    desk.store.set_hanging(true);
    let mut answers = vec![desk.send(1, 100)];
    desk.until(|desk| desk.store.played().flushes == 1);
    answers.extend((2..20).map(|number| desk.send(number, 100 * number)));
    desk.until(|desk| desk.progress.markers_taken.load(Ordering::SeqCst) == 19);
    let aside = desk.progress.spilled_bytes.load(Ordering::SeqCst);
    assert!(aside > 0 && !desk.progress.store_away.load(Ordering::SeqCst), "{aside}");
    clock.advance(Micros(HANGS_AFTER.as_micros() as i64));
    answers.push(desk.send(20, 2000));
    desk.until(|desk| desk.progress.store_away.load(Ordering::SeqCst));
    assert_eq!((desk.said(), desk.store.played().flushes), ((0, 0, 0), 1));

    desk.store.set_hanging(false);
    for (answer, upto) in answers.into_iter().zip((1..).map(|number| 100 * number)) {
        assert_eq!(answer.blocking_recv(), Ok(Position(upto)));
    }
    desk.until(|desk| desk.progress.spilled_bytes.load(Ordering::SeqCst) == 0);
    assert_eq!((desk.said(), desk.store.played().flushes), ((2000, 20, 100), 20));
    assert!(!desk.progress.store_away.load(Ordering::SeqCst));
    assert_eq!(desk.store.inner().load().unwrap().position, Position(2000));
    drop(desk.parts);
    desk.thread.join().unwrap().unwrap();
}

/// Senders that can wait do so while a store that is well has much to write: nothing is put aside. Once it counts as away
/// nobody waits.
#[test]
fn who_can_wait_waits_for_a_store_that_is_behind_and_not_for_one_that_is_away() {
    let clock = Clock::fake(Timestamp(0));
    let desk = Desk::new(clock.clone(), 64 << 10);
    let brake = desk.progress.brake.clone();
    desk.store.set_hanging(true);
    let mut answers = vec![desk.send(1, 100)];
    desk.until(|desk| desk.store.played().flushes == 1);
    assert!(!brake.is_on(), "one that is being written is not much");
    let mut sent = 1;
    let mut send_more = |answers: &mut Vec<_>| {
        while !brake.is_on() {
            sent += 1;
            answers.push(desk.send(sent, 100 * sent));
            desk.until(|desk| desk.progress.markers_taken.load(Ordering::SeqCst) == sent);
        }
        sent
    };
    send_more(&mut answers);
    assert_eq!(desk.progress.spilled_bytes.load(Ordering::SeqCst), 0);
    desk.store.set_hanging(false);
    for (answer, upto) in answers.drain(..).zip((1..).map(|number| 100 * number)) {
        assert_eq!(answer.blocking_recv(), Ok(Position(upto)));
    }
    desk.until(|_| !brake.is_on());

    desk.store.set_hanging(true);
    let last = send_more(&mut answers);
    clock.advance(Micros(HANGS_AFTER.as_micros() as i64));
    desk.send(last + 1, 100 * last + 100);
    desk.until(|desk| desk.progress.store_away.load(Ordering::SeqCst));
    desk.until(|_| !brake.is_on());
    desk.store.set_hanging(false);
    drop(desk.parts);
    desk.thread.join().unwrap().unwrap();
}

/// The end does not wait for a store that is known to hang; what it did not take is in the journal.
#[test]
fn the_end_does_not_wait_for_a_store_that_hangs() {
    let clock = Clock::fake(Timestamp(0));
    let desk = Desk::new(clock.clone(), HELD_BYTES_MAX);
    desk.store.set_hanging(true);
    let mut answer = desk.send(1, 100);
    desk.until(|desk| desk.store.played().flushes == 1);
    clock.advance(Micros(HANGS_AFTER.as_micros() as i64));
    desk.send(2, 200);
    desk.until(|desk| desk.progress.store_away.load(Ordering::SeqCst));
    drop(desk.parts);
    // The time of the last tries is over when the flush comes to look.
    while !desk.thread.is_finished() {
        clock.advance(Micros(1_000_000));
        std::thread::yield_now();
    }
    desk.thread.join().unwrap().unwrap();
    assert!(answer.try_recv().is_err());
    // The thread that asked it is still there, and must not be for ever.
    desk.store.set_hanging(false);
}
