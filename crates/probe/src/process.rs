//! A single process, read through /proc: threads, file descriptors, memory, processor time.
//!
//! The handle keeps /proc/PID open. If the kernel gives the id to another process, every read through the handle fails
//! instead of reading that process.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use procfs::{ProcError, ProcResult};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};

pub use error::ProcessError;
pub use stat::Stat;

mod descendants;
mod error;
mod memory;
mod stat;

/// The number of bytes of a command line that are read. The first words are enough to name a program.
const COMMAND_LINE_BYTES: u64 = 4096;

/// The kernel reports the number of descriptors as the size of the `fd` folder (Linux 6.2 and later).
static HAS_FD_COUNT: LazyLock<bool> =
    LazyLock::new(|| std::fs::metadata("/proc/self/fd").is_ok_and(|folder| folder.len() > 0));

/// An open process. It costs three of our own file descriptors: `stat` and `statm` stay open, because opening a file of
/// /proc costs as much as reading it.
pub struct Process {
    pid: u32,
    proc: procfs::process::Process,
    stat: File,
    statm: File,
    start_ticks: u64,
}

/// A sample of one process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcSample {
    /// The number of threads.
    pub threads: u64,
    /// The number of open file descriptors; `None` if the kernel does not permit counting them.
    pub fds: Option<u64>,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// Processor time since the start, user and system, in seconds.
    pub cpu_s: f64,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({} started at tick {})", self.pid, self.start_ticks)
    }
}

impl Process {
    /// Opens the process with this id.
    ///
    /// # Errors
    /// [`ProcessError::Gone`] if there is no such process or it is a zombie, else the error of the kernel.
    pub fn open(pid: u32) -> Result<Self, ProcessError> {
        let id = i32::try_from(pid).map_err(|_| ProcessError::Gone { pid })?;
        let failed = |file: &'static str| move |error| ProcessError::from_procfs(pid, file, error);
        let proc = procfs::process::Process::new(id).map_err(failed(""))?;
        let mut process = Self {
            pid,
            stat: proc.open_relative("stat").map_err(failed("stat"))?,
            statm: proc.open_relative("statm").map_err(failed("statm"))?,
            proc,
            start_ticks: 0,
        };
        process.start_ticks = process.stat()?.start_ticks;
        Ok(process)
    }

    /// Returns the process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the name that the kernel keeps (15 bytes at most).
    ///
    /// # Errors
    /// The same as [`Process::stat`].
    pub fn name(&self) -> Result<String, ProcessError> {
        Ok(self.read("stat", procfs::process::Process::stat)?.comm)
    }

    /// Returns the first 4 KiB of the command line.
    ///
    /// # Errors
    /// [`ProcessError::Gone`] if the process has ended.
    pub fn command_line(&self) -> Result<Vec<String>, ProcessError> {
        let mut text = Vec::new();
        let file = self.open_file("cmdline")?;
        file.take(COMMAND_LINE_BYTES)
            .read_to_end(&mut text)
            .map_err(|e| self.error("cmdline", e.into()))?;
        let words = text.split(|b| *b == 0).filter(|w| !w.is_empty());
        Ok(words.map(|w| String::from_utf8_lossy(w).into_owned()).collect())
    }

    /// Returns the start time in clock ticks after the boot. Together with the id it identifies a process for good.
    #[must_use]
    pub fn start_ticks(&self) -> u64 {
        self.start_ticks
    }

