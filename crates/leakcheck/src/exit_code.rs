//! The exit codes of every command. Scripts and CI depend on them, so they never change.

use std::process::ExitCode;

use leakcheck_model::RunResult;

/// An exit code with its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Success; for a run: the verdict `pass`.
    Success = 0,
    /// The verdict `fail`; for `compare`: the newest run is worse; for `selftest`: a case has another outcome than expected.
    Fail = 1,
    /// A usage or scenario error; nothing was started.
    Usage = 2,
    /// No verdict: `invalid` or `inconclusive`. `git bisect run` skips the commit.
    NoVerdict = 125,
    /// Interrupted by SIGINT or SIGTERM.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    pub(crate) const fn number(self) -> u8 {
        self as u8
    }

    /// Ends the process at once.
    pub(crate) fn now(self) -> ! {
        std::process::exit(i32::from(self.number()))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// The exit code of a judged run: the one that its `result.json` holds.
pub(crate) fn of_result(result: &RunResult) -> ExitCode {
    ExitCode::from(result.exit_code)
}

#[cfg(test)]
mod tests {
    use leakcheck_model::Verdict;

    use super::*;

    #[test]
    fn verdicts_have_the_documented_codes() {
        for (verdict, exit) in [
            (Verdict::Pass, Exit::Success),
            (Verdict::Fail, Exit::Fail),
            (Verdict::Invalid, Exit::NoVerdict),
            (Verdict::Inconclusive, Exit::NoVerdict),
        ] {
            assert_eq!(verdict.exit_code(), exit.number());
        }
    }
}
