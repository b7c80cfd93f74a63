//! `POST /v1/backup`: a copy of the data folder that holds together, while everything goes on.
//!
//! Does not know what the data folder is made of.

use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, Problem};
use crate::daemon::backup::{self, BackupError, Manifest, ManifestFile, Parts};

/// Where to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupRequest {
    /// A folder on the daemon's machine that is not there yet, or empty: an absolute path.
    #[schema(value_type = String, example = "/var/backups/callrated/monday")]
    dir: PathBuf,
}

/// What was copied.
#[derive(Serialize, ToSchema)]
pub(super) struct BackupManifest {
    /// Layout of the manifest.
    manifest: u32,
    /// Program that wrote it.
    callrated: String,
    /// When it was asked for.
    at: String,
    /// Position of the store.
    stored: u64,
    /// Position to which the copy is restored: every record that was acknowledged before it is in it.
    position: u64,
    /// Every file.
    files: Vec<BackupFile>,
}

/// One file of a backup.
#[derive(Serialize, ToSchema)]
pub(super) struct BackupFile {
    /// Relative to the backup.
    path: String,
    /// Bytes.
    size: u64,
    /// Of its content.
    blake3: String,
}

impl From<Manifest> for BackupManifest {
    fn from(from: Manifest) -> BackupManifest {
        let Manifest { manifest, callrated, at, stored, position, files } = from;
        let file = |f: ManifestFile| BackupFile { path: f.path, size: f.size, blake3: f.blake3 };
        BackupManifest { manifest, callrated, at, stored, position, files: files.into_iter().map(file).collect() }
    }
}

/// A copy of the data folder, consistent at one position, while everything goes on.
#[utoipa::path(
    post, path = "/v1/backup", tag = "operating", operation_id = "backup",
    request_body = BackupRequest,
    responses((status = 200, body = BackupManifest), (status = "default", response = super::openapi::AnyProblem)),
    security(("token" = ["operate"])),
)]
pub(super) async fn backup(
    State(app): State<App>,
    Json(asked): Json<BackupRequest>,
) -> Result<Json<BackupManifest>, Problem> {
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
        Ok(Ok(manifest)) => Ok(Json(manifest.into())),
        Ok(Err(error @ (BackupError::NotEmpty(_) | BackupError::Inside(_)))) => {
            Err(Problem::unprocessable(error.to_string()))
        }
        Ok(Err(error)) => Err(Problem::unavailable(error.to_string())),
        Err(_) => Err(Problem::stopping()),
    }
}
