//! What a fuzzer may throw any bytes at: one function a target. None may panic, and what is accepted must hold.
//!
//! The fuzzer's crate in `tests/fuzz` calls them, and so does `tests/any_bytes.rs` with proptest, so that they are built
//! and run by every test run.
#![allow(dead_code, reason = "each program of the fuzzer uses one of them")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use callrated::batch::{EntryKind, FRAME_HEAD, Frame, Position, entries, entry_at};
use callrated::directory::{self, Directory};
use callrated::entry::{
    Ack, Activation, Decide, DirectoryChange, Discard, Lost, Rerate, Retention, Retry, Seal, Sealed, SourceProfile,
};
use callrated::guard;
use callrated::identity::{self, IdentityIndex};
use callrated::journal::{self, Journal, check, inspect, seal};
use callrated::number::{Country, Number};
use callrated::os::disk::Disk;
use callrated::os::sim::SimDisk;
use callrated::piece::Piece;
use callrated::record::Record;
use callrated::tariff::convert::{self, Product, Wishes};
use callrated::tariff::{self, Asked, PlanId, RatesText, RowId, Side, Tariff};
use callrated::time::Timestamp;

/// A target: its name and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. The crate of the fuzzer has a program for each.
pub const TARGETS: &[Target] = &[
    ("wire_lines", callrated::wire::fuzz::lines),
    ("wire_document", callrated::wire::fuzz::document),
    ("wire_session", callrated::wire::fuzz::session),
    ("journal", journal),
    ("identity_log", identity_log),
    ("entries", any_entries),
    ("deck", deck),
    ("plans", plans),
    ("countries", countries),
    ("directory", directory_text),
    ("convert", convert),
    ("guards", guards),
    ("tariff_image", tariff_image),
    ("directory_image", directory_image),
];

/// Runs one target by its name.
pub fn run(name: &str, bytes: &[u8]) {
    TARGETS.iter().find(|target| target.0 == name).unwrap_or_else(|| panic!("no target {name}")).1(bytes);
}

/// A segment that the program wrote.
pub const SEGMENT: &[u8] = include_bytes!("../data/journal-v1.seg");
/// A log of identities that the program wrote.
pub const IDENTITIES: &[u8] = include_bytes!("../data/identities-v1.log");

/// Good bytes with some changed: two bytes of place, one of value, and so on.
fn patched(good: &[u8], patches: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for patch in patches.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([patch[0], patch[1]]));
        let length = bytes.len();
        if let Some(byte) = bytes.get_mut(at % length.max(1)) {
            *byte = patch[2];
        }
    }
    bytes
}

/// By the first byte: the rest as it is, or good bytes with the rest as patches, cut at that place or not.
fn from_good(good: &[u8], bytes: &[u8]) -> Option<(u8, Vec<u8>)> {
    let (mode, rest) = bytes.split_first()?;
    let made = match mode % 4 {
        0 => rest.to_vec(),
        1 | 2 => patched(good, rest),
        _ => {
            let (cut, rest) = rest.split_first_chunk::<2>()?;
            let mut bytes = patched(good, rest);
            bytes.truncate(usize::from(u16::from_le_bytes(*cut)) % (good.len() + 1));
            bytes
        }
    };
    Some((*mode, made))
}

/// Any bytes as a segment: opened or refused; what is read from it proves right, and it can be opened again.
pub fn journal(bytes: &[u8]) {
    let Some((mode, mut segment)) = from_good(SEGMENT, bytes) else { return };
    if mode % 4 == 2 {
        reseal(&mut segment);
    }
    let (disk, dir) = (SimDisk::new(1), Path::new("/journal"));
    // Once as the only segment, once as one before another.
    let names: &[&str] = match mode & 64 {
        0 => &["00000000000000000000.seg"],
        _ => &["00000000000000000000.seg", "00000000000000000512.seg"],
    };
    for name in names {
        disk.put(&dir.join(name), &segment);
    }
    for name in names {
        let _ = inspect(&disk, &dir.join(name));
    }
    let settings = journal::Settings { segment_bytes: 1 << 16, ..journal::Settings::default() };
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let Ok((journal, recovery)) = Journal::open(disk.clone(), dir, &settings) else { return };
    let (mut at, reader) = (recovery.first, journal.reader());
    for frame in reader.frames_from(recovery.first) {
        let frame = frame.expect("what recovery checked can be read");
        assert_eq!(frame.position, at);
        assert!(check(&frame.bytes, frame.position).is_ok());
        for entry in frame.entries() {
            read_entry(entry.kind, entry.payload);
            let (_, found) = reader.entry(entry.position).expect("an entry of a frame").expect("is there");
            assert_eq!(&found.payload[..], entry.payload);
        }
        at = frame.end();
    }
    assert_eq!(at, recovery.end);
    let _ = reader.entry(Position(u64::from(mode) * 7));
    drop(journal);
    let (_, again) = Journal::open(disk, dir, &settings).expect("what was mended opens");
    assert_eq!((again.end, again.cut), (recovery.end, None));
}

