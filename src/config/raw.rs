//! The configuration as it is written, with the defaults of what is left out.
//!
//! Does not know whether the values fit together.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::webhooks::RawWebhook;
use super::{ByteSize, Length, Months};
use crate::flush::HELD_BYTES_MAX;
use crate::ingest::connect::settings::ConnectSettings;
use crate::ingest::folder::settings::WatchSettings;
use crate::ingest::settings::{ListenSettings, Protocol};
use crate::money::PerCent;
use crate::tls::TlsSettings;
use crate::wire::mapping::settings::MappingSettings;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    pub data_dir: PathBuf,
    pub rates_dir: PathBuf,
    pub shards: usize,
    pub listen: Option<Vec<Spanned<ListenSettings>>>,
    pub watch: Vec<Spanned<WatchSettings>>,
    pub connect: Vec<Spanned<ConnectSettings>>,
    pub format: BTreeMap<String, MappingSettings>,
    pub http: RawHttp,
    pub journal: RawJournal,
    pub periods: RawPeriods,
    pub retention: RawRetention,
    pub metrics: RawMetrics,
    pub flush: RawFlush,
    pub store: RawStore,
    pub margin: RawMargin,
    pub webhook: Vec<Spanned<RawWebhook>>,
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
            retention: RawRetention::default(),
            metrics: RawMetrics::default(),
            flush: RawFlush::default(),
            store: RawStore::default(),
            margin: RawMargin::default(),
            webhook: Vec::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawHttp {
    pub address: Spanned<String>,
    pub tokens: Option<PathBuf>,
    pub tls: Option<Spanned<TlsSettings>>,
}

impl Default for RawHttp {
    fn default() -> RawHttp {
        RawHttp { address: unwritten("127.0.0.1:7080".to_owned()), tokens: None, tls: None }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawJournal {
    pub max_delay: Length,
    pub keep: Length,
    pub min_free: ByteSize,
}

impl Default for RawJournal {
    fn default() -> RawJournal {
        RawJournal { max_delay: Length(2_000), keep: Length(40 * 86_400_000_000), min_free: ByteSize(1 << 30) }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawMetrics {
    pub address: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPeriods {
    pub grace: Length,
    pub auto_seal: bool,
}

impl Default for RawPeriods {
    fn default() -> RawPeriods {
        RawPeriods { grace: Length(3 * 86_400_000_000), auto_seal: false }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRetention {
    pub calls: Option<Months>,
    pub conflicts: Option<Months>,
    pub discarded: Option<Months>,
    pub images: Option<Months>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawFlush {
    pub every: Length,
    pub calls: u64,
    pub memory: ByteSize,
}

impl Default for RawFlush {
    fn default() -> RawFlush {
        RawFlush { every: Length(5_000_000), calls: 50_000, memory: ByteSize(HELD_BYTES_MAX) }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawStore {
    pub url: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawMargin {
    pub warn_below_percent: Option<Spanned<PerCent>>,
}

/// A default, which stands nowhere in the text.
pub(super) fn unwritten<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

pub(super) fn default_listeners() -> Vec<Spanned<ListenSettings>> {
    [Protocol::Udp, Protocol::Tcp].into_iter().map(|protocol| unwritten(ListenSettings::new(protocol))).collect()
}
