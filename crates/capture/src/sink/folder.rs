//! The folder of a sink: made if it is not there, and held by one daemon at a time.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::{Fsync, SinkError};

/// A folder that is ours while this lives; the system gives it free when the process ends, however it does.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    held: File,
}

impl Folder {
    /// Takes the folder.
    ///
    /// # Errors
    /// [`SinkError::InUse`] if another daemon has it, [`SinkError::File`] if it cannot be made or opened.
    pub(crate) fn take(path: PathBuf) -> Result<Self, SinkError> {
        let failed = |what| {
            let path = path.clone();
            move |source| SinkError::File { what, path, source }
        };
        fs::create_dir_all(&path).map_err(failed("create"))?;
        let held = File::open(&path).map_err(failed("open"))?;
        match held.try_lock() {
            Ok(()) => Ok(Self { path, held }),
            Err(TryLockError::WouldBlock) => Err(SinkError::InUse { path }),
            Err(TryLockError::Error(source)) => Err(failed("lock")(source)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Forces names that were made, replaced or removed in it to the disk, unless that is left to the kernel: a file that
    /// is synced is no use if its name is not.
    ///
    /// # Errors
    /// [`SinkError::File`] if the system cannot.
    pub(crate) fn sync(&self, fsync: Fsync) -> Result<(), SinkError> {
        if fsync == Fsync::Never {
            return Ok(());
        }
        self.held.sync_all().map_err(|source| SinkError::File {
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
    fn a_folder_is_one_daemons_until_it_is_given_back() {
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
