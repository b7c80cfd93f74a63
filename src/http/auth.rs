//! Who may call what: bearer tokens with scopes, or this machine only.
//!
//! Without `[http] tokens` only loopback may call, and then not under a domain name (which may be anybody's) and not from
//! another site's page: a browser on the same machine must not become anybody's hand. With it, every call
//! under `/v1` needs a token whose scopes hold the route's. Scopes stand alone: `operate` does not bring `read`.
//!
//! ```toml
//! [[token]]
//! name    = "billing"
//! blake3  = "…"                  # hex of the BLAKE3 of the token; the token itself is kept nowhere
//! scopes  = ["read"]             # ingest, read, operate
//! expires = 2027-01-01           # optional; the first day on which it is not taken any more
//! ```
//!
//! Tokens travel as they are: connections are not encrypted by this version, so beyond one's own machine or network a
//! TLS-ending proxy belongs in front.
//!
//! Does not know what a route does.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use serde::Deserialize;

use super::Problem;
use crate::nearest::unknown;
use crate::os::random;
use crate::time::{Timestamp, Zone, day_start, parse_rfc3339};

/// How often the tokens file is looked at: a withdrawn token is refused within this time.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What every token begins with, so that scanners for leaked secrets can know it.
const TOKEN_PREFIX: &str = "callrated_";

/// What a token may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sending records.
    Ingest,
    /// Usage, calls, records, quotes, what is in force.
    Read,
    /// Suspense, reload, everything that changes something.
    Operate,
}

impl Scope {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Scope::Ingest => "ingest",
            Scope::Read => "read",
            Scope::Operate => "operate",
        }
    }
}

/// Who may call a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    /// A token with this scope.
    Scope(Scope),
    /// Everybody on the metrics address; elsewhere any token.
    Health,
    /// Holds nobody's data.
    Public,
}

/// A new token and the hash that goes into the tokens file, both as text.
pub fn new_token() -> std::io::Result<(String, String)> {
    let token = format!("{TOKEN_PREFIX}{}", blake3::Hash::from_bytes(random::secret()?).to_hex());
    let hash = blake3::hash(token.as_bytes()).to_hex().to_string();
    Ok((token, hash))
}

/// The tokens file, checked.
#[derive(Debug, Default)]
struct Tokens(Vec<Token>);

#[derive(Debug)]
struct Token {
    name: String,
    hash: blake3::Hash,
    scopes: Vec<Scope>,
    expires: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTokens {
    #[serde(default)]
    token: Vec<RawToken>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawToken {
    name: String,
    blake3: String,
    scopes: Vec<Scope>,
    expires: Option<toml::value::Datetime>,
}

/// Why a tokens file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be read.
    #[error("the tokens file {0} cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// Its text is wrong.
    #[error("{0}: {1}")]
    Wrong(PathBuf, String),
}

impl Tokens {
    fn parse(text: &str) -> Result<Tokens, String> {
        let raw: RawTokens = toml::from_str(text).map_err(|e| {
            let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = 1 + before.matches('\n').count();
            let (what, hint) = unknown(e.message()).unwrap_or_else(|| (e.message().to_owned(), String::new()));
            format!("line {line}: {what}{}{hint}", if hint.is_empty() { "" } else { "; " })
        })?;
        let mut tokens: Vec<Token> = Vec::with_capacity(raw.token.len());
        for RawToken { name, blake3, scopes, expires } in raw.token {
            if tokens.iter().any(|t| t.name == name) {
                return Err(format!("the token {name:?} stands there twice: give each a name of its own"));
            }
            let hash = blake3::Hash::from_hex(&blake3)
                .map_err(|_| format!("token {name:?}: blake3 = {blake3:?} is not 64 hex digits"))?;
            if scopes.is_empty() {
                return Err(format!("token {name:?} has no scopes: write some of ingest, read, operate"));
            }
            let expires = match expires {
                None => None,
                Some(at) => Some(instant(&at).ok_or_else(|| {
                    format!("token {name:?}: expires = {at} : write a date (2027-01-01) or a time with offset")
                })?),
            };
            tokens.push(Token { name, hash, scopes, expires });
        }
        Ok(Tokens(tokens))
    }

