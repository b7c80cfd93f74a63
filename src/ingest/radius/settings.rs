//! The settings of a RADIUS listener: who has which secret, and how its clients' packets are read.
//!
//! Does not know sockets, nor the other protocols' settings.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::super::allow::{BadNetwork, Network};
use super::super::secret::SecretSettings;
use super::super::settings::{ListenSettings, Protocol};
use crate::time::{UnknownZone, Zone};
use crate::wire::radius::{CallOrigin, Reading};

/// One `[[listen.clients]]`, as written.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// An address or a network; of several that fit, the narrowest counts.
    pub address: String,
    /// Its secret; without one, the listener's.
    #[serde(default)]
    pub secret: Option<SecretSettings>,
    /// The node of its records; without one, what the packets say (leave it out for a proxy of many).
    #[serde(default)]
    pub node: Option<String>,
    /// IANA zone of its clock, where that writes a zone that `zones` does not explain; the listener's.
    #[serde(default)]
    pub timezone: Option<String>,
}

/// `[listen.radius]`, as written.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RadiusSettings {
    /// IANA zones by the names that the clients' clocks give them: `{ EST = "America/New_York" }`.
    pub zones: BTreeMap<String, String>,
    /// Which leg of a call through a gateway counts; answer.
    pub call_origin: CallOriginSettings,
    /// User-Name names the account.
    pub user_name_is_account: bool,
    /// Talk time is Acct-Session-Time even where connect and disconnect times are more exact.
    pub session_time: bool,
}

/// Which leg counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallOriginSettings {
    /// The one from the customer.
    #[default]
    Answer,
    /// The one to the carrier.
    Originate,
    /// Both.
    Both,
}

