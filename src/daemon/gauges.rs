//! Gauges that nobody would set at the right moment by himself: queues, lag, space.
//!
//! Does not know what they are watched for.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use metrics::{Gauge, Unit, describe_gauge, gauge};
use tokio::sync::mpsc::WeakSender;

use crate::ingest::{Delivery, OUTBOX_MAX};
use crate::road::{Depth, Road};

/// How often they are set.
const EVERY: Duration = Duration::from_secs(1);

/// Says what they mean; once, after the recorder is installed.
pub(super) fn describe() {
    describe_gauge!(
        "callrated_queue_depth",
        Unit::Count,
        "Things that wait in a queue: outbox (batches of the doors), controls (questions and changes), road (frames for \
         the resolver), shard-N (frames for a shard), parts (answers to flush markers)"
    );
    describe_gauge!("callrated_journal_free_bytes", Unit::Bytes, "Bytes free on the journal's disk");
    describe_gauge!("callrated_journal_full", "1 while the doors are closed for want of space, else 0");
    describe_gauge!("callrated_flush_held_bytes", Unit::Bytes, "Memory of flushes that wait for the store");
    describe_gauge!("callrated_flush_spilled_bytes", Unit::Bytes, "Disk of flushes that were put aside for the store");
}

fn depth_of(queue: &str) -> Gauge {
    gauge!("callrated_queue_depth", "queue" => queue.to_owned())
}

/// Sets them for as long as the daemon runs. They are there from the call on, before the first turn.
pub(super) fn set(
    road: Road,
    outbox: WeakSender<Delivery>,
    depths: Vec<(String, Depth)>,
) -> impl Future<Output = ()> + use<> {
    let lag = gauge!("callrated_journal_lag_records");
    let free = gauge!("callrated_journal_free_bytes");
    let full = gauge!("callrated_journal_full");
    let held = gauge!("callrated_flush_held_bytes");
    let spilled = gauge!("callrated_flush_spilled_bytes");
    let (doors, controls) = (depth_of("outbox"), depth_of("controls"));
    let queues: Vec<(Gauge, Depth)> = depths.into_iter().map(|(name, depth)| (depth_of(&name), depth)).collect();
    async move {
        let mut timer = tokio::time::interval(EVERY);
        loop {
            timer.tick().await;
            let progress = road.progress();
            let durable = progress.records_durable.load(Relaxed);
            lag.set(durable.saturating_sub(progress.records_stored.load(Relaxed)) as f64);
            free.set(progress.free_bytes.load(Relaxed) as f64);
            full.set(f64::from(u8::from(progress.journal_full.load(Relaxed))));
            held.set(progress.held_bytes.load(Relaxed) as f64);
            spilled.set(progress.spilled_bytes.load(Relaxed) as f64);
            // The doors' ends are gone while the daemon stops; then nothing waits in there.
            doors.set(outbox.upgrade().map_or(0, |sender| OUTBOX_MAX - sender.capacity()) as f64);
            controls.set(road.waiting() as f64);
            for (gauge, depth) in &queues {
                gauge.set(depth.get() as f64);
            }
        }
    }
}
