//! A test that cannot run on this machine: heard, or a failure where it has to run.
//!
//! What `eprintln!` writes is kept back from a test that passes; what is written to standard error itself is not.

use std::io::Write as _;

/// Says aloud that a test is skipped, and why; fails if the environment variable `required` says that it must not be
/// (`LEAKCHECK_REQUIRE_DOCKER`, `LEAKCHECK_REQUIRE_TOOLS`).
pub(crate) fn skip(required: &str, why: &str) {
    assert!(std::env::var_os(required).is_none(), "{required} is set, and {why}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// Skips for want of a tool, a toolchain or a package.
pub(crate) fn skip_without_tool(why: &str) {
    skip("LEAKCHECK_REQUIRE_TOOLS", why);
}

/// Skips for want of a Docker engine.
pub(crate) fn skip_without_docker() {
    skip("LEAKCHECK_REQUIRE_DOCKER", "no Docker engine answers");
}
