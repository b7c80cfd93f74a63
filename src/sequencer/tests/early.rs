//! When the store is given less than a whole flush.

use super::*;

const WHOLE: u64 = 16_000;

#[test]
fn a_fast_road_gives_an_idle_store_what_there_is() {
    let settings = Settings { segment_bytes: 1 << 20, ..Settings::default() };
    let disk = SimDisk::new(1);
    let (journal, _) = Journal::open(Arc::new(disk), Path::new("/journal"), &settings).unwrap();
    let (deliver, deliveries) = mpsc::channel(8);
    let (_control, controls) = mpsc::channel(8);
    let (onward, road) = queue(64);
    let clock = Clock::fake(Timestamp(1));
    let mut sequencer = Sequencer {
        deliveries,
        controls,
        journal,
        onward,
        clock: clock.clone(),
        progress: Arc::default(),
        settings: SequencerSettings { flush_calls: WHOLE, keep_micros: i64::MAX, max_delay_micros: 2_000 },
        unflushed: 0,
        marked_at: Micros(0),
        metrics: SequencerMetrics::default(),
        space: Space::default(),
    };
    // So many entries after so long, and whether the store has all it was given by then: the records of the flush that
    // begins, if one does.
    let mut flushed = 0;
    for (entries, micros, stored, flush) in [
        // 2,000 in 100 ms are 20,000 a second.
        (2_000, 100_000, true, Some(2_000)),
        // The store is not through with them.
        (2_000, 100_000, false, None),
        (2_000, 50_000, true, Some(4_000)),
        // 2,000 in 200 ms are 10,000 a second: slower than a whole flush a second.
        (2_000, 200_000, true, None),
        (13_999, 900_000, true, None),
        (1, 0, true, Some(16_000)),
        // Too few.
        (1_999, 1_000, true, None),
        (1, 0, true, Some(2_000)),
        // A store that is behind gets whole flushes.
        (15_999, 1_000, false, None),
        (1, 0, false, Some(16_000)),
    ] {
        clock.advance(Micros(micros));
        if stored {
            let sent = sequencer.progress.markers_sent.load(Ordering::Relaxed);
            sequencer.progress.markers_stored.store(sent, Ordering::Relaxed);
            sequencer.progress.markers_taken.store(sent, Ordering::Relaxed);
        }
        let mut batch = Batch::new(SourceId(0));
        (0..entries).for_each(|n| batch.push_tick(Timestamp(n)));
        deliver.try_send(Delivery { batch, reply: None, patient: false }).unwrap();
        sequencer.step().unwrap();
        let marker = std::iter::from_fn(|| road.try_recv().ok()).find_map(|travel| match travel {
            Travel::Marker(marker) => Some(marker.records),
            _ => None,
        });
        assert_eq!(marker.map(|records| records - flushed), flush, "{entries} entries after {micros} µs");
        flushed = marker.unwrap_or(flushed);
    }
}
