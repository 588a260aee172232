//! Errors of reading a process.

use procfs::ProcError;

/// The error number for "no such process" (errno(3)), which `std` has no kind for.
const ESRCH: i32 = 3;

/// An error of reading a process.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The process has ended. An unreaped zombie counts as ended.
    #[error("process {pid} has ended")]
    Gone {
        /// The process id.
        pid: u32,
    },
    /// The process has ended, and another process has its id.
    #[error("process {pid} has ended, and another process has its id now")]
    Restarted {
        /// The process id.
        pid: u32,
    },
    /// The kernel refuses access, usually because the process belongs to another user.
    #[error("not permitted to read /proc/{pid}/{file} (another user's process?)")]
    NotPermitted {
        /// The process id.
        pid: u32,
        /// The file or link that was read.
        file: String,
    },
    /// Any other error.
    #[error("failed to read /proc/{pid}/{file}")]
    Io {
        /// The process id.
        pid: u32,
        /// The file or link that was read.
        file: String,
        /// The error of the kernel or of the parser.
        source: std::io::Error,
    },
}

impl ProcessError {
    /// Converts an error of the procfs crate.
    pub(super) fn from_procfs(pid: u32, file: &str, error: ProcError) -> Self {
        let file = file.to_owned();
        match error {
            ProcError::NotFound(_) => Self::Gone { pid },
            ProcError::Io(source, _) if source.raw_os_error() == Some(ESRCH) => Self::Gone { pid },
            ProcError::PermissionDenied(_) => Self::NotPermitted { pid, file },
            ProcError::Io(source, _) => Self::Io { pid, file, source },
            other => Self::Io {
                pid,
                file,
                source: std::io::Error::other(other),
            },
        }
    }
}
