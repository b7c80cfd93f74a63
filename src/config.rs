//! `callrated.toml`: text → raw → checked. Joins the parts' own settings; every key has a default, an unknown key is an
//! error that names the nearest known one and its line.
//!
//! Does not know what the values are for; and no part knows this module.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::ingest::connect::settings::{BadConnect, Connect, ConnectSettings};
use crate::ingest::folder::settings::{Watch, WatchSettings};
use crate::ingest::settings::{Listen, ListenSettings, Protocol};
use crate::nearest::nearest;
use crate::wire::formats::Formats;
use crate::wire::mapping::settings::MappingSettings;

mod formats;
mod units;

pub use units::{ByteSize, Length};

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
    /// Tokens of the API; none: only loopback may call.
    pub tokens: Option<PathBuf>,
    /// Where metrics and health answer.
    pub metrics_address: SocketAddr,
    /// Journal.
    pub journal: JournalConfig,
    /// Flush at least this often.
    pub flush_every: Length,
    /// And after this many records.
    pub flush_calls: u64,
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
    /// The text is wrong: file, what, where, hint.
    #[error("{file}: {message}")]
    Wrong {
        /// Which file.
        file: PathBuf,
        /// What, with line and column where known.
        message: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    data_dir: PathBuf,
    rates_dir: PathBuf,
    shards: usize,
    listen: Option<Vec<ListenSettings>>,
    watch: Vec<WatchSettings>,
    connect: Vec<ConnectSettings>,
    format: BTreeMap<String, MappingSettings>,
    http: RawHttp,
    journal: RawJournal,
    periods: RawPeriods,
    metrics: RawMetrics,
    flush: RawFlush,
    store: RawStore,
}

