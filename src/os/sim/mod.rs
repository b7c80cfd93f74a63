//! A disk in memory whose faults a test chooses: it forgets at a crash what was not synced, sector by sector.
//!
//! The same seed and the same calls give the same faults. The model:
//! - every 512-byte sector written since the last good sync is, after [`SimDisk::crash`], either as last synced or as
//!   any of the versions written since, each sector for itself (lost and reordered writes, torn frames);
//! - the same holds for the file's length;
//! - of the changes to a folder's names since its last sync, a random first part survives, in order (a journalling file
//!   system); a file's sync does not make its name durable;
//! - after a failed sync the bytes can still be read but are never written, even by a later good sync (what Linux
//!   does);
//! - handles opened before a crash fail afterwards.
//!
//! Does not know what is stored on it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, DiskFile};
use content::{Content, blank};
use file::SimFile;

mod content;
mod file;
#[cfg(test)]
mod tests;

/// What a disk writes whole or not at all.
pub const SECTOR: usize = 512;

/// Faults that happen by chance while set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A write that reaches into a second sector ends with one of the sectors before its last, half of the time. (The
    /// system copies page by page, so a short write does not end within one.)
    pub short_writes: bool,
}

/// The simulated disk; clones are the same disk, [`SimDisk::copy`] is another one.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<World>>);

#[derive(Clone)]
struct World {
    random: u64,
    /// Counts crashes; a handle of an earlier life is dead.
    life: u64,
    capacity: u64,
    faults: Faults,
    /// Successful calls left before the next one fails; none: never.
    writes_left: Option<u64>,
    syncs_left: Option<u64>,
    dirs: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Name changes not synced yet, in order.
    pending_names: Vec<Rename>,
    files: Vec<Content>,
    syncs: u64,
}

#[derive(Clone)]
enum Rename {
    Set(PathBuf, usize),
    Move { from: PathBuf, to: PathBuf, file: usize },
    Remove(PathBuf),
}

impl SimDisk {
    /// An empty disk of 1 TiB.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(World {
            random: seed,
            life: 0,
            capacity: 1 << 40,
            faults: Faults::default(),
            writes_left: None,
            syncs_left: None,
            dirs: BTreeSet::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            files: Vec::new(),
            syncs: 0,
        })))
    }

    /// Another disk with the same content and the same unsynced changes, to let one past have several futures. Handles
    /// stay with the disk they were opened on.
    pub fn copy(&self, seed: u64) -> SimDisk {
        let mut world = self.world().clone();
        world.random = seed;
        SimDisk(Arc::new(Mutex::new(world)))
    }

    /// Power off and on: what was not synced is lost, kept or torn as the seed has it; pending failures are forgotten.
    pub fn crash(&self) {
        let world = &mut *self.world();
        world.life += 1;
        (world.writes_left, world.syncs_left) = (None, None);
        let kept = world.below(world.pending_names.len() as u64 + 1) as usize;
        let pending = std::mem::take(&mut world.pending_names);
        let mut names = std::mem::take(&mut world.durable_names);
        pending.into_iter().take(kept).for_each(|change| change.apply(&mut names));
        world.names = names.clone();
        world.durable_names = names;
        let mut files = std::mem::take(&mut world.files);
        for file in &mut files {
            let length = match world.below(file.lengths.len() as u64 + 1) {
                0 => file.durable_length,
                n => file.lengths[n as usize - 1],
            };
            for (at, mut versions) in std::mem::take(&mut file.unsynced) {
                match world.below(versions.len() as u64 + 1) {
                    0 => {}
                    n => drop(file.durable.insert(at, versions.swap_remove(n as usize - 1))),
                }
            }
            file.phantom.clear();
            file.lengths.clear();
            file.cut_durable(length);
        }
        world.files = files;
    }

    /// The process ends but the machine goes on: nothing is lost, handles are dead.
    pub fn kill(&self) {
        let world = &mut *self.world();
        world.life += 1;
        (world.writes_left, world.syncs_left) = (None, None);
    }

    /// Sets the faults that happen by chance.
    pub fn set_faults(&self, faults: Faults) {
        self.world().faults = faults;
    }

    /// Sets the disk's size; calls that would take more fail with "no space".
    pub fn set_capacity(&self, bytes: u64) {
        self.world().capacity = bytes;
    }

    /// After `good` more successful writes the next one fails, once.
    pub fn fail_write_after(&self, good: u64) {
        self.world().writes_left = Some(good);
    }

    /// After `good` more successful syncs (of files or folders) the next one fails, once.
    pub fn fail_sync_after(&self, good: u64) {
        self.world().syncs_left = Some(good);
    }

    /// Bit rot: changes the bits set in `mask` of one durable byte. Says whether there was such a byte.
    pub fn rot(&self, path: &Path, offset: u64, mask: u8) -> bool {
        let world = &mut *self.world();
        let Some(&file) = world.names.get(path) else { return false };
        let file = &mut world.files[file];
        if offset >= file.length {
            return false;
        }
        let (at, within) = (offset / SECTOR as u64, (offset % SECTOR as u64) as usize);
        file.durable.entry(at).or_insert_with(blank)[within] ^= mask;
        file.phantom.get_mut(&at).into_iter().for_each(|sector| sector[within] ^= mask);
        file.unsynced.get_mut(&at).into_iter().flatten().for_each(|sector| sector[within] ^= mask);
        true
    }

    /// The content of a file as it would be read now.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let world = self.world();
        let file = &world.files[*world.names.get(path)?];
        let mut bytes = vec![0; file.length as usize];
        file.read(&mut bytes, 0);
        Some(bytes)
    }

    /// Puts a file there, durable at once.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let world = &mut *self.world();
        let mut file = Content::default();
        file.write(bytes, 0);
        file.sync();
        world.files.push(file);
        let id = world.files.len() - 1;
        // What was still to be done to the name must not undo this later.
        world.pending_names.retain(|change| change.path() != path);
        world.names.insert(path.to_path_buf(), id);
        world.durable_names.insert(path.to_path_buf(), id);
        if let Some(dir) = path.parent() {
            world.dirs.insert(dir.to_path_buf());
        }
    }

    /// Whether a file's memory was given back.
    pub fn is_forgotten(&self, path: &Path) -> bool {
        let world = self.world();
        world.names.get(path).is_some_and(|file| world.files[*file].forgotten)
    }

    /// Successful syncs of files and folders so far.
    pub fn syncs(&self) -> u64 {
        self.world().syncs
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A panic in a test while the disk is locked must not hide its cause behind a second one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, file: usize, life: u64) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), file, life })
    }
}

