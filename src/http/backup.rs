//! `POST /v1/backup`: a copy of the data folder that holds together, while everything goes on.

use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use super::{App, Problem};
use crate::daemon::backup::{self, BackupError, Parts};

/// `{"dir":"/var/backups/callrated/monday"}`: a folder on the daemon's machine that is not there yet, or empty.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    dir: PathBuf,
}

/// Copies, and answers the manifest.
pub(super) async fn backup(State(app): State<App>, Json(asked): Json<Asked>) -> Result<Json<Value>, Problem> {
    if !asked.dir.is_absolute() {
        return Err(Problem::bad_request(format!("dir={:?}: write an absolute path", asked.dir)));
    }
    app.settle().await?;
    let parts = Parts {
        store: app.store.clone(),
        journal: app.journal.clone(),
        data_dir: app.data_dir.clone(),
        at: app.clock.now(),
    };
    let copied = tokio::task::spawn_blocking(move || backup::write(&parts, &asked.dir)).await;
    match copied {
        Ok(Ok(manifest)) => Ok(Json(serde_json::to_value(manifest).unwrap_or_default())),
        Ok(Err(error @ (BackupError::NotEmpty(_) | BackupError::Inside(_)))) => {
            Err(Problem::unprocessable(error.to_string()))
        }
        Ok(Err(error)) => Err(Problem::unavailable(&error.to_string())),
        Err(_) => Err(Problem::stopping()),
    }
}
