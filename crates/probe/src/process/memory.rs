//! A process's memory: resident and proportional.

use super::{Process, ProcessError};

impl Process {
    /// Resident memory in bytes. From `statm`, because `stat` gives the sum that each processor has not yet added its
    /// part to (up to 2 × processors × 32 pages off since Linux 6.2), and newer kernels make `statm` exact.
    ///
    /// # Errors
    /// As [`Process::stat`].
    pub fn rss_bytes(&self) -> Result<u64, ProcessError> {
        let mut buffer = [0; 256];
        let text = self.read_again("statm", &self.statm, &mut buffer)?;
        // proc_pid_statm(5): size resident shared …, in pages.
        let pages = std::str::from_utf8(text)
            .ok()
            .and_then(|t| t.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
        Ok(pages.ok_or_else(|| self.malformed("statm"))? * self.page_bytes)
    }

    /// Proportional memory in bytes: shared pages are divided among those who share them. The kernel walks the page
    /// tables of the process for it while holding its memory lock: for lower rates than [`Process::sample`].
    ///
    /// # Errors
    /// [`ProcessError::NotPermitted`] for another user's process.
    pub fn pss_bytes(&self) -> Result<u64, ProcessError> {
        let mut buffer = [0; 4096];
        let text = self.read_small("smaps_rollup", &mut buffer)?;
        kilobytes(text, "Pss:").ok_or_else(|| self.malformed("smaps_rollup"))
    }
}

/// The value of `NAME:   123 kB` in bytes.
pub(crate) fn kilobytes(text: &[u8], name: &str) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kilobytes_are_found_by_their_name() {
        let text = b"55d0-7ffe ---p 0 00:00 0 [rollup]\nRss:  900 kB\nPss:               123 kB\nPss_Dirty:  1 kB\n";
        assert_eq!(kilobytes(text, "Pss:"), Some(123 * 1024));
        assert_eq!(kilobytes(text, "Swap:"), None);
    }
}