impl World {
    /// A number below `limit`, from the seed (splitmix64).
    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }

    /// Room left; files without a name still take room until the crash, as open files do.
    fn free(&self) -> u64 {
        let named: BTreeSet<usize> = self.names.values().chain(self.durable_names.values()).copied().collect();
        self.capacity.saturating_sub(named.iter().map(|&file| self.files[file].length).sum())
    }

    fn sync_allowed(&mut self) -> io::Result<()> {
        countdown(&mut self.syncs_left)?;
        self.syncs += 1;
        Ok(())
    }
}

/// Counts one successful call down, or fails and is done.
fn countdown(left: &mut Option<u64>) -> io::Result<()> {
    match left {
        None => Ok(()),
        Some(0) => {
            *left = None;
            Err(io::Error::other("simulated failure of the disk"))
        }
        Some(n) => {
            *n -= 1;
            Ok(())
        }
    }
}

impl Rename {
    fn apply(self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Rename::Set(path, file) => drop(names.insert(path, file)),
            Rename::Move { from, to, file } => {
                names.remove(&from);
                names.insert(to, file);
            }
            Rename::Remove(path) => drop(names.remove(&path)),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Rename::Set(path, _) | Rename::Remove(path) | Rename::Move { to: path, .. } => path,
        }
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.world().dirs.extend(dir.ancestors().map(Path::to_path_buf));
        Ok(())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let world = self.world();
        let file = *world.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(file, world.life))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let world = &mut *self.world();
        if !path.parent().is_some_and(|dir| world.dirs.contains(dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if world.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        world.files.push(Content::default());
        let file = world.files.len() - 1;
        world.names.insert(path.to_path_buf(), file);
        world.pending_names.push(Rename::Set(path.to_path_buf(), file));
        Ok(self.handle(file, world.life))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let world = self.world();
        if !world.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = world.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_string())).collect())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let world = &mut *self.world();
        world.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        world.pending_names.push(Rename::Remove(path.to_path_buf()));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let world = &mut *self.world();
        let file = world.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        world.names.insert(to.to_path_buf(), file);
        world.pending_names.push(Rename::Move { from: from.to_path_buf(), to: to.to_path_buf(), file });
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let world = &mut *self.world();
        world.sync_allowed()?;
        let (done, left): (Vec<Rename>, Vec<Rename>) = std::mem::take(&mut world.pending_names)
            .into_iter()
            .partition(|change| change.path().parent() == Some(dir));
        world.pending_names = left;
        done.into_iter().for_each(|change| change.apply(&mut world.durable_names));
        Ok(())
    }

    fn free_space(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.world().free())
    }
}
