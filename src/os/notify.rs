//! Words to the service manager (systemd's `Type=notify`).
//!
//! Without a service manager every call does nothing. An answer that cannot be sent is an error worth a log line, never
//! a reason to stop.
//!
//! Does not know what the daemon is doing; it only passes the word on.

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;

/// The doors are open.
pub fn ready() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Ready])
}

/// The doors are closing.
pub fn stopping() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Stopping])
}

/// One line for `systemctl status`.
pub fn status(text: &str) -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Status(text)])
}

/// A sign of life; due at least every [`watchdog_interval`].
pub fn watchdog() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Watchdog])
}

/// Half the time after which the service manager takes the daemon for dead; none if it does not watch.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}
