//! The daemon: builds the parts, joins them, waits, stops them. Only here is it known who stands next to whom.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::batch::{Batch, EntryKind, SourceId};
use crate::config::{Config, Protocol};
use crate::entry::SourceProfile;
use crate::exit::Exit;
use crate::http::App;
use crate::identity::IdentitySettings;
use crate::journal::JournalSettings;
use crate::metrics::Metrics;
use crate::os::clock::Clock;
use crate::os::notify;
use crate::rates;
use crate::road::Road;
use crate::sequencer::Control;
use crate::tariff::Severity;

pub mod engine;
pub mod recover;
pub mod reload;
mod watch_rates;

use engine::Engine;
use recover::Known;
use reload::{ReloadError, Reloader};
