//! Why a process could not be read.

use rustix::io::Errno;

/// Why a process could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It has ended (a zombie that nobody waited for counts as ended).
    #[error("process {pid} has ended")]
    Gone {
        /// Its id.
        pid: u32,
    },
    /// It has ended, and another process has its id.
    #[error("process {pid} has ended, and another process has its id now")]
    Restarted {
        /// The id.
        pid: u32,
    },
    /// The kernel refuses: another user's process.
    #[error("not permitted to read /proc/{pid}/{file} (another user's process?)")]
    NotPermitted {
        /// Its id.
        pid: u32,
        /// What was to be read.
        file: String,
    },
    /// Anything else.
    #[error("failed to read /proc/{pid}/{file}")]
    Io {
        /// Its id.
        pid: u32,
        /// What was to be read.
        file: String,
        /// What the kernel said.
        source: std::io::Error,
    },
}

pub(super) fn explain(pid: u32, file: &str, errno: Errno) -> ProcessError {
    match errno {
        Errno::NOENT | Errno::SRCH => ProcessError::Gone { pid },
        Errno::ACCESS | Errno::PERM => ProcessError::NotPermitted { pid, file: file.into() },
        _ => ProcessError::Io {
            pid,
            file: file.into(),
            source: errno.into(),
        },
    }
}
