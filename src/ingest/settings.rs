//! The settings of a listener: as written in `[[listen]]`, and checked.
//!
//! Does not know the other parts' settings, nor where the text came from.

use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

use crate::entry::{Ambiguous, LegsPolicy, MAX_AGE_DAYS, SourceProfile, Talk};
use crate::number::Country;
use crate::time::{UnknownZone, Zone};
use crate::wire::csv::Columns;
use crate::wire::formats::Formats;
use crate::wire::formats::acc::text::Extras;
use crate::wire::formats::audiocodes::are_titles;
use crate::wire::formats::carried::AUDIOCODES;
use crate::wire::{Format, Framing, Key};

pub use super::protocol::{Protocol, Transport};

use super::allow::{Allow, BadNetwork};
use super::radius::settings::{BadRadius, ClientSettings, RadiusListen, RadiusSettings};
use super::secret::SecretSettings;
use super::{Cut, Hints};
use crate::tls::TlsSettings;

/// The node of records from a listener that is given none and that name none themselves.
pub const NODE_DEFAULT: &str = "default";

/// One `[[listen]]`, as written.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenSettings {
    /// `udp`, `tcp`, `http`, `syslog`, `hep` or `radius`.
    pub protocol: Protocol,
    /// Address and port; 127.0.0.1, and 7070, for HTTP 7081, for syslog 514, for HEP 9060, for RADIUS 1813.
    #[serde(default)]
    pub address: Option<SocketAddr>,
    /// `udp`, `tcp` or `both` for syslog and HEP; both.
    #[serde(default)]
    pub transport: Option<Transport>,
    /// Whether the durations of Kamailio's CDRs include the ringing; without it they are refused.
    #[serde(default)]
    pub talk_includes_ringing: Option<bool>,
    /// What HEP agents must show as their authentication key.
    #[serde(default)]
    pub key: Option<String>,
    /// `radius`: the secret of clients in `allow`.
    #[serde(default)]
    pub secret: Option<SecretSettings>,
    /// `radius`: clients with a secret or a node of their own.
    #[serde(default)]
    pub clients: Vec<ClientSettings>,
    /// `radius`: how packets are read.
    #[serde(default)]
    pub radius: Option<RadiusSettings>,
    /// `auto`, `json`, `csv`, a built-in format or one of configuration; auto.
    #[serde(default)]
    pub format: Option<String>,
    /// Columns of rows that come without a header line, as the header would name them; of lines of Kamailio and OpenSIPS
    /// what `log_extra` or `cdr_extra` adds.
    #[serde(default)]
    pub columns: Option<String>,
    /// Node of records that name none.
    #[serde(default)]
    pub node: Option<String>,
    /// Dialling plan where no account is known yet, ISO 3166 alpha-2.
    #[serde(default)]
    pub country: Option<String>,
    /// IANA zone of times that bring no offset; UTC. Native records always bring one.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Account to which everything from here belongs.
    #[serde(default)]
    pub account: Option<String>,
    /// Legs of records without direction.
    #[serde(default)]
    pub legs: LegsPolicy,
    /// What talk time is.
    #[serde(default)]
    pub talk: Talk,
    /// What a local time means that came twice, when the clocks went back: `earlier`, `later`, or suspense.
    #[serde(default)]
    pub ambiguous: Ambiguous,
    /// Tech prefixes and service codes taken off the front of dialled numbers.
    #[serde(default)]
    pub strip: Vec<String>,
    /// Networks that may send; loopback.
    #[serde(default)]
    pub allow: Option<Vec<String>>,
    /// Streams are encrypted; without it they are not.
    #[serde(default)]
    pub tls: Option<TlsSettings>,
    /// Hours for which a call told in parts may be open before it waits in suspense for its end; 25.
    #[serde(default)]
    pub max_open_hours: Option<u32>,
    /// UDP sockets that share the port, each read by its own task; one.
    #[serde(default)]
    pub sockets: Option<u16>,
    /// Bytes of the kernel's buffer of each UDP socket; 4 MiB.
    #[serde(default)]
    pub receive_buffer: Option<u32>,
}

