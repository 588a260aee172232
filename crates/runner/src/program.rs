//! The program that a command means: found, or not, before anything is started.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use leakcheck_model::Scenario;
use leakcheck_model::suggest::{appended, did_you_mean};

/// A command whose program cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// There is no such file.
    #[error("there is no program {}{}", path.display(), appended(meant))]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
        /// What was meant, in a sentence, if something is near.
        meant: String,
    },
    /// No folder of PATH has it.
    #[error("there is no program `{name}` in PATH{}", appended(meant))]
    NotInPath {
        /// As given.
        name: String,
        /// What was meant, in a sentence, if something is near.
        meant: String,
    },
    /// It is a folder, or must not be executed.
    #[error("{} cannot be executed: {why}", path.display())]
    NotExecutable {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
}

/// Whether the scenario's target can be started, if it is a command: to be asked before anything else is.
///
/// # Errors
/// [`ProgramError`], which is a mistake of whoever wrote the command.
pub fn startable(scenario: &Scenario) -> Result<(), ProgramError> {
    // A word that is filled in is known later.
    let named = scenario.target.command.first().filter(|word| !word.contains('{'));
    let cwd = scenario.target.cwd.as_ref().map(Path::new);
    named.map_or(Ok(()), |word| find(word, cwd).map(|_| ()))
}

/// The file that a command's first word means, by path or by `PATH`.
///
/// # Errors
/// [`ProgramError`].
pub(crate) fn find(word: &str, cwd: Option<&Path>) -> Result<PathBuf, ProgramError> {
    if word.contains('/') {
        let path = cwd.map_or_else(|| PathBuf::from(word), |cwd| cwd.join(word));
        return executable(&path).map(|()| path);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = || std::env::split_paths(&path);
    let mut there = folders().map(|folder| folder.join(word)).filter(|file| file.is_file());
    if let (Some(found), false) = (there.next(), word.is_empty()) {
        return Ok(found);
    }
    // `my-daemon` for `./my-daemon` is the commonest slip of all.
    let here = cwd.unwrap_or(Path::new(".")).join(word);
    let meant = if !word.is_empty() && executable(&here).is_ok() {
        format!("did you mean `./{word}`?")
    } else {
        near(word, folders())
    };
    Err(ProgramError::NotInPath {
        name: word.to_owned(),
        meant,
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
            meant: neighbour(path),
        }),
        Ok(meta) if meta.is_dir() => cannot("it is a folder"),
        Ok(meta) if meta.permissions().mode() & 0o111 == 0 => cannot("nobody may (chmod +x makes it so)"),
        Ok(_) => Ok(()),
    }
}

/// The file beside a path that is not there which was most likely meant.
fn neighbour(path: &Path) -> String {
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
    near(&name, [folder.to_owned()])
}

/// "Did you mean" one of the executable files in these folders.
fn near(name: &str, folders: impl IntoIterator<Item = PathBuf>) -> String {
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
    fn a_program_that_is_not_there_is_named_with_what_was_meant() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("daemon");
        std::fs::write(&program, "#!/bin/sh\n").expect("written");
        let look = |word: &str| find(word, Some(folder.path())).map_err(|error| error.to_string());
        // A file that is no program
        let error = look("./daemon").expect_err("not executable");
        assert!(error.contains("chmod +x"), "{error}");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("permitted");
        assert_eq!(look("./daemon"), Ok(folder.path().join("./daemon")));
        // A slip of the finger, a forgotten `./`, a folder that is not there, a folder
        for (word, said) in [
            ("./deamon", "did you mean `daemon`?"),
            ("daemon", "did you mean `./daemon`?"),
            ("bin/daemon", "there is no folder"),
            ("../", "it is a folder"),
            ("", "in PATH"),
        ] {
            let error = look(word).expect_err(word);
            assert!(error.contains(said), "{word}: {error}");
        }
        assert!(look("sh").is_ok());
    }
}
