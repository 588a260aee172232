//! Is what runs built from the source that it claims? The check that would have saved the record's test 6B, in which the
//! mended source was never compiled into the program under test.
//!
//! Compared are: the repository (uncommitted changes), the executable on disk with the newest source file that it is made of, and the
//! executable that the process really runs with the one on disk.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use leakcheck_model::event::ImageFacts;
use leakcheck_model::scenario::BuildRequirement;

use crate::process::Process;

pub use elf::interpreter;
pub use executable::Executable;
pub use finding::BuildFinding;
pub use image::told_by_image;
pub use interpreted::{is_interpreter, program_among};
pub use told::Told;

mod elf;
mod executable;
mod finding;
mod git;
mod image;
mod interpreted;
mod sources;
mod told;

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
    /// The image, if it runs in a container.
    pub image: Option<ImageFacts>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildReport {
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// The executable that was compared.
    pub executable: Option<Executable>,
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
        if let Some(image) = &question.image {
            // Its executable lies in the image, whose times and paths are not those of this machine.
            return image::compare(image, listed, self);
        }
        let process = question.pid.map(Process::open).and_then(Result::ok);
        if question.pid.is_some() && process.is_none() {
            let what = format!("there is no process {}", question.pid.unwrap_or_default());
            self.findings.push(BuildFinding::Unknown { what });
        }
        // What a container's process calls its executable is no path of this machine.
        if let (None, Some(process)) = (&question.binary, &process)
            && executable::is_elsewhere(process)
        {
            executable::compare(process, None, self);
            return;
        }
        let binary = match (&question.binary, &process) {
            (Some(binary), _) => Some(binary.clone()),
            (None, Some(process)) => self.program_of(process, listed),
            (None, None) => None,
        };
        let Some(binary) = binary else { return };
        let Ok(built) = std::fs::metadata(&binary).and_then(|m| m.modified()) else {
            if !process.is_some_and(|p| executable::compare(&p, None, self)) {
                self.findings.push(BuildFinding::NoBinary { binary });
            }
            return;
        };
        self.executable = Some(Executable::of(&binary, built));
        if executable::is_script(&binary) && sources::are_among(&binary, listed) {
            let path = binary.display();
            self.good
                .push(format!("{path} is source itself, which is read when it starts"));
        } else {
            self.compare_with_source(&binary, built, listed);
        }
        executable::compare_with_commit(&binary, self);
        if let Some(process) = process {
            executable::compare(&process, Some(&binary), self);
        }
    }

    /// The file that a process was built from, or is read from; `None` if it is an interpreter's and does not show.
    fn program_of(&mut self, process: &Process, listed: &[PathBuf]) -> Option<PathBuf> {
        let exe = executable::without_deleted(process.exe().ok()?);
        if !is_interpreter(&exe) {
            return Some(exe);
        }
        let (words, folder) = (process.command_line().ok()?, process.link("cwd").ok()?);
        let program = program_among(&words, &folder);
        if program.is_none() && !listed.is_empty() {
            let what = format!(
                "process {} is `{}`, and which program it runs does not show: name it with `binary`",
                process.pid(),
                exe.display()
            );
            self.findings.push(BuildFinding::Unknown { what });
            return None;
        }
        program.or(Some(exe))
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
