use std::path::Path;

use super::*;
use crate::batch::{EntryKind, SourceId};
use crate::journal::Settings;
use crate::os::sim::SimDisk;
use crate::road::queue;

mod early;
mod room;

fn batch() -> Batch {
    let mut batch = Batch::new(SourceId(0));
    batch.push_entry(EntryKind::Source, b"anything");
    batch
}

/// Runs a sequencer over what two deliveries and a stop leave it; its outcome, the answers to the deliveries, and what
/// travelled on.
fn run(disk: &SimDisk, fail: impl FnOnce(&SimDisk)) -> (Result<(), JournalError>, Vec<Option<Durable>>, Vec<Travel>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let settings = Settings { segment_bytes: 1 << 16, folder: None, ..Settings::default() };
    let (journal, _) = Journal::open(Arc::new(disk.clone()), Path::new("/journal"), &settings).unwrap();
    fail(disk);
    let (deliver, deliveries) = mpsc::channel(8);
    let (control, controls) = mpsc::channel(8);
    let (onward, road) = queue(8);
    let sequencer = Sequencer {
        deliveries,
        controls,
        journal,
        onward,
        clock: Clock::fake(Timestamp(1)),
        progress: Arc::default(),
        settings: SequencerSettings { flush_calls: 1_000_000, keep_micros: i64::MAX, max_delay_micros: 2_000 },
        unflushed: 0,
        marked_at: Micros(0),
        metrics: SequencerMetrics::default(),
        space: Space::default(),
    };
    let mut answers = Vec::new();
    for _ in 0..2 {
        let (reply, answer) = oneshot::channel();
        deliver.try_send(Delivery { batch: batch(), reply: Some(reply), patient: false }).unwrap();
        answers.push(answer);
    }
    control.try_send(Control::Stop).unwrap();
    let outcome = sequencer.run(runtime.handle());
    let answers = answers.iter_mut().map(|answer| answer.try_recv().ok()).collect();
    (outcome, answers, std::iter::from_fn(|| road.try_recv().ok()).collect())
}

#[test]
fn what_is_synced_is_handed_on_and_acknowledged() {
    let disk = SimDisk::new(1);
    let (outcome, answers, road) = run(&disk, |_| {});
    outcome.unwrap();
    let [Travel::Frame(first), Travel::Frame(second), Travel::Marker(marker)] = &road[..] else { panic!("{road:?}") };
    assert_eq!(answers, [Some(Ok(first.end())), Some(Ok(second.end()))]);
    assert_eq!((second.position, marker.upto), (first.end(), second.end()));
}

#[test]
fn what_could_not_be_synced_is_neither_acknowledged_nor_handed_on() {
    let failures: [fn(&SimDisk); 2] = [|disk| disk.fail_write_after(0), |disk| disk.fail_sync_after(0)];
    for fail in failures {
        let (outcome, answers, road) = run(&SimDisk::new(1), fail);
        assert!(matches!(outcome, Err(JournalError::Io { .. })), "{outcome:?}");
        // The answer's other end is gone: the door tells its sender nothing, who must send again.
        assert_eq!(answers, [None, None]);
        assert!(road.is_empty(), "{road:?}");
    }
}
