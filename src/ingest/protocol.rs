//! How records can arrive, as `[[listen]]` names it.
//!
//! Does not know what a listener does.

use serde::Deserialize;

/// How records arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Lines in datagrams.
    Udp,
    /// Lines in a stream, with a dialogue for those who ask.
    Tcp,
    /// Bodies posted to any path.
    Http,
    /// Syslog messages, in datagrams and streams.
    Syslog,
    /// Packets of SIP capture agents (HEPv3), in datagrams and streams.
    Hep,
    /// Accounting packets (RFC 2866) in datagrams, answered once they are safe.
    Radius,
}

/// Over what syslog and HEP arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// Streams.
    Tcp,
    /// Either, on the same port: a sender cannot choose wrongly.
    #[default]
    Both,
}

impl Protocol {
    /// The name in configuration and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp",
            Protocol::Http => "http",
            Protocol::Syslog => "syslog",
            Protocol::Hep => "hep",
            Protocol::Radius => "radius",
        }
    }

    /// The port where none is given.
    pub(super) const fn port(self) -> u16 {
        match self {
            Protocol::Udp | Protocol::Tcp => 7070,
            Protocol::Http => 7081,
            Protocol::Syslog => 514,
            Protocol::Hep => 9060,
            Protocol::Radius => 1813,
        }
    }
}
