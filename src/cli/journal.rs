//! `callrated journal inspect` and `repair`: what lies in the journal's files, and the way on where they are damaged.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::out::{self, Paint};
use crate::batch::FrameHead;
use crate::config::Config;
use crate::daemon::recover::journal_exit;
use crate::exit::Exit;
use crate::journal::{self, Found, Inspection};
use crate::os::clock::Clock;
use crate::os::disk::RealDisk;
use crate::os::lock::FolderLock;
use crate::time::Timestamp;

/// Look into the journal.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callrated journal inspect")]
pub struct JournalArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show every frame, and what is wrong where something is. Reads only; a running daemon is not disturbed.
    ///
    /// Ends with code 4 if anything is damaged. The last frames of a running daemon may be half written.
    #[command(
        after_help = "Examples:\n  callrated journal inspect\n  callrated journal inspect data/journal --from 4096 --json"
    )]
    Inspect {
        /// A segment's file, or the folder of all (default: the data folder's journal).
        path: Option<PathBuf>,
        /// Only frames at or behind this position.
        #[arg(long, value_name = "POSITION", default_value_t = 0)]
        from: u64,
        /// Print a JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Show what is damaged, and give up damaged bytes that are named.
    ///
    /// Without --accept-loss it only looks, and ends with code 4 if anything is damaged. With it, the damaged bytes at
    /// exactly that place are copied to a file beside the journal and an entry that says so takes their place; the daemon
    /// then starts again. What they held is not rated until its senders send it again. A backup is better, if there is one.
    #[command(
        after_help = "Examples:\n  callrated journal repair\n  callrated journal repair --accept-loss data/journal/00000000000000000000.seg@4160"
    )]
    Repair {
        /// The damaged place, as the daemon or `callrated journal repair` names it.
        #[arg(long, value_name = "FILE@OFFSET")]
        accept_loss: Option<String>,
        /// Print a JSON object per damaged place, or of what was given up.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(config: impl FnOnce() -> Result<Config, Exit>, arguments: JournalArguments) -> Result<(), Exit> {
    let (path, from, json) = match arguments.what {
        What::Inspect { path, from, json } => (path, from, json),
        What::Repair { accept_loss, json } => return repair(&config()?, accept_loss.as_deref(), json),
    };
    let path = match path {
        Some(path) => path,
        None => config()?.data_dir.join("journal"),
    };
    let mut damaged = 0;
    for file in files(&path)? {
        let inspection = journal::inspect(&RealDisk, &file).map_err(journal_exit)?;
        damaged += if json { lines(&file, &inspection, from)? } else { text(&file, &inspection, from)? };
    }
    if damaged > 0 {
        return Err(Exit::damaged(format!("{damaged} places that are no frames")));
    }
    Ok(())
}

/// Looks for damage; gives up what is named.
fn repair(config: &Config, accepted: Option<&str>, json: bool) -> Result<(), Exit> {
    let dir = config.data_dir.join("journal");
    // A running daemon writes the last segment: it would look torn.
    let _lock = FolderLock::take(&config.data_dir.join("lock")).map_err(Exit::environment)?;
    let damages = journal::look(&RealDisk, &dir).map_err(journal_exit)?;
    let Some(accepted) = accepted else {
        for damage in &damages {
            let (file, offset) = (damage.file.display(), damage.offset);
            let why = damage.why.what();
            if json {
                out::json(&json!({
                    "file": damage.file.display().to_string(), "offset": offset, "position": damage.position.0,
                    "bytes": damage.bytes, "bad": why,
                }))?;
                continue;
            }
            out::line(&format!(
                "{file} at offset {offset} (position {}): {} bytes, {why}",
                damage.position, damage.bytes
            ))?;
            out::line(&format!("  give them up: callrated journal repair --accept-loss {file}@{offset}"))?;
        }
        return match damages.len() {
            0 if json => Ok(()),
            0 => out::line("nothing is damaged"),
            count => {
                Err(Exit::damaged(format!("{count} damaged places; restore a backup, or give them up one by one")))
            }
        };
    };
    let wrong =
        || Exit::usage(format!("{accepted:?} is not FILE@OFFSET, such as data/journal/00000000000000000000.seg@4160"));
    let (file, offset) = accepted.rsplit_once('@').ok_or_else(wrong)?;
    let offset: u64 = offset.parse().map_err(|_| wrong())?;
    // The same file may be named in several ways; its name says which segment it is.
    let named = Path::new(file).file_name();
    let damage = damages.iter().find(|d| d.offset == offset && d.file.file_name() == named).ok_or_else(|| {
        Exit::usage(format!("nothing is damaged at {accepted}: `callrated journal repair` names the damaged places"))
    })?;
    let kept = journal::accept_loss(&RealDisk, &dir, damage, Clock::wall().now()).map_err(journal_exit)?;
    let left = damages.len() - 1;
    if json {
        out::json(&json!({
            "file": damage.file.display().to_string(), "offset": damage.offset, "position": damage.position.0,
            "bytes": damage.bytes, "kept": kept.display().to_string(), "left": left,
        }))?;
    } else {
        let bytes = damage.bytes;
        out::line(&format!("{bytes} bytes at {accepted} were given up; they are kept in {}", kept.display()))?;
    }
    match left {
        0 if json => Ok(()),
        0 => out::line("nothing else is damaged"),
        left => Err(Exit::damaged(format!("{left} more places are damaged: `callrated journal repair` names them"))),
    }
}

