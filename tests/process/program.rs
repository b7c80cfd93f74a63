//! The program as a process: started in a folder, asked over HTTP, signalled, ended with its test.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

#[path = "ports.rs"]
mod ports;

pub use ports::free_port;

/// Longest wait for anything: far beyond what a loaded machine needs, so that a hang is a failure and not a hang.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The program; `CALLRATED_BIN` names another build of it, such as the release one.
pub fn program() -> PathBuf {
    std::env::var_os("CALLRATED_BIN").map_or_else(|| env!("CARGO_BIN_EXE_callrated").into(), PathBuf::from)
}

/// A daemon in a folder; its log, and that of those before it, is `daemon.log` there.
pub struct Process {
    child: Child,
    http: u16,
    log: PathBuf,
    /// Where in the log it began to speak.
    log_from: u64,
}

impl Process {
    /// Starts it with a configuration that names that port for HTTP. It may end before it is ready.
    pub fn launch(folder: &Path, config: &str, http: u16, environment: &[(&str, &str)]) -> Process {
        write_whole(&folder.join("callrated.toml"), config);
        let path = folder.join("daemon.log");
        let log = File::options().create(true).append(true).open(&path).unwrap();
        let log_from = log.metadata().unwrap().len();
        let mut command = Command::new(program());
        command.current_dir(folder).stdout(Stdio::piped()).stderr(log);
        command.env_remove("RUST_LOG").env_remove("JOURNAL_STREAM").env_remove("CALLRATED_TOKEN");
        let child = command.envs(environment.iter().copied()).spawn().unwrap();
        Process { child, http, log: path, log_from }
    }

    /// Waits until it says that it is ready; false if it ended before.
    pub fn is_ready(&mut self) -> bool {
        let Some(stdout) = self.child.stdout.take() else { return true };
        let mut lines = BufReader::new(stdout).lines();
        let ready = lines.any(|line| line.is_ok_and(|line| line.contains("is ready")));
        std::thread::spawn(move || lines.for_each(drop));
        ready
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it said so far on standard error.
    pub fn log(&self) -> String {
        let all = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(all.get(self.log_from as usize..).unwrap_or_default()).into_owned()
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.id().to_string()]).status().unwrap().success());
    }

    /// No goodbye: the process is gone between two instructions.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the daemon does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Status and body of an answer; none if the daemon went away before it answered.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        Some((status, if chunked { unchunked(body) } else { body.to_owned() }))
    }

    /// The same; a question is asked again while the daemon has more to store first than it lets anybody wait for.
    pub fn answered(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<(u16, String)> {
        let begun = Instant::now();
        loop {
            let answer = self.ask(method, path, headers, body)?;
            if answer.0 != 503 || method != "GET" || begun.elapsed() > PATIENCE {
                return Some(answer);
            }
        }
    }

    /// The sum of a metric over its labels that contain a text.
    pub fn metric(&self, name: &str, label: &str) -> u64 {
        let (_, text) = self.ask("GET", "/metrics", &[], "").expect("the daemon is there");
        let named = |l: &&str| l.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let values = text.lines().filter(named).filter(|l| l.contains(label));
        values.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }
}

impl Drop for Process {
    /// A test that fails leaves no daemon behind.
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A streamed body: each piece stands behind its length in hexadecimal. Lengths are of bytes, and what breaks off is given
/// as far as it came.
fn unchunked(body: &str) -> String {
    let (mut rest, mut whole) = (body.as_bytes(), Vec::new());
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length =
            std::str::from_utf8(&rest[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok()).unwrap();
        let piece = &rest[end + 2..];
        whole.extend_from_slice(&piece[..length.min(piece.len())]);
        rest = piece.get(length + 2..).unwrap_or_default();
    }
    String::from_utf8(whole).unwrap()
}

/// In one go: a daemon that watches the folder must not see half a file.
pub fn write_whole(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let whole = path.with_extension("whole");
    std::fs::write(&whole, text).unwrap();
    std::fs::rename(&whole, path).unwrap();
}

pub fn wait_for(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
