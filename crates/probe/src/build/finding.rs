//! What can be wrong with a build, and how it is said.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// One thing that is wrong with a build.
#[derive(Clone, Debug, PartialEq)]
pub enum BuildFinding {
    /// The source has changes that no commit has.
    Uncommitted {
        /// The first few files.
        files: Vec<String>,
        /// How many there are.
        count: usize,
    },
    /// The executable is older than a file that it is made of.
    OlderThanSource {
        /// The executable.
        binary: PathBuf,
        /// The newest source file.
        source: PathBuf,
        /// How much older.
        by: Duration,
    },
    /// The executable says of itself that it was built from another commit.
    OtherCommit {
        /// What it says.
        built_from: String,
        /// What is checked out.
        checked_out: String,
    },
    /// The target, or its image, says of itself that it was built from another commit.
    ToldOtherCommit {
        /// Who says it.
        who: String,
        /// What it says.
        told: String,
        /// What is checked out.
        checked_out: String,
    },
    /// The container runs another image than its image's name means now.
    ImageReplaced {
        /// The image's name.
        name: String,
        /// What runs.
        running: String,
        /// What the name means now.
        now: String,
    },
    /// The executable says of itself that it was built from uncommitted changes.
    BuiltFromChanges {
        /// The executable.
        binary: PathBuf,
    },
    /// There is no executable.
    NoBinary {
        /// Where it should be.
        binary: PathBuf,
    },
    /// The process runs an executable whose file is gone.
    Deleted {
        /// Where it was.
        path: PathBuf,
    },
    /// The process runs another executable than its path has now.
    Replaced {
        /// The path.
        path: PathBuf,
        /// What the process runs.
        running: String,
        /// What the file is now.
        on_disk: String,
    },
    /// The process runs another executable than the one that was named.
    OtherBinary {
        /// What it runs.
        running: PathBuf,
        /// What was named.
        named: PathBuf,
    },
    /// A program in a file that is interpreted was changed after the process began.
    ChangedAfterStart {
        /// The file.
        path: PathBuf,
        /// How long after.
        by: Duration,
    },
    /// The repository could not be asked.
    NoAnswerFromGit {
        /// Why.
        why: String,
    },
    /// Something could not be compared.
    Unknown {
        /// What, and why.
        what: String,
    },
}

impl BuildFinding {
    /// Whether it says that something else runs than the source says.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        !matches!(
            self,
            Self::Uncommitted { .. } | Self::NoAnswerFromGit { .. } | Self::Unknown { .. }
        )
    }

    /// Whether the source has, or may have, changes that no commit has.
    #[must_use]
    pub fn is_uncommitted(&self) -> bool {
        matches!(
            self,
            Self::Uncommitted { .. } | Self::BuiltFromChanges { .. } | Self::NoAnswerFromGit { .. }
        )
    }
}

impl fmt::Display for BuildFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uncommitted { files, count } => {
                let more = if *count > files.len() { ", …" } else { "" };
                write!(
                    f,
                    "{count} uncommitted change(s) in the source: {}{more}",
                    files.join(", ")
                )
            }
            Self::OlderThanSource { binary, source, by } => {
                let (binary, source) = (binary.display(), source.display());
                write!(
                    f,
                    "{binary} was built {} before the last change of {source}",
                    in_words(*by)
                )
            }
            Self::OtherCommit {
                built_from,
                checked_out,
            } => {
                write!(
                    f,
                    "the executable was built from commit {built_from}, and {checked_out} is checked out"
                )
            }
            Self::ToldOtherCommit { who, told, checked_out } => {
                write!(
                    f,
                    "{who} says that it was built from commit {told}, and {checked_out} is checked out"
                )
            }
            Self::ImageReplaced { name, running, now } => write!(
                f,
                "the container runs image {running}, and `{name}` is {now} now: it was not started anew"
            ),
            Self::BuiltFromChanges { binary } => {
                write!(f, "{} was built from uncommitted changes", binary.display())
            }
            Self::NoBinary { binary } => write!(f, "there is no executable {}", binary.display()),
            Self::Deleted { path } => write!(f, "the process runs {}, which is deleted", path.display()),
            Self::Replaced { path, running, on_disk } => write!(
                f,
                "the process runs an executable that {} had before, not the one of now ({running}, now {on_disk})",
                path.display()
            ),
            Self::OtherBinary { running, named } => {
                write!(f, "the process runs {}, not {}", running.display(), named.display())
            }
            Self::ChangedAfterStart { path, by } => {
                write!(
                    f,
                    "{} was changed {} after the process began",
                    path.display(),
                    in_words(*by)
                )
            }
            Self::NoAnswerFromGit { why } => write!(f, "git does not say what is committed: {why}"),
            Self::Unknown { what } => f.write_str(what),
        }
    }
}

/// `3 h 12 min`, `12 min`, `5.2 s`.
fn in_words(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..=59 => format!("{:.1} s", length.as_secs_f64()),
        60..=3599 => format!("{} min", seconds / 60),
        3600..=172_799 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}
