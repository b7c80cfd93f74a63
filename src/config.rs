//! `callrated.toml`: text → raw → checked. Joins the parts' own settings; every key has a default, an unknown key is an
//! error that names the nearest known one and its line.
//!
//! Does not know what the values are for; and no part knows this module.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::Spanned;

use crate::ingest::connect::settings::{BadConnect, Connect};
use crate::ingest::folder::settings::Watch;
use crate::ingest::settings::{BadListen, Listen, ListenSettings};
use crate::money::{Money, PerCent};
use crate::nearest::{nearest, unknown};
use crate::period::{PeriodSettings, RetentionSettings};
use crate::time::Micros;
use crate::tls::TlsSettings;
use crate::webhook::Webhook;
use crate::wire::formats::Formats;

mod formats;
mod raw;
mod units;
mod webhooks;

use raw::{Raw, default_listeners};
pub use units::{ByteSize, Length, Months};

/// What the daemon runs by: every value checked, every path resolved.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it came from; none: built-in defaults.
    pub file: Option<PathBuf>,
    /// Everything the daemon keeps.
    pub data_dir: PathBuf,
    /// Tariff and directory sources.
    pub rates_dir: PathBuf,
    /// Rating threads.
    pub shards: usize,
    /// Doors for records.
    pub listeners: Vec<Listen>,
    /// Folders in which nodes leave files.
    pub watches: Vec<Watch>,
    /// Nodes that we call.
    pub connects: Vec<Connect>,
    /// Formats beside those built in.
    pub formats: Formats,
    /// Where the API answers.
    pub http_address: SocketAddr,
    /// The files of the API's TLS; none: it is not encrypted.
    pub http_tls: Option<TlsSettings>,
    /// Tokens of the API; none: only loopback may call.
    pub tokens: Option<PathBuf>,
    /// Where metrics and health answer.
    pub metrics_address: SocketAddr,
    /// Journal.
    pub journal: JournalConfig,
    /// Months that close.
    pub periods: PeriodSettings,
    /// Who is told what the spend guard finds.
    pub webhooks: Vec<Webhook>,
    /// How long what is kept.
    pub retention: RetentionSettings,
    /// Flush at least this often.
    pub flush_every: Length,
    /// And after this many records.
    pub flush_calls: u64,
    /// Bytes of flushes that wait for the store in memory.
    pub flush_memory: ByteSize,
    /// What is to be left of a price, in per cent, where a plan says nothing of it.
    pub least_margin: Money,
    /// SQLite file of the invoice storage.
    pub store: PathBuf,
}

/// The journal's keys.
#[derive(Clone, Copy, Debug)]
pub struct JournalConfig {
    /// The longest that a batch is to wait until its sync begins: an upper bound, never a pause. The sequencer syncs at
    /// once whatever waits, so a batch waits only while the sync before its own runs. A sync that takes longer than this
    /// breaks the promise, which is the disk's doing: it is counted in `callrated_journal_late_syncs_total`.
    pub max_delay: Length,
    /// How long stored segments stay.
    pub keep: Length,
    /// Free space below which the doors close.
    pub min_free: ByteSize,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {0} cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// The text is wrong.
    #[error("{file}{}: {message}{}", Place::shown(*.place), Hint(hint))]
    Wrong {
        /// Which file.
        file: PathBuf,
        /// Line and column, from 1, where they are known.
        place: Option<Place>,
        /// What is wrong.
        message: String,
        /// How to mend it; empty: the message says it.
        hint: String,
    },
}

/// A place in a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl Place {
    /// Of an offset.
    fn of(text: &str, offset: usize) -> Option<Place> {
        let before = text.get(..offset)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Some(Place { line: u32::try_from(line).ok()?, column: u32::try_from(column).ok()? })
    }

    /// `:2:1`, or nothing.
    fn shown(place: Option<Place>) -> String {
        place.map_or_else(String::new, |p| format!(":{}:{}", p.line, p.column))
    }
}

struct Hint<'a>(&'a str);

impl std::fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " (hint: {})", self.0) }
    }
}

/// A fault before its file and place are known: the offset in the text, what is wrong, how to mend it.
#[derive(Debug)]
struct Fault {
    offset: Option<usize>,
    message: String,
    hint: String,
}

impl Fault {
    fn at<T>(key: &Spanned<T>, message: impl Into<String>) -> Fault {
        // A default stands nowhere.
        let span = key.span();
        Fault { offset: (!span.is_empty()).then_some(span.start), message: message.into(), hint: String::new() }
    }
}

/// The file looked for where `--config` is not given.
pub const DEFAULT_FILE: &str = "callrated.toml";

