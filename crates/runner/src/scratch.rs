//! Scratch folders for the sockets of a run, and the removal of those that killed runs left behind.

use std::fs::{File, TryLockError};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// First part of the name of every scratch folder.
const PREFIX: &str = "leakcheck-";

/// Random characters at the end of the name.
const RANDOM: usize = 8;

/// A private folder below the system's temporary folder, removed on drop.
///
/// Its name is `leakcheck-NAME-RANDOM`, so that nobody can create it beforehand, and its mode is 0700. It is locked while
/// its process lives; [`remove_abandoned_scratch`] removes unlocked folders only.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    _lock: File,
}

/// A scratch folder that cannot be created.
#[derive(Debug, thiserror::Error)]
#[error("failed to create a scratch folder in {}", parent.display())]
pub struct ScratchError {
    parent: PathBuf,
    source: std::io::Error,
}

impl Scratch {
    /// Creates the folder. `name` is a run's id, or `selftest-` and a process id.
    ///
    /// # Errors
    /// [`ScratchError`] if it cannot be created.
    pub fn new(name: &str) -> Result<Self, ScratchError> {
        let parent = std::env::temp_dir();
        Self::new_in(&parent, name).map_err(|source| ScratchError { parent, source })
    }

    fn new_in(parent: &Path, name: &str) -> std::io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{name}-"))
            .rand_bytes(RANDOM)
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        let lock = File::open(folder.path())?;
        lock.try_lock()?;
        Ok(Self { folder, _lock: lock })
    }

    /// The path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the scratch folders of killed processes, of run `run` or of all, and returns their number.
#[must_use]
pub fn remove_abandoned_scratch(run: Option<&str>) -> usize {
    remove_abandoned_in(&std::env::temp_dir(), run)
}

fn remove_abandoned_in(parent: &Path, run: Option<&str>) -> usize {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            let file_name = entry.file_name();
            let name = file_name.to_str().and_then(scratch_name);
            let is_wanted = name.is_some_and(|name| run.is_none_or(|run| name == run));
            is_wanted && is_abandoned(&entry.path()) && std::fs::remove_dir_all(entry.path()).is_ok()
        })
        .count()
}

/// The name that [`Scratch::new`] was given for this folder: `20261122-213352-jjbp` or `selftest-4711`.
fn scratch_name(file_name: &str) -> Option<&str> {
    let (name, random) = file_name.strip_prefix(PREFIX)?.rsplit_once('-')?;
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    let is_ours = match name.split('-').collect::<Vec<_>>()[..] {
        ["selftest" | "explain", process] => process.parse::<u32>().is_ok(),
        [date, time, letters] => digits(date, 8) && digits(time, 6) && letters.len() == 4,
        _ => false,
    };
    (is_ours && random.len() == RANDOM).then_some(name)
}

/// Returns true for a folder (not a link) that no process has locked.
fn is_abandoned(path: &Path) -> bool {
    let is_folder = std::fs::symlink_metadata(path).is_ok_and(|data| data.is_dir());
    let lock = File::open(path).map(|folder| folder.try_lock());
    is_folder && matches!(lock, Ok(Ok(())) | Ok(Err(TryLockError::Error(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_is_private_and_its_name_cannot_be_guessed() {
        let parent = tempfile::tempdir().expect("a folder");
        // Given a link of somebody else under the name of the run
        let planted = parent.path().join("leakcheck-20261122-213352-jjbp");
        let elsewhere = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(elsewhere.path(), &planted).expect("linked");
        // Then the run gets a folder of its own, which only its user may enter
        let scratch = Scratch::new_in(parent.path(), "20261122-213352-jjbp").expect("created");
        assert_ne!(scratch.path(), planted);
        let mode = std::fs::symlink_metadata(scratch.path())
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        let other = Scratch::new_in(parent.path(), "20261122-213352-jjbp").expect("created");
        assert_ne!(scratch.path(), other.path());
        // And it is found by its name once its process is gone
        assert_eq!(remove_abandoned_in(parent.path(), None), 0, "both are locked");
        let left = scratch.path().to_owned();
        let Scratch { folder, _lock } = scratch;
        let _ = folder.keep();
        drop(_lock);
        assert_eq!(remove_abandoned_in(parent.path(), Some("20261122-213352-jjbp")), 1);
        assert!(!left.exists() && planted.exists());
    }

    #[test]
    fn only_unlocked_folders_with_our_names_are_removed() {
        let parent = tempfile::tempdir().expect("a folder");
        let make = |name: &str| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).expect("created");
            std::fs::write(path.join("engine.sock"), "").expect("written");
            path
        };
        // Given the folders of two killed runs, a killed self-test and a running one, and some of other programs
        let killed = make("leakcheck-20261122-213352-jjbp-aB3dE6gH");
        let other = make("leakcheck-20261123-010203-abcd-aB3dE6gH");
        let selftest = make("leakcheck-selftest-4711-aB3dE6gH");
        let running = make("leakcheck-20261124-010203-abcd-aB3dE6gH");
        let lock = File::open(&running).expect("opened");
        lock.lock().expect("locked");
        let foreign = [
            "leakcheck-notes",
            "leakcheck-2026-11-22-aB3dE6gH",
            "selftest-4711-aB3dE6gH",
            "leakcheck-20261123-010203-abcd-bak",
        ]
        .map(make);
        // Then one run's folder is removed by its id, and all others if they are abandoned
        let by_id = remove_abandoned_in(parent.path(), Some("20261122-213352-jjbp"));
        assert_eq!((by_id, killed.exists(), other.exists()), (1, false, true));
        assert_eq!(remove_abandoned_in(parent.path(), Some("notes")), 0);
        assert_eq!(remove_abandoned_in(parent.path(), None), 2);
        assert_eq!(
            (other.exists(), selftest.exists(), running.exists()),
            (false, false, true)
        );
        assert!(foreign.iter().all(|path| path.exists()));
    }
}
