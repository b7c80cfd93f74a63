//! The daemon as its own process, and asking it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

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
        let [tcp, udp, posts, http] = [(); 4].map(|()| free_port());
        let config = format!(
            "data_dir = \"data\"\nrates_dir = {rates:?}\n[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{tcp}\"\n\
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
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        // Fields 14 and 15 of stat(5), in clock ticks of a hundredth of a second.
        let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }

    /// The month's totals of all accounts, which come from the store once everything is there.
    pub fn totals(&self) -> String {
        let now = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
        let period = now.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m").to_string();
        self.ask(&format!("/v1/periods/{period}/usage"))
    }

    /// The sum of a metric over its labels that contain a text.
    pub fn metric(&self, name: &str, label: &str) -> u64 {
        let text = self.ask("/metrics");
        let named = |l: &&str| l.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let values = text.lines().filter(named).filter(|l| l.contains(label));
        values.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
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
        let head = "Host: localhost\r\nAccept: text/csv, text/plain;q=0.5, application/json;q=0.1\r\nConnection: close";
        self.exchange(&format!("GET {path} HTTP/1.1\r\n{head}\r\n\r\n"))
    }

    fn exchange(&self, request: &str) -> String {
        let mut stream = connect(self.http);
        stream.write_all(request.as_bytes()).expect("a question");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned())
    }
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