/// Makes the checksum of the first frame fit again, so that what stands in it is believed.
fn reseal(segment: &mut [u8]) {
    let Some(frame) = segment.get_mut(journal::SEGMENT_HEAD as usize..) else { return };
    let Some(length) = frame.get(4..8).map(|l| u32::from_le_bytes([l[0], l[1], l[2], l[3]]) as usize) else { return };
    let Some(frame) = frame.get_mut(..length).filter(|frame| frame.len() >= FRAME_HEAD) else { return };
    let head = Frame { position: Position(0), bytes: Bytes::copy_from_slice(frame) }.head();
    seal(frame, head);
}

/// Any bytes as a log of identities: opened, mended or refused.
pub fn identity_log(bytes: &[u8]) {
    let Some((mode, log)) = from_good(IDENTITIES, bytes) else { return };
    let (disk, dir) = (SimDisk::new(1), Path::new("/identity"));
    disk.put(&dir.join("identities.log"), &log);
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let settings = identity::Settings { start_entries: 1 << 8, ..identity::Settings::default() };
    let end = Position(u64::from(mode) << 8);
    if let Ok((mut index, _)) = IdentityIndex::open(disk, dir, &settings, end) {
        let _ = index.sync(end);
    }
}

/// Any bytes as records, as entries, as frames.
pub fn any_entries(bytes: &[u8]) {
    for kind in 0..8 {
        read_entry(kind, bytes);
    }
    let _ = check(bytes, Position(0));
    for entry in entries(bytes, Position(0)) {
        read_entry(entry.kind, entry.payload);
    }
    for at in 0..=bytes.len() {
        if let Some((entry, next)) = entry_at(bytes, Position(7), at) {
            assert!(next > at && next <= bytes.len() && entry.position == Position(7 + at as u64));
        }
    }
    // As what stands behind a frame's head, with the sums in order.
    let mut frame = vec![0; FRAME_HEAD];
    frame.extend_from_slice(bytes);
    let head = Frame { position: Position(0), bytes: Bytes::copy_from_slice(&frame) }.head();
    seal(&mut frame, head);
    assert_eq!(check(&frame, Position(0)).map(|head| head.length.get() as usize), Ok(frame.len()));
    for entry in entries(&frame, Position(0)) {
        read_entry(entry.kind, entry.payload);
    }
}

fn read_entry(kind: u8, payload: &[u8]) {
    match EntryKind::from_byte(kind) {
        Some(EntryKind::Record) => {
            if let Ok(record) = Record::decode(payload) {
                let mut canonical = Vec::new();
                record.encode(&mut canonical);
                assert_eq!(Record::decode(&canonical), Ok(record));
                let _ = (record.identity(), record.content());
            }
        }
        Some(EntryKind::Retry) => {
            if let Some((_, record)) = Retry::decode(payload) {
                let _ = Record::decode(record);
            }
        }
        Some(EntryKind::Source) => drop(serde_json::from_slice::<SourceProfile>(payload)),
        Some(EntryKind::Tariff | EntryKind::Directory) => drop(serde_json::from_slice::<Activation>(payload)),
        Some(EntryKind::Piece) => {
            if let Ok(piece) = Piece::decode(payload) {
                let mut canonical = Vec::new();
                piece.encode(&mut canonical);
                assert_eq!(Piece::decode(&canonical), Ok(piece));
            }
        }
        Some(EntryKind::Discard) => {
            if let Some((_, record)) = Discard::decode(payload) {
                let _ = Record::decode(record);
            }
        }
        Some(EntryKind::Decide) => {
            if let Some((_, record)) = Decide::decode(payload) {
                let _ = Record::decode(record);
            }
        }
        Some(EntryKind::Seal) => drop(serde_json::from_slice::<Seal>(payload)),
        Some(EntryKind::Sealed) => drop(serde_json::from_slice::<Sealed>(payload)),
        Some(EntryKind::Ack) => drop(serde_json::from_slice::<Ack>(payload)),
        Some(EntryKind::Rerate) => drop(serde_json::from_slice::<Rerate>(payload)),
        Some(EntryKind::Guard) => drop(serde_json::from_slice::<callrated::guard::Entered>(payload)),
        Some(EntryKind::Retention) => drop(serde_json::from_slice::<Retention>(payload)),
        Some(EntryKind::DirectoryChange) => drop(serde_json::from_slice::<DirectoryChange>(payload)),
        Some(EntryKind::Lost) => drop(serde_json::from_slice::<Lost>(payload)),
        // A time, and text for people.
        Some(EntryKind::Tick | EntryKind::Refused) | None => {}
    }
}

