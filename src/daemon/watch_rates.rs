//! Watches the rates folder: a change is reloaded once it has been quiet for a moment.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::reload::{ReloadError, Reloader, Wish};
use crate::rates;

/// Quiet time after the last change: editors and copies write a file in several steps.
const QUIET: Duration = Duration::from_millis(500);

/// A folder that is being watched. Changes from the beginning on are kept until [`Watched::reload_at_changes`].
pub(super) struct Watched {
    /// Watches for as long as it lives; none where the system cannot.
    _watcher: Option<RecommendedWatcher>,
    changes: mpsc::Receiver<()>,
}

impl Watched {
    /// Begins to watch, before the folder is read for the first time: a change while the daemon starts is none the less one.
    pub(super) fn begin(folder: &Path) -> Watched {
        let (changed, changes) = mpsc::channel::<()>(1);
        let told = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|e| !matches!(e.kind, notify::EventKind::Access(_))) {
                // One waiting note is enough.
                let _ = changed.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(told)
            .and_then(|mut watcher| watcher.watch(folder, RecursiveMode::Recursive).map(|()| watcher));
        if watcher.is_err() {
            tracing::warn!("changes of {} are not seen by themselves: send SIGHUP", folder.display());
        }
        Watched { _watcher: watcher.ok(), changes }
    }

    /// Reloads at every change, for as long as the daemon runs.
    pub(super) async fn reload_at_changes(mut self, reloader: Arc<Reloader>) {
        while self.changes.recv().await.is_some() {
            while tokio::time::timeout(QUIET, self.changes.recv()).await.is_ok_and(|c| c.is_some()) {}
            reload_and_say(&reloader, "file change").await;
        }
    }
}

/// Reloads and says in the log what came of it.
pub(super) async fn reload_and_say(reloader: &Reloader, by: &str) {
    match reloader.reload(by, Wish::Noticed, None).await {
        Ok(loaded) => {
            if let Some(left) = &loaded.left {
                tracing::warn!("{}", left_alone(&loaded.tariff, left));
            }
            for finding in &loaded.findings {
                tracing::warn!("{}", rates::describe(finding));
            }
            if loaded.guards_changed {
                tracing::info!("in force ({by}): {} rules of the spend guard", loaded.guards);
            }
            if loaded.tariff_changed || loaded.directory_changed {
                tracing::info!(
                    "in force ({by}): tariff {} with {} prefixes, directory {} with {} accounts",
                    &loaded.tariff[..12],
                    loaded.prefixes,
                    &loaded.directory[..12],
                    loaded.accounts
                );
            } else if !loaded.guards_changed {
                tracing::info!("nothing changed in {} ({by})", reloader.folder().display());
            }
        }
        Err(error) => {
            if let ReloadError::Rates(rates::RatesError::Wrong { findings, .. }) = &error {
                for finding in findings {
                    tracing::error!("{}", rates::describe(finding));
                }
            }
            tracing::error!("{error}; what is in force stays ({by})");
        }
    }
}

/// What is said of a rates folder whose tariff was rolled back from.
pub(super) fn left_alone(in_force: &str, left: &str) -> String {
    format!(
        "tariff {} stays in force, as was asked for: the rates folder still gives {}, which was rolled back from. Change its \
         prices, or ask for it: `callrated tariff activate {}`, POST /v1/tariff/reload",
        &in_force[..12],
        &left[..12],
        &left[..12]
    )
}