impl Default for Raw {
    fn default() -> Raw {
        Raw {
            data_dir: "data".into(),
            rates_dir: "rates".into(),
            shards: 0,
            listen: None,
            watch: Vec::new(),
            connect: Vec::new(),
            format: BTreeMap::new(),
            http: RawHttp::default(),
            journal: RawJournal::default(),
            periods: RawPeriods::default(),
            metrics: RawMetrics::default(),
            flush: RawFlush::default(),
            store: RawStore::default(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawHttp {
    address: String,
    tokens: Option<PathBuf>,
}

impl Default for RawHttp {
    fn default() -> RawHttp {
        RawHttp { address: "127.0.0.1:7080".to_owned(), tokens: None }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawJournal {
    max_delay: Length,
    keep: Length,
    min_free: ByteSize,
}

impl Default for RawJournal {
    fn default() -> RawJournal {
        RawJournal { max_delay: Length(2_000), keep: Length(40 * 86_400_000_000), min_free: ByteSize(1 << 30) }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawMetrics {
    address: Option<String>,
}

/// This version keeps every period open: the keys are read so that a file that has them is understood, and sealing by
/// schedule is refused rather than left undone in silence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawPeriods {
    #[allow(dead_code)]
    grace: Length,
    auto_seal: bool,
}

impl Default for RawPeriods {
    fn default() -> RawPeriods {
        RawPeriods { grace: Length(3 * 86_400_000_000), auto_seal: false }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawFlush {
    every: Length,
    calls: u64,
}

impl Default for RawFlush {
    fn default() -> RawFlush {
        RawFlush { every: Length(5_000_000), calls: 50_000 }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawStore {
    url: String,
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
            None => Config::check(Raw::default(), Formats::default(), None),
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|e| ConfigError::Unreadable(file.to_owned(), e))?;
                Config::parse(&text, Some(file))
            }
        }
    }

    /// From text; relative paths are relative to the file's folder.
    pub fn parse(text: &str, file: Option<&Path>) -> Result<Config, ConfigError> {
        let raw: Raw = toml::from_str(text).map_err(|e| ConfigError::Wrong {
            file: file.unwrap_or(Path::new("(text)")).to_owned(),
            message: with_hint(&e.to_string()),
        })?;
        let formats = formats::checked(&raw.format, text)
            .map_err(|message| ConfigError::Wrong { file: file.unwrap_or(Path::new("(text)")).to_owned(), message })?;
        Config::check(raw, formats, file)
    }

    fn check(raw: Raw, formats: Formats, file: Option<&Path>) -> Result<Config, ConfigError> {
        let wrong = |message: String| ConfigError::Wrong {
            file: file.unwrap_or(Path::new("built-in defaults")).to_owned(),
            message,
        };
        let base = file.and_then(Path::parent).unwrap_or(Path::new(""));
        let address = |text: &str, key: &str| -> Result<SocketAddr, ConfigError> {
            text.parse().map_err(|_| {
                wrong(format!("{key} = {text:?} is not an address: write IP and port, such as \"127.0.0.1:7070\""))
            })
        };
        let http_address = address(&raw.http.address, "http.address")?;
        let metrics_address = match &raw.metrics.address {
            Some(text) => address(text, "metrics.address")?,
            None => http_address,
        };
        if raw.periods.auto_seal {
            return Err(wrong("periods.auto_seal = true: this version does not seal periods".to_owned()));
        }
        let data_dir = base.join(&raw.data_dir);
        let store = match raw.store.url.as_str() {
            "" => data_dir.join("callrated.db"),
            url => match url.strip_prefix("sqlite:") {
                Some(path) => base.join(path),
                None => {
                    return Err(wrong(format!("store.url = {url:?}: this version stores in \"sqlite:FILE\" only")));
                }
            },
        };
        let listen = raw.listen.unwrap_or_else(default_listeners);
        let listeners = listen
            .iter()
            .map(|one| {
                one.relative_to(base).check(&formats).map_err(|e| {
                    let hint = formats::hint(&e, &formats);
                    wrong(format!("[[listen]] {} {}: {e}{hint}", one.protocol.name(), one.at()))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let watches = (raw.watch.iter())
            .map(|one| {
                one.check(base, &formats).map_err(|e| {
                    let hint = formats::hint(&e, &formats);
                    wrong(format!("[[watch]] {}: {e}{hint}", one.folder.display()))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let connects = (raw.connect.iter())
            .map(|one| {
                one.check(base, &formats).map_err(|e| {
                    let hint = match &e {
                        BadConnect::Listen(bad) => formats::hint(bad, &formats),
                        _ => String::new(),
                    };
                    wrong(format!("[[connect]] {} {}: {e}{hint}", one.protocol.name(), one.address))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        for (at, one) in connects.iter().enumerate() {
            if connects.iter().take(at).any(|other| other.address == one.address) {
                return Err(wrong(format!("[[connect]] {0}: {0} stands twice", one.address)));
            }
        }
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
            tokens: raw.http.tokens.map(|p| base.join(p)),
            metrics_address,
            journal: JournalConfig {
                max_delay: raw.journal.max_delay,
                keep: raw.journal.keep,
                min_free: raw.journal.min_free,
            },
            flush_every: raw.flush.every,
            flush_calls: raw.flush.calls.max(1),
            store,
        })
    }
}

fn default_listeners() -> Vec<ListenSettings> {
    [Protocol::Udp, Protocol::Tcp].into_iter().map(ListenSettings::new).collect()
}

/// Adds "did you mean" to serde's message about an unknown key.
fn with_hint(message: &str) -> String {
    let Some(rest) = message.split("unknown field `").nth(1) else { return message.to_owned() };
    let Some((unknown, rest)) = rest.split_once('`') else { return message.to_owned() };
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    match nearest(unknown, known.iter().copied()) {
        Some(near) => format!("{message}hint: did you mean `{near}`?\n"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(error.contains("line 2") && error.contains("did you mean `rates_dir`"), "{error}");
    }

    #[test]
    fn wrong_values_are_said() {
        for (text, expected) in [
            ("[http]\naddress = \"localhost\"", "http.address"),
            ("[store]\nurl = \"postgres://x\"", "sqlite:FILE"),
            ("[[listen]]\nprotocol = \"udp\"\naddress = \"127.0.0.1:1\"\ncountry = \"de\"", "ISO 3166"),
            ("[flush]\nevery = \"5\"", "unit"),
            (
                "[[connect]]\nprotocol = \"ami\"\naddress = \"pbx\"",
                "[[connect]] ami pbx: protocol = \"ami\" needs a login",
            ),
            ("[[connect]]\nprotocol = \"tcp\"\naddress = \"h:1\"\nformat = \"mittel\"", "did you mean \"mitel\"?"),
            (
                "[[connect]]\nprotocol = \"evapi\"\naddress = \"k\"\n[[connect]]\nprotocol = \"evapi\"\naddress = \"k:8448\"",
                "k:8448 stands twice",
            ),
            ("[periods]\nauto_seal = true", "does not seal"),
        ] {
            let error = Config::parse(text, None).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
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

    #[test]
    fn paths_are_relative_to_the_file() {
        let config = Config::parse("data_dir = \"d\"", Some(Path::new("/etc/callrated/callrated.toml"))).unwrap();
        assert_eq!(config.data_dir, Path::new("/etc/callrated/d"));
        assert_eq!(config.store, Path::new("/etc/callrated/d/callrated.db"));
    }
}
