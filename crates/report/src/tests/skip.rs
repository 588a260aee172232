//! Skips a test when a tool is missing, or fails it when `LEAKCHECK_REQUIRE_TOOLS` is set.

use std::io::Write as _;

/// Prints that a test is skipped. Writes to standard error directly, because the output of `eprintln!` is captured.
pub(crate) fn skip(reason: &str) {
    let required = std::env::var_os("LEAKCHECK_REQUIRE_TOOLS").is_some();
    assert!(!required, "LEAKCHECK_REQUIRE_TOOLS is set, and {reason}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {reason}");
}
