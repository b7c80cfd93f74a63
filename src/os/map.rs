//! Files mapped read-only into memory.
//!
//! Does not know what is in them: a reader checks every byte it believes.

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;

/// Maps a whole file. The mapping lives as long as any clone or slice of the result.
///
/// The file must not be cut short while mapped: the program only maps files that are written under another name, synced
/// and then renamed, and that nobody changes afterwards (images are named by their digest).
pub fn map_file(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        // The system refuses to map nothing.
        return Ok(Bytes::new());
    }
    // SAFETY: the files mapped here are content-addressed and never changed in place; whoever adds another caller
    // upholds the same. Were one changed all the same, readers see other bytes, which they check, as from any file.
    let map = unsafe { memmap2::Mmap::map(&file)? };
    Ok(Bytes::from_owner(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_mapped_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        for content in [&b""[..], b"x", &[7; 10_000]] {
            let path = dir.path().join(content.len().to_string());
            std::fs::write(&path, content).unwrap();
            let mapped = map_file(&path).unwrap();
            // The mapping outlives the name.
            std::fs::remove_file(&path).unwrap();
            assert_eq!(&mapped[..], content);
        }
        assert_eq!(map_file(&dir.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
