//! The disk under the journal and the identity index: a seam where a test plays the world.
//!
//! The promises a caller may build on, and no more:
//! - bytes written are durable only after [`DiskFile::sync_data`]; until then any 512-byte sector of them may be old or
//!   new after a crash, in any order;
//! - a name made, moved or removed is durable only after [`Disk::sync_dir`] of its folder;
//! - a write may be short; [`DiskFile::write_all_at`] goes on;
//! - after a failed sync nothing is known about what was written since the last good one.
//!
//! Does not know frames, segments or indexes.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// A file system, as far as it is needed here.
pub trait Disk: Send + Sync {
    /// Makes a folder and those above it; one that is there already is fine.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Opens a file that exists, to read and write.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Makes a new empty file; one that exists already is an error.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Names of the files in a folder, sorted. Names that are not UTF-8 are not ours and left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name, replacing a file of that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes durable what was done to the names in a folder.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Bytes that can still be written on the disk of a folder.
    fn free_space(&self, dir: &Path) -> io::Result<u64>;
}

/// An open file; places are bytes from its start.
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Reads up to `buffer.len()` bytes; 0 at or behind the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes some of the bytes and says how many, growing the file where needed.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes the content durable, and the length as far as it is needed to read it.
    fn sync_data(&self) -> io::Result<()>;
    /// Takes room from the disk for the first `length` bytes; what is new reads as zero. Never shrinks.
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// Cuts or extends (with zeros) to a length.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// What was written and synced is hardly read again: the memory that holds it may be used for something else. Only a wish.
    fn forget(&self) {}

    /// Whether there is nothing in it.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Writes several pieces one behind the other, in one call where the system has one; may be short.
    fn write_vectored_at(&self, pieces: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        match pieces.iter().find(|piece| !piece.is_empty()) {
            Some(piece) => self.write_at(piece, offset),
            None => Ok(0),
        }
    }

    /// Reads until the buffer is full or the file ends; says how many bytes.
    fn read_full_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Fills the buffer; an earlier end of the file is an error.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if self.read_full_at(buffer, offset)? < buffer.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Writes all the bytes.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_vectored_at(&mut [IoSlice::new(bytes)], offset)
    }

    /// Writes all the pieces, one behind the other. The slice of pieces is used up.
    fn write_all_vectored_at(&self, mut pieces: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        IoSlice::advance_slices(&mut pieces, 0);
        while !pieces.is_empty() {
            match self.write_vectored_at(pieces, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    offset += n as u64;
                    IoSlice::advance_slices(&mut pieces, n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether an error means that the disk (or the quota) is full.
pub fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The machine's own disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(RealFile(File::options().read(true).write(true).open(path)?)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(RealFile(File::options().read(true).write(true).create_new(true).open(path)?)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn free_space(&self, dir: &Path) -> io::Result<u64> {
        use std::os::unix::ffi::OsStrExt;
        let path = std::ffi::CString::new(dir.as_os_str().as_bytes())?;
        let mut stat = std::mem::MaybeUninit::<libc::statvfs>::uninit();
        // SAFETY: `path` ends with a zero byte and `stat` has room for the answer; both live through the call.
        if unsafe { libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so the system filled the structure.
        let stat = unsafe { stat.assume_init() };
        // The fields' widths differ between platforms.
        #[allow(clippy::unnecessary_cast)]
        Ok((stat.f_bavail as u64).saturating_mul(stat.f_frsize as u64))
    }
}

struct RealFile(File);

/// Most pieces the system takes in one call (Linux: `UIO_MAXIOV`).
const PIECES_MAX: usize = 1024;

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn write_vectored_at(&self, pieces: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let count = pieces.len().min(PIECES_MAX) as libc::c_int;
        let offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: `IoSlice` has the layout of `iovec` on Unix (std's promise), `count` of them are readable, and the
        // bytes they name are borrowed through the call.
        let written = unsafe { libc::pwritev(self.0.as_raw_fd(), pieces.as_ptr().cast(), count, offset) };
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        if length <= self.len()? {
            return Ok(());
        }
        let wanted = libc::off_t::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        loop {
            // SAFETY: a plain call on a descriptor that is open as long as `self` lives.
            match unsafe { libc::posix_fallocate(self.0.as_raw_fd(), 0, wanted) } {
                0 => return Ok(()),
                libc::EINTR => {}
                // A file system that cannot reserve room: the length alone has to do, and a full disk shows at a write.
                libc::EOPNOTSUPP | libc::EINVAL | libc::ENODEV => return self.0.set_len(length),
                error => return Err(io::Error::from_raw_os_error(error)),
            }
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn forget(&self) {
        // SAFETY: a plain call on a descriptor that is open as long as `self` lives.
        #[cfg(target_os = "linux")]
        let _ = unsafe { libc::posix_fadvise(self.0.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    }
}

#[cfg(test)]
mod tests {
    use super::super::sim::SimDisk;
    use super::*;

    /// What both disks must do alike.
    fn obeys(disk: &dyn Disk, dir: &Path) {
        disk.create_dir(dir).unwrap();
        disk.create_dir(dir).unwrap();
        let path = dir.join("a");
        assert_eq!(disk.open(&path).err().unwrap().kind(), io::ErrorKind::NotFound);
        let file = disk.create(&path).unwrap();
        assert_eq!(disk.create(&path).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        assert!(file.is_empty().unwrap());
        file.allocate(1000).unwrap();
        file.allocate(10).unwrap();
        assert_eq!(file.len().unwrap(), 1000);
        let mut pieces = [IoSlice::new(b""), IoSlice::new(b"hel"), IoSlice::new(b""), IoSlice::new(b"lo")];
        file.write_all_vectored_at(&mut pieces, 510).unwrap();
        let many = vec![b'x'; 3000];
        let mut pieces: Vec<IoSlice<'_>> = many.chunks(1).map(IoSlice::new).collect();
        file.write_all_vectored_at(&mut pieces, 998).unwrap();
        assert_eq!(file.len().unwrap(), 3998);
        let mut buffer = [9; 8];
        file.read_exact_at(&mut buffer, 509).unwrap();
        assert_eq!(&buffer, b"\0hello\0\0");
        assert_eq!(file.read_full_at(&mut buffer, 3996).unwrap(), 2);
        assert_eq!(file.read_exact_at(&mut buffer, 3996).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(file.read_at(&mut buffer, 5000).unwrap(), 0);
        file.truncate(512).unwrap();
        file.truncate(514).unwrap();
        file.read_exact_at(&mut buffer[..4], 510).unwrap();
        assert_eq!(&buffer[..4], b"he\0\0", "what was cut off must not come back");
        file.sync_data().unwrap();
        file.forget();
        file.read_exact_at(&mut buffer[..4], 510).unwrap();
        assert_eq!(&buffer[..4], b"he\0\0", "only memory is given back");
        disk.create(&dir.join("c")).unwrap();
        disk.rename(&path, &dir.join("b")).unwrap();
        disk.sync_dir(dir).unwrap();
        assert_eq!(disk.list(dir).unwrap(), ["b", "c"]);
        disk.rename(&dir.join("b"), &dir.join("c")).unwrap();
        assert_eq!(disk.open(&dir.join("c")).unwrap().len().unwrap(), 514);
        disk.remove(&dir.join("c")).unwrap();
        assert_eq!(disk.remove(&dir.join("c")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(disk.list(dir).unwrap().is_empty());
        // An open file outlives its name.
        assert_eq!(file.len().unwrap(), 514);
        assert!(disk.free_space(dir).unwrap() > 0);
    }

    #[test]
    fn the_real_disk_obeys() {
        let dir = tempfile::tempdir().unwrap();
        obeys(&RealDisk, &dir.path().join("x/y"));
    }

    #[test]
    fn the_simulated_disk_obeys() {
        obeys(&SimDisk::new(1), Path::new("/x/y"));
        let short = SimDisk::new(2);
        short.set_faults(super::super::sim::Faults { short_writes: true });
        obeys(&short, Path::new("/x/y"));
    }
}
