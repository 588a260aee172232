//! One process, read through /proc: threads, file descriptors, memory, processor time.
//!
//! The handle is an open folder (`O_PATH` of /proc/PID), so that a process id that the kernel gives to another
//! process is never read by mistake: once ours is reaped, every read through the handle fails.

use std::ffi::OsString;
use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};

pub use error::ProcessError;
use error::explain;
pub(crate) use memory::kilobytes;
pub use stat::Stat;

mod error;
mod memory;
mod stat;
mod tree;

/// A process that is watched. Costs three file descriptors of ours: what is read at each look stays open, because opening
/// a file of /proc costs the kernel as much as writing it.
pub struct Process {
    pid: u32,
    folder: OwnedFd,
    stat: OwnedFd,
    statm: OwnedFd,
    start_ticks: u64,
    /// Ticks of a second in /proc (100 on every Linux that people run, but asked for).
    ticks_per_second: f64,
    page_bytes: u64,
}

/// What one look at a process saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcSample {
    /// Threads.
    pub threads: u64,
    /// Open file descriptors; `None` if the kernel does not let us count them.
    pub fds: Option<u64>,
    /// Resident memory, bytes.
    pub rss_bytes: u64,
    /// Processor time used since it began, user and system, seconds.
    pub cpu_s: f64,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({} started at tick {})", self.pid, self.start_ticks)
    }
}

impl Process {
    /// Begins to watch a process.
    ///
    /// # Errors
    /// [`ProcessError::Gone`] if there is none of this id (or it is a zombie), else as the kernel says.
    pub fn open(pid: u32) -> Result<Self, ProcessError> {
        let folder = rustix::fs::openat(
            CWD,
            format!("/proc/{pid}"),
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|errno| explain(pid, "", errno))?;
        let open = |name: &str| {
            rustix::fs::openat(&folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|errno| explain(pid, name, errno))
        };
        let mut process = Self {
            pid,
            stat: open("stat")?,
            statm: open("statm")?,
            folder,
            start_ticks: 0,
            #[expect(clippy::cast_precision_loss, reason = "a hundred or so")]
            ticks_per_second: rustix::param::clock_ticks_per_second() as f64,
            page_bytes: rustix::param::page_size() as u64,
        };
        process.start_ticks = process.stat()?.start_ticks;
        Ok(process)
    }

    /// Its id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its name, as the kernel keeps it (15 letters at most).
    ///
    /// # Errors
    /// [`ProcessError::Gone`] if it is gone.
    pub fn name(&self) -> Result<String, ProcessError> {
        let mut buffer = [0; 64];
        let name = self.read_small("comm", &mut buffer)?;
        Ok(String::from_utf8_lossy(name).trim_end().to_owned())
    }

    /// Its command line, as it was started or has rewritten it.
    ///
    /// # Errors
    /// [`ProcessError::Gone`] if it is gone.
    pub fn command_line(&self) -> Result<Vec<String>, ProcessError> {
        // More than the first words of a long one helps nobody.
        let mut buffer = [0; 4096];
        let text = self.read_small("cmdline", &mut buffer)?;
        let words = text.split(|b| *b == 0).filter(|w| !w.is_empty());
        Ok(words.map(|w| String::from_utf8_lossy(w).into_owned()).collect())
    }

    /// When it began, in clock ticks after the boot: with the id, this names a process for good.
    #[must_use]
    pub fn start_ticks(&self) -> u64 {
        self.start_ticks
    }

