//! A deck of real size at the desk: `CALLRATED_DECKS` names a folder of decks, each a `.csv` or `.csv.gz` with a header. The
//! largest becomes a rates folder; the daemon compiles and loads it, 100,000 calls over its prefixes are sent, and the
//! total equals a naive longest-prefix model's. With `--nocapture` the figures are printed. Without the variable it says
//! that it was skipped: real decks have owners, so none is in this repository.

// A test from outside measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[path = "process/ports.rs"]
mod ports;

use callrated::number::countries::Countries;
use callrated::number::dialling::{Dialled, normalise_international};
use ports::free_port;
use rust_decimal::{Decimal, RoundingStrategy};

const CALLS: usize = 100_000;
/// Longest wait for anything: far beyond what a loaded machine needs, so that a hang is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(300);

const PLANS: &str = r#"
[plan.everything]
country = "DE"
currency = "EUR"
included_minutes = 0
overage = "deck"
steps = { mode = "up", initial = 1, increment = 1 }
decks = ["real"]
"#;

/// Prefix → price per minute.
type Deck = BTreeMap<String, Decimal>;

/// The deck with the most prefixes among those that have a column of prefixes and one of prices.
fn largest(folder: &Path) -> Option<(String, Deck)> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let decks = files.into_iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        let mut text = Vec::new();
        let file = std::fs::File::open(&path).unwrap();
        match name.rsplit('.').next()? {
            "gz" => flate2::read::GzDecoder::new(file).read_to_end(&mut text).unwrap(),
            "csv" => BufReader::new(file).read_to_end(&mut text).unwrap(),
            _ => return None,
        };
        Some((name, deck(std::str::from_utf8(&text).ok()?)?))
    });
    decks.max_by_key(|(_, deck)| deck.len())
}

fn deck(text: &str) -> Option<Deck> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next()?.split(',').collect();
    let place = |names: &[&str]| header.iter().position(|column| names.contains(column));
    let (prefix, price) = (place(&["prefix", "code"])?, place(&["rate", "rate_per_min", "rate_per_minute"])?);
    let row = |line: &str| {
        let cells = cells(line);
        let digits = cells.get(prefix)?.trim_start_matches('+').to_owned();
        (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some(())?;
        Some((digits, cells.get(price)?.parse().ok()?))
    };
    Some(lines.filter_map(row).collect())
}

/// Cells of a line; quotes keep commas together.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}

/// The longest prefix of a number, how long it is and its price: digits are taken away one by one.
fn price(deck: &HashMap<&str, Decimal>, number: &str) -> Option<(usize, Decimal)> {
    (1..=number.len()).rev().find_map(|n| Some((n, *deck.get(&number[..n])?)))
}

/// Whether a number means itself behind a `+`: no trunk prefix in it, no form of old. What normalising does is other tests'
/// business.
fn means_itself(countries: &Countries, number: &str) -> bool {
    let read = normalise_international(&Dialled::read(format!("+{number}").as_bytes()), countries);
    read.is_ok_and(|read| read.to_string() == number)
}

struct Seeded(u64);

impl Seeded {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

struct Daemon {
    child: Child,
    tcp: u16,
    http: u16,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    fn start(folder: &Path) -> Daemon {
        let (tcp, http) = (free_port(), free_port());
        let config = format!(
            "rates_dir = \"rates\"\ndata_dir = \"data\"\n[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{tcp}\"\n\
             [http]\naddress = \"127.0.0.1:{http}\"\n"
        );
        std::fs::write(folder.join("callrated.toml"), config).unwrap();
        let mut child = program(folder, &["serve"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.is_ok_and(|l| l.contains("is ready"))), "the daemon did not become ready");
        std::thread::spawn(move || lines.for_each(drop));
        Daemon { child, tcp, http }
    }

    /// Asks until the answer is there: while what was acknowledged last is not stored, the daemon says to come again.
    fn get(&self, path: &str) -> String {
        let begun = Instant::now();
        loop {
            let mut stream = TcpStream::connect(("127.0.0.1", self.http)).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\nConnection: close\r\n\r\n")
                .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
            if head.starts_with("HTTP/1.1 200") {
                return body.to_owned();
            }
            assert!(head.starts_with("HTTP/1.1 503") && begun.elapsed() < PATIENCE, "{answer}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Sends lines and waits until all are said to be durable.
    fn send(&self, text: String, count: usize) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.tcp)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let answers = BufReader::new(stream.try_clone().unwrap());
        stream.write_all(b"{\"hello\":1}\n").unwrap();
        let writer = std::thread::spawn(move || stream.write_all(text.as_bytes()).map(|()| stream));
        let last = format!("{{\"durable\":{count}}}");
        let done =
            answers.lines().map(Result::unwrap).inspect(|l| assert!(!l.contains("refused"), "{l}")).any(|l| l == last);
        assert!(done, "not all of the calls were said to be durable");
        writer.join().unwrap().unwrap();
    }

    /// A figure of the kernel's, in MiB: `VmRSS` with the mapped image, `RssAnon` without.
    fn memory(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
        line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
    }
}

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callrated"));
    command.args(arguments).current_dir(folder).env_remove("RUST_LOG").env_remove("CALLRATED_TOKEN");
    command
}

/// Bytes of the files below a folder.
fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|e| if e.path().is_dir() { bytes_in(&e.path()) } else { e.metadata().unwrap().len() }).sum()
}

