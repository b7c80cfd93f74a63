//! A daemon that takes records by TCP, UDP and HTTP in a folder with rates: sent to, killed, started again.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

pub use super::program::{PATIENCE, free_port, wait_for};
use super::program::{Process, program};

/// A flush each second, or after 5000 calls.
pub const EACH_SECOND: &str = "[flush]\nevery = \"1s\"\ncalls = 5000\n";

/// A running daemon in a folder of its own.
pub struct Daemon {
    process: Process,
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
        let mut process = Process::launch(folder, &config, http, &[]);
        assert!(process.is_ready(), "the daemon did not become ready:\n{}", log_of(folder));
        Daemon { process, folder: folder.to_owned(), tcp, udp, http }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// No goodbye: the process is gone between two instructions.
    pub fn kill(mut self) -> PathBuf {
        self.process.kill();
        self.folder
    }

    /// SIGTERM, as systemd sends it; how it ended, and how long that took.
    pub fn terminate(mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        self.process.signal("-TERM");
        (self.process.ended(), begun.elapsed())
    }

    /// Runs a command of the program in the folder: exit code, standard output, standard error.
    pub fn command(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
        let done = Command::new(program()).current_dir(folder).args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code().unwrap_or(-1), text(&done.stdout), text(&done.stderr))
    }

    pub fn get(&self, path: &str) -> String {
        self.answered("GET", path, ("Accept", "text/csv"), "")
    }

    pub fn post(&self, path: &str, kind: &str, text: &str) -> String {
        self.answered("POST", path, ("Content-Type", kind), text)
    }

    /// Any answer: its status and its body.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let headers = [("Content-Type", "application/json"), ("Accept", "application/json, */*;q=0.5")];
        self.process.ask(method, path, &headers, body).expect("the daemon is there")
    }

    fn answered(&self, method: &str, path: &str, header: (&str, &str), body: &str) -> String {
        let (status, body) = self.process.answered(method, path, &[header], body).expect("the daemon is there");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// The sum of a metric over its labels that contain a text.
    pub fn metric(&self, name: &str, label: &str) -> u64 {
        self.process.metric(name, label)
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
                self.process.signal("-9");
            }
        });
        durable
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
