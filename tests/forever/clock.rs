//! The machine's clock set back by hours and forward by months, through the clock seam: positions, identities, flushes
//! and the keeping of segments do not depend on it.

use std::path::Path;
use std::sync::Arc;

use callrated::batch::{Batch, EntryKind, Position, SourceId};
use callrated::books::Books;
use callrated::config::Config;
use callrated::daemon::engine::Engine;
use callrated::daemon::reload::{Reloader, Wish};
use callrated::entry::SourceProfile;
use callrated::journal::{Journal, Settings};
use callrated::os::clock::Clock;
use callrated::os::disk::RealDisk;
use callrated::record::Record;
use callrated::store::{ScanOrder, Visit};
use callrated::time::{Micros, Timestamp, parse_rfc3339};

use crate::process::rates_folder;

pub const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Jumps of the clock between two batches: hours back, months forward, years back before everything, and to and fro.
const JUMPS: [i64; 10] = [0, -5 * HOUR, 30 * DAY, -31 * DAY, HOUR, 400 * DAY, -800 * DAY, 400 * DAY, -1, 90 * DAY];
pub const CALLS: usize = 40;

pub fn config(folder: &Path) -> Config {
    let text = format!(
        "rates_dir = \"{0}/rates\"\ndata_dir = \"{0}/data\"\n[journal]\nkeep = \"1d\"\n[flush]\ncalls = 15\n",
        folder.display()
    );
    Config::parse(&text, None).unwrap()
}

/// The engine with its rates in force, as the daemon starts it.
pub async fn start(config: &Config, clock: &Clock) -> Engine {
    let engine = Engine::start(config, clock.clone()).unwrap();
    let (images, road, known) = (engine.images.clone(), engine.road.clone(), engine.known.clone());
    Reloader::new(&config.rates_dir, images, road, clock.clone(), known)
        .reload("start", Wish::Noticed, None)
        .await
        .unwrap();
    engine
}

pub fn batch(jump: usize, answer: Timestamp) -> Batch {
    let mut batch = Batch::new(SourceId(1));
    for call in 0..CALLS {
        let (id, account) = (format!("j{jump}-{call}"), format!("de{:02}", call % 7));
        batch.push_record(&Record {
            id: id.as_bytes(),
            node: b"sbc",
            account: account.as_bytes(),
            source: b"+493023125000",
            destination: b"0151 23456789",
            answer: Some(answer),
            duration: Some(Micros::seconds(61)),
            raw: id.as_bytes(),
            ..Record::default()
        });
    }
    batch
}

/// The listener whose records [`batch`] makes.
pub async fn listen(engine: &Engine) {
    let listener =
        SourceProfile { index: 1, listener: "tcp:test".into(), max_age_days: 90, ..SourceProfile::default() };
    let mut settings = Batch::new(SourceId(0));
    settings.push_entry(EntryKind::Source, &serde_json::to_vec(&listener).unwrap());
    engine.road.enter(settings).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_changes_no_amount() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let config = config(folder.path());
    let begun = parse_rfc3339(b"2026-06-15T12:00:00Z").unwrap();
    let clock = Clock::fake(begun);
    let mut engine = start(&config, &clock).await;
    listen(&engine).await;
    let (mut last, mut sent) = (Position(0), Vec::new());
    for (jump, by) in JUMPS.into_iter().enumerate() {
        clock.advance(Micros(by));
        if jump % 3 == 2 {
            // A restart under another time; what is not stored is replayed under it.
            engine.stop().await.unwrap();
            engine = start(&config, &clock).await;
        }
        // A call of an hour ago, as the machine tells the time: plausible whatever it says.
        let answer = Timestamp(clock.now().0 - HOUR);
        sent.push(answer);
        let position = engine.outbox.send(batch(jump, answer)).await.unwrap().durable().await.unwrap();
        assert!(position > last, "jump {jump}: {position} after {last}");
        last = position;
        // Everything that was ever sent comes again: minutes, days and years later by this clock.
        for (earlier, answer) in sent.iter().enumerate() {
            last = engine.outbox.send(batch(earlier, *answer)).await.unwrap().durable().await.unwrap();
        }
        if jump % 2 == 0 {
            assert!(engine.road.flush().await.unwrap() >= last, "jump {jump}");
        }
    }
    engine.road.flush().await.unwrap();
    let state = engine.store.load().unwrap();
    let books = Books::from_stored(state.books.iter().cloned());
    assert_eq!(books.check(), []);
    let repeats = (1..=JUMPS.len()).sum::<usize>() * CALLS;
    assert_eq!(books.get("records/duplicate"), repeats as i128);
    assert_eq!(books.get("records/resolved"), (JUMPS.len() * CALLS) as i128);
    assert_eq!(state.suspense, []);
    let mut times = std::collections::BTreeMap::new();
    let mut visit = |call: &callrated::store::StoredCall<'_>| {
        *times.entry(call.id.to_vec()).or_insert(0) += 1;
        Visit::Continue(())
    };
    engine.store.scan(None, ScanOrder::Stored, &mut visit).unwrap();
    assert_eq!((times.len(), times.values().max()), (JUMPS.len() * CALLS, Some(&1)));
    // Flushes follow one another whatever time they bear.
    let flushes = engine.store.flushes(None, 10_000).unwrap();
    assert!(flushes.windows(2).all(|two| two[0].upto == two[1].from && two[0].number + 1 == two[1].number));
    engine.stop().await.unwrap();
}

#[test]
fn a_clock_that_jumps_lets_no_segment_go_that_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 4096, ..Settings::default() };
    let (mut journal, _) = Journal::open(Arc::new(RealDisk), folder.path(), &settings).unwrap();
    let begun = parse_rfc3339(b"2026-06-15T12:00:00Z").unwrap().0;
    let (mut now, mut stored, mut kept) = (begun, Position(0), Vec::new());
    for (jump, by) in JUMPS.iter().cycle().take(60).enumerate() {
        now += by;
        let frame = journal.append(batch(jump, Timestamp(now)), Timestamp(now)).unwrap();
        journal.sync().unwrap();
        kept.push((frame.position, frame.bytes.clone()));
        if jump % 5 == 4 {
            stored = kept[kept.len() - 3].0;
        }
        // Even a clock that stands years ahead removes nothing behind the stored position.
        journal.remove_before(stored, Some(Timestamp(now - DAY))).unwrap();
        assert!(journal.reader().first() <= stored, "jump {jump}");
        let found: Vec<_> = journal.reader().frames_from(stored).map(|f| f.unwrap().bytes).collect();
        let expected: Vec<_> = kept.iter().filter(|(at, _)| *at >= stored).map(|(_, bytes)| bytes.clone()).collect();
        assert_eq!(found, expected, "jump {jump}");
    }
    // And it does remove: the jumps forward let old segments go.
    assert!(journal.reader().first() > Position(0));
    drop(journal);
    let again = Settings { verify_from: stored, at_least: stored, ..settings };
    let (journal, recovery) = Journal::open(Arc::new(RealDisk), folder.path(), &again).unwrap();
    assert_eq!(
        (recovery.cut, journal.durable()),
        (None, Position(kept.last().unwrap().0.0 + kept.last().unwrap().1.len() as u64))
    );
}
