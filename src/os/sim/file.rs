//! An opened file of the simulated disk: reads, writes and syncs with the faults that are set.
//!
//! Does not know names or folders.

use std::io;

use super::{SECTOR, SimDisk, World, countdown};
use crate::os::disk::DiskFile;

/// A file of the disk, opened in one of its lives.
pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    /// Index into the disk's files.
    pub(super) file: usize,
    /// The life in which it was opened.
    pub(super) life: u64,
}

impl SimFile {
    fn with<T>(&self, act: impl FnOnce(&mut World, usize) -> io::Result<T>) -> io::Result<T> {
        let world = &mut *self.disk.world();
        if world.life != self.life {
            return Err(io::Error::other("a handle from before the crash"));
        }
        act(world, self.file)
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.with(|world, file| Ok(world.files[file].length))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|world, file| {
            let file = &world.files[file];
            let n = buffer.len().min(usize::try_from(file.length.saturating_sub(offset)).unwrap_or(usize::MAX));
            file.read(&mut buffer[..n], offset);
            Ok(n)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.with(|world, file| {
            countdown(&mut world.writes_left)?;
            let mut n = bytes.len() as u64;
            let (first, last) = (offset / SECTOR as u64, (offset + n).saturating_sub(1) / SECTOR as u64);
            if world.faults.short_writes && first < last && world.below(2) == 0 {
                n = (first + 1 + world.below(last - first)) * SECTOR as u64 - offset;
            }
            let grown = (offset + n).saturating_sub(world.files[file].length);
            let free = world.free();
            if grown > free {
                n = n.saturating_sub(grown - free);
                if n == 0 {
                    return Err(io::ErrorKind::StorageFull.into());
                }
            }
            world.files[file].write(&bytes[..n as usize], offset);
            Ok(n as usize)
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|world, file| match world.sync_allowed() {
            Ok(()) => {
                world.files[file].sync();
                Ok(())
            }
            Err(error) => {
                world.files[file].sync_failed();
                Err(error)
            }
        })
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.with(|world, file| {
            let grown = length.saturating_sub(world.files[file].length);
            if grown > world.free() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            if grown > 0 {
                world.files[file].set_length(length);
            }
            Ok(())
        })
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.with(|world, file| {
            world.files[file].set_length(length);
            Ok(())
        })
    }

    fn forget(&self) {
        let _ = self.with(|world, file| {
            world.files[file].forgotten = true;
            Ok(())
        });
    }
}
