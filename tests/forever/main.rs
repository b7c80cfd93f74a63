//! What holds for ever: a record is charged once however late it comes again, the books balance across restarts, nothing
//! stored can be changed without `verify` naming it, stopping and starting lose nothing, and a clock that jumps breaks
//! nothing.

// A test from outside measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

#[path = "../process/mod.rs"]
mod process;

mod clock;
mod exports;
mod released;
mod repeats;
mod retention;
mod rollover;
mod starting;
mod stopping;
mod tampering;

use std::path::Path;

use rusqlite::Connection;

/// The store of a folder in which nobody is at work.
fn store_of(folder: &Path) -> Connection {
    Connection::open(folder.join("data/callrated.db")).unwrap()
}

/// Ids of all stored calls, in the order of their records in the journal.
fn stored_ids(folder: &Path) -> Vec<String> {
    let store = store_of(folder);
    let mut statement = store.prepare("SELECT call_id FROM call_details ORDER BY position, leg").unwrap();
    statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Copies a folder with everything in it.
fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}