#[test]
fn a_real_deck_prices_as_a_naive_look_up_does() {
    let Some(decks) = std::env::var_os("CALLRATED_DECKS") else {
        eprintln!("skipped: CALLRATED_DECKS names no folder of decks");
        return;
    };
    let (name, deck) = largest(Path::new(&decks)).expect("no deck with columns prefix (or code) and rate");
    let folder = tempfile::tempdir().unwrap();
    let rates = folder.path().join("rates");
    std::fs::create_dir_all(rates.join("decks")).unwrap();
    for file in ["countries.toml", "numbering.csv"] {
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("rates").join(file), rates.join(file)).unwrap();
    }
    let rows =
        deck.iter().fold("prefix,rate\n".to_owned(), |text, (prefix, rate)| text + &format!("{prefix},{rate}\n"));
    for (file, text) in [
        ("plans.toml", PLANS),
        ("decks/real.csv", &rows),
        ("accounts.csv", "account,plan,country,billing_start,timezone\nall,everything,DE,2020-01-01,UTC\n"),
        ("numbers.csv", "number,account\n"),
    ] {
        std::fs::write(rates.join(file), text).unwrap();
    }

    // Compiled once by the command line, for time and size, once more by the daemon.
    let begun = Instant::now();
    let image = folder.path().join("images");
    // What the judge may find in a deck as large as that is the deck's owner's business.
    let accepted = ["--accept", "ruined_code", "--accept", "short_code"];
    let compiled =
        program(folder.path(), &["tariff", "compile"]).args(accepted).arg("--out").arg(&image).output().unwrap();
    let compile_time = begun.elapsed();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let image_bytes = if image.is_dir() { bytes_in(&image) } else { image.metadata().unwrap().len() };

    let begun = Instant::now();
    let daemon = Daemon::start(folder.path());
    let ready_time = begun.elapsed();
    let memory_at_start = (daemon.memory("VmRSS"), daemon.memory("RssAnon"));

    let naive: HashMap<&str, Decimal> = deck.iter().map(|(prefix, rate)| (prefix.as_str(), *rate)).collect();
    let prefixes: Vec<&str> = deck.keys().map(String::as_str).collect();
    let day = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48)).to_zoned(jiff::tz::TimeZone::UTC);
    let (day, period) = (day.strftime("%Y-%m-%d").to_string(), day.strftime("%Y-%m").to_string());
    let countries = std::fs::read_to_string(rates.join("countries.toml")).unwrap();
    let countries = Countries::parse(&countries).unwrap();
    let mut random = Seeded(543);
    let (mut text, mut calls, mut total) = (String::new(), 0, Decimal::ZERO);
    while calls < CALLS {
        // A prefix of the deck and random digits. Few of these numbers exist, and one that is not known to is priced only by
        // a row of three digits beyond the calling code (R16); so a row must have six for the model to ask no further.
        // Germany's own numbers would be in the plan.
        let prefix = prefixes[random.below(prefixes.len())];
        let length = if prefix.starts_with('1') { 11 } else { 12.max(prefix.len()) };
        let mut number = prefix.to_owned();
        while number.len() < length {
            number.push(char::from(b'0' + random.below(10) as u8));
        }
        if number.len() > length || number.starts_with("49") || !means_itself(&countries, &number) {
            continue;
        }
        let Some((_, rate)) = price(&naive, &number).filter(|(digits, _)| *digits >= 6) else { continue };
        let seconds = 1 + random.below(1800);
        let cost = rate * Decimal::from(seconds) / Decimal::from(60);
        total += cost.round_dp_with_strategy(4, RoundingStrategy::MidpointAwayFromZero);
        writeln!(
            text,
            r#"{{"id":"c{calls}","node":"desk","account":"all","source":"","destination":"+{number}","answer":"{day}T00:00:00Z","duration":{seconds}}}"#
        )
        .unwrap();
        calls += 1;
    }
    let begun = Instant::now();
    daemon.send(text, calls);
    let send_time = begun.elapsed();

    let usage = daemon.get(&format!("/v1/periods/{period}/usage?limit=1000"));
    let lines: Vec<Vec<&str>> = usage.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let rated: usize = lines.iter().map(|l| l[2].parse::<usize>().unwrap()).sum();
    let cost: Decimal = lines.iter().map(|l| l[7].parse::<Decimal>().unwrap()).sum();
    assert_eq!((rated, cost), (calls, total), "{usage}");

    println!("deck {name}: {} prefixes", deck.len());
    println!(
        "compile {compile_time:.2?}; image {image_bytes} bytes, {:.1} a prefix",
        image_bytes as f64 / deck.len() as f64
    );
    println!("ready {ready_time:.2?} after start, compiled anew");
    println!("memory {} MiB resident at start, {} MiB of it its own", memory_at_start.0, memory_at_start.1);
    println!("{calls} calls durable in {send_time:.2?}; total {total} EUR, as the naive model has it");
    println!("memory {} MiB resident then, {} MiB of it its own", daemon.memory("VmRSS"), daemon.memory("RssAnon"));
}
