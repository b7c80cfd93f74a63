//! The daemon as its own process, and asking it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the store may take to have everything.
const PATIENCE: Duration = Duration::from_secs(600);

/// A running daemon and its ports; ends when dropped.
pub struct Daemon {
    child: Child,
    /// Native records by TCP.
    pub tcp: u16,
    /// Native records by UDP.
    pub udp: u16,
    /// Posts of a FreeSWITCH.
    pub posts: u16,
    /// The API.
    pub http: u16,
}

impl Daemon {
    /// Starts one in a folder, with the rates that ship, and waits until it is ready.
    pub fn start(folder: &Path, settings: &str) -> Daemon {
        Daemon::start_with(folder, &Path::new(env!("CARGO_MANIFEST_DIR")).join("rates"), settings)
    }

    /// The same with rates of its own.
    pub fn start_with(folder: &Path, rates: &Path, settings: &str) -> Daemon {
        Daemon::start_above(folder, rates, "", settings)
    }

    /// The same with keys that stand above all tables.
    pub fn start_above(folder: &Path, rates: &Path, above: &str, settings: &str) -> Daemon {
        let [tcp, udp, posts, http] = [(); 4].map(|()| free_port());
        let config = format!(
            "{above}\ndata_dir = \"data\"\nrates_dir = {rates:?}\n[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{tcp}\"\n\
             [[listen]]\nprotocol = \"udp\"\naddress = \"127.0.0.1:{udp}\"\n\
             [[listen]]\nprotocol = \"http\"\naddress = \"127.0.0.1:{posts}\"\nformat = \"freeswitch\"\n\
             [http]\naddress = \"127.0.0.1:{http}\"\n{settings}"
        );
        std::fs::write(folder.join("callrated.toml"), config).expect("a configuration");
        let mut child = Command::new(env!("CARGO_BIN_EXE_callrated"))
            .current_dir(folder)
            // The example rates are warned about, which is not what is measured.
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the daemon starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        assert!(lines.any(|line| line.is_ok_and(|l| l.contains("is ready"))), "the daemon did not become ready");
        // Its later lines have nowhere to go, and nobody to wait for them.
        std::thread::spawn(move || lines.for_each(drop));
        Daemon { child, tcp, udp, posts, http }
    }

