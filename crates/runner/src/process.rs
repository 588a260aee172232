//! A process of our own making: target or simulated engine. It writes to a log, is stopped with SIGTERM and then
//! SIGKILL, and dies with us.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::open_files::soft_limit_before;
use crate::program::{ProgramError, find};

/// A process that could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Its log cannot be written.
    #[error("failed to create {path}")]
    Log {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no such program.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// It cannot be started.
    #[error("failed to start `{program}`")]
    Start {
        /// Which.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A running process of ours.
pub struct Process {
    child: Child,
    pid: u32,
    log: PathBuf,
    ended: Option<ExitStatus>,
    /// Whether the rest of its group was ended.
    swept: bool,
}

impl Process {
    /// Starts `command` in a process group of its own (a Ctrl-C on the terminal is ours to hand on), its output
    /// appended to `log`. It is started through `leakcheck hold`, which makes it die with us.
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
        find(&program, cwd)?;
        let opened = File::options().create(true).append(true).open(log);
        let cannot_log = |source| ProcessError::Log {
            path: log.to_owned(),
            source,
        };
        let out = opened.map_err(cannot_log)?;
        let err = out.try_clone().map_err(cannot_log)?;
        let cannot_start = |source| ProcessError::Start {
            program: program.clone(),
            source,
        };
        let ourselves = std::env::current_exe().map_err(cannot_start)?;
        let mut starter = Command::new(ourselves);
        starter.arg("hold");
        if let Some(files) = soft_limit_before() {
            starter.arg("--open-files").arg(files.to_string());
        }
        starter.arg("--").args(command);
        starter
            .envs(env)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .kill_on_drop(true);
        if let Some(cwd) = cwd {
            starter.current_dir(cwd);
        }
        let child = starter.spawn().map_err(cannot_start)?;
        let pid = child.id().unwrap_or_default();
        Ok(Self {
            child,
            pid,
            log: log.to_owned(),
            ended: None,
            swept: false,
        })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where its output goes.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// SIGTERM, and SIGKILL if it still lives after `patience`; then SIGKILL for those of its group that it left behind.
    /// Returns how it ended and whether it had to be killed.
    pub async fn stop(&mut self, patience: Duration) -> (Option<ExitStatus>, bool) {
        let stopped = self.stop_first(patience).await;
        if let (Some(group), false) = (self.id(), self.swept) {
            // Once: later the id may be another's. Most groups are empty by now, which is an error of no concern.
            self.swept = true;
            let _ = kill_process_group(group, Signal::KILL);
        }
        stopped
    }

    fn id(&self) -> Option<Pid> {
        i32::try_from(self.pid).ok().and_then(Pid::from_raw)
    }

    async fn stop_first(&mut self, patience: Duration) -> (Option<ExitStatus>, bool) {
        if let Some(status) = self.ended() {
            return (Some(status), false);
        }
        // The child is ours and not reaped, so its id is its own.
        if let Some(pid) = self.id() {
            let _ = kill_process(pid, Signal::TERM);
        }
        if let Ok(Ok(status)) = timeout(patience, self.child.wait()).await {
            self.ended = Some(status);
            return (Some(status), false);
        }
        let _ = self.child.start_kill();
        self.ended = timeout(Duration::from_secs(5), self.child.wait())
            .await
            .ok()
            .and_then(Result::ok);
        (self.ended, true)
    }

    /// The last lines of its output, for an error message.
    #[must_use]
    pub fn last_words(&self, lines: usize) -> String {
        let text = std::fs::read(&self.log)
            .map(|b| String::from_utf8_lossy(&b[b.len().saturating_sub(4096)..]).into_owned())
            .unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

/// An exit status in words.
#[must_use]
pub(crate) fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (_, Some(signal)) => format!(
            "signal {signal}{}",
            if status.core_dumped() { " (core dumped)" } else { "" }
        ),
        _ => "unknown status".into(),
    }
}