/// What is wrong with a `[[listen]]`.
#[derive(Debug, thiserror::Error)]
pub enum BadListen {
    /// No such format.
    #[error("format {0:?} is not known: `callrated formats list` shows every one")]
    Format(String),
    /// The columns are no header.
    #[error("columns: {0}")]
    Columns(crate::wire::Refusal),
    /// Columns without rows.
    #[error("columns are for format = \"csv\"")]
    ColumnsWithoutCsv,
    /// Titles that lack a column.
    #[error(
        "columns: write the device's title row, such as \"SBCReportType|SIPCallId|Orig|SrcURI|DstURI|…\", with SetupTime, ConnectTime and ReleaseTime"
    )]
    Titles,
    /// Fields of which none names whom a call reached, or one stands twice.
    #[error(
        "columns: write what log_extra or cdr_extra adds, in its order, such as \"account;src_user;dst_user\", with the number called"
    )]
    Extras,
    /// A key that means nothing there.
    #[error("{0} is for protocol = {1}")]
    Misplaced(&'static str, &'static str),
    /// Datagrams beside encrypted streams.
    #[error("tls is for streams: add transport = \"tcp\", and another [[listen]] at a port of its own for datagrams")]
    HalfTls,
    /// RADIUS.
    #[error(transparent)]
    Radius(#[from] BadRadius),
    /// Not a country.
    #[error("country {0:?} is not an ISO 3166 code such as \"DE\"")]
    Country(String),
    /// Not a time zone.
    #[error("timezone: {0}")]
    Zone(#[from] UnknownZone),
    /// A name that is empty, too long, or holds control characters.
    #[error("{0} {1:?} must have 1 to 255 bytes and no control characters")]
    Name(&'static str, String),
    /// Nothing would be left of a number.
    #[error("strip holds an empty text")]
    Strip,
    /// Not a network.
    #[error("allow: {0}")]
    Allow(#[from] BadNetwork),
    /// Out of range.
    #[error("{0} must be between {1} and {2}")]
    Range(&'static str, u32, u32),
}

/// A listener, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listen {
    /// How records arrive.
    pub protocol: Protocol,
    /// Where.
    pub address: SocketAddr,
    /// Over what, for syslog and HEP.
    pub transport: Transport,
    /// What senders write.
    pub format: Format,
    /// How its bytes fall into messages.
    pub cut: Cut,
    /// What only some formats ask for.
    pub hints: Hints,
    /// Columns of rows without a header.
    pub columns: Option<Columns>,
    /// Node of records that name none.
    pub node: String,
    /// The zone of times that bring no offset.
    pub zone: Zone,
    /// Who may send.
    pub allow: Allow,
    /// RADIUS: who has which secret, and how packets are read.
    pub radius: Option<RadiusListen>,
    /// The files of its streams' TLS.
    pub tls: Option<TlsSettings>,
    /// UDP sockets on the port.
    pub sockets: u16,
    /// Bytes of each one's buffer.
    pub receive_buffer: u32,
    /// What can change an amount and is journalled; its index is given by the journal.
    pub profile: SourceProfile,
}

impl ListenSettings {
    /// The listener of that protocol with nothing else said.
    pub fn new(protocol: Protocol) -> ListenSettings {
        ListenSettings {
            protocol,
            address: None,
            transport: None,
            talk_includes_ringing: None,
            key: None,
            secret: None,
            clients: Vec::new(),
            radius: None,
            format: None,
            columns: None,
            node: None,
            country: None,
            timezone: None,
            account: None,
            legs: LegsPolicy::default(),
            talk: Talk::default(),
            ambiguous: Ambiguous::default(),
            strip: Vec::new(),
            allow: None,
            tls: None,
            max_open_hours: None,
            sockets: None,
            receive_buffer: None,
        }
    }

    /// Address and port.
    pub fn at(&self) -> SocketAddr {
        self.address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, self.protocol.port())))
    }

    /// How its bytes fall into messages, and what only some formats ask for.
    fn framed(&self, format: &Format) -> Result<(Cut, Hints), BadListen> {
        let cut = match self.protocol {
            Protocol::Syslog => Cut::Syslog,
            Protocol::Hep => Cut::Hep,
            Protocol::Tcp if format.framing() == Framing::Json => Cut::Values,
            Protocol::Udp | Protocol::Tcp | Protocol::Http | Protocol::Radius => Cut::Lines,
        };
        let lines = matches!(cut, Cut::Lines | Cut::Values);
        for (key, given, wrong, right) in [
            ("transport", self.transport.is_some(), lines, "\"syslog\" and \"hep\""),
            ("key", self.key.is_some(), cut != Cut::Hep, "\"hep\""),
            ("format", self.format.is_some(), cut == Cut::Hep, "others: what HEP carries is SIP"),
        ] {
            if given && wrong {
                return Err(BadListen::Misplaced(key, right));
            }
        }
        let titles = match &self.columns {
            Some(titles) if format.name() == AUDIOCODES => {
                if !are_titles(titles) {
                    return Err(BadListen::Titles);
                }
                Some(titles.as_str().into())
            }
            Some(extras) if matches!(format.name(), "kamailio" | "opensips") => {
                if Extras::read(extras).is_none() {
                    return Err(BadListen::Extras);
                }
                Some(extras.as_str().into())
            }
            _ => None,
        };
        let key = match &self.key {
            Some(key) if key.is_empty() || key.len() > 255 => return Err(BadListen::Name("key", key.clone())),
            key => key.as_ref().map(|key| Key(key.as_bytes().into())),
        };
        Ok((cut, Hints { talk_includes_ringing: self.talk_includes_ringing, titles, key }))
    }

    /// Checks them.
    pub fn check(&self, formats: &Formats) -> Result<Listen, BadListen> {
        let format = match &self.format {
            None => Format::Auto,
            Some(name) => formats.named(name).ok_or_else(|| BadListen::Format(name.clone()))?,
        };
        let (cut, hints) = self.framed(&format)?;
        let columns = match &self.columns {
            None => None,
            Some(_) if hints.titles.is_some() => None,
            Some(_) if format != Format::Csv => return Err(BadListen::ColumnsWithoutCsv),
            Some(header) => Some(Columns::from_header(header.as_bytes()).map_err(BadListen::Columns)?),
        };
        if let Some(country) = &self.country
            && Country::parse(country).is_none_or(|country| country == Country::WORLD)
        {
            return Err(BadListen::Country(country.clone()));
        }
        let zone = self.timezone.as_deref().map_or(Ok(Zone::UTC), Zone::named)?;
        for (what, name) in [("node", &self.node), ("account", &self.account)] {
            if let Some(name) = name
                && (name.is_empty() || name.len() > 255 || name.bytes().any(|b| b < 0x20))
            {
                return Err(BadListen::Name(what, name.clone()));
            }
        }
        if self.strip.iter().any(String::is_empty) {
            return Err(BadListen::Strip);
        }
        let allow = match &self.allow {
            None => Allow::default(),
            Some(networks) => Allow::networks(networks.iter().map(|n| n.parse()).collect::<Result<Vec<_>, _>>()?),
        };
        if self.tls.is_some() {
            match (self.protocol, self.transport) {
                (Protocol::Tcp | Protocol::Http, _) | (_, Some(Transport::Tcp)) => {}
                (Protocol::Syslog | Protocol::Hep, _) => return Err(BadListen::HalfTls),
                _ => return Err(BadListen::Misplaced("tls", "\"tcp\", \"http\", \"syslog\" and \"hep\"")),
            }
        }
        let radius = RadiusListen::check(self)?;
        let sockets = self.sockets.unwrap_or(1);
        if !(1..=64).contains(&sockets) {
            return Err(BadListen::Range("sockets", 1, 64));
        }
        if self.max_open_hours.is_some_and(|hours| !(1..=24 * 31).contains(&hours)) {
            return Err(BadListen::Range("max_open_hours", 1, 24 * 31));
        }
        // Linux holds the size in an int and doubles it.
        let receive_buffer = self.receive_buffer.unwrap_or(4 << 20);
        if !(4096..=1 << 30).contains(&receive_buffer) {
            return Err(BadListen::Range("receive_buffer", 4096, 1 << 30));
        }
        Ok(Listen {
            protocol: self.protocol,
            address: self.at(),
            transport: self.transport.unwrap_or_default(),
            format,
            cut,
            hints,
            columns,
            node: self.node.clone().unwrap_or_else(|| NODE_DEFAULT.to_owned()),
            zone,
            allow,
            radius,
            tls: self.tls.clone(),
            sockets,
            receive_buffer,
            profile: SourceProfile {
                index: 0,
                listener: format!("{}:{}", self.protocol.name(), self.at()),
                country: self.country.clone().unwrap_or_default(),
                account: self.account.clone().unwrap_or_default(),
                legs: self.legs,
                talk: self.talk,
                ambiguous: self.ambiguous,
                strip: self.strip.clone(),
                max_age_days: MAX_AGE_DAYS,
                max_open_seconds: self.max_open_hours.unwrap_or(0) * 3600,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Listen, String> {
        let settings: ListenSettings = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        settings.check(&Formats::default()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_listener_with_everything() {
        let listen = check(
            "protocol = \"tcp\"\naddress = \"0.0.0.0:7071\"\nformat = \"csv\"\ncolumns = \"id,source,destination,end\"\nnode = \"sbc\"
             country = \"DE\"\naccount = \"acme\"\nlegs = \"inbound\"\ntalk = \"end-answer\"\nstrip = [\"*67\"]\nallow = [\"10.0.0.0/8\"]",
        )
        .unwrap();
        assert_eq!((listen.format, listen.node.as_str()), (Format::Csv, "sbc"));
        assert!(listen.columns.is_some() && !listen.allow.permits([127, 0, 0, 1].into()));
        let profile = SourceProfile {
            index: 0,
            listener: "tcp:0.0.0.0:7071".to_owned(),
            country: "DE".to_owned(),
            account: "acme".to_owned(),
            legs: LegsPolicy::Inbound,
            talk: Talk::EndAnswer,
            ambiguous: Ambiguous::Suspense,
            strip: vec!["*67".to_owned()],
            max_age_days: 90,
            max_open_seconds: 0,
        };
        assert_eq!(listen.profile, profile);
    }

    #[test]
    fn defaults() {
        let listen = check("protocol = \"udp\"").unwrap();
        assert_eq!(listen.profile.listener, "udp:127.0.0.1:7070");
        assert_eq!((listen.format, listen.node.as_str(), listen.sockets), (Format::Auto, "default", 1));
        assert!(listen.allow.permits([127, 0, 0, 1].into()) && !listen.allow.permits([10, 0, 0, 1].into()));
    }

    #[test]
    fn what_is_refused() {
        for (text, expected) in [
            (
                "protocol = \"udp\"\nformat = \"xml\"",
                "format \"xml\" is not known: `callrated formats list` shows every one",
            ),
            ("protocol = \"udp\"\ncolumns = \"id\"", "columns are for format = \"csv\""),
            ("protocol = \"udp\"\ncountry = \"Germany\"", "country \"Germany\" is not an ISO 3166 code such as \"DE\""),
            (
                "protocol = \"udp\"\ntimezone = \"Mars/Base\"",
                "timezone: unknown time zone \"Mars/Base\": write an IANA name such as \"Europe/Berlin\" or \"UTC\"",
            ),
            ("protocol = \"udp\"\nnode = \"\"", "node \"\" must have 1 to 255 bytes and no control characters"),
            ("protocol = \"udp\"\nstrip = [\"\"]", "strip holds an empty text"),
            ("protocol = \"udp\"\nsockets = 0", "sockets must be between 1 and 64"),
            (
                "protocol = \"udp\"\ntls = { cert = \"c\", key = \"k\" }",
                "tls is for protocol = \"tcp\", \"http\", \"syslog\" and \"hep\"",
            ),
            (
                "protocol = \"syslog\"\ntls = { cert = \"c\", key = \"k\" }",
                "tls is for streams: add transport = \"tcp\", and another [[listen]] at a port of its own for datagrams",
            ),
            ("protocol = \"udp\"\nreceive_buffer = 1", "receive_buffer must be between 4096 and 1073741824"),
            (
                "protocol = \"udp\"\nallow = [\"lan\"]",
                "allow: \"lan\" is not a network: write an address such as 192.0.2.7 or a network such as 10.0.0.0/8",
            ),
        ] {
            assert_eq!(check(text), Err(expected.to_owned()), "{text}");
        }
        assert!(check("protocol = \"udp\"\nformats = \"csv\"").unwrap_err().contains("unknown field"));
    }
}
