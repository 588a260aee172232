//! The repository, file and process of a scenario's target, for the stale-build check.

use std::path::{Path, PathBuf};

use leakcheck_model::Scenario;
use leakcheck_model::scenario::{Target, TargetKind};
use leakcheck_probe::build::{BuildInputs, is_interpreter, script_among};

use crate::program::find_program;

/// Returns what is known of the target's build from its scenario alone.
pub(super) fn build_query(scenario: &Scenario) -> BuildInputs {
    let target = &scenario.target;
    let build = target.build.clone().unwrap_or_default();
    let named = build.binary.map(|path| folder(target).join(path));
    BuildInputs {
        repo: (!build.repo.is_empty()).then(|| PathBuf::from(build.repo)),
        binary: named.or_else(|| executable(target)),
        pid: target.pid.filter(|_| target.kind == TargetKind::Pid),
        image: None,
    }
}

fn folder(target: &Target) -> PathBuf {
    target.cwd.as_ref().map(PathBuf::from).unwrap_or_default()
}

/// The file that will be started, or the script that an interpreter will read.
fn executable(target: &Target) -> Option<PathBuf> {
    match target.kind {
        TargetKind::Capture => std::env::current_exe().ok(),
        TargetKind::Command => program_of(target),
        // A running target is found by its process, its image, or its reported version.
        TargetKind::Pid | TargetKind::Container | TargetKind::Metrics => None,
    }
}

fn program_of(target: &Target) -> Option<PathBuf> {
    let first = target.command.first()?;
    if first == "{leakcheck}" {
        return std::env::current_exe().ok();
    }
    let cwd = target.cwd.as_deref().map(Path::new);
    // The check itself reports a missing file.
    let found = find_program(first, cwd).unwrap_or_else(|_| folder(target).join(first));
    if is_interpreter(&found) {
        return script_among(&target.command, &folder(target));
    }
    Some(found)
}
