//! Child processes: target, simulated engine, traffic program.
//!
//! A child writes to a log, is stopped with SIGTERM and then SIGKILL, and dies with leakcheck.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::program::{ProgramError, find_program};
use crate::rlimit::original_soft_limit;

/// The command of leakcheck that starts a program and makes it die with its parent.
pub(crate) const LAUNCHER: &str = "die-with-parent";

/// Time for a killed process to be reaped.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes at the end of a log that are read for an error message.
const TAIL_BYTES: u64 = 4096;

/// Separates an event from the end of a process's output in a message.
pub const LOG_TAIL_INTRO: &str = "; its last output:\n";

/// A process that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Its log cannot be created.
    #[error("failed to create {path}")]
    Log {
        /// Path of the log.
        path: PathBuf,
        /// The error of the file system.
        #[source]
        source: std::io::Error,
    },
    /// Its program does not exist or cannot be executed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The system cannot start it.
    #[error("failed to start `{program}`")]
    Start {
        /// Name of the program.
        program: String,
        /// The error of the system.
        #[source]
        source: std::io::Error,
    },
}

/// A child process.
pub struct Process {
    child: Child,
    pid: u32,
    log: PathBuf,
    exit: Option<ExitStatus>,
    is_group_killed: bool,
}

impl Process {
    /// Starts `command` with its output appended to `log`.
    ///
    /// It runs in its own process group, because leakcheck handles Ctrl-C itself.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub fn start(
        command: &[String],
        env: &BTreeMap<String, String>,
        cwd: Option<&Path>,
        log: &Path,
    ) -> Result<Self, ProcessError> {
        let program = command.first().cloned().unwrap_or_default();
        find_program(&program, cwd)?;
        let log_error = |source| ProcessError::Log {
            path: log.to_owned(),
            source,
        };
        let out = File::options().create(true).append(true).open(log).map_err(log_error)?;
        let err = out.try_clone().map_err(log_error)?;
        let start_error = |source| ProcessError::Start {
            program: program.clone(),
            source,
        };
        let mut launcher = Command::new(std::env::current_exe().map_err(start_error)?);
        launcher
            .arg(LAUNCHER)
            .arg("--parent")
            .arg(std::process::id().to_string());
        if let Some(files) = original_soft_limit() {
            launcher.arg("--open-files").arg(files.to_string());
        }
        launcher.arg("--").args(command);
        launcher
            .envs(env)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .kill_on_drop(true);
        if let Some(cwd) = cwd {
            launcher.current_dir(cwd);
        }
        let child = launcher.spawn().map_err(start_error)?;
        Ok(Self {
            pid: child.id().unwrap_or_default(),
            child,
            log: log.to_owned(),
            exit: None,
            is_group_killed: false,
        })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The path of the log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The exit status, if the process has ended.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        if self.exit.is_none() {
            self.exit = self.child.try_wait().ok().flatten();
        }
        self.exit
    }

    /// Sends SIGTERM, then SIGKILL after `grace`, then SIGKILL to the rest of the process group.
    ///
    /// Returns true if the process had to be killed.
    pub async fn stop(&mut self, grace: Duration) -> bool {
        let is_killed = self.stop_child(grace).await;
        if let (Some(group), false) = (self.id(), self.is_group_killed) {
            // Once only: later the id may belong to another group. Usually the group is empty, which is an error to ignore.
            self.is_group_killed = true;
            let _ = kill_process_group(group, Signal::KILL);
        }
        is_killed
    }

    fn id(&self) -> Option<Pid> {
        i32::try_from(self.pid).ok().and_then(Pid::from_raw)
    }

    async fn stop_child(&mut self, grace: Duration) -> bool {
        if self.exit_status().is_some() {
            return false;
        }
        // The child is not reaped yet, so its id cannot belong to another process.
        if let Some(pid) = self.id() {
            let _ = kill_process(pid, Signal::TERM);
        }
        if let Ok(Ok(status)) = timeout(grace, self.child.wait()).await {
            self.exit = Some(status);
            return false;
        }
        let _ = self.child.start_kill();
        let killed = timeout(KILL_TIMEOUT, self.child.wait()).await;
        self.exit = killed.ok().and_then(Result::ok);
        true
    }

    /// The last `lines` lines of the output, for an error message.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        log_tail(&self.log, lines).unwrap_or_default()
    }
}

fn log_tail(path: &Path, lines: usize) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let begin = file.metadata()?.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}

/// Formats the end of a process's output to follow a message; empty if there is none.
pub(crate) fn quote_log_tail(tail: &str) -> String {
    if tail.is_empty() {
        String::new()
    } else {
        format!("{LOG_TAIL_INTRO}{tail}")
    }
}

/// Describes an exit status: `exit code 3` or `signal 11 (core dumped)`.
#[must_use]
pub(crate) fn describe_exit(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (_, Some(signal)) => {
            let dumped = if status.core_dumped() { " (core dumped)" } else { "" };
            format!("signal {signal}{dumped}")
        }
        _ => "unknown status".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::log_tail;

    #[test]
    fn the_end_of_a_log_is_read_without_the_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("target.log");
        // Given a log of a tebibyte, which fits into no memory
        let file = std::fs::File::create(&path).expect("created");
        file.write_all_at(b"\nfirst\nsecond\nthird\n", 1 << 40)
            .expect("written");
        // Then its last lines are read all the same
        assert_eq!(log_tail(&path, 2).expect("readable"), "second\nthird");
        assert!(log_tail(&folder.path().join("absent"), 2).is_err());
    }
}
