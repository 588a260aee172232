//! The fields of /proc/PID/stat that every sample reads (proc_pid_stat(5)).
//!
//! The parser of the procfs crate reads all 52 fields and allocates, which makes a sample half as slow again.

/// The fields of /proc/PID/stat that every sample reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// `R`, `S`, `D`, `Z`, …
    pub state: char,
    /// Processor time in user mode, in clock ticks.
    pub user_ticks: u64,
    /// Processor time in the kernel, in clock ticks.
    pub system_ticks: u64,
    /// Processor time of reaped children and of their reaped descendants, in clock ticks.
    pub waited_ticks: u64,
    /// The number of threads.
    pub threads: u64,
    /// The start time, in clock ticks after the boot.
    pub start_ticks: u64,
}

impl Stat {
    /// Parses the text of the file. The name of the command may itself contain blanks and brackets, so the fields begin
    /// after the last bracket.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let after_name = memchr::memrchr(b')', text)? + 1;
        let text = std::str::from_utf8(text.get(after_name..)?).ok()?;
        // The first of these fields is field 3; 14 to 17 are utime, stime, cutime and cstime; 20 is num_threads.
        let mut fields = text.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let user_ticks = fields.nth(10)?.parse().ok()?;
        let system_ticks = fields.next()?.parse().ok()?;
        let mut waited = || fields.next()?.parse::<i64>().ok();
        let waited = waited()?.saturating_add(waited()?);
        let threads = fields.nth(2)?.parse().ok()?;
        let start_ticks = fields.nth(1)?.parse().ok()?;
        Some(Self {
            state,
            user_ticks,
            system_ticks,
            waited_ticks: u64::try_from(waited).unwrap_or_default(),
            threads,
            start_ticks,
        })
    }

    /// Returns `true` for a zombie and for a dying process.
    pub(super) fn is_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

#[cfg(test)]
mod tests {
    use procfs::FromRead as _;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_fields_are_those_of_the_procfs_crate_despite_brackets_in_the_name() {
        let line =
            b"4711 (a) b (c) S 1 4711 4711 0 -1 4194304 100 0 0 0 12 34 5 6 20 0 7 0 987654 1000 2 3 4 5 6 7 8 9 10 \
            11 12 13 14 15\n";
        let expected = procfs::process::Stat::from_read(&line[..]).expect("the kernel's format");
        assert_eq!(
            Stat::parse(line),
            Some(Stat {
                state: expected.state,
                user_ticks: expected.utime,
                system_ticks: expected.stime,
                waited_ticks: 11,
                threads: 7,
                start_ticks: expected.starttime,
            })
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Stat::parse(&bytes);
        }
    }
}
