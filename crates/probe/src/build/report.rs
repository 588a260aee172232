//! The outcome of the stale-build check.

use leakcheck_model::scenario::BuildRequirement;

use super::executable::Executable;
use super::finding::BuildFinding;

/// The outcome of the stale-build check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildReport {
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// The executable that was compared.
    pub executable: Option<Executable>,
    /// Problems, and comparisons that could not be made.
    pub findings: Vec<BuildFinding>,
    /// Messages about comparisons without a problem.
    pub confirmed: Vec<String>,
}

/// The state of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildState {
    /// Something was compared, and no comparison found a difference.
    Fresh,
    /// The target was not built from the current source.
    Stale,
    /// Nothing could be compared.
    Unknown,
}

impl BuildReport {
    /// Returns the state, as in `result.json`.
    #[must_use]
    pub fn state(&self) -> BuildState {
        if self.findings.iter().any(BuildFinding::is_stale) {
            BuildState::Stale
        } else if self.confirmed.is_empty() {
            BuildState::Unknown
        } else {
            BuildState::Fresh
        }
    }

    /// Returns a message for everything that violates these requirements. An unknown state violates `fresh`.
    #[must_use]
    pub fn violations(&self, required: &[BuildRequirement]) -> Vec<String> {
        let mut messages: Vec<String> = Vec::new();
        for requirement in required {
            let violates = |f: &&BuildFinding| match requirement {
                BuildRequirement::Committed => f.is_uncommitted(),
                BuildRequirement::Fresh => f.is_stale(),
            };
            messages.extend(self.findings.iter().filter(violates).map(ToString::to_string));
            if *requirement == BuildRequirement::Fresh && self.state() == BuildState::Unknown {
                messages.push("it is unknown whether the executable is fresh".into());
                messages.extend(self.findings.iter().map(ToString::to_string));
            }
        }
        messages.dedup();
        messages
    }

    /// Returns a message for every comparison, for `build_notes`.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let findings = self.findings.iter().map(ToString::to_string);
        findings.chain(self.confirmed.iter().cloned()).collect()
    }

    /// Adds a comparison that could not be made.
    pub(super) fn unknown(&mut self, message: String) {
        self.findings.push(BuildFinding::Unknown { message });
    }
}

impl BuildState {
    /// Returns the name in `result.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
        }
    }
}
