//! A file that others write, read as it grows: what was appended since the last look, and no byte twice.
//!
//! The file stays open, so that one that is renamed (`app.log` to `app.log.1`) is read to its end and not again from its beginning.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Bytes read in one call; larger gains nothing.
pub(crate) const CHUNK: usize = 256 << 10;

/// A file and how far it was read.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Closed while parked.
    file: Option<File>,
    path: PathBuf,
    /// Device and inode: what a file is, whatever it is called.
    id: (u64, u64),
    offset: u64,
}

/// What a look at the file gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// This many bytes of the buffer were filled; none means that the end was reached.
    Read(usize),
    /// The file is shorter than what was read of it: it was truncated and will be read from its beginning.
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
            file: Some(file),
            path: path.to_owned(),
            offset: 0,
        })
    }

    /// Device and inode of the file that has this name now.
    pub(crate) fn id_of(path: &Path) -> Option<(u64, u64)> {
        std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
    }

    /// Device and inode.
    pub(crate) fn id(&self) -> (u64, u64) {
        self.id
    }

    /// The name by which it is known.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// It has this name now.
    pub(crate) fn is_called(&mut self, path: &Path) {
        if self.path != path {
            path.clone_into(&mut self.path);
        }
    }

    /// Whether a file of this name is (still) another one: then this one was renamed or removed.
    pub(crate) fn is_replaced(&self) -> bool {
        Self::id_of(&self.path) != Some(self.id)
    }

    /// Whether nobody can reach it any more.
    pub(crate) fn is_removed(&self) -> bool {
        self.meta().is_none_or(|m| m.nlink() == 0)
    }

    /// Bytes that are there and not read.
    pub(crate) fn behind(&self) -> u64 {
        self.meta().map_or(0, |m| m.len().saturating_sub(self.offset))
    }

    /// Whether a read would find something: more bytes, or fewer than were read.
    pub(crate) fn behind_or_shorter(&self) -> bool {
        self.meta().is_none_or(|m| m.len() != self.offset)
    }

    /// Closes it until the next read.
    pub(crate) fn park(&mut self) {
        self.file = None;
    }

    fn meta(&self) -> Option<std::fs::Metadata> {
        match &self.file {
            Some(file) => file.metadata().ok(),
            None => std::fs::metadata(&self.path)
                .ok()
                .filter(|m| (m.dev(), m.ino()) == self.id),
        }
    }

    /// Reads on into the buffer.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Looked> {
        if self.file.is_none() {
            let file = File::open(&self.path)?;
            let meta = file.metadata()?;
            if (meta.dev(), meta.ino()) != self.id {
                return Err(io::ErrorKind::NotFound.into());
            }
            self.file = Some(file);
        }
        let Some(file) = &self.file else {
            return Err(io::ErrorKind::NotFound.into());
        };
        loop {
            match file.read_at(buffer, self.offset) {
                Ok(0) if file.metadata()?.len() < self.offset => {
                    self.offset = 0;
                    return Ok(Looked::Truncated);
                }
                Ok(length) => {
                    self.offset += length as u64;
                    return Ok(Looked::Read(length));
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
    fn what_is_appended_is_read_once_also_after_a_rename_and_a_truncation() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.log");
        let mut out = File::create(&path).expect("created");
        let mut tail = Tail::open(&path).expect("opened");
        let mut buffer = [0; 16];
        out.write_all(b"one").expect("written");
        assert_eq!(tail.read(&mut buffer).expect("read"), Looked::Read(3));
        assert_eq!(tail.read(&mut buffer).expect("read"), Looked::Read(0));
        std::fs::rename(&path, folder.path().join("a.log.1")).expect("renamed");
        out.write_all(b"more").expect("written");
        assert!(tail.is_replaced() && !tail.is_removed());
        assert_eq!(
            (tail.behind(), tail.read(&mut buffer).expect("read")),
            (4, Looked::Read(4))
        );
        out.set_len(0).expect("truncated");
        assert_eq!(tail.read(&mut buffer).expect("read"), Looked::Truncated);
    }
}
