//! The limit of open files: raised for leakcheck's own processes, and unchanged for the user's programs.
//!
//! Most sessions begin with a soft limit of 1,024 and a far higher hard limit. Each container costs the fault proxy two
//! descriptors, and the simulated engine and the capture daemon one each, so 10,000 containers need the hard limit. A
//! user's daemon must keep the limit that it would have without leakcheck.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The soft limit before it was raised; the inner `None` means unlimited.
static ORIGINAL_SOFT_LIMIT: OnceLock<Option<u64>> = OnceLock::new();

/// Raises the soft limit to the hard limit. A failure is ignored, because a smaller number of files also works.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        // Only the first call sees the original limit.
        let _ = ORIGINAL_SOFT_LIMIT.set(limit.current);
    }
}

/// Returns the soft limit for the user's programs, if [`raise_open_files`] raised it.
pub(crate) fn original_soft_limit() -> Option<u64> {
    ORIGINAL_SOFT_LIMIT.get().copied().flatten()
}

/// Lowers this process's soft limit, for the program that it executes next.
///
/// # Errors
/// If the kernel refuses.
pub fn lower_open_files(to: u64) -> std::io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let lowered = Rlimit {
        current: Some(limit.maximum.map_or(to, |most| to.min(most))),
        maximum: limit.maximum,
    };
    Ok(setrlimit(Resource::Nofile, lowered)?)
}
