//! Tests that need something that this machine does not have: skipped with a message, or failed.
//!
//! The test harness hides what `eprintln!` prints in a passing test, so the message is written to standard error directly.

use std::io::Write as _;

/// Prints that a test is skipped because of `reason`.
///
/// # Panics
///
/// If the environment variable `required` is set (`LEAKCHECK_REQUIRE_DOCKER`, `LEAKCHECK_REQUIRE_TOOLS`).
pub(crate) fn skip(required: &str, reason: &str) {
    assert!(std::env::var_os(required).is_none(), "{required} is set, and {reason}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {reason}");
}

/// Skips a test because a tool, a toolchain or a package is missing.
pub(crate) fn skip_without_tool(reason: &str) {
    skip("LEAKCHECK_REQUIRE_TOOLS", reason);
}
