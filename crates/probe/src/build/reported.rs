//! The version and commit that a target reports, compared with the commit that is checked out.

use super::finding::BuildFinding;
use super::report::BuildReport;

/// The number of digits that identify a commit (git abbreviates to 7).
const MIN_DIGITS: usize = 7;

/// The version and commit that a target reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportedVersion {
    /// The version.
    pub version: Option<String>,
    /// The commit from which it was built.
    pub commit: Option<String>,
}

/// Returns `true` if two names mean the same commit: one is a prefix of the other. A suffix (`-dirty`, `+changes`) is ignored.
pub(super) fn is_same_commit(a: &str, b: &str) -> bool {
    let (a, b) = (digits(a), digits(b));
    let length = a.len().min(b.len());
    length >= MIN_DIGITS && a[..length].eq_ignore_ascii_case(&b[..length])
}

/// Returns `true` if the name of a commit has a suffix for uncommitted changes.
pub(super) fn has_changes(commit: &str) -> bool {
    ["dirty", "modified", "changes"]
        .iter()
        .any(|mark| commit.contains(mark))
}

fn digits(commit: &str) -> &str {
    let end = commit.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(commit.len());
    &commit[..end]
}

impl BuildReport {
    /// Compares the commit that the running target reports with the one that is checked out.
    pub fn compare_reported(&mut self, version: &ReportedVersion) {
        let Some(commit) = &version.commit else { return };
        let reporter = "the running target".to_owned();
        if has_changes(commit) {
            self.findings.push(BuildFinding::BuiltFromChanges {
                reporter: reporter.clone(),
            });
        }
        match &self.commit {
            Some(checked_out) if is_same_commit(commit, checked_out) => {
                self.confirmed
                    .push(format!("{reporter} reports that it was built from {commit}"));
            }
            // A branch name, for example, identifies no commit.
            Some(checked_out) if digits(commit).len() >= MIN_DIGITS => {
                self.findings.push(BuildFinding::ReportedOtherCommit {
                    reporter,
                    reported: commit.clone(),
                    checked_out: checked_out.clone(),
                });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::BuildState;
    use super::*;

    fn after(commit: &str) -> BuildReport {
        let mut report = BuildReport {
            commit: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            ..BuildReport::default()
        };
        let version = ReportedVersion {
            commit: Some(commit.into()),
            ..ReportedVersion::default()
        };
        report.compare_reported(&version);
        report
    }

    #[test]
    fn an_abbreviated_commit_is_the_same_one() {
        assert_eq!(after("4bf92f3").state(), BuildState::Fresh);
        assert_eq!(after("4BF92F3577B34DA6A3CE929D0E0E4736").state(), BuildState::Fresh);
    }

    #[test]
    fn another_commit_is_stale_and_a_branch_name_is_unknown() {
        assert_eq!(after("0af7651").state(), BuildState::Stale);
        assert_eq!(after("HEAD").state(), BuildState::Unknown);
        assert_eq!(after("4bf9").state(), BuildState::Unknown);
    }

    #[test]
    fn a_commit_with_changes_on_top_is_not_that_commit() {
        assert_eq!(after("4bf92f3-dirty").state(), BuildState::Stale);
    }
}
