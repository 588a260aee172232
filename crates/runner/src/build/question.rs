//! What is known of a target's build from its scenario: which repository, which file, which process.

use std::path::{Path, PathBuf};

use leakcheck_model::Scenario;
use leakcheck_model::scenario::{Target, TargetKind};
use leakcheck_probe::build::{BuildQuestion, is_interpreter, program_among};

use crate::program;

/// What is to be compared before the target is started, or of one that runs already.
pub(super) fn question(scenario: &Scenario) -> BuildQuestion {
    let target = &scenario.target;
    let build = target.build.clone().unwrap_or_default();
    let named = build.binary.map(|path| folder(target).join(path));
    BuildQuestion {
        repo: (!build.repo.is_empty()).then(|| PathBuf::from(build.repo)),
        binary: named.or_else(|| executable(target)),
        pid: target.pid.filter(|_| target.kind == TargetKind::Pid),
        image: None,
    }
}

fn folder(target: &Target) -> PathBuf {
    target.cwd.as_ref().map(PathBuf::from).unwrap_or_default()
}

/// The file that will be started, or that an interpreter which will be started reads.
fn executable(target: &Target) -> Option<PathBuf> {
    match target.kind {
        TargetKind::Capture => std::env::current_exe().ok(),
        TargetKind::Command => program_of(target),
        // What runs already is found by its process, its image, or what it says.
        TargetKind::Pid | TargetKind::Container | TargetKind::Metrics => None,
    }
}

fn program_of(target: &Target) -> Option<PathBuf> {
    let first = target.command.first()?;
    if first == "{leakcheck}" {
        return std::env::current_exe().ok();
    }
    let cwd = target.cwd.as_deref().map(Path::new);
    // One that is not there is told as such by the check itself.
    let found = program::find(first, cwd).unwrap_or_else(|_| folder(target).join(first));
    if is_interpreter(&found) {
        return program_among(&target.command, &folder(target));
    }
    Some(found)
}
