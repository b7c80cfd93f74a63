//! `callrated backup` and `callrated restore`: the whole data folder, consistent at one position.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::client::Client;
use super::out;
use super::usage::text;
use super::verify::{self, VerifyArguments};
use crate::config::Config;
use crate::daemon::backup::{self, BackupError};
use crate::exit::Exit;
use crate::os::lock::FolderLock;

/// Copy the data folder, consistent at one position, while the daemon runs or not.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callrated backup /tmp/callrated-copy")]
pub struct BackupArguments {
    /// A folder that is not there yet, or empty; on the daemon's machine.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print the manifest as JSON.
    #[arg(long)]
    json: bool,
}

const RESTORE_EXAMPLE: &str = r#"Example:
  callrated backup /tmp/callrated-copy
  printf 'data_dir = "restored"\n' > restored.toml
  callrated --config restored.toml restore /tmp/callrated-copy"#;

/// Put a backup into an empty data folder, and check it.
///
/// Refuses a data folder that holds anything. The rates folder is not part of a backup: what was in force is.
#[derive(Debug, Args)]
#[command(after_help = RESTORE_EXAMPLE)]
pub struct RestoreArguments {
    /// What `callrated backup` wrote.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn backup(config: &Config, arguments: BackupArguments) -> Result<(), Exit> {
    let dir = std::path::absolute(&arguments.dir).map_err(|e| Exit::usage(format!("{:?}: {e}", arguments.dir)))?;
    let client = Client::open(config).await?;
    let done = async {
        let manifest = client.post_json("/v1/backup", &json!({ "dir": dir })).await?;
        if arguments.json {
            return out::json(&manifest);
        }
        let files = manifest["files"].as_array().map_or(&[][..], Vec::as_slice);
        let bytes: u64 = files.iter().filter_map(|file| file["size"].as_u64()).sum();
        out::line(&format!(
            "{}: {} files, {}, restores to position {}",
            dir.display(),
            files.len(),
            out::size(bytes),
            text(&manifest["position"])
        ))
    };
    let done = done.await;
    super::ended(done, client.close().await)
}

pub(super) async fn restore(config: &Config, arguments: RestoreArguments) -> Result<(), Exit> {
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|e| Exit::environment(format!("the data folder {} cannot be made: {e}", config.data_dir.display())))?;
    // Held while files are written, so that nobody starts on half of them.
    let lock = FolderLock::take(&config.data_dir.join("lock")).map_err(Exit::environment)?;
    let manifest = backup::restore(config, &arguments.dir).map_err(exit_of)?;
    drop(lock);
    // Opening replays the journal behind the store, and checks both against each other.
    let client = Client::open(config).await?;
    let done = async {
        if !arguments.json {
            out::line(&format!(
                "restored {} as of {} into {}, position {}",
                arguments.dir.display(),
                manifest.at,
                config.data_dir.display(),
                manifest.position
            ))?;
        }
        verify::show(&client, &VerifyArguments::printing(arguments.json)).await
    };
    let done = done.await;
    super::ended(done, client.close().await)
}

fn exit_of(error: BackupError) -> Exit {
    match error {
        BackupError::NotEmpty(_) | BackupError::Inside(_) => Exit::usage(error),
        BackupError::Damaged(_) | BackupError::Store(_) => Exit::damaged(error),
        BackupError::Io { .. } => Exit::environment(error),
    }
}
