//! The settings of a node that we call: as written in `[[connect]]`, and checked.
//!
//! Does not know how a node is spoken with.

use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;

use crate::entry::{Ambiguous, LegsPolicy, SourceProfile, Talk};
use crate::ingest::secret::SecretSettings;
use crate::ingest::settings::{BadListen, Listen, ListenSettings};
use crate::wire::formats::Formats;
use crate::wire::session::Protocol;

/// One `[[connect]]`, as written.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectSettings {
    /// `ami`, `esl`, `evapi` or `tcp`.
    pub protocol: Protocol,
    /// Name or address of the host, and the port; 5038 for `ami`, 8021 for `esl`, 8448 for `evapi`.
    pub address: String,
    /// Who logs in: the manager's user; for FreeSWITCH `user@domain`, or left out.
    #[serde(default)]
    pub user: Option<String>,
    /// The secret of the login.
    #[serde(default)]
    pub secret: Option<SecretSettings>,
    /// `ami`: classes of events to ask for; `cdr`, and `call` for channel events.
    #[serde(default)]
    pub events: Option<Events>,
    /// As of a listener; what the protocol's node sends.
    #[serde(default)]
    pub format: Option<String>,
    /// As of a listener.
    #[serde(default)]
    pub columns: Option<String>,
    /// As of a listener.
    #[serde(default)]
    pub node: Option<String>,
    /// As of a listener.
    #[serde(default)]
    pub country: Option<String>,
    /// As of a listener.
    #[serde(default)]
    pub timezone: Option<String>,
    /// As of a listener.
    #[serde(default)]
    pub account: Option<String>,
    /// As of a listener.
    #[serde(default)]
    pub legs: LegsPolicy,
    /// As of a listener.
    #[serde(default)]
    pub talk: Talk,
    /// As of a listener.
    #[serde(default)]
    pub ambiguous: Ambiguous,
    /// As of a listener.
    #[serde(default)]
    pub strip: Vec<String>,
    /// As of a listener.
    #[serde(default)]
    pub talk_includes_ringing: Option<bool>,
    /// As of a listener.
    #[serde(default)]
    pub max_open_hours: Option<u32>,
}

/// Classes of events of Asterisk's manager.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Events {
    /// Call records.
    Cdr,
    /// Everything about calls, the channel events (CEL) among it.
    Call,
}

impl Events {
    /// In the manager's words.
    pub const fn name(self) -> &'static str {
        match self {
            Events::Cdr => "cdr",
            Events::Call => "call",
        }
    }
}

/// What is wrong with a `[[connect]]`.
#[derive(Debug, thiserror::Error)]
pub enum BadConnect {
    /// What a listener would refuse, too.
    #[error(transparent)]
    Listen(#[from] BadListen),
    /// Nowhere to connect to.
    #[error(
        "address {0:?} is not a host and a port such as \"pbx.example.net:5038\", \"192.0.2.7:1752\" or \"[::1]:8021\""
    )]
    Address(String),
    /// Nobody is let in without.
    #[error("protocol = \"{0}\" needs a login: write {1}")]
    NoLogin(&'static str, &'static str),
    /// A key that means nothing there.
    #[error("{0} is not for protocol = \"{1}\"")]
    Misplaced(&'static str, &'static str),
    /// It would end the line in which it is said.
    #[error("{0} holds a control character, or is empty")]
    Control(&'static str),
}

/// A node that we call, checked; its secret is not read yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connect {
    /// What it speaks.
    pub protocol: Protocol,
    /// Host and port.
    pub address: String,
    /// Who logs in; empty: nobody, or only by a secret.
    pub user: String,
    /// The secret of the login.
    pub secret: Option<SecretSettings>,
    /// Classes of events that the manager is asked for.
    pub events: Events,
    /// Everything else, as if it were a listener; nobody listens at its address.
    pub source: Listen,
}

impl ConnectSettings {
    /// Checks them; the file of a relative secret lies beside the configuration.
    pub fn check(&self, base: &Path, formats: &Formats) -> Result<Connect, BadConnect> {
        let protocol = self.protocol;
        let address =
            host_and_port(&self.address, protocol).ok_or_else(|| BadConnect::Address(self.address.clone()))?;
        for (key, given, fits) in [
            ("user", self.user.is_some(), protocol.has_login()),
            ("secret", self.secret.is_some(), protocol.has_login()),
            ("events", self.events.is_some(), protocol == Protocol::Ami),
        ] {
            if given && !fits {
                return Err(BadConnect::Misplaced(key, protocol.name()));
            }
        }
        match protocol {
            Protocol::Ami if self.user.is_none() || self.secret.is_none() => {
                return Err(BadConnect::NoLogin("ami", "user = \"…\" and secret = { file = \"ami.secret\" }"));
            }
            Protocol::Esl if self.secret.is_none() => {
                return Err(BadConnect::NoLogin("esl", "secret = { file = \"esl.secret\" }"));
            }
            _ => {}
        }
        let wrong = |text: &str| text.is_empty() || text.chars().any(char::is_control);
        if self.user.as_deref().is_some_and(wrong) {
            return Err(BadConnect::Control("user"));
        }
        if let Some(SecretSettings::Text(text)) = &self.secret
            && wrong(text)
        {
            return Err(BadConnect::Control("secret"));
        }
        let usual = match protocol {
            Protocol::Ami => Some("asterisk-ami"),
            Protocol::Esl => Some("freeswitch-event"),
            Protocol::Evapi => Some("kamailio"),
            Protocol::Tcp => None,
        };
        let format = self.format.clone().or(usual.map(str::to_owned));
        let events = match format.as_deref() {
            Some("asterisk-cel-ami") => Events::Call,
            _ => Events::Cdr,
        };
        let listen = ListenSettings {
            format,
            columns: self.columns.clone(),
            node: self.node.clone(),
            country: self.country.clone(),
            timezone: self.timezone.clone(),
            account: self.account.clone(),
            legs: self.legs,
            talk: self.talk,
            ambiguous: self.ambiguous,
            strip: self.strip.clone(),
            talk_includes_ringing: self.talk_includes_ringing,
            max_open_hours: self.max_open_hours,
            ..ListenSettings::new(crate::ingest::settings::Protocol::Tcp)
        };
        let source = listen.check(formats)?;
        let profile = SourceProfile { listener: format!("connect:{address}"), ..source.profile };
        Ok(Connect {
            protocol,
            address,
            user: self.user.clone().unwrap_or_default(),
            secret: self.secret.as_ref().map(|secret| secret.relative_to(base)),
            events: self.events.unwrap_or(events),
            source: Listen { profile, ..source },
        })
    }
}

