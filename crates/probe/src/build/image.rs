//! The image that a container runs, compared with the source and with what its name means now.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use leakcheck_model::event::ImageFacts;

use super::told::{Told, has_changes, is_same_commit};
use super::{BuildFinding, BuildReport, sources};

/// The label in which image builders write the commit (OCI image specification, annotations), and the older one.
const REVISION: [&str; 2] = ["org.opencontainers.image.revision", "org.label-schema.vcs-ref"];

/// The same for the version.
const VERSION: [&str; 2] = ["org.opencontainers.image.version", "org.label-schema.version"];

/// An image that claims to be older than containers has no time of its own: reproducible builds write 0.
const FIRST_IMAGE: Duration = Duration::from_secs(40 * 365 * 86_400);

/// What an image's labels say of its version and commit.
#[must_use]
pub fn told_by_image(image: &ImageFacts) -> Told {
    let labelled = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| image.labels.get(*name));
        found.filter(|value| !value.is_empty()).cloned()
    };
    Told {
        version: labelled(VERSION),
        commit: labelled(REVISION),
    }
}

/// Compares a container's image with what its name means now, and with the source; `listed` are the repository's files.
pub(super) fn compare(image: &ImageFacts, listed: &[PathBuf], report: &mut BuildReport) {
    let name = &image.name;
    match &image.now {
        Some(now) if *now != image.id => report.findings.push(BuildFinding::ImageReplaced {
            name: name.clone(),
            running: short(&image.id),
            now: short(now),
        }),
        Some(_) => {
            let id = short(&image.id);
            report
                .good
                .push(format!("the container runs what `{name}` is now ({id})"));
        }
        None => {}
    }
    let told = told_by_image(image).commit;
    if told.as_deref().is_some_and(has_changes) {
        let binary = format!("image `{name}`").into();
        report.findings.push(BuildFinding::BuiltFromChanges { binary });
    }
    match told.zip(report.commit.clone()) {
        Some((told, checked_out)) if is_same_commit(&told, &checked_out) => {
            report
                .good
                .push(format!("image `{name}` says that it was built from {told}"));
        }
        Some((told, checked_out)) => report.findings.push(BuildFinding::ToldOtherCommit {
            who: format!("image `{name}`"),
            told,
            checked_out,
        }),
        // A clone of now has files of now: their times tell something only where the image says nothing.
        None => compare_times(image, listed, report),
    }
}

fn compare_times(image: &ImageFacts, listed: &[PathBuf], report: &mut BuildReport) {
    let built = image.created.as_ref().and_then(|at| at.parse::<jiff::Timestamp>().ok());
    let Some(built) = built
        .map(SystemTime::from)
        .filter(|at| *at > SystemTime::UNIX_EPOCH + FIRST_IMAGE)
    else {
        return;
    };
    let name = format!("image {}", image.name);
    let Some(newest) = sources::newest(Path::new(""), listed) else {
        return;
    };
    match newest.changed.duration_since(built) {
        Ok(by) if !by.is_zero() => report.findings.push(BuildFinding::OlderThanSource {
            binary: name.into(),
            source: newest.path,
            by,
        }),
        _ => {
            let (of, how) = (newest.of, newest.how);
            report
                .good
                .push(format!("{name} is newer than its {of} source files ({how})"));
        }
    }
}

/// `sha256:0123456789ab…` as people know it.
fn short(id: &str) -> String {
    id.trim_start_matches("sha256:").chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(revision: Option<&str>, created: &str, now: &str) -> ImageFacts {
        let labels = revision.map(|r| (REVISION[0].to_owned(), r.to_owned()));
        ImageFacts {
            name: "agent:latest".into(),
            id: "sha256:0123456789abcdef".into(),
            now: Some(now.into()),
            created: Some(created.into()),
            labels: labels.into_iter().collect(),
            ..ImageFacts::default()
        }
    }

    fn said(image: &ImageFacts, listed: &[PathBuf]) -> Vec<String> {
        let mut report = BuildReport {
            commit: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            ..BuildReport::default()
        };
        compare(image, listed, &mut report);
        report.findings.iter().map(ToString::to_string).collect()
    }

    const SAME: &str = "sha256:0123456789abcdef";

    #[test]
    fn a_container_that_is_older_than_its_image_is_stale() {
        let old = image(Some("4bf92f3"), "2026-01-01T00:00:00Z", "sha256:fedcba9876543210");
        assert_eq!(
            said(&old, &[]),
            ["the container runs image 0123456789ab, and `agent:latest` is fedcba987654 now: it was not started anew"]
        );
        assert!(said(&image(Some("4bf92f3"), "2026-01-01T00:00:00Z", SAME), &[]).is_empty());
    }

    #[test]
    fn an_image_of_another_commit_is_stale() {
        let other = image(Some("0af7651"), "2026-01-01T00:00:00Z", SAME);
        assert_eq!(
            said(&other, &[]),
            [
                "image `agent:latest` says that it was built from commit 0af7651, and 4bf92f3577b34da6a3ce929d0e0e4736 is \
              checked out"
            ]
        );
    }

    #[test]
    fn an_image_that_was_built_from_changes_is_not_that_commit() {
        let dirty = image(Some("4bf92f3-dirty"), "2026-01-01T00:00:00Z", SAME);
        assert_eq!(
            said(&dirty, &[]),
            ["image `agent:latest` was built from uncommitted changes"]
        );
    }

    #[test]
    fn an_image_without_a_label_is_dated_and_one_without_a_time_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("main.go");
        std::fs::write(&source, "package main").expect("written");
        let listed = [source];
        let stale = said(&image(None, "2020-01-01T00:00:00Z", SAME), &listed);
        assert!(
            stale.len() == 1 && stale[0].starts_with("image agent:latest was built"),
            "{stale:?}"
        );
        assert!(said(&image(None, "2199-01-01T00:00:00Z", SAME), &listed).is_empty());
        assert!(said(&image(None, "1970-01-01T00:00:00Z", SAME), &listed).is_empty());
    }
}
