//! Is what runs built from the source that it claims? The check that would have saved the record's test 6B, in which the
//! mended source was never compiled into the program under test.
//!
//! Compared are: the repository (uncommitted changes), the executable on disk with the newest source file that it is made of, and the
//! executable that the process really runs with the one on disk.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use leakcheck_model::scenario::BuildRequirement;

use crate::process::Process;

mod elf;
mod executable;
mod git;
mod sources;

/// Changed files that are named; the others are counted.
const NAMED: usize = 5;

/// What is to be compared; whatever is not known is left out.
#[derive(Clone, Debug, Default)]
pub struct BuildQuestion {
    /// The source's git repository.
    pub repo: Option<PathBuf>,
    /// The executable on disk.
    pub binary: Option<PathBuf>,
    /// The process, if it runs already.
    pub pid: Option<u32>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildReport {
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// What is wrong, or could not be found out.
    pub findings: Vec<BuildFinding>,
    /// What was compared and found good, in words.
    pub good: Vec<String>,
}

/// Whether the build is what the source says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildState {
    /// As far as could be compared, yes; and something could.
    Fresh,
    /// No.
    Stale,
    /// Nothing could be compared.
    Unknown,
}

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

impl BuildReport {
    /// Looks at everything that the question names. Costs a few calls of `git` (each with a deadline) and a `stat` of each source file.
    pub async fn look(question: BuildQuestion) -> Self {
        let mut report = Self::default();
        let mut listed = Vec::new();
        if let Some(repo) = &question.repo {
            match git::look(repo).await {
                Ok(git) => {
                    report.take_git(&git);
                    listed = git.files;
                }
                Err(error) => report
                    .findings
                    .push(BuildFinding::NoAnswerFromGit { why: error.to_string() }),
            }
        }
        // Reading the disk may take long on a large source.
        let blocking = tokio::task::spawn_blocking(move || {
            report.take_disk(&question, &listed);
            report
        });
        blocking.await.unwrap_or_else(|error| Self {
            findings: vec![BuildFinding::Unknown {
                what: format!("the check itself broke: {error}"),
            }],
            ..Self::default()
        })
    }

    /// In one word, as in `result.json`.
    #[must_use]
    pub fn state(&self) -> BuildState {
        if self.findings.iter().any(BuildFinding::is_stale) {
            BuildState::Stale
        } else if self.good.is_empty() {
            BuildState::Unknown
        } else {
            BuildState::Fresh
        }
    }

    /// What breaks these requirements, in words; doubt breaks them too.
    #[must_use]
    pub fn broken(&self, require: &[BuildRequirement]) -> Vec<String> {
        let mut broken: Vec<String> = Vec::new();
        for requirement in require {
            let breaks = |f: &&BuildFinding| match requirement {
                BuildRequirement::Committed => f.is_uncommitted(),
                BuildRequirement::Fresh => f.is_stale(),
            };
            broken.extend(self.findings.iter().filter(breaks).map(ToString::to_string));
            let unknown = *requirement == BuildRequirement::Fresh && self.state() == BuildState::Unknown;
            if unknown {
                broken.push("whether the executable is fresh could not be found out".into());
                broken.extend(self.findings.iter().map(ToString::to_string));
            }
        }
        broken.dedup();
        broken
    }

    /// Everything that was compared, in words, for `build_notes`.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.findings
            .iter()
            .map(ToString::to_string)
            .chain(self.good.iter().cloned())
            .collect()
    }

    fn take_git(&mut self, git: &git::Answer) {
        self.commit.clone_from(&git.commit);
        let count = git.changed.len();
        if count > 0 {
            let files = git.changed.iter().take(NAMED).cloned().collect();
            self.findings.push(BuildFinding::Uncommitted { files, count });
        }
    }

    fn take_disk(&mut self, question: &BuildQuestion, listed: &[PathBuf]) {
        let process = question.pid.map(Process::open).and_then(Result::ok);
        let binary = match (&question.binary, &process) {
            (Some(binary), _) => Some(binary.clone()),
            (None, Some(process)) => process.exe().ok().map(executable::without_deleted),
            (None, None) => None,
        };
        let Some(binary) = binary else { return };
        let Ok(built) = std::fs::metadata(&binary).and_then(|m| m.modified()) else {
            if !process.is_some_and(|p| executable::compare(&p, None, self)) {
                self.findings.push(BuildFinding::NoBinary { binary });
            }
            return;
        };
        self.compare_with_source(&binary, built, listed);
        executable::compare_with_commit(&binary, self);
        if let Some(process) = process {
            executable::compare(&process, Some(&binary), self);
        }
    }

    fn compare_with_source(&mut self, binary: &Path, built: SystemTime, listed: &[PathBuf]) {
        match sources::newest(binary, listed) {
            None if listed.is_empty() => {}
            None => {
                let what = "there is no file of a known programming language in the repository".into();
                self.findings.push(BuildFinding::Unknown { what });
            }
            Some(newest) => match newest.changed.duration_since(built) {
                Ok(by) if !by.is_zero() => {
                    self.findings.push(BuildFinding::OlderThanSource {
                        binary: binary.to_owned(),
                        source: newest.path,
                        by,
                    });
                }
                _ => self.good.push(format!(
                    "{} is newer than its {} source files ({})",
                    binary.display(),
                    newest.of,
                    newest.how
                )),
            },
        }
    }
}

impl BuildState {
    /// As in `result.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
        }
    }
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
