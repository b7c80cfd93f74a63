//! Where traffic goes: `tcp://HOST:PORT`, `udp://HOST:PORT`, `http://HOST[:PORT][/PATH]`.
//!
//! Does not know how to get there.

/// Where to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// Lines, with the dialogue.
    Tcp(String),
    /// Lines, never answered.
    Udp(String),
    /// Posts of NDJSON.
    Http {
        /// Host and port.
        authority: String,
        /// Of the request.
        path: String,
    },
}

impl std::str::FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Target, BadTarget> {
        let bad = || BadTarget(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let port =
            authority.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>().ok()));
        let with_port = |default: Option<u16>| match (port, default) {
            (Some(Some(_)), _) => Ok(authority.to_owned()),
            (None, Some(port)) if !authority.is_empty() => Ok(format!("{authority}:{port}")),
            _ => Err(bad()),
        };
        match (scheme, path) {
            ("tcp", "" | "/") => with_port(None).map(Target::Tcp),
            ("udp", "" | "/") => with_port(None).map(Target::Udp),
            ("http", "" | "/") => Ok(Target::Http { authority: with_port(Some(80))?, path: "/v1/calls".to_owned() }),
            ("http", path) => Ok(Target::Http { authority: with_port(Some(80))?, path: path.to_owned() }),
            _ => Err(bad()),
        }
    }
}

/// Text that is not a target.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a target: write tcp://HOST:PORT, udp://HOST:PORT or http://HOST:PORT")]
pub struct BadTarget(pub String);
