//! Nothing on the road asks for memory for a record: only for a batch, a fixed number of times.
//!
//! Counts what one thread asks of the allocator, in the parts themselves: decoding, the batch, resolving, rating; and in
//! the resolver's and the shard's own loops, which are run here in the thread of the test.
#![allow(unsafe_code, reason = "an allocator that counts is one")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use callrated::batch::{Batch, Frame, FrameHead, Position, SourceId};
use callrated::directory;
use callrated::entry::{Activation, SourceProfile};
use callrated::flush::Part;
use callrated::guard::Rules;
use callrated::guard::read::{Known, read};
use callrated::identity::{IdentityIndex, Settings};
use callrated::images::Images;
use callrated::journal::seal;
use callrated::names::Names;
use callrated::os::clock::Clock;
use callrated::os::disk::RealDisk;
use callrated::period::Seals;
use callrated::rating::{self, Answered, Draws, Resolution, Standing};
use callrated::resolver::{KnownTariff, Resolver, ResolverState};
use callrated::road::{Inbox, Marker, Travel, queue};
use callrated::shard::{Shard, ShardStart};
use callrated::store::sqlite::SqliteStore;
use callrated::tariff::{self, RatesText};
use callrated::time::{Period, Timestamp};
use callrated::wire::{Decoder, Format, Line, Scratch};
use common::world::{self, BOOKS};
use zerocopy::FromZeros;

struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has nothing left to count in.
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
}

// SAFETY: hands everything to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(old, layout, size) }
    }
    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread asked for memory meanwhile.
fn asked<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let before = ASKED.get();
    let result = work();
    (ASKED.get() - before, result)
}

const RECEIVED: &str = "2026-10-05T12:00:00Z";

/// Records of every kind, behind their `id` and `node`.
const KINDS: &[&str] = &[
    // In the plan, abroad, premium, free, emergency, an extension, a short code.
    r#""source":"+4930600","destination":"0151 23456789","answer":"2026-10-05T09:00:00Z","duration":61.2}"#,
    r#""source":"030600","destination":"0044 20 7946 0123","answer":"2026-10-05T09:00:00+02:00","duration":1}"#,
    r#""source":"+4930600","destination":"0900 1 123456","answer":"2026-10-05T09:00:00.123456Z","duration":3599}"#,
    r#""source":"+4930600","destination":"0800 1234567","answer":"2026-10-05T09:00:00Z","duration":30}"#,
    r#""source":"+4930600","destination":"112","answer":"2026-10-05T09:00:00Z","duration":30}"#,
    r#""source":"+4930600","destination":"101","answer":"2026-10-05T09:00:00Z","duration":30}"#,
    r#""source":"12125550123","destination":"011 55 11 98765-4321","answer":"2026-10-05T09:00:00Z","duration":30}"#,
    // Two legs; forwarded; by account; by end instead of duration.
    r#""source":"+12125550123","destination":"18005550199","answer":"2026-10-05T09:00:00Z","duration":600}"#,
    r#""source":"+4930600","destination":"+493055001","answer":"2026-10-05T09:00:00Z","duration":600}"#,
    r#""source":"+4915199999999","destination":"00391234567","forwarded_by":"+4930600","answer":"2026-10-05T09:00:00Z","duration":5}"#,
    r#""account":"de-seconds","source":"+4930","destination":"0041446681800","answer":"2026-10-05T09:00:00Z","duration":31}"#,
    r#""source":"+4930600","destination":"004312399123","answer":"2026-10-05T09:00:00Z","end":"2026-10-05T09:10:00Z"}"#,
    r#""direction":"inbound","account":"de","source":"+4930600","destination":"+4930123456","answer":"2026-10-05T09:00:00Z","duration":7}"#,
    // Escaped text, fields nobody knows, a cause.
    r#""source":"+493\u00300600","destination":"\u0030151 23456789","answer":"2026-10-05T09:00:00Z","duration":61,"note":"a \"b\" \u00e9"}"#,
    // Not answered; nobody's; no rate; no number; blocked; ended; no plan; too old; impossible.
    r#""source":"+4930600","destination":"0151 23456789","duration":0,"cause":"486"}"#,
    r#""source":"+4915188888888","destination":"+4915177777777","answer":"2026-10-05T09:00:00Z","duration":9}"#,
    r#""source":"+4930600","destination":"00258840000000","answer":"2026-10-05T09:00:00Z","duration":9}"#,
    r#""source":"+4930600","destination":"00 1 555 123","answer":"2026-10-05T09:00:00Z","duration":9}"#,
    r#""source":"+4930600","destination":"09001 3 12345","answer":"2026-10-05T09:00:00Z","duration":9}"#,
    r#""source":"+493077001","destination":"030123","answer":"2026-10-05T09:00:00Z","duration":9}"#,
    r#""source":"+493077002","destination":"030123456","answer":"2026-10-05T09:00:00Z","duration":9}"#,
    r#""source":"+4930600","destination":"030123456","answer":"2020-10-05T09:00:00Z","duration":9}"#,
    r#""source":"+4930600","destination":"030123456","answer":"2026-10-05T09:00:00Z","duration":-9}"#,
];