impl Config {
    /// From the file, from `./callrated.toml` if that is there, else built-in defaults.
    pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
        let default = Path::new(DEFAULT_FILE);
        let file = match file {
            Some(file) => Some(file),
            None => default.exists().then_some(default),
        };
        match file {
            None => Config::parse("", None),
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|e| ConfigError::Unreadable(file.to_owned(), e))?;
                Config::parse(&text, Some(file))
            }
        }
    }

    /// From text; relative paths are relative to the file's folder.
    pub fn parse(text: &str, file: Option<&Path>) -> Result<Config, ConfigError> {
        let config = toml::from_str::<Raw>(text).map_err(|e| fault_of(&e)).and_then(|raw| {
            let formats = formats::checked(&raw.format)?;
            Config::check(raw, formats, file)
        });
        config.map_err(|fault| ConfigError::Wrong {
            file: file.unwrap_or(Path::new("(text)")).to_owned(),
            place: fault.offset.and_then(|offset| Place::of(text, offset)),
            message: fault.message,
            hint: fault.hint,
        })
    }

    fn check(raw: Raw, formats: Formats, file: Option<&Path>) -> Result<Config, Fault> {
        let base = file.and_then(Path::parent).unwrap_or(Path::new(""));
        let address = |text: &Spanned<String>, key: &str| -> Result<SocketAddr, Fault> {
            text.get_ref().parse().map_err(|_| Fault {
                hint: "write IP and port, such as \"127.0.0.1:7070\"".to_owned(),
                ..Fault::at(text, format!("{key} = {:?} is not an address", text.get_ref()))
            })
        };
        let http_address = address(&raw.http.address, "http.address")?;
        let metrics_address = match &raw.metrics.address {
            Some(text) => address(text, "metrics.address")?,
            None => http_address,
        };
        if let Some(tls) = raw.http.tls.as_ref().filter(|tls| tls.get_ref().client_ca.is_some()) {
            let hint = "tokens say who may call the API".to_owned();
            return Err(Fault { hint, ..Fault::at(tls, "http.tls: client_ca is for [[listen]]") });
        }
        let data_dir = base.join(&raw.data_dir);
        let store = match &raw.store.url {
            None => data_dir.join("callrated.db"),
            Some(url) => match url.get_ref().strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
                Some(path) => base.join(path),
                None => {
                    let message =
                        format!("store.url = {:?}: this version stores in \"sqlite:FILE\" only", url.get_ref());
                    return Err(Fault::at(url, message));
                }
            },
        };
        let listen = raw.listen.unwrap_or_else(default_listeners);
        let wrong = |bad: BadListen, fault: Fault| Fault { hint: formats::hint(&bad, &formats), ..fault };
        let listeners = (listen.iter())
            .map(|spanned| {
                let one = spanned.get_ref();
                one.relative_to(base).check(&formats).map_err(|e| {
                    let message = format!("[[listen]] {} {}: {e}", one.protocol.name(), one.at());
                    wrong(e, Fault::at(spanned, message))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        for (i, one) in listen.iter().enumerate() {
            let twin = |other: &Spanned<ListenSettings>| {
                (other.get_ref().protocol, other.get_ref().at()) == (one.get_ref().protocol, one.get_ref().at())
            };
            // With port 0 the system finds a port for each.
            if one.get_ref().at().port() != 0 && listen[..i].iter().any(twin) {
                let message =
                    format!("[[listen]] {} {} stands there twice", one.get_ref().protocol.name(), one.get_ref().at());
                return Err(Fault { hint: "give each an address of its own".to_owned(), ..Fault::at(one, message) });
            }
        }
        let watches = (raw.watch.iter())
            .map(|spanned| {
                let one = spanned.get_ref();
                one.check(base, &formats).map_err(|e| {
                    let message = format!("[[watch]] {}: {e}", one.folder.display());
                    wrong(e, Fault::at(spanned, message))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let connects = (raw.connect.iter())
            .map(|spanned| {
                let one = spanned.get_ref();
                one.check(base, &formats).map_err(|e| {
                    let message = format!("[[connect]] {} {}: {e}", one.protocol.name(), one.address);
                    let fault = Fault::at(spanned, message);
                    match e {
                        BadConnect::Listen(bad) => wrong(bad, fault),
                        _ => fault,
                    }
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        for (i, (one, spanned)) in connects.iter().zip(&raw.connect).enumerate() {
            if connects.iter().take(i).any(|other| other.address == one.address) {
                let message =
                    format!("[[connect]] {} {} stands there twice", spanned.get_ref().protocol.name(), one.address);
                return Err(Fault {
                    hint: "one connection to a node is enough".to_owned(),
                    ..Fault::at(spanned, message)
                });
            }
        }
        let webhooks = webhooks::checked(&raw.webhook, base)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Config {
            file: file.map(Path::to_owned),
            data_dir,
            rates_dir: base.join(&raw.rates_dir),
            shards: if raw.shards == 0 { cores } else { raw.shards.min(256) },
            listeners,
            watches,
            connects,
            formats,
            http_address,
            http_tls: raw.http.tls.map(|tls| tls.get_ref().relative_to(base)),
            tokens: raw.http.tokens.map(|p| base.join(p)),
            metrics_address,
            journal: JournalConfig {
                max_delay: raw.journal.max_delay,
                keep: raw.journal.keep,
                min_free: raw.journal.min_free,
            },
            periods: PeriodSettings { grace: Micros(raw.periods.grace.0), auto_seal: raw.periods.auto_seal },
            webhooks,
            retention: RetentionSettings {
                calls: raw.retention.calls.map(|m| m.0),
                conflicts: raw.retention.conflicts.map(|m| m.0),
                discarded: raw.retention.discarded.map(|m| m.0),
                images: raw.retention.images.map(|m| m.0),
            },
            flush_every: raw.flush.every,
            flush_calls: raw.flush.calls.max(1),
            flush_memory: raw.flush.memory,
            least_margin: least_margin(raw.margin.warn_below_percent)?,
            store,
        })
    }
}

fn least_margin(written: Option<Spanned<PerCent>>) -> Result<Money, Fault> {
    let Some(written) = written else { return Ok(Money::ZERO) };
    let hint = "write per cent of the price, 0 to 100: 5, or \"2.5\"";
    let fault = || Fault { hint: hint.to_owned(), ..Fault::at(&written, "no least margin") };
    written.get_ref().value().ok_or_else(fault)
}

/// What the reader of the text says, with "did you mean" for what it does not know.
fn fault_of(error: &toml::de::Error) -> Fault {
    let (message, hint) =
        unknown(error.message()).unwrap_or_else(|| (error.message().replace('\n', ", "), String::new()));
    Fault { offset: error.span().map(|span| span.start), message, hint }
}

#[cfg(test)]
mod tests {
    use super::raw::{RawFlush, RawHttp, RawJournal, RawMargin, RawMetrics, RawPeriods, RawRetention, RawStore};
    use super::*;
    use crate::ingest::connect::settings::ConnectSettings;
    use crate::ingest::folder::settings::WatchSettings;

    #[test]
    fn defaults_need_no_file() {
        let config = Config::parse("", None).unwrap();
        assert_eq!(config.listeners.len(), 2);
        assert_eq!(config.http_address.to_string(), "127.0.0.1:7080");
        assert_eq!(config.flush_calls, 50_000);
    }

    #[test]
    fn an_unknown_key_names_the_nearest_and_the_line() {
        let error = Config::parse("data_dir = \"x\"\nrates_dirr = \"y\"\n", None).unwrap_err().to_string();
        assert_eq!(error, "(text):2:1: unknown key `rates_dirr` (hint: did you mean `rates_dir`?)");
    }

    #[test]
    fn wrong_values_are_said() {
        for (text, expected) in [
            ("[http]\naddress = \"localhost\"", ":2:11: http.address"),
            ("[metrics]\naddress = \"localhost\"", ":2:11: metrics.address"),
            ("[store]\nurl = \"postgres://x\"", ":2:7: store.url = \"postgres://x\": this version stores in"),
            (
                "shards = 1\n\n[[listen]]\nprotocol = \"udp\"\ncountry = \"de\"",
                ":3:1: [[listen]] udp 127.0.0.1:7070: country",
            ),
            ("[[watch]]\nfolder = \"f\"\ncountry = \"de\"", ":1:1: [[watch]] f: country"),
            ("[margin]\nwarn_below_percent = \"101\"", ":2:22: no least margin"),
            ("[flush]\nevery = \"5\"", ":2:9: \"5\" needs a unit"),
            ("[periods]\ngrace = \"3\"", ":2:9: \"3\" needs a unit"),
            ("[retention]\ncalls = \"400d\"", ":2:9: \"400d\" needs a unit: month, months, year, years"),
            ("shards =", ":1:9: "),
            ("[[listen]]\nprotocol = \"tpc\"", ":2:12: unknown value `tpc` (hint: did you mean `tcp`?)"),
            (
                "[[listen]]\nprotocol = \"tcp\"\n[[listen]]\nprotocol = \"udp\"\n[[listen]]\nprotocol = \"tcp\"\nnode = \"a\"",
                ":5:1: [[listen]] tcp 127.0.0.1:7070 stands there twice",
            ),
            (
                "[[listen]]\nprotocol = \"tcp\"\ntls = { crt = \"c\", key = \"k\" }",
                ":3:9: unknown key `crt` (hint: did you mean `cert`?)",
            ),
            (
                "[http]\ntls = { cert = \"c\", key = \"k\", client_ca = \"a\" }",
                ":2:7: http.tls: client_ca is for [[listen]] (hint: tokens",
            ),
            (
                "[[webhook]]\nurl = \"ftp://x\"\nsecret = { file = \"s\" }",
                ":2:7: [[webhook]] \"ftp://x\" is no address (hint: write https://HOST/PATH)",
            ),
            (
                "[[webhook]]\nurl = \"https://x\"\nsecret = \"s\"\ngive_upp = \"3d\"",
                ":4:1: unknown key `give_upp` (hint: did you mean `give_up`?)",
            ),
            ("[htt]\n", ":1:2: unknown key `htt` (hint: did you mean `http`?)"),
            ("[http]\nzzz = 1\n", ":2:1: unknown key `zzz` (hint: known here: address, tokens, tls)"),
            (
                "[[connect]]\nprotocol = \"ami\"\naddress = \"pbx\"",
                ":1:1: [[connect]] ami pbx: protocol = \"ami\" needs a login",
            ),
            ("[[connect]]\nprotocol = \"tcp\"\naddress = \"h:1\"\nformat = \"mittel\"", ":1:1: [[connect]] tcp h:1: "),
            (
                "[[connect]]\nprotocol = \"evapi\"\naddress = \"k\"\n[[connect]]\nprotocol = \"evapi\"\naddress = \"k:8448\"",
                ":4:1: [[connect]] evapi k:8448 stands there twice",
            ),
        ] {
            let error = Config::parse(text, None).unwrap_err().to_string();
            assert!(error.starts_with(&format!("(text){expected}")), "{text}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    /// The shipped file, as it is and with every key it shows, is one this program reads.
    #[test]
    fn the_service_file_is_read() {
        let text = include_str!("../systemd/callrated.toml");
        Config::parse(text, None).unwrap();
        let uncommented: String = text
            .lines()
            .map(|line| line.strip_prefix('#').filter(|l| l.starts_with('[') || l.contains(" = ")).unwrap_or(line))
            .filter(|line| !line.starts_with("A ") && !line.contains("error that names"))
            .flat_map(|line| [line, "\n"])
            .collect();
        Config::parse(&uncommented, None).unwrap_or_else(|e| panic!("{e}\n{uncommented}"));
    }

    /// The keys that a table may have, by what is said of one that it may not.
    fn keys<T: serde::de::DeserializeOwned>() -> Vec<String> {
        let Err(error) = toml::from_str::<T>("no_such_key = 1") else { panic!("an unknown key is taken") };
        let known = error.message().split_once("expected").unwrap_or_else(|| panic!("{error}")).1;
        known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_service_file_shows_every_key() {
        use crate::ingest::radius::settings::{ClientSettings, RadiusSettings};
        let text = include_str!("../systemd/callrated.toml");
        for keys in [
            keys::<Raw>(),
            keys::<ListenSettings>(),
            keys::<TlsSettings>(),
            keys::<WatchSettings>(),
            keys::<ConnectSettings>(),
            keys::<ClientSettings>(),
            keys::<RadiusSettings>(),
            keys::<RawHttp>(),
            keys::<RawJournal>(),
            keys::<RawPeriods>(),
            keys::<RawRetention>(),
            keys::<RawMetrics>(),
            keys::<RawFlush>(),
            keys::<RawStore>(),
            keys::<RawMargin>(),
            keys::<super::webhooks::RawWebhook>(),
        ] {
            assert!(!keys.is_empty());
            for key in keys {
                let shown = |line: &str| {
                    let line = line.trim_start_matches('#');
                    let table = line.trim_start_matches('[').trim_start_matches("listen.").split([']', '.']).next();
                    line.split(" =").next() == Some(key.as_str())
                        || line.starts_with('[') && table == Some(key.as_str())
                        || ["{ ", ", "].iter().any(|front| line.contains(&format!("{front}{key} = ")))
                };
                assert!(text.lines().any(shown), "{key} is not shown");
            }
        }
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let config = Config::parse("data_dir = \"d\"", Some(Path::new("/etc/callrated/callrated.toml"))).unwrap();
        assert_eq!(config.data_dir, Path::new("/etc/callrated/d"));
        assert_eq!(config.store, Path::new("/etc/callrated/d/callrated.db"));
    }
}
