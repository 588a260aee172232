//! The stale-build check on real repositories and real processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use leakcheck_model::scenario::BuildRequirement::{Committed, Fresh};
use leakcheck_probe::build::{BuildFinding, BuildInputs, BuildReport, BuildState};

fn git(repo: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .arg("-C")
        .arg(repo)
        .args([
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@localhost",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .stdout(Stdio::null())
        .status()
        .expect("git runs");
    assert!(done.success(), "git {arguments:?}");
}

/// A repository with one committed source file and an executable, built just after it and ignored.
fn repository() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let repo = folder.path();
    std::fs::write(repo.join("main.rs"), "fn main() {}").expect("written");
    std::fs::write(repo.join("README.md"), "words").expect("written");
    std::fs::write(repo.join(".gitignore"), "agent\n").expect("written");
    copy("sleep", &repo.join("agent"));
    set_age(&repo.join("main.rs"), 600);
    set_age(&repo.join("agent"), 300);
    git(repo, &["init", "--quiet"]);
    git(repo, &["add", "."]);
    git(repo, &["commit", "--quiet", "-m", "first"]);
    let binary = repo.join("agent");
    (folder, binary)
}

/// Copies an executable by another process. One that this process has open for writing while another test forks cannot be
/// run.
fn copy(program: &str, to: &Path) {
    let from = format!("cp \"$(command -v {program})\" \"$0\"");
    assert!(
        Command::new("sh")
            .arg("-c")
            .arg(from)
            .arg(to)
            .status()
            .expect("sh runs")
            .success()
    );
}

fn set_age(path: &Path, seconds_ago: u64) {
    let when = SystemTime::now() - Duration::from_secs(seconds_ago);
    std::fs::File::open(path)
        .and_then(|f| f.set_modified(when))
        .expect("dated");
}

fn inputs(repo: &Path, binary: &Path) -> BuildInputs {
    BuildInputs {
        repo: Some(repo.to_owned()),
        binary: Some(binary.to_owned()),
        pid: None,
        image: None,
    }
}

fn run(binary: &Path) -> Child {
    Command::new(binary)
        .arg("300")
        .stdin(Stdio::null())
        .spawn()
        .expect("it starts")
}

fn end(mut child: Child) {
    child.kill().expect("ours");
    child.wait().expect("waited");
}

#[tokio::test]
async fn a_build_after_the_last_commit_is_fresh_and_committed() {
    let (folder, binary) = repository();
    let report = BuildReport::check(inputs(folder.path(), &binary)).await;
    assert_eq!(
        (report.state(), report.violations(&[Committed, Fresh])),
        (BuildState::Fresh, vec![]),
        "{report:?}"
    );
    assert_eq!(report.commit.map(|c| c.len()), Some(40));
}

#[tokio::test]
async fn a_changed_source_that_was_never_compiled_is_stale() {
    let (folder, binary) = repository();
    // Given a fix that is in the working tree only, and a binary that is older (attempt 6B of the case study)
    std::fs::write(folder.path().join("main.rs"), "fn main() { fixed() }").expect("written");
    let report = BuildReport::check(inputs(folder.path(), &binary)).await;
    assert_eq!(report.state(), BuildState::Stale);
    let messages = report.violations(&[Committed, Fresh]).join("; ");
    assert!(
        messages.contains("1 uncommitted change(s) in the source: main.rs"),
        "{messages}"
    );
    assert!(
        messages.contains("agent was built 5 min before the last change of"),
        "{messages}"
    );
}

#[tokio::test]
async fn an_edited_document_is_uncommitted_and_makes_no_build_stale() {
    let (folder, binary) = repository();
    std::fs::write(folder.path().join("README.md"), "more words").expect("written");
    std::fs::write(folder.path().join("result.json"), "{}").expect("written");
    let report = BuildReport::check(inputs(folder.path(), &binary)).await;
    assert_eq!(report.state(), BuildState::Fresh);
    let expected = BuildFinding::Uncommitted {
        files: vec!["README.md".into()],
        count: 1,
    };
    assert_eq!(report.findings, [expected]);
}

#[tokio::test]
async fn only_the_sources_in_cargos_list_are_compared() {
    let (folder, binary) = repository();
    // Given a changed file that this executable is not made of
    std::fs::write(folder.path().join("other.rs"), "").expect("written");
    let list = format!("{}: {}\n", binary.display(), folder.path().join("main.rs").display());
    std::fs::write(binary.with_extension("d"), list).expect("written");
    let report = BuildReport::check(inputs(folder.path(), &binary)).await;
    assert_eq!(report.state(), BuildState::Fresh, "{report:?}");
}

#[tokio::test]
async fn a_missing_repository_and_a_missing_binary_violate_the_requirements() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = BuildReport::check(inputs(folder.path(), &folder.path().join("agent"))).await;
    assert_eq!(report.state(), BuildState::Stale);
    let messages = report.violations(&[Committed, Fresh]).join("; ");
    assert!(
        messages.contains("failed to read the repository") && messages.contains("there is no executable"),
        "{messages}"
    );
    let nothing = BuildReport::check(BuildInputs::default()).await;
    assert_eq!(nothing.state(), BuildState::Unknown);
    assert!(!nothing.violations(&[Fresh]).is_empty());
}

#[tokio::test]
async fn a_process_that_runs_the_executable_on_disk_is_fresh() {
    let (folder, binary) = repository();
    let child = run(&binary);
    let report = BuildReport::check(BuildInputs {
        pid: Some(child.id()),
        ..inputs(folder.path(), &binary)
    })
    .await;
    assert_eq!(report.state(), BuildState::Fresh, "{report:?}");
    end(child);
}

#[tokio::test]
async fn a_replaced_executable_is_stale_and_an_identical_rebuild_is_not() {
    let (folder, binary) = repository();
    let child = run(&binary);
    let of_process = BuildInputs {
        pid: Some(child.id()),
        ..BuildInputs::default()
    };
    // When the same build is put in its place
    copy("sleep", &folder.path().join("new"));
    std::fs::rename(folder.path().join("new"), &binary).expect("renamed");
    assert_eq!(BuildReport::check(of_process.clone()).await.state(), BuildState::Fresh);
    // When another build is put in its place
    copy("cat", &folder.path().join("new"));
    std::fs::rename(folder.path().join("new"), &binary).expect("renamed");
    let report = BuildReport::check(of_process.clone()).await;
    assert!(
        matches!(report.findings[..], [BuildFinding::Replaced { .. }]),
        "{report:?}"
    );
    // When it is deleted
    std::fs::remove_file(&binary).expect("removed");
    let report = BuildReport::check(of_process).await;
    assert!(
        matches!(report.findings[..], [BuildFinding::Deleted { .. }]),
        "{report:?}"
    );
    assert_eq!(report.state(), BuildState::Stale);
    end(child);
}
