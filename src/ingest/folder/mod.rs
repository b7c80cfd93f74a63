//! Folders into which nodes drop files of records, or in which they append to one.
//!
//! A file is known by its number in the file system and by the digest of its beginning, not by its name: one that was
//! renamed when logs rotated is read to its end, and one that was cut short begins anew. After each sync a small file in the
//! data folder says how far each was read, so that a restart goes on there; whatever is read twice all the same is
//! recognised as a duplicate by its identity.
//!
//! Of a growing file whole lines are taken; documents, and files that are moved or removed afterwards, once they have been
//! quiet for `QUIET` looks.
//!
//! Does not know formats, nor what becomes of a record.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::collect::{Collector, Gathered};
use super::http::DOCUMENT_MAX;
use super::{Door, NotTaken, Stop};
use crate::record::RAW_MAX;
use crate::wire::{Format, Framing, Refusal, messages, posted};

pub mod settings;

use settings::{After, Watch, matches};

/// Time between two looks at a folder.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks in a row at which a file must be the same before it counts as complete.
const QUIET: u32 = 3;
/// Bytes read at a time; a longest record fits.
const PIECE: usize = RAW_MAX + (64 << 10);
/// Bytes at the beginning of a file by which it is known again.
const HEAD: u64 = 4096;
/// Rest after records were not taken: freeing segments takes a flush or more.
const NOT_TAKEN_REST: Duration = Duration::from_secs(5);

/// How far a file was read.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Place {
    /// Bytes that are safe.
    offset: u64,
    /// Lines in them.
    line: u64,
    /// Lines of them that were refused.
    refused: u64,
    /// BLAKE3 of the first bytes, as many as are safe and at most [`HEAD`].
    head: String,
    /// Its length at the last look, and at how many looks it has been so.
    #[serde(skip)]
    quiet: (u64, u32),
}

/// One folder under watch.
#[derive(Debug)]
pub struct Watcher {
    watch: Watch,
    door: Arc<Door>,
    /// Where the places are kept.
    book: PathBuf,
    /// By device and number in the file system.
    places: BTreeMap<String, Place>,
}

/// A file at a look.
struct Found {
    key: String,
    path: PathBuf,
    length: u64,
}

impl Watcher {
    /// A watcher that keeps its places in that folder.
    pub fn new(watch: Watch, door: Arc<Door>, data_dir: &Path) -> Watcher {
        let name = blake3::hash(watch.source.profile.listener.as_bytes()).to_hex();
        let book = data_dir.join("watched").join(format!("{}.json", name.get(..16).unwrap_or_default()));
        // A book that cannot be read costs only time.
        let places = fs::read(&book).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Watcher { watch, door, book, places }
    }

