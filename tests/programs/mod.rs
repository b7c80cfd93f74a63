//! Other programs that tests start: looked for, missed loudly, and ended with their test.
#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test from outside measures the world, so it asks the world for the time"
)]

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Longest wait for a program: far beyond what a loaded machine needs, so that a hang is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether these programs are here. If not, it is said where nobody can miss it, with the packages that bring them; and
/// where `CI=true` promises that everything is tested, it is a failure.
pub fn are_here(programs: &[&str], packages: &str) -> bool {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| find(program).is_none()).collect();
    missing.is_empty() || skipped(&format!("{} is not installed", missing.join(", ")), packages)
}

/// Says that a test was skipped and why; false.
pub fn skipped(why: &str, packages: &str) -> bool {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // What `tests/run` could not do about it.
    let tried = std::env::var("CALLRATED_NOT_INSTALLED").map(|why| format!("; {why}")).unwrap_or_default();
    let words = format!("SKIPPED {test}: {why}{tried} (Debian: apt-get install {packages})\n");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "with CI=true nothing may be left out: {words}");
    // Not by `eprintln!`, which a test that passes does not show.
    let _ = std::io::stderr().write_all(words.as_bytes());
    false
}

/// The program in the search path, or where Debian keeps what only root needs.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder: PathBuf| folder.join(program)).find(|file| file.is_file())
}

/// rsyslog with the `rsyslog.conf` of a folder.
pub fn rsyslogd(folder: &Path) -> Running {
    let file = |name: &str| folder.join(name).display().to_string();
    // Some systems (AppArmor) keep the installed one, which they know by its path, from folders such as this.
    std::fs::copy(find("rsyslogd").unwrap(), folder.join("rsyslogd")).unwrap();
    Running::start(folder, "./rsyslogd", &["-n", "-f", &file("rsyslog.conf"), "-i", &file("rsyslog.pid")])
}

/// A program that runs, with all processes it starts; they end with the test.
pub struct Running {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Running {
    /// Starts a program in a folder; what it prints goes into a file there.
    pub fn start(folder: &Path, program: &str, arguments: &[&str]) -> Running {
        let name = format!("{program} {}", arguments.join(" "));
        static STARTED: AtomicU16 = AtomicU16::new(0);
        let output = folder.join(format!("{}.output", STARTED.fetch_add(1, Ordering::Relaxed)));
        let file = std::fs::File::create(&output).unwrap();
        let mut command = Command::new(find(program).unwrap_or_else(|| program.into()));
        command.args(arguments).current_dir(folder).stdin(Stdio::null());
        command.stdout(file.try_clone().unwrap()).stderr(file).process_group(0);
        let child = command.spawn().unwrap_or_else(|e| panic!("{name}: {e}"));
        Running { name, child, output }
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Waits until something is so; the program must not end before.
    pub fn until(&mut self, what: &str, mut done: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !done() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{} ended ({ended:?}) before {what}:\n{}", self.name, self.output());
            assert!(begun.elapsed() < PATIENCE, "{}: waited in vain for {what}:\n{}", self.name, self.output());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until it printed something.
    pub fn until_said(&mut self, text: &str) {
        let output = self.output.clone();
        self.until(text, || String::from_utf8_lossy(&std::fs::read(&output).unwrap_or_default()).contains(text));
    }

    /// Waits until it listens for datagrams on a port. Looked up rather than tried, which could be in its way.
    pub fn until_bound(&mut self, port: u16) {
        let local = format!(":{port:04X} ");
        self.until("it listens", || {
            let sockets = std::fs::read_to_string("/proc/net/udp").unwrap();
            sockets.lines().any(|line| line.split(": ").nth(1).is_some_and(|rest| rest.get(8..14) == Some(&local)))
        });
    }

    /// Waits for its end, which must be a good one.
    pub fn succeeds(mut self) {
        let status = self.ends();
        assert!(status.is_some_and(|s| s.success()), "{}: {status:?}\n{}", self.name, self.output());
    }

    /// Waits for its end, good or bad; what it printed.
    pub fn said(mut self) -> String {
        assert!(self.ends().is_some(), "{} does not end", self.name);
        self.output()
    }

    /// Waits for its end; none: it does not end.
    fn ends(&mut self) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            match self.child.try_wait().unwrap() {
                None if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(10)),
                status => return status,
            }
        }
    }

    /// Asks it to end, and waits until it did.
    pub fn stop(mut self) {
        self.signal("-TERM");
        assert!(self.ends().is_some(), "{} does not end", self.name);
    }

    /// To the program and all that it started.
    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal("-KILL");
        let _ = self.child.wait();
    }
}
