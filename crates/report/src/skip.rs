//! A test whose tool is not installed: heard, or a failure where it has to run.

use std::io::Write as _;

/// Says aloud that a test is skipped (what `eprintln!` writes is kept back from a test that passes); fails if
/// `LEAKCHECK_REQUIRE_TOOLS` says that it must not be.
pub(crate) fn skip(why: &str) {
    let required = std::env::var_os("LEAKCHECK_REQUIRE_TOOLS").is_some();
    assert!(!required, "LEAKCHECK_REQUIRE_TOOLS is set, and {why}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