    /// When it began, seconds after the boot.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a tick is 10 ms; 52 bits of them are a million years"
    )]
    pub fn start_s(&self) -> f64 {
        self.start_ticks as f64 / self.ticks_per_second
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.stat().is_ok()
    }

    /// /proc/PID/stat.
    ///
    /// # Errors
    /// [`ProcessError::Gone`] also for a zombie.
    pub fn stat(&self) -> Result<Stat, ProcessError> {
        let mut buffer = [0; 2048];
        let text = self.read_again("stat", &self.stat, &mut buffer)?;
        let stat = Stat::parse(text).ok_or_else(|| self.malformed("stat"))?;
        // The first thread may have ended before the others; then the process lives on though its state says zombie.
        if stat.is_ended() && stat.threads <= 1 {
            return Err(self.gone());
        }
        Ok(stat)
    }

    /// Threads, file descriptors, memory and processor time, in a time that does not depend on what the process has open
    /// (docs/benchmarks.md has it).
    ///
    /// # Errors
    /// As [`Process::stat`]; that the file descriptors alone cannot be counted is no error but a `None`.
    #[expect(clippy::cast_precision_loss, reason = "ticks of processor time")]
    pub fn sample(&self) -> Result<ProcSample, ProcessError> {
        let stat = self.stat()?;
        let fds = match self.fds() {
            Ok(_) if stat.is_ended() => None,
            Ok(count) => Some(count),
            Err(ProcessError::NotPermitted { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(ProcSample {
            threads: stat.threads,
            fds,
            rss_bytes: self.rss_bytes()?,
            cpu_s: (stat.user_ticks + stat.system_ticks) as f64 / self.ticks_per_second,
        })
    }

    /// Processor time of children that have ended and were waited for, and of theirs, seconds.
    ///
    /// # Errors
    /// As [`Process::stat`].
    #[expect(clippy::cast_precision_loss, reason = "ticks of processor time")]
    pub fn waited_cpu_s(&self) -> Result<f64, ProcessError> {
        Ok(self.stat()?.waited_ticks as f64 / self.ticks_per_second)
    }

    /// How many file descriptors are open. O(1) since Linux 6.2, where the folder's size is their number, which anybody may
    /// see, also of another user's process.
    ///
    /// # Errors
    /// [`ProcessError::NotPermitted`] on an older kernel for another user's process.
    pub fn fds(&self) -> Result<u64, ProcessError> {
        let folder = rustix::fs::statat(&self.folder, "fd", AtFlags::empty()).map_err(|e| self.explain("fd", e))?;
        match u64::try_from(folder.st_size) {
            Ok(count) if count > 0 => Ok(count),
            _ => Ok(self.folder("fd")?.len() as u64),
        }
    }

    /// The names in a folder of the process (`fd`, `task`), without the dots.
    pub(crate) fn folder(&self, name: &str) -> Result<Vec<OsString>, ProcessError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = rustix::fs::openat(&self.folder, name, flags, Mode::empty()).map_err(|e| self.explain(name, e))?;
        let mut names = Vec::new();
        for entry in Dir::new(open).map_err(|e| self.explain(name, e))? {
            let entry = entry.map_err(|e| self.explain(name, e))?;
            let bytes = entry.file_name().to_bytes();
            if bytes != b"." && bytes != b".." {
                names.push(OsString::from_vec(bytes.to_vec()));
            }
        }
        Ok(names)
    }

    /// The executable that really runs; ` (deleted)` follows if its file is gone.
    ///
    /// # Errors
    /// [`ProcessError::NotPermitted`] for another user's process.
    pub fn exe(&self) -> Result<PathBuf, ProcessError> {
        self.link("exe")
    }

    /// Where a link in the process's folder leads (`exe`, `fd/3`).
    pub(crate) fn link(&self, name: &str) -> Result<PathBuf, ProcessError> {
        let target = rustix::fs::readlinkat(&self.folder, name, Vec::new()).map_err(|e| self.explain(name, e))?;
        Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
    }

    /// Opens a file of the process's folder (`exe` opens the executable itself, even a deleted one).
    pub(crate) fn open_file(&self, name: &str) -> Result<std::fs::File, ProcessError> {
        rustix::fs::openat(&self.folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map(std::fs::File::from)
            .map_err(|e| self.explain(name, e))
    }

    /// Waits until the process ends; for any process, not only children of ours.
    ///
    /// # Errors
    /// If the kernel gives no handle to wait on, or there is no I/O driver in this runtime.
    pub async fn ended(&self) -> Result<(), ProcessError> {
        let pid = i32::try_from(self.pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| self.gone())?;
        let handle = match rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(handle) => handle,
            Err(Errno::SRCH) => return Ok(()),
            Err(errno) => return Err(self.explain("pidfd", errno)),
        };
        // If ours still lived after the handle was made, then the handle is of ours and not of a successor.
        if !self.is_alive() {
            return Ok(());
        }
        let io = |source| ProcessError::Io {
            pid: self.pid,
            file: "pidfd".into(),
            source,
        };
        #[expect(
            deprecated,
            reason = "its replacement is unsafe code, and an OwnedFd is what makes this call sound"
        )]
        let ready = tokio::io::unix::AsyncFd::with_interest(handle, tokio::io::Interest::READABLE).map_err(io)?;
        let _ = ready.readable().await.map_err(io)?;
        Ok(())
    }

    /// Whether it ended within this time.
    ///
    /// # Errors
    /// As [`Process::ended`].
    pub async fn ended_within(&self, limit: Duration) -> Result<bool, ProcessError> {
        match tokio::time::timeout(limit, self.ended()).await {
            Ok(result) => result.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Reads a file that stays open, from its beginning: the kernel writes it anew, or says that the process is gone.
    fn read_again<'b>(&self, name: &str, file: &OwnedFd, buffer: &'b mut [u8]) -> Result<&'b [u8], ProcessError> {
        let length = rustix::io::pread(file, &mut *buffer, 0).map_err(|e| self.explain(name, e))?;
        Ok(&buffer[..length])
    }

    /// Reads a file that fits the buffer in one call, as /proc's small files do.
    fn read_small<'b>(&self, name: &str, buffer: &'b mut [u8]) -> Result<&'b [u8], ProcessError> {
        let file = rustix::fs::openat(&self.folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| self.explain(name, e))?;
        let length = rustix::io::read(&file, &mut *buffer).map_err(|e| self.explain(name, e))?;
        Ok(&buffer[..length])
    }

    fn gone(&self) -> ProcessError {
        // The handle is dead: is the id another's now?
        let successor = std::fs::read(format!("/proc/{}/stat", self.pid)).ok();
        let other = successor
            .as_deref()
            .and_then(Stat::parse)
            .is_some_and(|s| s.start_ticks != self.start_ticks);
        if other && self.start_ticks > 0 {
            ProcessError::Restarted { pid: self.pid }
        } else {
            ProcessError::Gone { pid: self.pid }
        }
    }

    fn explain(&self, file: &str, errno: Errno) -> ProcessError {
        match errno {
            Errno::NOENT | Errno::SRCH if file != "smaps_rollup" => self.gone(),
            _ => explain(self.pid, file, errno),
        }
    }

    fn malformed(&self, file: &str) -> ProcessError {
        ProcessError::Io {
            pid: self.pid,
            file: file.into(),
            source: std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "not in the form that the kernel documents",
            ),
        }
    }
}