/// The segments of a folder in order, or the one file.
fn files(path: &Path) -> Result<Vec<PathBuf>, Exit> {
    let unreadable = |e: std::io::Error| Exit::environment(format!("{}: {e}", path.display()));
    if !path.is_dir() {
        std::fs::metadata(path).map_err(unreadable)?;
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|e| e == "seg") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn shown(found: &Found, from: u64) -> bool {
    match found {
        Found::Frame { head, .. } => head.position.get() >= from,
        Found::Bad { position, .. } => position.0 >= from,
    }
}

fn text(file: &Path, inspection: &Inspection, from: u64) -> Result<u64, Exit> {
    let head = &inspection.head;
    out::line(&out::paint(
        &format!("{}  from position {}, data folder {}", file.display(), head.start, head.folder),
        Paint::Bold,
    ))?;
    let mut damaged = 0;
    for found in inspection.found.iter().filter(|f| shown(f, from)) {
        match found {
            Found::Frame { offset, head } => {
                out::line(&format!(
                    "  {:>12}  offset {offset:>9}  {:>8} B  {}  source {:>2}  {:>6} entries  {:>4} refused",
                    head.position.get(),
                    head.length.get(),
                    Timestamp(head.received_at.get()),
                    head.source.get(),
                    head.entries.get(),
                    head.refused.get()
                ))?;
            }
            Found::Bad { offset, position, bytes, why } => {
                damaged += 1;
                let what = out::paint(&format!("{bytes} bytes that are no frame: {}", why.what()), Paint::Red);
                out::line(&format!("  {position:>12}  offset {offset:>9}  {what}"))?;
            }
        }
    }
    out::line(&format!("  {} unused", out::size(inspection.unused)))?;
    Ok(damaged)
}

fn lines(file: &Path, inspection: &Inspection, from: u64) -> Result<u64, Exit> {
    let mut damaged = 0;
    for found in inspection.found.iter().filter(|f| shown(f, from)) {
        let mut shown = match found {
            Found::Frame { offset, head } => frame(*offset, head),
            Found::Bad { offset, position, bytes, why } => {
                damaged += 1;
                json!({ "bad": why.what(), "position": position.0, "offset": offset, "bytes": bytes })
            }
        };
        shown["file"] = json!(file.display().to_string());
        out::json(&shown)?;
    }
    Ok(damaged)
}

fn frame(offset: u64, head: &FrameHead) -> Value {
    json!({
        "position": head.position.get(),
        "offset": offset,
        "bytes": head.length.get(),
        "received_at": Timestamp(head.received_at.get()).to_string(),
        "source": head.source.get(),
        "entries": head.entries.get(),
        "received": head.received.get(),
        "refused": head.refused.get(),
        "durable_before": head.durable_before.get(),
    })
}