/// What is wrong with a RADIUS listener.
#[derive(Debug, thiserror::Error)]
pub enum BadRadius {
    /// Nobody could be believed.
    #[error(
        "protocol = \"radius\" needs a secret: write secret = {{ file = \"radius.secret\" }}, or one for each client"
    )]
    NoSecret,
    /// A key of this protocol at another.
    #[error("{0} is for protocol = \"radius\"")]
    NotRadius(&'static str),
    /// A format where there can be but one.
    #[error("format is not for protocol = \"radius\": its packets have their own")]
    Format,
    /// No secret at all.
    #[error("a secret is empty")]
    Empty,
    /// Not a network.
    #[error("clients: {0}")]
    Network(#[from] BadNetwork),
    /// Not a zone.
    #[error("{0}: {1}")]
    Zone(&'static str, UnknownZone),
    /// Not a name.
    #[error("clients: node {0:?} must have 1 to 255 bytes and no control characters")]
    Node(String),
}

/// A RADIUS listener, checked; its files are not read yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RadiusListen {
    /// Of clients that have none of their own.
    pub secret: Option<SecretSettings>,
    /// Of clients that are not named.
    pub reading: Reading,
    /// Clients that are named, the narrowest network first.
    pub clients: Vec<(Network, SecretSettings, Reading)>,
}

impl RadiusListen {
    /// Checks the keys of this protocol; none for another protocol.
    pub fn check(listen: &ListenSettings) -> Result<Option<RadiusListen>, BadRadius> {
        if listen.protocol != Protocol::Radius {
            let keys = [
                ("secret", listen.secret.is_some()),
                ("clients", !listen.clients.is_empty()),
                ("radius", listen.radius.is_some()),
            ];
            return match keys.iter().find(|(_, there)| *there) {
                Some((key, _)) => Err(BadRadius::NotRadius(key)),
                None => Ok(None),
            };
        }
        if listen.format.is_some() || listen.columns.is_some() {
            return Err(BadRadius::Format);
        }
        if listen.secret.is_none() && listen.clients.is_empty() {
            return Err(BadRadius::NoSecret);
        }
        let settings = listen.radius.clone().unwrap_or_default();
        let zone = |key, name: &str| Zone::named(name).map_err(|unknown| BadRadius::Zone(key, unknown));
        let zones = settings
            .zones
            .iter()
            .map(|(name, iana)| Ok((name.as_bytes().into(), zone("radius.zones", iana)?)))
            .collect::<Result<_, BadRadius>>()?;
        let reading = Reading {
            node: listen.node.as_deref().unwrap_or_default().as_bytes().into(),
            zone: listen.timezone.as_deref().map(|name| zone("timezone", name)).transpose()?,
            zones,
            call_origin: match settings.call_origin {
                CallOriginSettings::Answer => CallOrigin::Answer,
                CallOriginSettings::Originate => CallOrigin::Originate,
                CallOriginSettings::Both => CallOrigin::Both,
            },
            user_name_is_account: settings.user_name_is_account,
            session_time: settings.session_time,
        };
        let mut clients = Vec::with_capacity(listen.clients.len());
        for client in &listen.clients {
            let network: Network = client.address.parse()?;
            let secret = client.secret.as_ref().or(listen.secret.as_ref()).ok_or(BadRadius::NoSecret)?;
            let mut own = reading.clone();
            if let Some(node) = &client.node {
                if node.is_empty() || node.len() > 255 || node.bytes().any(|b| b < 0x20) {
                    return Err(BadRadius::Node(node.clone()));
                }
                own.node = node.as_bytes().into();
            }
            if let Some(name) = &client.timezone {
                own.zone = Some(zone("clients: timezone", name)?);
            }
            clients.push((network, secret.clone(), own));
        }
        clients.sort_by_key(|(network, ..)| std::cmp::Reverse(network.fixed_bits()));
        let secrets = || clients.iter().map(|(_, secret, _)| secret).chain(listen.secret.as_ref());
        if secrets().any(|secret| matches!(secret, SecretSettings::Text(text) if text.is_empty())) {
            return Err(BadRadius::Empty);
        }
        Ok(Some(RadiusListen { secret: listen.secret.clone(), reading, clients }))
    }
}

impl ListenSettings {
    /// The same with paths that are relative to a folder.
    pub fn relative_to(&self, base: &Path) -> ListenSettings {
        let mut listen = self.clone();
        let secrets = listen.clients.iter_mut().filter_map(|client| client.secret.as_mut()).chain(&mut listen.secret);
        for secret in secrets {
            *secret = secret.relative_to(base);
        }
        listen.tls = listen.tls.map(|tls| tls.relative_to(base));
        listen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<RadiusListen, String> {
        let settings: ListenSettings = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        let settings = settings.relative_to(Path::new("/etc/callrated"));
        settings.check(&Default::default()).map(|listen| listen.radius.unwrap()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_listener_with_everything() {
        let listen = check(
            r#"
            protocol = "radius"
            address = "127.0.0.1:1813"
            secret = { file = "radius.secret" }
            timezone = "Europe/Berlin"
            [[clients]]
            address = "192.0.2.0/24"
            node = "proxy"
            [[clients]]
            address = "192.0.2.7"
            secret = "s3cret"
            timezone = "UTC"
            [radius]
            zones = { EST = "America/New_York" }
            call_origin = "both"
            session_time = true
            "#,
        )
        .unwrap();
        let file = SecretSettings::File { file: "/etc/callrated/radius.secret".into() };
        assert_eq!(listen.secret, Some(file.clone()));
        let berlin = Some(Zone::named("Europe/Berlin").unwrap());
        assert_eq!((&listen.reading.zone, listen.reading.call_origin), (&berlin, CallOrigin::Both));
        assert!(listen.reading.session_time && listen.reading.zones.len() == 1 && listen.reading.node.is_empty());
        // The narrowest first, each with what it says itself and the listener's for the rest.
        let seven = &listen.clients[0];
        assert_eq!((&seven.1, &seven.2.zone), (&SecretSettings::Text("s3cret".into()), &Some(Zone::UTC)));
        let network = &listen.clients[1];
        assert_eq!((&network.1, &*network.2.node, &network.2.zone), (&file, &b"proxy"[..], &berlin));
        // Nothing that is printed shows it.
        assert!(!format!("{listen:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_refused() {
        let radius = |rest: &str| format!("protocol = \"radius\"\n{rest}");
        for (text, expected) in [
            (radius(""), "needs a secret"),
            (radius("[[clients]]\naddress = \"192.0.2.7\""), "needs a secret"),
            (radius("secret = \"\""), "a secret is empty"),
            (radius("secret = \"s\"\nformat = \"json\""), "format is not for"),
            (radius("secret = \"s\"\n[[clients]]\naddress = \"lan\""), "clients: \"lan\" is not a network"),
            (radius("secret = \"s\"\n[[clients]]\naddress = \"::1\"\nnode = \"\""), "clients: node \"\" must have"),
            (radius("secret = \"s\"\n[radius]\nzones = { X = \"Y\" }"), "radius.zones: unknown time zone \"Y\""),
            (radius("secret = \"s\"\n[radius]\ncall_origin = \"any\""), "unknown variant `any`"),
            ("protocol = \"tcp\"\nsecret = \"s\"".to_owned(), "secret is for protocol = \"radius\""),
        ] {
            let error = check(&text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