fn lines(count: usize, mark: &str) -> Vec<String> {
    (0..count)
        .map(|i| {
            let fields = KINDS[i % KINDS.len()];
            format!(r#"{{"id":"{mark}{i}","node":"sbc",{fields}"#)
        })
        .collect()
}

fn rows(count: usize) -> Vec<String> {
    std::iter::once("id;node;source;destination;answer;duration".to_owned())
        .chain((0..count).map(|i| {
            format!(r#"c{i};sbc;+4930600;"0151 ""23456789";2026-10-05T09:00:00Z;{}.5"#, 1 + i % 600)
                .replace("\"\"", ["", "\"\""][usize::from(i % 50 == 0)])
        }))
        .collect()
}

/// One decoder's and one batch's way from lines to prices; the records that were read and the legs that were rated.
fn rate_all(lines: &[String], decoder: &mut Decoder, scratch: &mut Scratch, batch: &mut Batch) -> [usize; 3] {
    let received_at = common::at(RECEIVED);
    let profile = profile();
    let (world, month) = (BOOKS.world(), Period::of(2026, 10));
    let (asked_in_loop, counts) = asked(|| {
        let (mut records, mut legs) = (0, 0);
        for line in lines {
            let Ok(Line::Record(record)) = decoder.decode(line.as_bytes(), scratch) else { continue };
            records += 1;
            batch.push_record(&record);
            if rating::answered(&record) == Answered::No {
                continue;
            }
            assert_ne!((record.identity().0, rating::durations_differ(&record)), Default::default());
            if let Resolution::Legs(first, second) = rating::resolve(&record, received_at, &profile, world) {
                for leg in [first, second].into_iter().flatten() {
                    legs += usize::from(
                        rating::rate(&leg, world, month, Standing::of(&59_990), &mut Draws::default()).is_ok(),
                    );
                }
            }
        }
        (records, legs)
    });
    [asked_in_loop as usize, counts.0, counts.1]
}

fn profile() -> SourceProfile {
    SourceProfile { listener: "tcp:test".into(), country: "DE".into(), max_age_days: 90, ..SourceProfile::default() }
}

#[test]
fn a_record_is_decoded_resolved_and_rated_without_memory() {
    for (format, lines) in
        [(Format::Json, lines(4_600, "j")), (Format::Auto, lines(4_600, "a")), (Format::Csv, rows(4_600))]
    {
        let (mut decoder, mut scratch) = (Decoder::new(format.clone(), "node"), Scratch::default());
        // The first batch grows what the next ones use again.
        let [_, records, _] = rate_all(&lines, &mut decoder, &mut scratch, &mut Batch::new(SourceId(1)));
        assert!(records >= 4_500, "{format:?}: {records}");
        // A batch grows by doubling, from 64 bytes to half a megabyte; nothing else asks.
        let mut batch = Batch::new(SourceId(1));
        let [asked, _, legs] = rate_all(&lines, &mut decoder, &mut scratch, &mut batch);
        println!("{format:?}: {asked} allocations for {records} records, {legs} legs rated, {} bytes", batch.len());
        assert!(legs * 2 > records, "{format:?}: {legs}");
        assert!(asked <= 16, "{format:?}: {asked} allocations for {records} records");
        // Once it is as large as it gets, nothing at all.
        let grown = batch.len();
        let fewer = lines.len() / 100;
        let [asked, ..] = rate_all(&lines[..fewer], &mut decoder, &mut scratch, &mut batch);
        assert_eq!(asked, 0, "{format:?}: a batch of {grown} bytes asked for more");
    }
}

/// Frames of so many records each.
fn frames(count: usize, records: usize) -> Vec<Frame> {
    let (mut position, mut frames) = (Position(0), Vec::new());
    let (mut decoder, mut scratch) = (Decoder::new(Format::Json, "node"), Scratch::default());
    for f in 0..count {
        let mut batch = Batch::new(SourceId(0));
        for line in lines(records, &format!("f{f}-")) {
            let Ok(Line::Record(record)) = decoder.decode(line.as_bytes(), &mut scratch) else { panic!("{line}") };
            batch.push_record(&record);
        }
        let (entries, received) = (batch.entries(), batch.received);
        let mut bytes = batch.into_bytes();
        let head = FrameHead {
            entries: entries.into(),
            received: received.into(),
            position: position.0.into(),
            received_at: common::at(RECEIVED).0.into(),
            ..FrameHead::new_zeroed()
        };
        seal(&mut bytes, head);
        let frame = Frame { position, bytes: Bytes::from(bytes) };
        position = frame.end();
        frames.push(frame);
    }
    frames
}

/// Everybody is watched in every way, and nothing is ever set off.
fn watched() -> Rules {
    let text = "[[rule]]\nname = \"m\"\namount = 9000000000\nper = \"month\"\n[[rule]]\nname = \"v\"\ncalls = 900000000\nper = \"1h\"\n\
                [[rule]]\nname = \"d\"\nminutes = 90000000\nper = \"day\"\ncountries = [\"CU\"]\nprefixes = [\"+4930\"]\n\
                [[rule]]\nname = \"f\"\nfirst = \"country\"\nlearn = \"9999d\"\n";
    let (rules, findings) = read(text.as_bytes(), &Known { plans: Vec::new(), accounts: Default::default() });
    rules.unwrap_or_else(|| panic!("{findings:#?}"))
}

/// Allocations of the resolver's loop and of one shard's loop for so many frames of so many records, with the legs that
/// the shard rated.
fn road(count: usize, records: usize) -> (u64, u64, usize) {
    let folder = tempfile::tempdir().unwrap();
    let text = RatesText {
        countries: common::COUNTRIES.into(),
        numbering: common::NUMBERING.into(),
        plans: world::PLANS.into(),
        decks: world::DECKS.iter().map(|(name, text)| ((*name).to_owned(), (*text).into())).collect(),
        ..RatesText::default()
    };
    let images = Arc::new(Images::open(&folder.path().join("images")).unwrap());
    let tariff = images.keep_tariff(&tariff::compile(&text).unwrap().image).unwrap();
    let (image, _) = directory::compile(world::ACCOUNTS.as_bytes(), world::NUMBERS.as_bytes()).unwrap();
    let directory = images.keep_directory(&image).unwrap();
    let (index, _) =
        IdentityIndex::open(Arc::new(RealDisk), &folder.path().join("identity"), &Settings::default(), Position(0))
            .unwrap();
    let activation =
        Activation { digest: tariff.digest().to_owned(), effective_from: None, activated_at: 0, by: "test".into() };
    let state = ResolverState {
        accounts: Names::from_stored([]),
        groups: Names::from_stored([]),
        sources: vec![Some(profile())],
        profiles: Vec::new(),
        guards: Arc::new(watched()),
        periods: Default::default(),
        tariffs: vec![KnownTariff { slot: callrated::call::TariffSlot(0), activation, tariff }],
        directory: Some(directory),
        directories: 1,
        set_aside: Vec::new(),
        attempts: Default::default(),
        assembly: Default::default(),
    };

    // Everything lies in the inboxes before the loops begin, so that one thread can run one after the other.
    let (travel, inbox) = queue(count + 1);
    let (to_shard, shard_inbox) = queue(2 * count + 8);
    let (parts, flush): (_, Inbox<Part>) = queue(4);
    let frames = frames(count, records);
    let upto = frames.last().unwrap().end();
    for frame in frames {
        travel.send(Travel::Frame(frame)).unwrap();
    }
    let at = Timestamp(0);
    travel.send(Travel::Marker(Marker { number: 1, upto, records: 0, at, replies: Vec::new() })).unwrap();
    drop(travel);
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("store.sqlite")).unwrap());
    let seals = Seals::new(store, images.clone(), Arc::new(RealDisk), &folder.path().join("sealing"));
    let resolver = Resolver::new(inbox, vec![to_shard], parts.clone(), index, images, Arc::new(seals), state);
    let (resolver, ran) = asked(|| resolver.run());
    ran.unwrap();
    let shard = Shard::new(shard_inbox, parts, Clock::wall(), ShardStart::default());
    let (shard, ()) = asked(|| shard.run());
    let legs = std::iter::from_fn(|| flush.try_recv().ok()).map(|part| match part {
        Part::Shard { part, .. } => part.rows.len(),
        Part::Resolver(..) => 0,
    });
    (resolver, shard, legs.sum())
}

#[test]
fn the_resolver_and_a_shard_ask_for_memory_by_the_frame() {
    let (few, many) = (46, 920);
    // What stands at the beginning and at the end of a run is the same for both lengths: the difference is the frames'.
    let per_frame = |records: usize| {
        let (short, long) = (road(20, records), road(60, records));
        assert!(long.2 > 40 * records / 2, "{} legs", long.2);
        println!("{records} records a frame: {short:?} for 20 frames, {long:?} for 60");
        ((long.0 - short.0) / 40, (long.1 - short.1) / 40)
    };
    let (few, many) = (per_frame(few), per_frame(many));
    println!("allocations per frame, resolver and shard: {few:?} and {many:?}");
    // Twenty times the records: claims and jobs are a list of each frame's, everything else is used again.
    for (part, few, many, most) in [("resolver", few.0, many.0, 3), ("shard", few.1, many.1, 1)] {
        assert!(few <= most && many <= most, "{part}: {few} and {many} allocations per frame, at most {most}");
    }
}
