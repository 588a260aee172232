//! The image of a container, compared with the source and with the image that its name refers to now.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use leakcheck_model::event::ImageFacts;

use super::finding::BuildFinding;
use super::report::BuildReport;
use super::reported::{ReportedVersion, has_changes, is_same_commit};
use super::sources;

/// The labels of the commit (OCI image specification, annotations), the older one last.
const REVISION: [&str; 2] = ["org.opencontainers.image.revision", "org.label-schema.vcs-ref"];

/// The labels of the version.
const VERSION: [&str; 2] = ["org.opencontainers.image.version", "org.label-schema.version"];

/// The earliest creation time that is believed: reproducible builds write 0.
const EARLIEST_IMAGE: Duration = Duration::from_secs(40 * 365 * 86_400);

/// Returns version and commit from the labels of an image.
#[must_use]
pub fn version_of_image(image: &ImageFacts) -> ReportedVersion {
    let labelled = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| image.labels.get(*name));
        found.filter(|value| !value.is_empty()).cloned()
    };
    ReportedVersion {
        version: labelled(VERSION),
        commit: labelled(REVISION),
    }
}

/// Compares the image of a container with the image that its name refers to now, and with the source files.
pub(super) fn compare(image: &ImageFacts, tracked: &[PathBuf], report: &mut BuildReport) {
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
                .confirmed
                .push(format!("the container runs the current image of `{name}` ({id})"));
        }
        None => {}
    }
    let reported = version_of_image(image).commit;
    if reported.as_deref().is_some_and(has_changes) {
        let reporter = format!("image `{name}`");
        report.findings.push(BuildFinding::BuiltFromChanges { reporter });
    }
    match reported.zip(report.commit.clone()) {
        Some((reported, checked_out)) if is_same_commit(&reported, &checked_out) => {
            report
                .confirmed
                .push(format!("image `{name}` reports that it was built from {reported}"));
        }
        Some((reported, checked_out)) => report.findings.push(BuildFinding::ReportedOtherCommit {
            reporter: format!("image `{name}`"),
            reported,
            checked_out,
        }),
        // A fresh clone has fresh files: their times are compared only if the image has no commit.
        None => compare_times(image, tracked, report),
    }
}

fn compare_times(image: &ImageFacts, tracked: &[PathBuf], report: &mut BuildReport) {
    let built = image.created.as_ref().and_then(|at| at.parse::<jiff::Timestamp>().ok());
    let Some(built) = built
        .map(SystemTime::from)
        .filter(|at| *at > SystemTime::UNIX_EPOCH + EARLIEST_IMAGE)
    else {
        return;
    };
    if let Some(newest) = sources::newest(Path::new(""), tracked) {
        report.compare_times(&format!("image {}", image.name), built, newest);
    }
}

/// Returns the short form of an image id, as `docker images` shows it.
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

    fn messages(image: &ImageFacts, tracked: &[PathBuf]) -> Vec<String> {
        let mut report = BuildReport {
            commit: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            ..BuildReport::default()
        };
        compare(image, tracked, &mut report);
        report.findings.iter().map(ToString::to_string).collect()
    }

    const SAME: &str = "sha256:0123456789abcdef";

    #[test]
    fn a_container_of_an_older_image_is_stale() {
        let old = image(Some("4bf92f3"), "2026-01-01T00:00:00Z", "sha256:fedcba9876543210");
        assert_eq!(
            messages(&old, &[]),
            ["the container runs image 0123456789ab, but `agent:latest` is fedcba987654 now: recreate the container"]
        );
        assert!(messages(&image(Some("4bf92f3"), "2026-01-01T00:00:00Z", SAME), &[]).is_empty());
    }

    #[test]
    fn an_image_of_another_commit_is_stale() {
        let other = image(Some("0af7651"), "2026-01-01T00:00:00Z", SAME);
        assert_eq!(
            messages(&other, &[]),
            [
                "image `agent:latest` reports that it was built from commit 0af7651, but 4bf92f3577b34da6a3ce929d0e0e4736 is \
              checked out"
            ]
        );
    }

    #[test]
    fn an_image_built_from_changes_is_not_that_commit() {
        let dirty = image(Some("4bf92f3-dirty"), "2026-01-01T00:00:00Z", SAME);
        assert_eq!(
            messages(&dirty, &[]),
            ["image `agent:latest` was built from uncommitted changes"]
        );
    }

    #[test]
    fn an_image_without_a_label_is_compared_by_its_time_if_it_has_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("main.go");
        std::fs::write(&source, "package main").expect("written");
        let tracked = [source];
        let stale = messages(&image(None, "2020-01-01T00:00:00Z", SAME), &tracked);
        assert!(
            stale.len() == 1 && stale[0].starts_with("image agent:latest was built"),
            "{stale:?}"
        );
        assert!(messages(&image(None, "2199-01-01T00:00:00Z", SAME), &tracked).is_empty());
        assert!(messages(&image(None, "1970-01-01T00:00:00Z", SAME), &tracked).is_empty());
    }
}