    /// Looks until the stop.
    pub async fn run(mut self, mut stop: Stop) {
        let mut away = false;
        loop {
            match self.look(&stop).await {
                Ok(()) => away = false,
                Err(Trouble::Io(error)) => {
                    if !std::mem::replace(&mut away, true) {
                        tracing::warn!(listener = self.door.name, %error, "the watched folder cannot be read");
                    }
                }
                Err(Trouble::NotTaken(why)) => {
                    tracing::warn!(listener = self.door.name, %why, "records of files wait");
                    tokio::select! {
                        () = stop.stopped() => return,
                        () = tokio::time::sleep(NOT_TAKEN_REST) => {}
                    }
                }
            }
            tokio::select! {
                () = stop.stopped() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// One look at the folder: takes what there is.
    async fn look(&mut self, stop: &Stop) -> Result<(), Trouble> {
        let found = self.found()?;
        self.places.retain(|key, _| found.iter().any(|file| file.key == *key));
        for file in found {
            if *stop.0.borrow() {
                return Ok(());
            }
            self.file(&file).await?;
        }
        Ok(())
    }

    /// Files of the pattern, and those that were of it when they were begun; in the order of their names.
    fn found(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.watch.folder)? {
            let entry = entry?;
            // A file that went away meanwhile is nobody's fault.
            let Ok(metadata) = entry.metadata() else { continue };
            let key = format!("{}:{}", metadata.dev(), metadata.ino());
            let name = entry.file_name();
            let wanted =
                matches(self.watch.pattern.as_bytes(), name.as_encoded_bytes()) || self.places.contains_key(&key);
            if metadata.is_file() && wanted {
                found.push(Found { key, path: entry.path(), length: metadata.len() });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    async fn file(&mut self, file: &Found) -> Result<(), Trouble> {
        let mut place = self.places.get(&file.key).cloned().unwrap_or_default();
        let Ok(mut input) = File::open(&file.path) else { return Ok(()) };
        if place.offset > file.length || head(&mut input, place.offset)? != place.head && place.offset > 0 {
            place = Place::default();
        }
        place.quiet = if place.quiet.0 == file.length { (file.length, place.quiet.1 + 1) } else { (file.length, 0) };
        let complete = place.quiet.1 >= QUIET;
        let documents = self.door.format.framing() != Framing::Lines;
        let whole = documents || self.watch.after != After::Keep;
        if place.offset < file.length && (complete || !whole) {
            if documents {
                self.document(&mut input, &mut place).await?;
            } else {
                self.lines(&mut input, &mut place, complete && whole, &file.key).await?;
            }
        }
        let done = complete && place.offset >= file.length && self.watch.after != After::Keep;
        if !done {
            self.places.insert(file.key.clone(), place);
            return Ok(());
        }
        // A document that nobody could read must not be removed.
        let target = match (self.watch.after, place.refused) {
            (After::Delete, 0) => None,
            (After::Delete, _) => Some("refused"),
            (After::Move | After::Keep, _) => Some("done"),
        };
        let outcome = match target {
            None => fs::remove_file(&file.path),
            Some(target) => put_away(&file.path, &self.watch.folder.join(target)),
        };
        self.places.remove(&file.key);
        if let Err(error) = outcome {
            tracing::warn!(listener = self.door.name, file = %file.path.display(), %error, "a file that was read cannot be put away");
            self.places.insert(file.key.clone(), place);
        }
        self.write();
        Ok(())
    }

    /// Takes whole lines from the place on; `to_end`: also what stands behind the last line end.
    async fn lines(&mut self, input: &mut File, place: &mut Place, to_end: bool, key: &str) -> Result<(), Trouble> {
        let door = self.door.clone();
        let mut collector = Collector::new(&door, door.decoder());
        let mut piece = Vec::new();
        if place.offset > 0 && self.has_header(input)? {
            // The heading stands at the beginning and was counted there.
            input.seek(SeekFrom::Start(0))?;
            input.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
            let first = piece.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
            collector.line(0, first.unwrap_or_default());
        }
        loop {
            piece.clear();
            input.seek(SeekFrom::Start(place.offset))?;
            input.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
            let full = piece.len() == PIECE;
            let cut = match memchr::memrchr(b'\n', &piece) {
                Some(_) if to_end && !full => piece.len(),
                Some(at) => at + 1,
                None if full || to_end => piece.len(),
                None => 0,
            };
            if cut == 0 {
                return Ok(());
            }
            let text = piece.get(..cut).unwrap_or_default();
            let lines = text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n');
            let mut count = 0;
            for line in lines {
                count += 1;
                if line.len() > RAW_MAX {
                    collector.refuse(place.line + count, Refusal::Line(RAW_MAX as u32));
                } else {
                    collector.line(place.line + count, line);
                }
                if collector.is_full() {
                    self.hand_on(&mut collector, place).await?;
                }
            }
            self.hand_on(&mut collector, place).await?;
            let short = place.offset < HEAD;
            place.offset += cut as u64;
            place.line += count;
            if short || place.head.is_empty() {
                place.head = head(input, place.offset)?;
            }
            self.places.insert(key.to_owned(), place.clone());
            self.write();
        }
    }

    /// Takes a file that is one document.
    async fn document(&mut self, input: &mut File, place: &mut Place) -> Result<(), Trouble> {
        let door = self.door.clone();
        let mut collector = Collector::new(&door, door.decoder());
        let mut text = Vec::new();
        input.seek(SeekFrom::Start(0))?;
        let length = input.by_ref().take(DOCUMENT_MAX as u64 + 1).read_to_end(&mut text)? as u64;
        if length > DOCUMENT_MAX as u64 {
            collector.refuse(1, Refusal::Line(DOCUMENT_MAX as u32));
            text.clear();
        }
        let text = posted::unwrap(&text);
        for (message, number) in messages::places(&door.format, &text).into_iter().zip(1..) {
            match message {
                Ok(message) => collector.line(number, text.get(message).unwrap_or_default()),
                Err(refusal) => collector.refuse(number, refusal),
            }
            if collector.is_full() {
                self.hand_on(&mut collector, place).await?;
            }
        }
        self.hand_on(&mut collector, place).await?;
        place.offset = length;
        place.head = head(input, length)?;
        Ok(())
    }

    /// Hands on what was gathered and waits until it is safe.
    async fn hand_on(&self, collector: &mut Collector<'_>, place: &mut Place) -> Result<(), Trouble> {
        let Some(Gathered { batch, records, refused, .. }) = collector.take() else { return Ok(()) };
        self.door.outbox.free().await;
        let safe = match self.door.outbox.send(batch).await {
            Ok(pending) => pending.durable().await.map(|_| ()),
            Err(why) => Err(why),
        };
        safe.inspect_err(|why| self.door.counters.not_taken(*why, records))?;
        place.refused += refused.len() as u64;
        Ok(())
    }

    /// Whether the first line names the columns of those behind it.
    fn has_header(&self, input: &mut File) -> io::Result<bool> {
        Ok(match &self.door.format {
            Format::Named(named) => named.has_header(),
            Format::Json => false,
            Format::Csv | Format::Auto if self.door.columns.is_some() => false,
            Format::Csv => true,
            Format::Auto => {
                let mut start = [0; 64];
                input.seek(SeekFrom::Start(0))?;
                let length = input.read(&mut start)?;
                let start = start.get(..length).unwrap_or_default();
                start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start).trim_ascii_start().first() != Some(&b'{')
            }
        })
    }

    /// Keeps the places; what cannot be kept costs only time after a restart.
    fn write(&self) {
        let aside = self.book.with_extension("new");
        let text = serde_json::to_vec(&self.places).unwrap_or_default();
        let folder = self.book.parent().unwrap_or(Path::new(""));
        let written = fs::create_dir_all(folder)
            .and_then(|()| fs::write(&aside, text))
            .and_then(|()| fs::rename(&aside, &self.book));
        if let Err(error) = written {
            tracing::warn!(listener = self.door.name, %error, "how far files were read cannot be kept");
        }
    }
}

/// Why a look ended early.
#[derive(Debug)]
enum Trouble {
    /// The folder or a file.
    Io(io::Error),
    /// The road takes no more.
    NotTaken(NotTaken),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Io(error)
    }
}

impl From<NotTaken> for Trouble {
    fn from(why: NotTaken) -> Trouble {
        Trouble::NotTaken(why)
    }
}

/// Moves a file into a folder, under a name that is free there.
fn put_away(path: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (0..10_000)
        .map(|count| if count == 0 { folder.join(&name) } else { folder.join(format!("{name}.{count}")) })
        .find(|target| !target.exists());
    fs::rename(path, free.unwrap_or_else(|| folder.join(&name)))
}

/// Digest of the first bytes.
fn head(file: &mut File, offset: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.by_ref().take(offset.min(HEAD)).read_to_end(&mut bytes)?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

#[cfg(test)]
mod tests;
