//! The delivered files, read from beginning to end after the target has stopped.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::LineChecker;
use crate::glob;
use crate::tail::CHUNK;

/// An error of reading the delivered files. Nothing is known of the lines then.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The output folder does not exist.
    #[error("the target's output folder {} is not there", .folder.display())]
    NoFolder {
        /// Its path.
        folder: PathBuf,
    },
    /// A file could not be read.
    #[error("failed to read what the target wrote: {}", .path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The error of the kernel.
        source: io::Error,
    },
}

impl LineChecker {
    /// Reads every file that matches a pattern: a file, a folder, or `*` and `?` in the last part of a path.
    ///
    /// # Errors
    /// An error if the folder does not exist or a file cannot be read.
    #[tracing::instrument(name = "line_check", level = "debug", skip_all, fields(pattern = %pattern.as_ref().display()))]
    pub fn read_all(&mut self, pattern: impl AsRef<Path>) -> Result<(), DeliveryError> {
        let pattern = pattern.as_ref();
        let folder = pattern
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        if !pattern.exists() && !folder.is_dir() {
            return Err(DeliveryError::NoFolder {
                folder: folder.to_owned(),
            });
        }
        let mut seen = HashSet::new();
        let mut buffer = vec![0; CHUNK];
        for path in glob::files(pattern) {
            self.read_file(&path, &mut seen, &mut buffer)
                .map_err(|source| DeliveryError::Unreadable { path, source })?;
        }
        Ok(())
    }

    fn read_file(&mut self, path: &Path, seen: &mut HashSet<(u64, u64)>, buffer: &mut [u8]) -> io::Result<()> {
        let mut file = File::open(path)?;
        let meta = file.metadata()?;
        // A file with two names (a link to the current file, for example) is read once.
        if !seen.insert((meta.dev(), meta.ino())) {
            return Ok(());
        }
        let mut cursor = self.begin_file();
        loop {
            match file.read(buffer) {
                Ok(0) => break,
                Ok(length) => self.feed(&mut cursor, &buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.end_file(&mut cursor);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use leakcheck_model::stamp::{Stream, Writer};

    use super::*;

    fn lines(numbers: std::ops::RangeInclusive<u64>) -> Vec<u8> {
        let mut out = Vec::new();
        for n in numbers {
            Writer::new("run", "a", Stream::Stdout).line(&mut out, n, 80, b"x");
        }
        out
    }

    #[test]
    fn rotated_files_are_read_once_and_an_unfinished_line_is_torn() {
        // Given a rotated file, a current one that ends within a line, and a link to it
        let folder = tempfile::tempdir().expect("a folder");
        let (old, current) = (folder.path().join("out.log.1"), folder.path().join("out.log"));
        std::fs::write(&old, lines(1..=20_000)).expect("written");
        let mut bytes = lines(20_001..=20_002);
        bytes.extend_from_slice(&lines(20_003..=20_003)[..40]);
        std::fs::write(&current, bytes).expect("written");
        std::os::unix::fs::symlink(&current, folder.path().join("latest.log")).expect("linked");
        // When all are read
        let mut checker = LineChecker::new("run");
        checker.read_all(folder.path().join("*.log*")).expect("readable");
        // Then every line counts once
        let counts = checker.counts(&BTreeMap::new());
        let seen = (counts.delivered, counts.lost, counts.duplicated, counts.torn);
        assert_eq!(seen, (20_002, 0, 0, 1));
    }

    #[test]
    fn a_missing_folder_is_an_error_and_an_empty_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut checker = LineChecker::new("run");
        checker.read_all(folder.path().join("*.log")).expect("nothing to read");
        let error = checker.read_all(folder.path().join("none/*.log")).expect_err("missing");
        assert!(matches!(error, DeliveryError::NoFolder { .. }), "{error}");
    }
}
