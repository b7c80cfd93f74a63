//! A start goes on while totals are still being read: whoever asks waits for them, and gets no answer where they cannot be
//! read.

use callrated::os::clock::Clock;
use callrated::time::{Period, Timestamp, parse_rfc3339};

use crate::clock::{CALLS, HOUR, batch, config, listen, start};
use crate::process::rates_folder;
use crate::store_of;

#[tokio::test(flavor = "multi_thread")]
async fn usage_waits_until_totals_are_read_and_is_told_by_nobody_who_has_none() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let config = config(folder.path());
    let clock = Clock::fake(parse_rfc3339(b"2026-06-15T12:00:00Z").unwrap());
    let month = Period(2026 * 12 + 5);
    let mut engine = start(&config, &clock).await;
    listen(&engine).await;
    for round in 0..3 {
        let answer = Timestamp(clock.now().0 - HOUR);
        // Asked at once: what was stored before and what comes now are both in it.
        engine.outbox.send(batch(round, answer)).await.unwrap().durable().await.unwrap();
        let mut calls = 0;
        for account in 0..7 {
            let usage = engine.road.usage(&format!("de{account:02}"), month).await.unwrap().unwrap_or_default();
            calls += usage.lines.iter().map(|line| line.usage.calls).sum::<i64>();
        }
        assert_eq!(calls, CALLS as i64 * (round as i64 + 1), "round {round}");
        engine.stop().await.unwrap();
        engine = start(&config, &clock).await;
        // Who never called, and who is not there at all, are answered for as well, however early they are asked for.
        assert_eq!(engine.road.usage("de39", month).await.unwrap().unwrap_or_default().lines, []);
        assert_eq!(engine.road.usage("nobody", month).await, Ok(None));
    }
    engine.stop().await.unwrap();

    // Lines that nobody can read.
    let changed = store_of(folder.path()).execute("UPDATE usage_recent SET lines = x'2d', shape = '{}'", ()).unwrap();
    assert!(changed > 0);
    let engine = start(&config, &clock).await;
    // Taken and safe all the same.
    let late = batch(9, Timestamp(clock.now().0 - HOUR));
    engine.outbox.send(late).await.unwrap().durable().await.unwrap();
    assert!(engine.road.usage("de03", month).await.is_err(), "no answer rather than a wrong one");
    let exit = engine.stop().await.unwrap_err();
    assert_eq!(exit.code, 4, "{exit}");
    assert!(exit.message.contains("recent lines"), "{exit}");
}