    /// Compares with every token, each in constant time, so that the time taken tells nothing.
    fn find(&self, token: &str) -> Option<&Token> {
        let hash = blake3::hash(token.as_bytes());
        self.0.iter().fold(None, |found, token| if token.hash == hash { Some(token) } else { found })
    }
}

/// A date is its first instant in UTC.
fn instant(at: &toml::value::Datetime) -> Option<Timestamp> {
    match (at.date, at.time, at.offset) {
        (Some(date), None, None) => {
            day_start(i16::try_from(date.year).ok()?, date.month as i8, date.day as i8, &Zone::UTC)
        }
        (Some(_), Some(_), Some(_)) => parse_rfc3339(at.to_string().as_bytes()),
        _ => None,
    }
}

/// Decides who is let in.
pub(super) struct Guard {
    tokens: Option<TokensFile>,
}

struct TokensFile {
    path: PathBuf,
    tokens: ArcSwap<Tokens>,
    /// The file's time and length when it was read.
    seen: std::sync::Mutex<Option<(SystemTime, u64)>>,
}

/// What a call shows of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Caller<'a> {
    /// Where it comes from; none: from inside the process.
    pub peer: Option<IpAddr>,
    /// `Host`.
    pub host: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Authorization`.
    pub authorization: Option<&'a str>,
}

impl Guard {
    /// With the tokens of a file, or without any.
    pub(super) fn open(tokens: Option<&Path>) -> Result<Guard, TokensError> {
        let Some(path) = tokens else { return Ok(Guard { tokens: None }) };
        let (tokens, seen) = read(path)?;
        Ok(Guard {
            tokens: Some(TokensFile {
                path: path.to_owned(),
                tokens: ArcSwap::from_pointee(tokens),
                seen: std::sync::Mutex::new(seen),
            }),
        })
    }

    /// Whether there is a tokens file.
    pub(super) fn has_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Reads the tokens file again if it is another one than before, or `anyway`. A wrong or missing file changes nothing, so that a
    /// slip of the pen locks nobody out; it is said once.
    pub(super) fn look(&self, anyway: bool) {
        let Some(file) = &self.tokens else { return };
        let now = fs::metadata(&file.path).ok().and_then(|m| Some((m.modified().ok()?, m.len())));
        let mut seen = file.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if now == *seen && !anyway {
            return;
        }
        *seen = now;
        match read(&file.path) {
            Ok((tokens, _)) => {
                tracing::info!("{}: {} tokens are taken from now on", file.path.display(), tokens.0.len());
                file.tokens.store(Arc::new(tokens));
            }
            Err(error) => tracing::error!("{error}; the tokens read before stay in force"),
        }
    }

    /// Whether the caller may use a route; `health_open` on the metrics address.
    pub(super) fn admit(
        &self,
        access: Access,
        health_open: bool,
        caller: Caller<'_>,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let open = access == Access::Public || access == Access::Health && health_open;
        let Some(file) = &self.tokens else {
            return if open && health_open { Ok(()) } else { this_machine(caller) };
        };
        if open {
            return Ok(());
        }
        let Some(authorization) = caller.authorization else {
            return Err(Problem::unauthorized(
                "this needs a token: send Authorization: Bearer TOKEN",
                "Bearer realm=\"callrated\"",
            ));
        };
        let refused = |why: &str| Problem::unauthorized(why, "Bearer realm=\"callrated\", error=\"invalid_token\"");
        let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
        if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
            return Err(refused("send Authorization: Bearer TOKEN"));
        }
        let tokens = file.tokens.load();
        let Some(token) = tokens.find(token.trim()) else { return Err(refused("this token is not known")) };
        if token.expires.is_some_and(|end| now >= end) {
            return Err(refused(&format!("the token {:?} has expired", token.name)));
        }
        match access {
            Access::Scope(scope) if !token.scopes.contains(&scope) => {
                Err(Problem::forbidden(format!("the token {:?} lacks the scope {}", token.name, scope.name()))
                    .challenge(match scope {
                        Scope::Ingest => "Bearer error=\"insufficient_scope\", scope=\"ingest\"",
                        Scope::Read => "Bearer error=\"insufficient_scope\", scope=\"read\"",
                        Scope::Operate => "Bearer error=\"insufficient_scope\", scope=\"operate\"",
                    }))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a tokens file can be used.
pub fn check(path: &Path) -> Result<(), TokensError> {
    read(path).map(drop)
}

fn read(path: &Path) -> Result<(Tokens, Option<(SystemTime, u64)>), TokensError> {
    let unreadable = |e| TokensError::Unreadable(path.to_owned(), e);
    // The time is taken before the text: a change between the two is then seen at the next look.
    let metadata = fs::metadata(path).map_err(unreadable)?;
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let tokens = Tokens::parse(&text).map_err(|e| TokensError::Wrong(path.to_owned(), e))?;
    Ok((tokens, metadata.modified().ok().map(|at| (at, metadata.len()))))
}

/// Without tokens: a caller on this machine, under a name of this machine, and not another site's page.
fn this_machine(caller: Caller<'_>) -> Result<(), Problem> {
    let Some(peer) = caller.peer else { return Ok(()) };
    if !peer.to_canonical().is_loopback() {
        return Err(Problem::forbidden(
            "only this machine may call: [http] tokens in the configuration lets others in",
        ));
    }
    if let Some(host) = caller.host
        && !names_this_machine(host)
    {
        return Err(Problem::forbidden(format!(
            "Host {host:?} is not a name of this machine: use localhost or an address, or set [http] tokens"
        )));
    }
    let own = |origin: &str| {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority.is_some() && authority == caller.host
    };
    match caller.origin {
        Some(origin) if !own(origin) => {
            Err(Problem::forbidden(format!("pages of {origin:?} may not call: set [http] tokens")))
        }
        _ => Ok(()),
    }
}

/// Whether a `Host` is no domain name: an address, `localhost`, a single word. A domain of somebody's may lead a browser
/// on this machine to this port; a word without a dot is nobody's to give.
fn names_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    !name.contains('.') || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests;
