//! The folder of a sink, locked by one daemon at a time.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::config::Fsync;
use super::error::SinkError;

/// A locked folder. The system releases the lock when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    handle: File,
}

impl Folder {
    /// Creates the folder if it does not exist, and locks it.
    ///
    /// # Errors
    /// [`SinkError::InUse`] if another daemon has locked it, [`SinkError::File`] if it cannot be created or opened.
    pub(crate) fn take(path: PathBuf) -> Result<Self, SinkError> {
        let failed = |what| {
            let path = path.clone();
            move |source| SinkError::File { what, path, source }
        };
        fs::create_dir_all(&path).map_err(failed("create"))?;
        let handle = File::open(&path).map_err(failed("open"))?;
        match handle.try_lock() {
            Ok(()) => Ok(Self { path, handle }),
            Err(TryLockError::WouldBlock) => Err(SinkError::InUse { path }),
            Err(TryLockError::Error(source)) => Err(failed("lock")(source)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Forces created, replaced and removed names to the disk, unless `fsync` leaves that to the kernel. A synced file is
    /// useless if its name is lost.
    ///
    /// # Errors
    /// [`SinkError::File`] if that fails.
    pub(crate) fn sync(&self, fsync: Fsync) -> Result<(), SinkError> {
        if fsync == Fsync::Never {
            return Ok(());
        }
        self.handle.sync_all().map_err(|source| SinkError::File {
            what: "sync",
            path: self.path.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_until_it_is_dropped() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("out");
        let first = Folder::take(path.clone()).unwrap();
        let refused = Folder::take(path.clone()).unwrap_err().to_string();
        assert_eq!(
            refused,
            format!("output folder {} is in use by another daemon", path.display())
        );
        drop(first);
        Folder::take(path).unwrap();
    }
}
