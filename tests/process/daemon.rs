//! The program as a process: started, asked, sent to, killed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything: far beyond what a loaded machine needs, so that a hang is a failure and not a hang.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A flush each second, or after 5000 calls.
pub const EACH_SECOND: &str = "[flush]\nevery = \"1s\"\ncalls = 5000\n";

/// The program; `CALLRATED_BIN` names another build of it, such as the release one.
fn program() -> PathBuf {
    std::env::var_os("CALLRATED_BIN").map_or_else(|| env!("CARGO_BIN_EXE_callrated").into(), PathBuf::from)
}

/// A running daemon in a folder of its own; its log is `daemon.log` there.
pub struct Daemon {
    child: Child,
    pub folder: PathBuf,
    pub tcp: u16,
    pub udp: u16,
    pub http: u16,
}

impl Daemon {
    /// Flushes each second.
    pub fn start(folder: &Path) -> Daemon {
        Daemon::start_with(folder, EACH_SECOND)
    }

    /// With tables of the configuration.
    pub fn start_with(folder: &Path, tables: &str) -> Daemon {
        Daemon::start_at(folder, tables, [free_port(), free_port(), free_port()])
    }

    /// At ports for TCP, UDP and HTTP.
    pub fn start_at(folder: &Path, tables: &str, [tcp, udp, http]: [u16; 3]) -> Daemon {
        let config = format!(
            "rates_dir = \"rates\"\ndata_dir = \"data\"\n{tables}\
             [[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{tcp}\"\n\
             [[listen]]\nprotocol = \"udp\"\naddress = \"127.0.0.1:{udp}\"\n\
             [http]\naddress = \"127.0.0.1:{http}\"\n"
        );
        std::fs::write(folder.join("callrated.toml"), config).unwrap();
        let log = File::options().create(true).append(true).open(folder.join("daemon.log")).unwrap();
        let mut child = Command::new(program()).current_dir(folder).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.any(|line| line.is_ok_and(|l| l.contains("is ready")));
        assert!(ready, "the daemon did not become ready:\n{}", log_of(folder));
        std::thread::spawn(move || lines.for_each(drop));
        Daemon { child, folder: folder.to_owned(), tcp, udp, http }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// No goodbye: the process is gone between two instructions.
    pub fn kill(mut self) -> PathBuf {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.folder.clone()
    }

    /// SIGTERM, as systemd sends it; how it ended, and how long that took.
    pub fn terminate(mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        assert!(Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap().success());
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, begun.elapsed());
            }
            assert!(begun.elapsed() < PATIENCE, "the daemon does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs a command of the program in the folder: exit code, standard output, standard error.
    pub fn command(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
        let done = Command::new(program()).current_dir(folder).args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code().unwrap_or(-1), text(&done.stdout), text(&done.stderr))
    }

    pub fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\nConnection: close\r\n\r\n")
            .unwrap();
        body(stream)
    }

    pub fn post(&self, path: &str, kind: &str, text: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        )
        .unwrap();
        body(stream)
    }

    /// The sum of a metric over its labels that contain a text.
    pub fn metric(&self, name: &str, label: &str) -> u64 {
        let text = self.get("/metrics");
        let values = text.lines().filter(|l| l.starts_with(name) && l.contains(label));
        values.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// Datagrams of a few lines each; waits until the daemon has what was sent, since the kernel promises nothing.
    pub fn send_udp(&self, lines: &[&str]) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let before = self.metric("callrated_records_durable_total", "");
        let mut sent = 0;
        for chunk in lines.chunks(4) {
            socket.send_to(chunk.join("\n").as_bytes(), ("127.0.0.1", self.udp)).unwrap();
            sent += chunk.len() as u64;
            if sent % 1000 < 4 {
                wait_for("datagrams", || self.metric("callrated_records_durable_total", "") >= before + sent);
            }
        }
        wait_for("datagrams", || self.metric("callrated_records_durable_total", "") >= before + sent);
    }

    pub fn send_http(&self, lines: &[&str]) {
        for chunk in lines.chunks(5000) {
            let answer = self.post("/v1/calls", "application/x-ndjson", &chunk.join("\n"));
            assert_eq!(answer, format!(r#"{{"durable":{},"refused":[]}}"#, chunk.len()));
        }
    }

    /// Sends lines with the dialogue until `stop_at` of them are said to be durable; tells how many were.
    pub fn send_tcp(&self, lines: &[&str], stop_at: usize) -> usize {
        let Dialogue { mut stream, mut answers } = Dialogue::open(self.tcp);
        let mut answer = String::new();
        let text: String = lines.iter().flat_map(|l| [*l, "\n"]).collect();
        let mut durable = 0;
        std::thread::scope(|scope| {
            // The daemon may be killed while this writes.
            scope.spawn(move || drop(stream.write_all(text.as_bytes())));
            while durable < stop_at {
                answer.clear();
                answers.read_line(&mut answer).unwrap();
                let number = answer.trim_end().strip_prefix("{\"durable\":").and_then(|n| n.strip_suffix('}'));
                durable = number.unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap();
            }
            if durable < lines.len() {
                // The writer must end for the scope to end: a killed daemon breaks its connection.
                Command::new("kill").args(["-9", &self.child.id().to_string()]).status().unwrap();
            }
        });
        durable
    }
}

impl Drop for Daemon {
    /// A test that fails leaves no daemon behind.
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the daemons of a folder said so far.
pub fn log_of(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("daemon.log")).unwrap_or_default()
}

/// A TCP connection with the dialogue, greeted.
pub struct Dialogue {
    pub stream: TcpStream,
    pub answers: BufReader<TcpStream>,
}

impl Dialogue {
    pub fn open(port: u16) -> Dialogue {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answers = BufReader::new(stream.try_clone().unwrap());
        stream.write_all(b"{\"hello\":1}\n").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert!(answer.starts_with("{\"hello\":1,"), "{answer}");
        Dialogue { stream, answers }
    }

    /// The next count of durable records; none once the daemon is gone.
    pub fn durable(&mut self) -> Option<usize> {
        let mut answer = String::new();
        // A connection that breaks in the middle of a line acknowledges nothing by it.
        match self.answers.read_line(&mut answer) {
            Ok(_) if answer.ends_with('\n') => {}
            _ => return None,
        }
        let number = answer.trim_end().strip_prefix("{\"durable\":").and_then(|n| n.strip_suffix('}'));
        Some(number.unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap())
    }
}

pub fn body(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() }
}

/// A streamed body: each piece stands behind its length in hexadecimal.
fn unchunked(mut rest: &str) -> String {
    let mut whole = String::new();
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole += &after[..length];
        rest = after[length..].trim_start_matches("\r\n");
        if length == 0 {
            break;
        }
    }
    whole
}

pub fn wait_for(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
