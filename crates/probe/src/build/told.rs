//! What a target says of its own version and commit, compared with what is checked out.

use super::{BuildFinding, BuildReport};

/// Fewer digits than this name no commit (git abbreviates to 7).
const LEAST_DIGITS: usize = 7;

/// What a target says of itself; what it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Its version.
    pub version: Option<String>,
    /// The commit that it was built from.
    pub commit: Option<String>,
}

/// Whether two names mean the same commit: one is the beginning of the other. A remark behind it (`-dirty`, `+changes`) is none
/// of the name.
pub(super) fn is_same_commit(a: &str, b: &str) -> bool {
    let (a, b) = (digits(a), digits(b));
    let least = a.len().min(b.len());
    least >= LEAST_DIGITS && a[..least].eq_ignore_ascii_case(&b[..least])
}

/// Whether a commit's name says that there were changes on top of it.
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
    /// Compares what the running target says of itself with what is checked out.
    pub fn take_told(&mut self, told: &Told) {
        let Some(commit) = &told.commit else { return };
        let said = "the running target".to_owned();
        if has_changes(commit) {
            self.findings.push(BuildFinding::BuiltFromChanges {
                binary: said.clone().into(),
            });
        }
        match &self.commit {
            Some(checked_out) if is_same_commit(commit, checked_out) => {
                self.good.push(format!("{said} says that it was built from {commit}"));
            }
            // A word that names no commit says nothing of one.
            Some(checked_out) if digits(commit).len() >= LEAST_DIGITS => {
                self.findings.push(BuildFinding::ToldOtherCommit {
                    who: said,
                    told: commit.clone(),
                    checked_out: checked_out.clone(),
                });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BuildState;
    use super::*;

    fn after(commit: &str) -> BuildReport {
        let mut report = BuildReport {
            commit: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            ..BuildReport::default()
        };
        let told = Told {
            commit: Some(commit.into()),
            ..Told::default()
        };
        report.take_told(&told);
        report
    }

    #[test]
    fn an_abbreviated_commit_is_the_same_one() {
        assert_eq!(after("4bf92f3").state(), BuildState::Fresh);
        assert_eq!(after("4BF92F3577B34DA6A3CE929D0E0E4736").state(), BuildState::Fresh);
    }

    #[test]
    fn another_commit_is_stale_and_a_word_is_none() {
        assert_eq!(after("0af7651").state(), BuildState::Stale);
        assert_eq!(after("HEAD").state(), BuildState::Unknown);
        assert_eq!(after("4bf9").state(), BuildState::Unknown);
    }

    #[test]
    fn a_commit_with_changes_on_top_is_not_that_commit() {
        assert_eq!(after("4bf92f3-dirty").state(), BuildState::Stale);
    }
}
