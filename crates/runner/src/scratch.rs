//! Scratch folders: where a run's sockets lie while it lasts, and what killed runs left of theirs.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::run::RunError;

/// What the name of every scratch folder begins with.
const PREFIX: &str = "leakcheck-";

/// A folder in the system's place for temporary files, removed with this value. It is locked meanwhile, and a lock ends with
/// its process: [`remove_abandoned`] takes only what nobody has locked.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _held: File,
}

impl Scratch {
    /// Makes the folder `leakcheck-NAME`; the name is a run's id, or `selftest-` and a process id.
    ///
    /// # Errors
    /// [`RunError::Scratch`] if it cannot be made.
    pub fn new(name: &str) -> Result<Self, RunError> {
        let path = std::env::temp_dir().join(format!("{PREFIX}{name}"));
        let held = std::fs::create_dir_all(&path)
            .and_then(|()| File::open(&path))
            .and_then(|folder| folder.try_lock().map_err(Into::into).map(|()| folder));
        match held {
            Ok(held) => Ok(Self { path, _held: held }),
            Err(source) => Err(RunError::Scratch { path, source }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Removes the scratch folders of processes that were killed, of one run or of all, and tells how many there were.
#[must_use]
pub fn remove_abandoned(run: Option<&str>) -> usize {
    remove_abandoned_of(&std::env::temp_dir(), run)
}

fn remove_abandoned_of(temporary: &Path, run: Option<&str>) -> usize {
    let entries = std::fs::read_dir(temporary).into_iter().flatten().flatten();
    let is_meant = |name: &str| is_ours(name) && run.is_none_or(|run| name == run);
    entries
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
            name.is_some_and(is_meant) && is_abandoned(&entry.path()) && std::fs::remove_dir_all(entry.path()).is_ok()
        })
        .count()
}

/// Whether [`Scratch::new`] is given such names: `20261122-213352-jjbp`, `selftest-4711`.
fn is_ours(name: &str) -> bool {
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    match name.split('-').collect::<Vec<_>>()[..] {
        ["selftest", process] => process.parse::<u32>().is_ok(),
        [day, time, letters] => digits(day, 8) && digits(time, 6) && letters.len() == 4,
        _ => false,
    }
}

/// A folder, not a link to one, that no process has locked.
fn is_abandoned(path: &Path) -> bool {
    let is_folder = std::fs::symlink_metadata(path).is_ok_and(|data| data.is_dir());
    let lock = File::open(path).map(|folder| folder.try_lock());
    is_folder && matches!(lock, Ok(Ok(())) | Ok(Err(TryLockError::Error(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_holds_and_bears_our_names_is_removed() {
        let temporary = tempfile::tempdir().expect("a folder");
        let make = |name: &str| {
            let path = temporary.path().join(name);
            std::fs::create_dir(&path).expect("made");
            std::fs::write(path.join("wire.sock"), "").expect("written");
            path
        };
        // Given what two killed runs and a self-test left, a run that goes on, and what is somebody else's
        let killed = make("leakcheck-20261122-213352-jjbp");
        let other = make("leakcheck-20261123-010203-abcd");
        let selftest = make("leakcheck-selftest-4711");
        let live = make("leakcheck-20261124-010203-abcd");
        let held = File::open(&live).expect("opened");
        held.lock().expect("locked");
        let foreign = ["leakcheck-notes", "leakcheck-2026-11-22", "selftest-4711"].map(make);
        // Then one run's is removed by its id, and the rest only if it is abandoned and ours
        let by_id = remove_abandoned_of(temporary.path(), Some("20261122-213352-jjbp"));
        assert_eq!((by_id, killed.exists(), other.exists()), (1, false, true));
        assert_eq!(remove_abandoned_of(temporary.path(), Some("notes")), 0);
        assert_eq!(remove_abandoned_of(temporary.path(), None), 2);
        assert_eq!((other.exists(), selftest.exists(), live.exists()), (false, false, true));
        assert!(foreign.iter().all(|path| path.exists()));
    }
}
