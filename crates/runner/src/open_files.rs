//! The limit of open files: raised for leakcheck's own processes, as it was for whatever they start for the user.
//!
//! Most sessions begin with a soft limit of 1,024 and a far higher hard one. Each container costs the proxy two
//! descriptors and engine and capture core one, so 10,000 of them need the hard one; a user's daemon is to meet the limit
//! that it would meet without leakcheck.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The soft limit before it was raised; `None` within if there was none to speak of.
static BEFORE: OnceLock<Option<u64>> = OnceLock::new();

/// Raises the soft limit to the hard one. With a limit that cannot be raised, less is served, but it is served.
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
        // Only the first is what it was before.
        let _ = BEFORE.set(limit.current);
    }
}

/// The soft limit that the user's programs are to have, if it was raised for us.
pub(crate) fn soft_limit_before() -> Option<u64> {
    BEFORE.get().copied().flatten()
}

/// Lowers this process's soft limit, for the program that it becomes.
///
/// # Errors
/// If the kernel will not have it.
pub fn lower_open_files(to: u64) -> std::io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let lowered = Rlimit {
        current: Some(limit.maximum.map_or(to, |most| to.min(most))),
        maximum: limit.maximum,
    };
    Ok(setrlimit(Resource::Nofile, lowered)?)
}