/// Two countries are enough: the shipped file takes too long to read for each try.
const COUNTRIES: &str = "\
[[territory]]
country = \"DE\"
calling_code = 49
main = true
international = [\"00\"]
trunk = [\"0\"]
emergency = [\"11[02]\"]
short = [\"118\"]
lengths = { fixed = \"5-11\", mobile = \"10-11\" }

[[territory]]
country = \"BR\"
calling_code = 55
main = true
lengths = { mobile = \"11\" }

[[steps]]
increment = 60
source = \"test\"
";
const NUMBERING: &str = "prefix,country,type,total_lengths\n4930,DE,fixed,\n4915,DE,mobile,\n55119,BR,mobile,\n";
const PLANS: &str = "\
[plan.p]
country = \"DE\"
currency = \"EUR\"
included_minutes = 1000
overage_rate = \"0.015\"
included = [\"BR:mobile\"]
decks = [\"d\", \"e\"]
inbound_decks = [\"d\"]

[plan.q]
country = \"BR\"
currency = \"EUR\"
included_minutes = \"unlimited\"
overage = \"deck\"
decks = [\"e\"]
steps = { increment = 6 }
";
const DECK: &str =
    "prefix,rate,destination,call_type\n1,0.5,,\n15,0.25,Nowhere,international\n4930,0.01,,\nDE:118,2,,\n";

fn text(countries: &[u8], plans: &[u8], deck: &[u8]) -> RatesText {
    RatesText {
        countries: countries.into(),
        numbering: NUMBERING.into(),
        plans: plans.into(),
        decks: vec![("d".to_owned(), deck.to_vec()), ("e".to_owned(), DECK.into())],
        ..RatesText::default()
    }
}

/// Compiles; what compiles opens, and answers every question. What does not says why, with places in files.
fn compile(text: &RatesText) {
    match tariff::compile(text) {
        Ok(compiled) => ask_tariff(&Tariff::open(Bytes::from(compiled.image)).expect("what was compiled opens")),
        Err(findings) => assert!(findings.iter().any(|f| !f.message.is_empty() && !f.file.is_empty())),
    }
}

/// Any text as a deck, as exchange rates, as states.
pub fn deck(bytes: &[u8]) {
    let states = b"prefix,state\n1501,NY\n".to_vec();
    compile(&RatesText { states, ..text(COUNTRIES.as_bytes(), PLANS.as_bytes(), bytes) });
    let good = || text(COUNTRIES.as_bytes(), PLANS.as_bytes(), DECK.as_bytes());
    compile(&RatesText { states: bytes.into(), ..good() });
    compile(&RatesText { exchange: bytes.into(), ..good() });
    compile(&RatesText { free: vec![("f".to_owned(), bytes.into())], ..good() });
}

/// Any text as the plans.
pub fn plans(bytes: &[u8]) {
    compile(&text(COUNTRIES.as_bytes(), bytes, DECK.as_bytes()));
}

/// Any text as the countries.
pub fn countries(bytes: &[u8]) {
    compile(&text(bytes, PLANS.as_bytes(), DECK.as_bytes()));
}

const GUARDS: &str = "\
judge_within = \"12h\"
[[rule]]
name = \"month\"
plans = [\"p\"]
amount = \"250\"
per = \"month\"
levels = [50, 80, 100]
[[rule]]
name = \"sat\"
minutes = 30
per = \"day\"
prefixes = [\"+881\", \"882\"]
call_types = [\"international\"]
[[rule]]
name = \"new\"
first = \"country\"
learn = \"14d\"
countries = [\"CU\", \"LV\"]
[account.a]
month = \"500\"
sat = false
";

/// Any text as the rules of the spend guard: refused with a finding, or rules that the journal gives back as they are.
pub fn guards(bytes: &[u8]) {
    let plans = vec![("p", "EUR".to_owned()), ("q", "USD".to_owned())];
    let known = guard::read::Known { plans, accounts: ["a", "b"].into() };
    let (rules, findings) = guard::read::read(bytes, &known);
    let Some(rules) = rules else {
        assert!(!findings.is_empty(), "refused without a word");
        return;
    };
    assert!(rules.rules.len() <= guard::RULES_MAX);
    let json = serde_json::to_vec(&rules).unwrap();
    assert_eq!(serde_json::from_slice::<guard::Rules>(&json).unwrap(), rules);
}

const ACCOUNTS: &str = "\
account,plan,country,billing_start,billing_end,timezone,language,extensions,group,valid_from,valid_to
a,p,DE,2026-01-01,,Europe/Berlin,de,100-199;2001,,,2026-10-05
a,q,DE,2026-01-01,,Europe/Berlin,de,100-199,g,2026-10-05,
b,q,BR,2026-01-01,2027-01-01,America/Sao_Paulo,en,,g,,
";
const NUMBERS: &str = "number,account,valid_from,valid_to\n+4930123,a,,2026-10-05\n+4930123,b,2026-10-05,\n+5511,b,,\n";

/// Any two texts, divided by the first zero byte, as accounts and numbers.
pub fn directory_text(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (accounts, numbers) = (&bytes[..at], bytes.get(at + 1..).unwrap_or_default());
    let pairs = [
        (accounts, numbers),
        (accounts, NUMBERS.as_bytes()),
        (ACCOUNTS.as_bytes(), accounts),
        (accounts, b"number,account\n"),
    ];
    for (accounts, numbers) in pairs {
        match directory::compile(accounts, numbers) {
            Ok((image, _)) => {
                ask_directory(&Directory::open(Bytes::from(image)).expect("what was compiled opens"));
            }
            Err(findings) => assert!(findings.iter().any(|f| !f.message.is_empty() && !f.file.is_empty())),
        }
        let _ = (directory::uses(accounts), directory::owned(accounts, numbers));
    }
}

/// Bytes of an image's digest, at its end.
const DIGEST: usize = 32;

/// A good image with bytes changed, and with a digest that fits again so that they are believed.
fn forged(good: &[u8], bytes: &[u8]) -> Option<Bytes> {
    let (mode, mut image) = from_good(good, bytes)?;
    if let (false, Some(content)) = (mode & 128 == 128, image.len().checked_sub(DIGEST)) {
        let digest = blake3::hash(&image[..content]);
        image[content..].copy_from_slice(digest.as_bytes());
    }
    Some(Bytes::from(image))
}

/// A CGRateS tariff plan with one file of any bytes, one after the other; the bytes as exports of other products. What is converted compiles; what is not says
/// why, with file and row.
pub fn convert(bytes: &[u8]) {
    for changed in convert::FILES {
        let mut files: BTreeMap<String, Vec<u8>> =
            CGRATES.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        files.insert(changed.to_owned(), bytes.to_vec());
        let converted = convert::cgrates(&files, &wishes());
        if converted.plans.is_empty() {
            // A plan that no profile of the category names is lost, not wrong.
            assert!(!converted.findings.is_empty() || changed == "RatingProfiles.csv");
            assert!(converted.findings.iter().all(|f| !f.message.is_empty() && !f.file.is_empty()));
            continue;
        }
        assert!(converted.lost.iter().all(|lost| !lost.lines.is_empty() && !lost.why.is_empty()));
        compile_converted(&converted);
    }
    for product in [Product::Astpp, Product::A2billing] {
        let converted = convert::exports(product, &[("e.csv".to_owned(), bytes.to_vec())], &wishes());
        assert!(!converted.plans.is_empty() || !converted.findings.is_empty());
    }
}

fn wishes() -> Wishes {
    let code = |digits: &[u8]| Number::from_digits(digits).expect("digits");
    let text = |text: &str| text.to_owned();
    let calling_codes = vec![code(b"49"), code(b"55")];
    Wishes { country: text("DE"), currency: text("EUR"), timezone: text("UTC"), category: text("call"), calling_codes }
}

/// What was converted is text that the daemon reads without a fault.
fn compile_converted(converted: &convert::Converted) {
    let decks = converted.plans.iter().map(|plan| (plan.name.clone(), plan.deck.clone().into_bytes())).collect();
    let plans = converted.toml.clone().into_bytes();
    let text = RatesText { plans, decks, ..text(COUNTRIES.as_bytes(), b"", b"") };
    let compiled = tariff::compile(&text).unwrap_or_else(|findings| panic!("{findings:#?}\n{converted:#?}"));
    ask_tariff(&Tariff::open(Bytes::from(compiled.image)).expect("what was compiled opens"));
}

const CGRATES: [(&str, &str); 6] = [
    ("Destinations.csv", "#Id,Prefix\nDE,+49\nBR,55\n"),
    ("Timings.csv", "#Id,Years,Months,MonthDays,WeekDays,Time\nPEAK,*any,*any,*any,1;2;3,08:00:00;18:59:59\n"),
    (
        "Rates.csv",
        "#Id,ConnectFee,Rate,RateUnit,RateIncrement,GroupIntervalStart\nR,0.1,0.3,60s,60s,0s\nR,0,0.1,60s,1s,60s\n",
    ),
    (
        "DestinationRates.csv",
        "#Id,DestinationId,RatesTag,RoundingMethod,RoundingDecimals,MaxCost,MaxCostStrategy\nD,DE,R,*up,4,1,*free\nD,*any,R,*up,4,,\nE,BR,R,*up,4,,\n",
    ),
    ("RatingPlans.csv", "#Id,DestinationRatesId,TimingTag,Weight\nP,D,PEAK,10\nP,D,*any,5\nP,E,PEAK,10\n"),
    (
        "RatingProfiles.csv",
        "#Tenant,Category,Subject,ActivationTime,RatingPlanId,RatesFallbackSubject\nt,call,*any,2026-01-01T00:00:00Z,P,\nt,call,a,,P,b\n",
    ),
];

const EXPORTS: [&str; 2] = [
    "Code,Destination,Connection Cost (EUR),Grace Time,Cost / Min (EUR),Initial Increment,Increment\n49,G,0.01,1,0.02,30,60\n",
    "dialprefix;destination;rateinitial;initblock;billingblock;disconnectcharge;startdate\n49;G;0.02;20;6;1;2010-01-01 00:00:00\ndefaultprefix;x;1;1;1;0;\n",
];

/// Any bytes as a tariff image: refused, or every question is answered.
pub fn tariff_image(bytes: &[u8]) {
    static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let deck = "prefix,rate,hours,origin,length,after,rate_interstate\n49,1,,,,,\n4930,2,8-18,,,,\n4930,2,18-8,49,,,\n\
                    491,3,,,11,,\n491,4,,,,,\n491,5,,,,60,\n1,,,,,,0.1\n";
        let (states, exchange) =
            (b"prefix,state\n1501,NY\n".to_vec(), b"from,to,rate,valid_from\nUSD,EUR,1,\n".to_vec());
        let text = RatesText { states, exchange, ..text(COUNTRIES.as_bytes(), PLANS.as_bytes(), deck.as_bytes()) };
        tariff::compile(&text).unwrap_or_else(|findings| panic!("{findings:#?}")).image
    });
    if let Some(Ok(tariff)) = forged(&GOOD, bytes).map(Tariff::open) {
        ask_tariff(&tariff);
    }
}

/// Any bytes as an image of a directory: refused, or every question is answered.
pub fn directory_image(bytes: &[u8]) {
    static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
        directory::compile(ACCOUNTS.as_bytes(), NUMBERS.as_bytes()).unwrap_or_else(|findings| panic!("{findings:#?}")).0
    });
    if let Some(Ok(directory)) = forged(&GOOD, bytes).map(Directory::open) {
        ask_directory(&directory);
    }
}

const INSTANTS: [Timestamp; 4] =
    [Timestamp(i64::MIN), Timestamp(0), Timestamp(1_791_200_000_000_000), Timestamp(i64::MAX)];

/// Real numbers and bit patterns that are none.
fn numbers() -> impl Iterator<Item = Number> {
    let real = ["4930123", "4915123456789", "5511987654321", "118", "1", "150"];
    let real = real.into_iter().filter_map(|digits| Number::from_digits(digits.as_bytes()));
    real.chain((0..8).map(|i| Number(0x1234_5678_9AAA_AAAA_u64.rotate_left(i * 7) ^ u64::from(i))))
}

fn ask_tariff(tariff: &Tariff) {
    for plan in (0..tariff.plans().len().min(4) as u16 + 1).map(PlanId) {
        for number in numbers() {
            for answer in INSTANTS {
                for side in [Side::Outbound, Side::Inbound] {
                    tariff.lookup(plan, side, number, answer);
                }
                tariff.lookup_typed(plan, number, answer);
                let asked = Asked { second: 60, ..Asked::at_answer(answer, Some(number)) };
                if let Some(row) = tariff.lookup(plan, Side::Outbound, number, asked) {
                    tariff.condition_words(&row);
                }
                tariff.exchange(*b"USD", *b"EUR", answer);
            }
            let class = tariff.classify(number);
            tariff.plan_includes(plan, class);
            tariff.steps(plan, class.country, Some(class), None);
        }
    }
    for row in (0..tariff.row_count().min(64) + 2).map(RowId) {
        tariff.row(row);
    }
    for country in ["DE", "BR", "US"] {
        tariff.short_code(Country::parse(country).expect("two letters"), b"118");
    }
}

fn ask_directory(directory: &Directory) {
    for at in INSTANTS {
        for name in [&b"a"[..], b"b", b"", b"\xff"] {
            if let Some(account) = directory.account_at(name, at) {
                let _ = (account.name().len(), account.group().len(), account.display_name().len());
            }
            directory.account_named(name);
        }
        for number in numbers() {
            directory.owner_at(number, at);
        }
    }
    for row in 0..directory.rows().min(64) + 2 {
        if row < directory.rows() {
            let _ = directory.row(row).name().len();
        }
        directory.is_extension(row, b"101");
    }
    directory.accounts_after("", 10);
    let _ = (directory.plan_names().len(), directory.numbers(), directory.zones(), directory.groups());
}

/// Where a fuzzer may begin, by target.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let record = br#"{"id":"1","node":"n","source":"+4930","destination":"0151","answer":"2026-10-05T09:00:00Z","duration":61.2}"#;
    match target {
        "wire_lines" => vec![
            record.to_vec(),
            b"id;node;source;destination;answer;duration\n1;n;+4930;0151;2026-10-05T09:00:00+02:00;61\n".to_vec(),
        ],
        "wire_document" => vec![[&b"["[..], record, b", ", record, b"]"].concat()],
        "wire_session" => vec![
            b"Event: Cdr\r\nSource: 1\r\nDestination: 2\r\nUniqueID: 1.0\r\nBillableSeconds: 3\r\n\r\n".to_vec(),
            b"Content-Type: command/reply\nReply-Text: +OK\n\nContent-Length: 35\nContent-Type: text/event-plain\n\nEvent-Name: CHANNEL_HANGUP_COMPLETE\n".to_vec(),
            b"7:{\"a\":1},2:{},".to_vec(),
        ],
        "entries" => vec![SEGMENT[(journal::SEGMENT_HEAD as usize + FRAME_HEAD).min(SEGMENT.len())..].to_vec()],
        "deck" => vec![DECK.into(), b"prefix,rate,days,hours,origin,length,after,per_call\n49,1,mon-fri,8-18,,,,\n49,2,,,43,10-12,,\n49,3,mon-fri,8-18,,,60,\n50,,,,anonymous,,,0.1\n".to_vec(), b"from,to,rate,valid_from\nUSD,EUR,0.92,2026-01-01\n".to_vec(), b"prefix,state\n1212,NY\n".to_vec(), b"\xef\xbb\xbfprefix;rate;valid_from\n\"49\";0,1;2026-01-01\n".to_vec()],
        "plans" => vec![PLANS.into()],
        "countries" => vec![COUNTRIES.into()],
        "guards" => vec![GUARDS.into()],
        "convert" => CGRATES.iter().map(|(_, text)| *text).chain(EXPORTS).map(|text| text.as_bytes().to_vec()).collect(),
        "directory" => vec![[ACCOUNTS.as_bytes(), b"\0", NUMBERS.as_bytes()].concat()],
        // Good bytes unchanged, in each way of making them.
        _ => vec![vec![1], vec![2], vec![3, 200, 0], vec![65], vec![66, 100, 0, 1]],
    }
}
