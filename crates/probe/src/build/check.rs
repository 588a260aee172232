//! The comparisons of the stale-build check, in their order.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use leakcheck_model::event::ImageFacts;

use super::executable::{Executable, is_script, without_deleted};
use super::finding::BuildFinding;
use super::interpreter::{is_interpreter, script_among};
use super::report::BuildReport;
use super::{git, image, running, sources};
use crate::process::Process;

/// The number of changed files that are named; the others are counted.
const MAX_NAMED: usize = 5;

/// The things to compare. An unknown one is left out.
#[derive(Clone, Debug, Default)]
pub struct BuildInputs {
    /// The git repository of the source.
    pub repo: Option<PathBuf>,
    /// The executable on disk.
    pub binary: Option<PathBuf>,
    /// The process, if the target runs already.
    pub pid: Option<u32>,
    /// The image, if the target runs in a container.
    pub image: Option<ImageFacts>,
}

impl BuildReport {
    /// Makes all comparisons for which there are inputs. It costs a few calls of `git`, each with a deadline, and a `stat` of
    /// each source file.
    #[tracing::instrument(name = "build_check", level = "debug", skip_all)]
    pub async fn check(inputs: BuildInputs) -> Self {
        let mut report = Self::default();
        let mut tracked = Vec::new();
        if let Some(repo) = &inputs.repo {
            match git::status(repo).await {
                Ok(status) => {
                    report.add_git_status(&status);
                    tracked = status.files;
                }
                Err(error) => {
                    let why = error.to_string();
                    report.findings.push(BuildFinding::GitFailed { why });
                }
            }
        }
        // Reading the times of a large source tree blocks.
        let blocking = tokio::task::spawn_blocking(move || {
            report.compare_files(&inputs, &tracked);
            report
        });
        blocking.await.unwrap_or_else(|error| {
            let mut report = Self::default();
            report.unknown(format!("the stale-build check failed: {error}"));
            report
        })
    }

    fn add_git_status(&mut self, status: &git::Status) {
        self.commit.clone_from(&status.commit);
        let count = status.changed.len();
        if count > 0 {
            let files = status.changed.iter().take(MAX_NAMED).cloned().collect();
            self.findings.push(BuildFinding::Uncommitted { files, count });
        }
    }

    fn compare_files(&mut self, inputs: &BuildInputs, tracked: &[PathBuf]) {
        if let Some(image) = &inputs.image {
            // Its executable is in the image, whose times and paths are not those of this machine.
            return image::compare(image, tracked, self);
        }
        let process = inputs.pid.map(Process::open).and_then(Result::ok);
        if let (Some(pid), None) = (inputs.pid, &process) {
            self.unknown(format!("there is no process {pid}"));
        }
        // The path of a container's executable is no path of this machine.
        if let (None, Some(process)) = (&inputs.binary, &process)
            && !process.shares_namespace("mnt")
        {
            running::compare(process, None, self);
            return;
        }
        let binary = match (&inputs.binary, &process) {
            (Some(binary), _) => Some(binary.clone()),
            (None, Some(process)) => self.program_of(process, tracked),
            (None, None) => None,
        };
        let Some(binary) = binary else { return };
        let Ok(built) = std::fs::metadata(&binary).and_then(|m| m.modified()) else {
            if !process.is_some_and(|p| running::compare(&p, None, self)) {
                self.findings.push(BuildFinding::NoBinary { binary });
            }
            return;
        };
        self.executable = Some(Executable::of(&binary, built));
        if is_script(&binary) && sources::contain(tracked, &binary) {
            let path = binary.display();
            self.confirmed
                .push(format!("{path} is a source file, which is read at the start"));
        } else {
            self.compare_with_sources(&binary, built, tracked);
        }
        if let Some(process) = process {
            running::compare(&process, Some(&binary), self);
        }
    }

    /// Returns the executable of a process, or the script that its interpreter runs; `None` if the script is not visible.
    fn program_of(&mut self, process: &Process, tracked: &[PathBuf]) -> Option<PathBuf> {
        let exe = without_deleted(process.exe().ok()?);
        if !is_interpreter(&exe) {
            return Some(exe);
        }
        let words = process.command_line().ok()?;
        let folder = process.read("cwd", procfs::process::Process::cwd).ok()?;
        let script = script_among(&words, &folder);
        if script.is_none() && !tracked.is_empty() {
            self.unknown(format!(
                "process {} is `{}`, and the script that it runs is not visible: name it with `binary`",
                process.pid(),
                exe.display()
            ));
            return None;
        }
        script.or(Some(exe))
    }

    fn compare_with_sources(&mut self, binary: &Path, built: SystemTime, tracked: &[PathBuf]) {
        let Some(newest) = sources::newest(binary, tracked) else {
            if !tracked.is_empty() {
                self.unknown("the repository has no file of a known programming language".into());
            }
            return;
        };
        let name = binary.display().to_string();
        self.compare_times(&name, built, newest);
    }
}
