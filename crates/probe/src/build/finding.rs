//! The findings of the stale-build check, and their messages.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A problem of a build, or a comparison that could not be made.
#[derive(Clone, Debug, PartialEq)]
pub enum BuildFinding {
    /// The source has uncommitted changes.
    Uncommitted {
        /// The first few files.
        files: Vec<String>,
        /// The number of changed files.
        count: usize,
    },
    /// The executable is older than one of its source files.
    OlderThanSource {
        /// The executable.
        binary: PathBuf,
        /// The newest source file.
        source: PathBuf,
        /// The difference of their ages.
        by: Duration,
    },
    /// The target or its image reports that it was built from another commit.
    ReportedOtherCommit {
        /// The target or the image.
        reporter: String,
        /// The commit that it reports.
        reported: String,
        /// The commit that is checked out.
        checked_out: String,
    },
    /// The container runs an older image than the one that its name refers to now.
    ImageReplaced {
        /// The name of the image.
        name: String,
        /// The id of the image that runs.
        running: String,
        /// The id of the image with this name now.
        now: String,
    },
    /// The target or its image reports that it was built from uncommitted changes.
    BuiltFromChanges {
        /// The target or the image.
        reporter: String,
    },
    /// There is no executable.
    NoBinary {
        /// Its expected path.
        binary: PathBuf,
    },
    /// The process runs an executable whose file is deleted.
    Deleted {
        /// Its former path.
        path: PathBuf,
    },
    /// The executable of the process was replaced on disk.
    Replaced {
        /// The path.
        path: PathBuf,
        /// The build that the process runs.
        running: String,
        /// The build that is on disk now.
        on_disk: String,
    },
    /// The process runs another executable than the one that was named.
    OtherBinary {
        /// The executable that it runs.
        running: PathBuf,
        /// The executable that was named.
        named: PathBuf,
    },
    /// The status of the repository could not be read.
    GitFailed {
        /// The reason.
        why: String,
    },
    /// Something could not be compared.
    Unknown {
        /// The thing and the reason.
        message: String,
    },
}

impl BuildFinding {
    /// Returns `true` if the target was not built from the current source.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        !matches!(
            self,
            Self::Uncommitted { .. } | Self::GitFailed { .. } | Self::Unknown { .. }
        )
    }

    /// Returns `true` if the source has, or may have, uncommitted changes.
    #[must_use]
    pub fn is_uncommitted(&self) -> bool {
        matches!(
            self,
            Self::Uncommitted { .. } | Self::BuiltFromChanges { .. } | Self::GitFailed { .. }
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
                write!(f, "{binary} was built {} before the last change of {source}", age(*by))
            }
            Self::ReportedOtherCommit {
                reporter,
                reported,
                checked_out,
            } => {
                write!(
                    f,
                    "{reporter} reports that it was built from commit {reported}, but {checked_out} is checked out"
                )
            }
            Self::ImageReplaced { name, running, now } => write!(
                f,
                "the container runs image {running}, but `{name}` is {now} now: recreate the container"
            ),
            Self::BuiltFromChanges { reporter } => write!(f, "{reporter} was built from uncommitted changes"),
            Self::NoBinary { binary } => write!(f, "there is no executable {}", binary.display()),
            Self::Deleted { path } => write!(f, "the process runs {}, which is deleted", path.display()),
            Self::Replaced { path, running, on_disk } => write!(
                f,
                "{} was replaced after the process started (it runs {running}; on disk is {on_disk})",
                path.display()
            ),
            Self::OtherBinary { running, named } => {
                write!(f, "the process runs {}, not {}", running.display(), named.display())
            }
            Self::GitFailed { why } => write!(f, "failed to read the repository: {why}"),
            Self::Unknown { message } => f.write_str(message),
        }
    }
}

/// Formats a length of time: `3 h 12 min`, `12 min`, `5.2 s`.
fn age(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..=59 => format!("{:.1} s", length.as_secs_f64()),
        60..=3599 => format!("{} min", seconds / 60),
        3600..=172_799 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}
