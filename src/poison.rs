//! Poison records: one on which the process died twice is set aside instead of dying for ever.
//!
//! Each thread of the road, and the one that writes into the store, notes the journal position it is at; a panic hook writes that position into a file of the data
//! folder before the process ends. At the next start positions with two deaths are handed to the resolver, which puts
//! their records into suspense `internal_error` and goes on.
//!
//! A build with debug assertions can be told by [`PRETEND`] to die on a chosen record, so that a test from outside can
//! watch all this; a release has no such hook.
//!
//! Does not know what a record is, nor why the program died.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::batch::Position;

/// Deaths at one position after which it is set aside: the first may have had another cause.
const DEATHS: u32 = 2;
/// Name of the file in the data folder.
const FILE: &str = "deaths.json";

thread_local! {
    static AT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// Notes where this thread is. Costs one store.
pub fn at(position: Position) {
    AT.set(position.0);
}

/// Notes that this thread is at no record: what it dies of now is no record's fault.
pub fn nowhere() {
    AT.set(u64::MAX);
}

/// Environment variable of builds with debug assertions: `rated:TEXT` dies where a record that contains the text is
/// rated, `resolved:TEXT` where it is resolved, `stored:TEXT` where a call with the text in its id is written into the
/// store.
#[cfg(debug_assertions)]
pub const PRETEND: &str = "CALLRATED_PRETEND_POISON";

/// Dies if this record is the one chosen for this stage.
#[cfg(debug_assertions)]
pub fn pretend(stage: &str, record: &[u8]) {
    static CHOSEN: std::sync::OnceLock<Option<(String, String)>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let text = std::env::var(PRETEND).ok()?;
        let (stage, text) = text.split_once(':')?;
        Some((stage.to_owned(), text.to_owned()))
    });
    let Some((_, text)) = chosen.as_ref().filter(|(at, text)| at == stage && !text.is_empty()) else { return };
    assert!(memchr::memmem::find(record, text.as_bytes()).is_none(), "this record is poison, {PRETEND} says");
}

/// One position at which the process died.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Death {
    position: u64,
    deaths: u32,
}

/// Makes every panic end the process, and leave the position behind if it happened on the road.
pub fn end_on_panic(data_dir: &Path) {
    let file = data_dir.join(FILE);
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        told(info);
        let position = AT.get();
        if position != u64::MAX {
            note(&file, Position(position));
        }
        std::process::abort();
    }));
}

fn note(file: &PathBuf, position: Position) {
    let mut deaths = read(file);
    match deaths.iter_mut().find(|d| d.position == position.0) {
        Some(death) => death.deaths += 1,
        None => deaths.push(Death { position: position.0, deaths: 1 }),
    }
    // The process is dying: what cannot be written costs one more death, nothing else.
    let aside = file.with_extension("new");
    let text = serde_json::to_vec(&deaths).unwrap_or_default();
    let _ = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, file));
}

fn read(file: &Path) -> Vec<Death> {
    std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Positions that are to be set aside.
pub fn set_aside(data_dir: &Path) -> Vec<Position> {
    read(&data_dir.join(FILE)).into_iter().filter(|d| d.deaths >= DEATHS).map(|d| Position(d.position)).collect()
}

/// Forgets deaths before the stored position: nothing there is rated again.
pub fn forget_before(data_dir: &Path, stored: Position) -> std::io::Result<()> {
    let file = data_dir.join(FILE);
    let deaths = read(&file);
    let kept: Vec<Death> = deaths.iter().copied().filter(|d| d.position >= stored.0).collect();
    if kept.len() < deaths.len() {
        std::fs::write(&file, serde_json::to_vec(&kept)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_deaths_set_a_position_aside() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        note(&file, Position(7));
        note(&file, Position(9));
        assert_eq!(set_aside(dir.path()), []);
        note(&file, Position(9));
        assert_eq!(set_aside(dir.path()), [Position(9)]);
        forget_before(dir.path(), Position(10)).unwrap();
        assert_eq!(set_aside(dir.path()), []);
    }
}
