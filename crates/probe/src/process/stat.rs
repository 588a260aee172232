//! /proc/PID/stat in numbers (proc_pid_stat(5)).

/// The fields that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// `R`, `S`, `D`, `Z`, …
    pub state: char,
    /// The parent's process id.
    pub parent: u32,
    /// Processor time in user mode, clock ticks.
    pub user_ticks: u64,
    /// Processor time in the kernel, clock ticks.
    pub system_ticks: u64,
    /// Processor time, of both kinds, of children that have ended and were waited for, and of theirs; clock ticks.
    pub waited_ticks: u64,
    /// Threads.
    pub threads: u64,
    /// When it began, clock ticks after the boot.
    pub start_ticks: u64,
}

impl Stat {
    /// Reads the file's text. The command's name, in brackets, may itself hold blanks and brackets: the fields begin
    /// after the last bracket.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let after = memchr::memrchr(b')', text)? + 1;
        let text = std::str::from_utf8(text.get(after..)?).ok()?;
        // Field 3 (state) comes first here.
        let mut fields = text.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        // Fields 5 to 13 are not read; 14 is utime.
        let mut fields = fields.skip(9);
        let user_ticks = fields.next()?.parse().ok()?;
        let system_ticks = fields.next()?.parse().ok()?;
        // 16 and 17 are cutime and cstime, which the kernel prints as signed numbers.
        let mut ticks = || fields.next()?.parse::<i64>().ok();
        let waited = ticks()?.saturating_add(ticks()?);
        let waited_ticks = u64::try_from(waited).unwrap_or(0);
        // 18 and 19 are not read; 20 is num_threads, 21 is not read, 22 is starttime.
        let mut fields = fields.skip(2);
        let threads = fields.next()?.parse().ok()?;
        let start_ticks = fields.nth(1)?.parse().ok()?;
        Some(Self {
            state,
            parent,
            user_ticks,
            system_ticks,
            waited_ticks,
            threads,
            start_ticks,
        })
    }

    /// A zombie, or dying.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_fields_are_found_behind_a_name_with_brackets_and_blanks() {
        let line = b"4711 (a) b (c) S 1 4711 4711 0 -1 4194304 100 0 0 0 12 34 5 6 20 0 7 0 987654 1000 2 3 4 5\n";
        assert_eq!(
            Stat::parse(line),
            Some(Stat {
                state: 'S',
                parent: 1,
                user_ticks: 12,
                system_ticks: 34,
                waited_ticks: 11,
                threads: 7,
                start_ticks: 987_654
            })
        );
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Stat::parse(&bytes);
        }
    }
}
