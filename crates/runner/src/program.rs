//! Finds the program of a command before anything is started.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use leakcheck_model::Scenario;
use leakcheck_model::suggest::{appended, did_you_mean};

/// A program that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The file does not exist.
    #[error("there is no program {}{}", path.display(), appended(suggestion))]
    Absent {
        /// The path that was tried.
        path: PathBuf,
        /// A sentence with the nearest name, or empty.
        suggestion: String,
    },
    /// No folder of `PATH` contains it.
    #[error("there is no program `{name}` in PATH{}", appended(suggestion))]
    NotInPath {
        /// The name as given.
        name: String,
        /// A sentence with the nearest name, or empty.
        suggestion: String,
    },
    /// The file is a folder or has no execute permission.
    #[error("{} cannot be executed: {why}", path.display())]
    NotExecutable {
        /// Path of the file.
        path: PathBuf,
        /// The reason.
        why: &'static str,
    },
}

/// Checks that the program of the scenario's target exists and can be executed, if the target is a command.
///
/// # Errors
/// [`ProgramError`], a mistake in the scenario or command line.
pub fn check_program(scenario: &Scenario) -> Result<(), ProgramError> {
    // A placeholder is filled in later.
    let named = scenario.target.command.first().filter(|word| !word.contains('{'));
    let cwd = scenario.target.cwd.as_ref().map(Path::new);
    named.map_or(Ok(()), |word| find_program(word, cwd).map(|_| ()))
}

/// Finds the file of a command's first word, by path or in `PATH`.
///
/// # Errors
/// [`ProgramError`].
pub(crate) fn find_program(word: &str, cwd: Option<&Path>) -> Result<PathBuf, ProgramError> {
    if word.contains('/') {
        let path = cwd.map_or_else(|| PathBuf::from(word), |cwd| cwd.join(word));
        return executable(&path).map(|()| path);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = || std::env::split_paths(&path);
    let mut files = folders().map(|folder| folder.join(word)).filter(|file| file.is_file());
    if let (Some(found), false) = (files.next(), word.is_empty()) {
        return Ok(found);
    }
    // A missing `./` is the most common mistake.
    let here = cwd.unwrap_or(Path::new(".")).join(word);
    let suggestion = if !word.is_empty() && executable(&here).is_ok() {
        format!("did you mean `./{word}`?")
    } else {
        nearest(word, folders())
    };
    Err(ProgramError::NotInPath {
        name: word.to_owned(),
        suggestion,
    })
}

fn executable(path: &Path) -> Result<(), ProgramError> {
    let cannot = |why| {
        Err(ProgramError::NotExecutable {
            path: path.to_owned(),
            why,
        })
    };
    match std::fs::metadata(path) {
        Err(_) => Err(ProgramError::Absent {
            path: path.to_owned(),
            suggestion: suggestion_beside(path),
        }),
        Ok(meta) if meta.is_dir() => cannot("it is a folder"),
        Ok(meta) if meta.permissions().mode() & 0o111 == 0 => cannot("it has no execute permission (chmod +x sets it)"),
        Ok(_) => Ok(()),
    }
}

/// A suggestion from the folder of a missing path.
fn suggestion_beside(path: &Path) -> String {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return format!("there is no folder {} either", folder.display());
    }
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    nearest(&name, [folder.to_owned()])
}

/// A "did you mean" with the nearest executable file in `folders`, or empty.
fn nearest(name: &str, folders: impl IntoIterator<Item = PathBuf>) -> String {
    let files = folders.into_iter().filter_map(|folder| std::fs::read_dir(folder).ok());
    let names: Vec<String> = files
        .flat_map(|entries| entries.flatten())
        .filter(|entry| executable(&entry.path()).is_ok())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    did_you_mean(name, names.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_for_a_missing_program_suggests_the_nearest() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("daemon");
        std::fs::write(&program, "#!/bin/sh\n").expect("written");
        let find = |word: &str| find_program(word, Some(folder.path())).map_err(|error| error.to_string());
        // A file without execute permission
        let error = find("./daemon").expect_err("not executable");
        assert!(error.contains("chmod +x"), "{error}");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("permitted");
        assert_eq!(find("./daemon"), Ok(folder.path().join("./daemon")));
        // A typing error, a missing `./`, a missing folder, a folder
        for (word, expected) in [
            ("./deamon", "did you mean `daemon`?"),
            ("daemon", "did you mean `./daemon`?"),
            ("bin/daemon", "there is no folder"),
            ("../", "it is a folder"),
            ("", "in PATH"),
        ] {
            let error = find(word).expect_err(word);
            assert!(error.contains(expected), "{word}: {error}");
        }
        assert!(find("sh").is_ok());
    }
}
