//! A growing file: each read returns what was appended since the last one.
//!
//! The file stays open, so that one that is renamed (`app.log` to `app.log.1`) is read to its end and not again from its
//! beginning.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// The number of bytes of one read; more gains nothing.
pub(crate) const CHUNK: usize = 256 << 10;

/// A file and the offset up to which it was read.
#[derive(Debug)]
pub(crate) struct Tail {
    file: File,
    path: PathBuf,
    /// Device and inode, which a rename does not change.
    id: (u64, u64),
    offset: u64,
}

/// The outcome of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The number of bytes read; 0 at the end of the file.
    Read(usize),
    /// The file was truncated. The next read starts at its beginning.
    Truncated,
}

impl Tail {
    /// Opens a file at its beginning.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Self {
            id: (meta.dev(), meta.ino()),
            file,
            path: path.to_owned(),
            offset: 0,
        })
    }

    /// Returns `true` if the path now names another file, or none: this one was renamed or removed.
    pub(crate) fn is_replaced(&self) -> bool {
        let current = std::fs::metadata(&self.path).map(|m| (m.dev(), m.ino()));
        current.ok() != Some(self.id)
    }

    /// Returns the number of bytes that are not read yet.
    pub(crate) fn behind(&self) -> u64 {
        self.file.metadata().map_or(0, |m| m.len().saturating_sub(self.offset))
    }

    /// Returns `true` if the file has grown or was truncated since the last read.
    pub(crate) fn has_changed(&self) -> bool {
        self.file.metadata().is_ok_and(|m| m.len() != self.offset)
    }

    /// Reads on into the buffer.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Outcome> {
        loop {
            match self.file.read_at(buffer, self.offset) {
                Ok(0) if self.file.metadata()?.len() < self.offset => {
                    self.offset = 0;
                    return Ok(Outcome::Truncated);
                }
                Ok(length) => {
                    self.offset += length as u64;
                    return Ok(Outcome::Read(length));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn appended_bytes_are_read_once_even_after_a_rename_and_a_truncation() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.log");
        let mut out = File::create(&path).expect("created");
        let mut tail = Tail::open(&path).expect("opened");
        let mut buffer = [0; 16];
        out.write_all(b"one").expect("written");
        assert_eq!(tail.read(&mut buffer).expect("read"), Outcome::Read(3));
        assert_eq!(tail.read(&mut buffer).expect("read"), Outcome::Read(0));
        std::fs::rename(&path, folder.path().join("a.log.1")).expect("renamed");
        out.write_all(b"more").expect("written");
        assert!(tail.is_replaced());
        assert_eq!(
            (tail.behind(), tail.read(&mut buffer).expect("read")),
            (4, Outcome::Read(4))
        );
        out.set_len(0).expect("truncated");
        assert_eq!(tail.read(&mut buffer).expect("read"), Outcome::Truncated);
    }
}
