//! Logs to standard error: for people on a terminal, with journald's priorities under systemd.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` chooses what is shown; without it the daemon says what it does, and other commands only
/// what is wrong.
pub(super) fn init(daemon: bool) {
    let usual = if daemon { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // The journal has a time of its own. A second start in one process (tests) keeps the first.
    let _ = if std::env::var_os("JOURNAL_STREAM").is_some() { logs.without_time().try_init() } else { logs.try_init() };
}
