//! The sequencer on a disk that runs full or fails: who is refused, who waits, what goes first.

use std::path::Path;

use super::*;
use crate::batch::{EntryKind, SourceId};
use crate::ingest::{Outbox, Pending};
use crate::journal::{SegmentInfo, Settings};
use crate::os::disk::Disk;
use crate::os::sim::SimDisk;
use crate::road::{Inbox, queue};

const MIN_FREE: u64 = 1 << 20;
const BATCH: usize = 50_000;

struct World {
    disk: SimDisk,
    sequencer: Sequencer,
    outbox: Outbox,
    controls: mpsc::Sender<Control>,
    onward: Inbox<Travel>,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> World {
        let disk = SimDisk::new(1);
        disk.set_capacity(4 << 20);
        let settings = Settings { segment_bytes: 1 << 20, min_free: MIN_FREE, ..Settings::default() };
        let (journal, _) = Journal::open(Arc::new(disk.clone()), Path::new("/journal"), &settings).unwrap();
        let (outbox, deliveries) = Outbox::new(crate::ingest::OUTBOX_MAX);
        let (controls, inbox) = mpsc::channel(16);
        let (sender, onward) = queue(10_000);
        let sequencer = Sequencer {
            deliveries,
            controls: inbox,
            journal,
            onward: sender,
            clock: Clock::fake(Timestamp(1)),
            progress: Arc::new(Progress::default()),
            settings: SequencerSettings { flush_calls: u64::MAX / 8, keep_micros: i64::MAX / 4, max_delay_micros: 0 },
            unflushed: 0,
            marked_at: Micros(0),
            metrics: SequencerMetrics::default(),
            space: Space::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        World { disk, sequencer, outbox, controls, onward, runtime }
    }

    fn send(&self, patient: bool) -> Pending {
        let batch = batch();
        let sent =
            async { if patient { self.outbox.send_patiently(batch).await } else { self.outbox.send(batch).await } };
        self.runtime.block_on(sent).unwrap()
    }

    /// Sends a batch and moves the sequencer; none: it waits.
    fn take(&mut self, patient: bool) -> Option<Durable> {
        let pending = self.send(patient);
        self.sequencer.step().unwrap();
        self.answer(pending).ok()
    }

    fn answer(&self, pending: Pending) -> Result<Durable, Pending> {
        // Answers are there already if there are any.
        let mut pending = Some(pending);
        let answered = self.runtime.block_on(async {
            let waiting = pending.as_mut().unwrap();
            std::future::poll_fn(|context| std::task::Poll::Ready(waiting.poll_durable(context))).await
        });
        match answered {
            std::task::Poll::Ready(durable) => Ok(durable),
            std::task::Poll::Pending => Err(pending.unwrap()),
        }
    }

    /// Fills the disk; gives how many batches were taken.
    fn fill(&mut self) -> usize {
        let mut taken = 0;
        loop {
            match self.take(false) {
                Some(Ok(_)) => taken += 1,
                Some(Err(why)) => {
                    assert_eq!(why, NotTaken::JournalFull);
                    return taken;
                }
                None => panic!("a batch was neither taken nor refused"),
            }
        }
    }

    fn full(&self) -> bool {
        self.sequencer.progress.journal_full.load(Ordering::Relaxed)
    }

    fn segments(&self) -> Vec<SegmentInfo> {
        self.sequencer.journal.segments().unwrap()
    }

    fn frames(&self) -> usize {
        std::iter::from_fn(|| self.onward.try_recv().ok()).filter(|t| matches!(t, Travel::Frame(_))).count()
    }
}

fn batch() -> Batch {
    let mut batch = Batch::new(SourceId(0));
    batch.push_entry(EntryKind::Source, &vec![b'x'; BATCH]);
    batch
}

#[test]
fn doors_close_at_the_limit_and_open_by_themselves() {
    let mut world = World::new();
    let taken = world.fill();
    let free = world.disk.free_space(Path::new("/journal")).unwrap();
    assert!(free >= MIN_FREE, "{free}");
    assert!(taken > 30, "{taken}");
    assert!(world.full());
    // A change of course may still be journalled.
    let (reply, mut answer) = oneshot::channel();
    world.controls.try_send(Control::Enter(batch(), reply)).unwrap();
    world.sequencer.step().unwrap();
    assert!(answer.try_recv().unwrap().is_ok());
    assert_eq!(world.frames(), taken + 1);
    // Just what is to be left is not enough to open again.
    world.disk.set_capacity(4 << 20 | 1 << 10);
    assert_eq!(world.take(false), Some(Err(NotTaken::JournalFull)));
    // Space comes back, and nobody does anything.
    world.disk.set_capacity(8 << 20);
    world.controls.try_send(Control::Flush(None)).unwrap();
    world.sequencer.step().unwrap();
    assert!(!world.full());
    assert!(matches!(world.take(false), Some(Ok(_))));
}

#[test]
fn stored_segments_go_before_doors_close_and_before_their_time() {
    let mut world = World::new();
    let first = world.fill();
    let segments = world.segments();
    world.sequencer.progress.may_go.store(segments[0].end.0, Ordering::Relaxed);
    let more = world.fill();
    assert!((1..first).contains(&more), "{more} after {first}");
    assert!(world.segments()[0].start == segments[1].start, "exactly the stored one went");
    assert!(world.full());
    // As long as the store keeps up, doors never close.
    for _ in 0..500 {
        world.sequencer.progress.may_go.store(world.sequencer.journal.durable().0, Ordering::Relaxed);
        assert!(matches!(world.take(false), Some(Ok(_))));
        assert!(!world.full());
    }
}

#[test]
fn patient_senders_wait_and_come_first() {
    let mut world = World::new();
    let taken = world.fill();
    let waiting: Vec<Pending> = (0..3).map(|_| world.send(true)).collect();
    let refused = world.send(false);
    world.sequencer.step().unwrap();
    assert_eq!(world.answer(refused).unwrap(), Err(NotTaken::JournalFull));
    let waiting: Vec<Pending> = waiting.into_iter().map(|one| world.answer(one).expect_err("it waits")).collect();
    assert_eq!(world.frames(), taken);

    world.disk.set_capacity(8 << 20);
    let late = world.send(false);
    world.sequencer.step().unwrap();
    let ends: Vec<Position> = waiting.into_iter().map(|one| world.answer(one).unwrap().unwrap()).collect();
    assert!(ends.is_sorted() && ends[2] < world.answer(late).unwrap().unwrap());
    assert_eq!(world.frames(), 4);
}

#[test]
fn at_the_end_nobody_waits() {
    let mut world = World::new();
    world.fill();
    let waiting = world.send(true);
    world.sequencer.step().unwrap();
    let waiting = world.answer(waiting).expect_err("it waits");
    world.controls.try_send(Control::Closing).unwrap();
    world.sequencer.step().unwrap();
    assert_eq!(world.answer(waiting).unwrap(), Err(NotTaken::ShuttingDown));
    assert_eq!(world.take(true), Some(Err(NotTaken::ShuttingDown)));
}

#[test]
fn only_so_much_waits() {
    let mut world = World::new();
    world.fill();
    let most = (64 << 20) / (BATCH + 73);
    let waiting: Vec<Pending> = (0..most + 1)
        .map(|_| {
            let one = world.send(true);
            world.sequencer.step().unwrap();
            one
        })
        .collect();
    let answers: Vec<_> = waiting.into_iter().filter_map(|one| world.answer(one).ok()).collect();
    assert_eq!(answers, [Err(NotTaken::JournalFull)]);
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged() {
    for failing in [0, 1, 2] {
        let mut world = World::new();
        world.disk.fail_sync_after(failing);
        for _ in 0..failing {
            assert!(matches!(world.take(false), Some(Ok(_))));
        }
        let pending = world.send(false);
        let error = world.sequencer.step().unwrap_err();
        assert!(error.to_string().contains("cannot sync"), "{error}");
        assert_eq!(world.answer(pending).unwrap(), Err(NotTaken::ShuttingDown));
        // Whoever asks again all the same is refused, and nothing went down the road.
        let pending = world.send(false);
        assert!(matches!(world.sequencer.step(), Err(JournalError::Latched)));
        assert_eq!(world.answer(pending).unwrap(), Err(NotTaken::ShuttingDown));
        assert_eq!(world.frames(), failing as usize);
        assert!(world.sequencer.journal.is_latched());
    }
}

#[test]
fn a_road_that_is_full_stops_reading() {
    let mut world = World::new();
    world.sequencer.settings.flush_calls = 1;
    world.sequencer.progress.records_durable.store(GATHERED_RECORDS_MAX, Ordering::Relaxed);
    let pending = world.send(false);
    assert_eq!(world.sequencer.step().unwrap(), Step::Idle);
    let pending = world.answer(pending).expect_err("it is not even read");
    assert!(world.sequencer.progress.road_full.load(Ordering::Relaxed));
    world.sequencer.progress.records_taken.store(1, Ordering::Relaxed);
    assert_eq!(world.sequencer.step().unwrap(), Step::Moved);
    assert!(world.answer(pending).unwrap().is_ok());
}