/// `host:port`, with the usual port where none is written.
fn host_and_port(address: &str, protocol: Protocol) -> Option<String> {
    let usual = match protocol {
        Protocol::Ami => Some(5038),
        Protocol::Esl => Some(8021),
        Protocol::Evapi => Some(8448),
        Protocol::Tcp => None,
    };
    if address.parse::<SocketAddr>().is_ok() {
        return Some(address.to_owned());
    }
    let whole = match (address.rsplit_once(':'), usual) {
        (Some(_), _) => address.to_owned(),
        (None, Some(port)) => format!("{address}:{port}"),
        (None, None) => return None,
    };
    let (host, port) = whole.rsplit_once(':')?;
    let named = !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    (named && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Connect, String> {
        let settings: ConnectSettings = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        settings.check(Path::new("/etc/callrated"), &Formats::default()).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_called() {
        for (text, expected) in [
            (
                "protocol = \"ami\"\naddress = \"pbx\"\nuser = \"u\"\nsecret = \"s\"",
                "connect:pbx:5038 asterisk-ami cdr",
            ),
            (
                "protocol = \"ami\"\naddress = \"pbx:5039\"\nuser = \"u\"\nsecret = \"s\"\nformat = \"asterisk-cel-ami\"",
                "connect:pbx:5039 asterisk-cel-ami call",
            ),
            ("protocol = \"esl\"\naddress = \"[::1]:8021\"\nsecret = \"s\"", "connect:[::1]:8021 freeswitch-event cdr"),
            ("protocol = \"evapi\"\naddress = \"192.0.2.7\"", "connect:192.0.2.7:8448 kamailio cdr"),
            (
                "protocol = \"tcp\"\naddress = \"192.0.2.7:1752\"\nformat = \"mitel\"",
                "connect:192.0.2.7:1752 mitel cdr",
            ),
        ] {
            let connect = check(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            let source = &connect.source;
            let found = format!("{} {} {}", source.profile.listener, source.format.name(), connect.events.name());
            assert_eq!(found, expected, "{text}");
        }
        let connect =
            check("protocol = \"esl\"\naddress = \"fs\"\nsecret = { file = \"esl.secret\" }\nnode = \"fs1\"").unwrap();
        let file = SecretSettings::File { file: "/etc/callrated/esl.secret".into() };
        assert_eq!((connect.secret, connect.source.node.as_str()), (Some(file), "fs1"));
    }

    #[test]
    fn what_is_refused() {
        for (text, expected) in [
            ("protocol = \"ami\"\naddress = \"pbx\"\nuser = \"u\"", "protocol = \"ami\" needs a login"),
            ("protocol = \"ami\"\naddress = \"pbx\"\nsecret = \"s\"", "protocol = \"ami\" needs a login"),
            ("protocol = \"esl\"\naddress = \"fs\"", "protocol = \"esl\" needs a login"),
            ("protocol = \"evapi\"\naddress = \"k\"\nsecret = \"s\"", "secret is not for protocol = \"evapi\""),
            ("protocol = \"esl\"\naddress = \"k\"\nsecret = \"s\"\nevents = \"cdr\"", "events is not for protocol"),
            (
                "protocol = \"ami\"\naddress = \"k\"\nuser = \"u\\r\\nx\"\nsecret = \"s\"",
                "user holds a control character",
            ),
            (
                "protocol = \"ami\"\naddress = \"k\"\nuser = \"u\"\nsecret = \"\"",
                "secret holds a control character, or is empty",
            ),
            ("protocol = \"tcp\"\naddress = \"mitel\"", "address \"mitel\" is not a host and a port"),
            ("protocol = \"tcp\"\naddress = \"::1:7\"", "is not a host and a port"),
            ("protocol = \"tcp\"\naddress = \"h:0\"", "is not a host and a port"),
            ("protocol = \"tcp\"\naddress = \"h:1\"\nformat = \"mittel\"", "format \"mittel\" is not known"),
            ("protocol = \"telnet\"\naddress = \"h:1\"", "unknown variant `telnet`"),
            ("protocol = \"tcp\"\naddress = \"h:1\"\nallow = []", "unknown field `allow`"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