    /// User and system time of all its threads so far.
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(&self.child.id().to_string())
    }

    /// Processor time of its threads so far in seconds, by name; shards and the runtime's threads together.
    #[allow(dead_code, reason = "only of the road")]
    pub fn threads(&self) -> BTreeMap<String, f64> {
        let mut times = BTreeMap::new();
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        for task in tasks.map(|task| task.path()) {
            let read = |file: &str| std::fs::read_to_string(task.join(file)).unwrap_or_default();
            // proc_pid_schedstat: nanoseconds on a processor, and two more numbers.
            let (name, schedule) = (read("comm"), read("schedstat"));
            let nanos = schedule.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
            let name = name.trim_end().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
            *times.entry(name.to_owned()).or_insert(0.0) += nanos / 1e9;
        }
        times
    }

    /// Bytes of memory of its own, without the files that it maps.
    #[allow(dead_code, reason = "only of what grows")]
    pub fn own_memory(&self) -> i64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|n| n.parse::<i64>().ok());
        kib.expect("the kernel tells it") << 10
    }

    /// Ends it as an operator would, and waits for its end.
    #[allow(dead_code, reason = "only of what grows")]
    pub fn stop(mut self) {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill");
        assert!(told.success());
        assert!(self.child.wait().expect("its end").success(), "it did not end well");
    }

    /// What an account has used in the month of yesterday, as the daemon has it in memory; none, if it never called.
    #[allow(dead_code, reason = "only of what grows")]
    pub fn usage(&self, account: &str) -> Option<String> {
        let (head, body) = self.exchange_any(&get(&format!("/v1/accounts/{account}/usage?period={}", month())));
        head.starts_with("HTTP/1.1 200").then_some(body)
    }

    /// The month's totals of all accounts, which come from the store once everything is there.
    pub fn totals(&self) -> String {
        let period = month();
        let begun = Instant::now();
        loop {
            let (head, body) = self.exchange_any(&get(&format!("/v1/periods/{period}/usage")));
            if head.starts_with("HTTP/1.1 200") {
                return body;
            }
            // While more waits for the store than it takes in some seconds it says so.
            assert!(head.starts_with("HTTP/1.1 503") && begun.elapsed() < PATIENCE, "{head}{body}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The sum of a metric over its labels that contain a text.
    pub fn metric(&self, name: &str, label: &str) -> u64 {
        let text = self.ask("/metrics");
        let named = |l: &&str| l.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let values = text.lines().filter(named).filter(|l| l.contains(label));
        values.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// How long the journal's writes and syncs took, as the daemon counts them.
    #[allow(dead_code, reason = "only of the road")]
    pub fn syncs(&self) -> String {
        let text = self.ask("/metrics");
        let buckets = text.lines().filter_map(|line| line.strip_prefix("callrated_journal_sync_seconds_bucket{"));
        let buckets: Vec<(f64, f64)> = buckets
            .filter_map(|line| {
                let (label, count) = line.rsplit_once("} ")?;
                let limit = label.rsplit_once("le=\"")?.1.trim_end_matches('"');
                Some((limit.parse().ok()?, count.parse().ok()?))
            })
            .collect();
        let all = buckets.last().map_or(0.0, |last| last.1);
        let below = |part: f64| buckets.iter().find(|bucket| bucket.1 >= all * part).map_or(0.0, |bucket| bucket.0);
        format!("median up to {} ms, p99 up to {} ms, of {all}", below(0.5) * 1e3, below(0.99) * 1e3)
    }

    /// How long they took on average.
    #[allow(dead_code, reason = "only of what grows")]
    pub fn sync_mean(&self) -> Duration {
        let text = self.ask("/metrics");
        let sum = |what: &str| -> f64 {
            let name = format!("callrated_journal_sync_seconds_{what}");
            text.lines().filter_map(|line| line.strip_prefix(&name)?.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        Duration::from_secs_f64(sum("sum") / sum("count").max(1.0))
    }

    /// The digest of the tariff in force.
    #[allow(dead_code, reason = "only where tariffs change")]
    pub fn tariff(&self) -> String {
        let answer = self.ask("/v1/status");
        let (_, rest) = answer.split_once("\"tariff\":\"").expect("a tariff in force");
        rest.split('"').next().unwrap_or_default().to_owned()
    }

    /// Posts JSON, which must be taken.
    #[allow(dead_code, reason = "only where tariffs change")]
    pub fn post(&self, path: &str, body: &str) -> String {
        let head =
            format!("Content-Type: application/json\r\nContent-Length: {}\r\nAccept: application/json", body.len());
        self.exchange(&format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\nConnection: close\r\n\r\n{body}"))
    }

    fn ask(&self, path: &str) -> String {
        self.exchange(&get(path))
    }

    fn exchange(&self, request: &str) -> String {
        let (head, body) = self.exchange_any(request);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}{body}");
        body
    }

    fn exchange_any(&self, request: &str) -> (String, String) {
        let mut stream = connect(self.http);
        stream.write_all(request.as_bytes()).expect("a question");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        (head.to_owned(), body.to_owned())
    }
}

/// User and system time of a process so far, `self` for this one.
pub fn cpu_seconds(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    // Fields 14 and 15 of stat(5), in clock ticks of a hundredth of a second.
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// The month of yesterday.
fn month() -> String {
    let yesterday = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
    yesterday.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m").to_string()
}

fn get(path: &str) -> String {
    let head = "Host: localhost\r\nAccept: text/csv, text/plain;q=0.5, application/json;q=0.1\r\nConnection: close";
    format!("GET {path} HTTP/1.1\r\n{head}\r\n\r\n")
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).expect("a listener")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port()
}

/// Blocks that a folder takes, since the journal takes room before it needs it.
pub fn folder_bytes(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => folders.push(entry.path()),
                Ok(meta) => bytes += meta.blocks() * 512,
                Err(_) => {}
            }
        }
    }
    bytes
}