    /// Returns `true` if the process still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.stat().is_ok()
    }

    /// Reads /proc/PID/stat.
    ///
    /// # Errors
    /// [`ProcessError::Gone`] if the process has ended or is a zombie.
    pub fn stat(&self) -> Result<Stat, ProcessError> {
        let mut buffer = [0; 2048];
        let text = self.read_again("stat", &self.stat, &mut buffer)?;
        let stat = Stat::parse(text).ok_or_else(|| self.error("stat", ProcError::Incomplete(None)))?;
        // A process whose first thread has ended lives on in the others, although its state says zombie.
        if stat.is_ended() && stat.threads <= 1 {
            return Err(self.gone());
        }
        Ok(stat)
    }

    /// Reads threads, file descriptors, memory and processor time. The cost does not depend on the number of descriptors
    /// (docs/benchmarks.md has it).
    ///
    /// # Errors
    /// The same as [`Process::stat`]. Descriptors that may not be counted are `None` and no error.
    pub fn sample(&self) -> Result<ProcSample, ProcessError> {
        let stat = self.stat()?;
        let fds = match self.fd_count() {
            Ok(_) if stat.is_ended() => None,
            Ok(count) => Some(count),
            Err(ProcessError::NotPermitted { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(ProcSample {
            threads: stat.threads,
            fds,
            rss_bytes: self.rss_bytes()?,
            cpu_s: seconds(stat.user_ticks + stat.system_ticks),
        })
    }

    /// Returns the processor time of reaped children and of their reaped descendants, in seconds.
    ///
    /// # Errors
    /// The same as [`Process::stat`].
    pub fn waited_cpu_s(&self) -> Result<f64, ProcessError> {
        Ok(seconds(self.stat()?.waited_ticks))
    }

    /// Returns the number of open file descriptors. The cost is constant since Linux 6.2, where any user may count them.
    ///
    /// # Errors
    /// [`ProcessError::NotPermitted`] on an older kernel for another user's process.
    pub fn fd_count(&self) -> Result<u64, ProcessError> {
        let count = self.proc.fd_count().map_err(|e| self.error("fd", e))? as u64;
        // Where the kernel reports no size (or zero), procfs lists the folder and counts `.` and `..` too.
        if !*HAS_FD_COUNT {
            return Ok(count.saturating_sub(2));
        }
        if count > 2 {
            return Ok(count);
        }
        Ok(self.proc.fd().map_err(|e| self.error("fd", e))?.count() as u64)
    }

    /// Returns the path of the running executable, with ` (deleted)` appended if its file is gone.
    ///
    /// # Errors
    /// [`ProcessError::NotPermitted`] for another user's process.
    pub fn exe(&self) -> Result<PathBuf, ProcessError> {
        self.read("exe", procfs::process::Process::exe)
    }

    /// Reads something through the procfs crate; `file` names it in errors.
    pub(crate) fn read<T>(
        &self,
        file: &str,
        read: impl FnOnce(&procfs::process::Process) -> ProcResult<T>,
    ) -> Result<T, ProcessError> {
        read(&self.proc).map_err(|e| self.error(file, e))
    }

    /// Opens a file of /proc/PID (`exe` opens the executable itself, even a deleted one).
    pub(crate) fn open_file(&self, name: &str) -> Result<File, ProcessError> {
        self.read(name, |proc| proc.open_relative(name))
    }

    /// Returns `true` if the process is in the same namespace of this kind (`net`, `mnt`) as leakcheck itself.
    pub(crate) fn shares_namespace(&self, kind: &str) -> bool {
        let of = |proc: &procfs::process::Process| proc.namespaces().ok()?.0.remove(std::ffi::OsStr::new(kind));
        let ours = procfs::process::Process::myself().ok().as_ref().and_then(of);
        ours.is_some() && of(&self.proc) == ours
    }

    /// Waits until the process ends. It need not be a child of ours.
    ///
    /// # Errors
    /// An error of the kernel, or no I/O driver in this runtime.
    pub async fn ended(&self) -> Result<(), ProcessError> {
        let pid = i32::try_from(self.pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| self.gone())?;
        let io = |source| ProcessError::Io {
            pid: self.pid,
            file: "pidfd".into(),
            source,
        };
        let handle = match rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(handle) => handle,
            Err(Errno::SRCH) => return Ok(()),
            Err(errno) => return Err(io(errno.into())),
        };
        // If the process is still alive now, then the handle is its own and not that of a successor with its id.
        if !self.is_alive() {
            return Ok(());
        }
        #[expect(
            deprecated,
            reason = "its replacement is unsafe code, and an OwnedFd is what makes this call sound"
        )]
        let ready = tokio::io::unix::AsyncFd::with_interest(handle, tokio::io::Interest::READABLE).map_err(io)?;
        let _ = ready.readable().await.map_err(io)?;
        Ok(())
    }

    /// Returns `true` if the process ended within `limit`.
    ///
    /// # Errors
    /// The same as [`Process::ended`].
    pub async fn ended_within(&self, limit: Duration) -> Result<bool, ProcessError> {
        match tokio::time::timeout(limit, self.ended()).await {
            Ok(result) => result.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Reads an open file from its beginning: the kernel writes it anew, or reports that the process is gone.
    fn read_again<'b>(&self, name: &str, file: &File, buffer: &'b mut [u8]) -> Result<&'b [u8], ProcessError> {
        let length = std::os::unix::fs::FileExt::read_at(file, buffer, 0).map_err(|e| self.error(name, e.into()))?;
        Ok(&buffer[..length])
    }

    fn error(&self, file: &str, error: ProcError) -> ProcessError {
        match ProcessError::from_procfs(self.pid, file, error) {
            ProcessError::Gone { .. } => self.gone(),
            other => other,
        }
    }

    /// The error for a process that has ended: gone, or its id given to another process.
    fn gone(&self) -> ProcessError {
        let successor = procfs::process::Process::new(self.pid.cast_signed()).and_then(|process| process.stat());
        let is_other = successor.is_ok_and(|stat| stat.starttime != self.start_ticks);
        if is_other && self.start_ticks > 0 {
            ProcessError::Restarted { pid: self.pid }
        } else {
            ProcessError::Gone { pid: self.pid }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a tick is 10 ms; 52 bits of them are a million years"
)]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / procfs::ticks_per_second() as f64
}
