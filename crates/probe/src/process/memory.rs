//! Resident and proportional memory of a process.

use procfs::ProcError;

use super::{Process, ProcessError};

impl Process {
    /// Returns the resident memory in bytes.
    ///
    /// It comes from `statm`: `stat` omits what each processor has not yet added to the sum (up to 2 × processors × 32
    /// pages since Linux 6.2), and newer kernels make `statm` exact.
    ///
    /// # Errors
    /// The same as [`Process::stat`].
    pub fn rss_bytes(&self) -> Result<u64, ProcessError> {
        let mut buffer = [0; 256];
        let text = self.read_again("statm", &self.statm, &mut buffer)?;
        let pages = resident_pages(text).ok_or_else(|| self.error("statm", ProcError::Incomplete(None)))?;
        Ok(pages * procfs::page_size())
    }

    /// Returns the proportional memory in bytes: shared pages are divided among the processes that share them.
    ///
    /// The kernel walks the page tables under the memory lock of the process, so this is read less often than
    /// [`Process::sample`].
    ///
    /// # Errors
    /// [`ProcessError::NotPermitted`] for another user's process.
    pub fn pss_bytes(&self) -> Result<u64, ProcessError> {
        let file = "smaps_rollup";
        let rollup = self.proc.smaps_rollup().map_err(|e| self.error(file, e))?;
        let mapping = rollup.memory_map_rollup.0.first();
        let bytes = mapping.and_then(|m| m.extension.map.get("Pss"));
        bytes
            .copied()
            .ok_or_else(|| self.error(file, ProcError::Incomplete(None)))
    }
}

/// Returns the second field of proc_pid_statm(5). Every sample reads it, so it is parsed here without an allocation.
fn resident_pages(statm: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(statm).ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}
