//! A whole data folder as version 0.1.0 wrote it: journal, identities, images and store, the last records not stored yet.
//! It goes on under this version as if nothing had happened.
//!
//! Every file is kept apart and compressed in `tests/data/folder-v1`. `WRITE_GOLDEN=1` writes it anew; that is for a
//! layout that was never released.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use callrated::journal::{SEGMENT_HEAD, inspect};
use callrated::os::disk::RealDisk;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::process::daemon::{Daemon, log_of};
use crate::process::model::{Model, compare};
use crate::process::rates_folder;
use crate::process::traffic::{Random, calls};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/folder-v1");
/// The records are plausible for ninety days; they were received on the day after.
const DAY: &str = "2026-11-20";

/// 200 stored calls, and 50 that are in the journal only.
fn records() -> (Vec<String>, Vec<String>, Model) {
    let (mut random, mut model) = (Random(1), Model::default());
    let stored = calls(0, 200, DAY, &mut random, &mut model);
    (stored, calls(1, 50, DAY, &mut random, &mut model), model)
}

fn files(folder: &Path, below: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() { files(folder, &path, all) } else { all.push(path) }
    }
}

/// Makes the folder by the program itself, and ends it without a goodbye.
fn write() {
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let (stored, waiting, _) = records();
    let daemon = Daemon::start_with(folder.path(), "[flush]\nevery = \"1h\"\n");
    daemon.send_http(&stored.iter().map(|l| l.trim_end()).collect::<Vec<_>>());
    daemon.get("/v1/suspense");
    daemon.send_http(&waiting.iter().map(|l| l.trim_end()).collect::<Vec<_>>());
    daemon.kill();
    let data = folder.path().join("data");
    let store = rusqlite::Connection::open(data.join("callrated.db")).unwrap();
    store.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE; VACUUM;").unwrap();
    drop(store);
    let _ = std::fs::remove_dir_all(GOLDEN);
    let mut all = Vec::new();
    files(&data, Path::new(""), &mut all);
    for path in all.iter().filter(|path| !path.ends_with("lock")) {
        let mut bytes = std::fs::read(data.join(path)).unwrap();
        if path.extension().is_some_and(|e| e == "seg") {
            // Room not used yet says nothing.
            let inspection = inspect(&RealDisk, &data.join(path)).unwrap();
            bytes.truncate(bytes.len() - inspection.unused as usize);
            assert!(bytes.len() as u64 > SEGMENT_HEAD);
        }
        let target = format!("{GOLDEN}/{}.gz", path.display());
        std::fs::create_dir_all(Path::new(&target).parent().unwrap()).unwrap();
        let mut gz = GzEncoder::new(std::fs::File::create(&target).unwrap(), Compression::best());
        gz.write_all(&bytes).unwrap();
        gz.finish().unwrap();
    }
}

#[test]
fn a_folder_of_version_0_1_goes_on() {
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        write();
    }
    let folder = tempfile::tempdir().unwrap();
    rates_folder(folder.path());
    let mut all = Vec::new();
    files(Path::new(GOLDEN), Path::new(""), &mut all);
    assert!(all.iter().any(|path| path.starts_with("images")), "{all:?}");
    for path in all {
        let target = folder.path().join("data").join(path.with_extension(""));
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let mut bytes = Vec::new();
        GzDecoder::new(std::fs::File::open(Path::new(GOLDEN).join(&path)).unwrap()).read_to_end(&mut bytes).unwrap();
        std::fs::write(&target, bytes).unwrap();
    }
    let (stored, waiting, model) = records();
    let daemon = Daemon::start(folder.path());
    assert!(log_of(folder.path()).contains("replayed 5"), "{}", log_of(folder.path()));
    compare(&daemon, &model, &DAY[..7]);
    // Every record is known, those that were replayed included.
    let again: Vec<&str> = stored.iter().chain(&waiting).map(|line| line.trim_end()).collect();
    daemon.send_http(&again);
    compare(&daemon, &model, &DAY[..7]);
    assert_eq!(daemon.metric("callrated_records_duplicate_total", ""), again.len() as u64);
    assert_eq!(daemon.terminate().0.code(), Some(0));
    let (code, said, wrong) = Daemon::command(folder.path(), &["verify"]);
    assert_eq!(code, 0, "{said}{wrong}");
}
