//! Stale builds, caught on real repositories and real processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use leakcheck_model::scenario::BuildRequirement::{Committed, Fresh};
use leakcheck_probe::build::{BuildFinding, BuildQuestion, BuildReport, BuildState};

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
    date(&repo.join("main.rs"), 600);
    date(&repo.join("agent"), 300);
    git(repo, &["init", "--quiet"]);
    git(repo, &["add", "."]);
    git(repo, &["commit", "--quiet", "-m", "first"]);
    let binary = repo.join("agent");
    (folder, binary)
}

/// Copied by another process: an executable that this one has open for writing while another test forks could not be run.
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

fn date(path: &Path, seconds_ago: u64) {
    let when = SystemTime::now() - Duration::from_secs(seconds_ago);
    std::fs::File::open(path)
        .and_then(|f| f.set_modified(when))
        .expect("dated");
}

fn question(repo: &Path, binary: &Path) -> BuildQuestion {
    BuildQuestion {
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
    let report = BuildReport::look(question(folder.path(), &binary)).await;
    assert_eq!(
        (report.state(), report.broken(&[Committed, Fresh])),
        (BuildState::Fresh, vec![]),
        "{report:?}"
    );
    assert_eq!(report.commit.map(|c| c.len()), Some(40));
}

#[tokio::test]
async fn a_mended_source_that_was_never_compiled_is_stale() {
    let (folder, binary) = repository();
    // Given the record's 6B: the mend is in the working tree only, and the binary is older
    std::fs::write(folder.path().join("main.rs"), "fn main() { mended() }").expect("written");
    let report = BuildReport::look(question(folder.path(), &binary)).await;
    assert_eq!(report.state(), BuildState::Stale);
    let words = report.broken(&[Committed, Fresh]).join("; ");
    assert!(
        words.contains("1 uncommitted change(s) in the source: main.rs"),
        "{words}"
    );
    assert!(
        words.contains("agent was built 5 min before the last change of"),
        "{words}"
    );
}

#[tokio::test]
async fn an_edited_document_is_uncommitted_and_makes_no_build_stale() {
    let (folder, binary) = repository();
    std::fs::write(folder.path().join("README.md"), "more words").expect("written");
    std::fs::write(folder.path().join("result.json"), "{}").expect("written");
    let report = BuildReport::look(question(folder.path(), &binary)).await;
    assert_eq!(report.state(), BuildState::Fresh);
    let expected = BuildFinding::Uncommitted {
        files: vec!["README.md".into()],
        count: 1,
    };
    assert_eq!(report.findings, [expected]);
}

#[tokio::test]
async fn cargos_own_list_of_sources_is_believed() {
    let (folder, binary) = repository();
    // Given a changed file that this executable is not made of
    std::fs::write(folder.path().join("other.rs"), "").expect("written");
    let list = format!("{}: {}\n", binary.display(), folder.path().join("main.rs").display());
    std::fs::write(binary.with_extension("d"), list).expect("written");
    let report = BuildReport::look(question(folder.path(), &binary)).await;
    assert_eq!(report.state(), BuildState::Fresh, "{report:?}");
}

#[tokio::test]
async fn no_repository_and_no_binary_are_said_and_break_the_requirements() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = BuildReport::look(question(folder.path(), &folder.path().join("agent"))).await;
    assert_eq!(report.state(), BuildState::Stale);
    let words = report.broken(&[Committed, Fresh]).join("; ");
    assert!(
        words.contains("git does not say") && words.contains("there is no executable"),
        "{words}"
    );
    let nothing = BuildReport::look(BuildQuestion::default()).await;
    assert_eq!(nothing.state(), BuildState::Unknown);
    assert!(!nothing.broken(&[Fresh]).is_empty());
}

#[tokio::test]
async fn a_process_that_runs_what_is_on_disk_is_fresh() {
    let (folder, binary) = repository();
    let child = run(&binary);
    let report = BuildReport::look(BuildQuestion {
        pid: Some(child.id()),
        ..question(folder.path(), &binary)
    })
    .await;
    assert_eq!(report.state(), BuildState::Fresh, "{report:?}");
    end(child);
}

#[tokio::test]
async fn a_process_whose_executable_was_replaced_is_stale_and_a_rebuild_of_the_same_is_not() {
    let (folder, binary) = repository();
    let child = run(&binary);
    let asked = BuildQuestion {
        pid: Some(child.id()),
        ..BuildQuestion::default()
    };
    // When the same build is put in its place
    copy("sleep", &folder.path().join("new"));
    std::fs::rename(folder.path().join("new"), &binary).expect("renamed");
    assert_eq!(BuildReport::look(asked.clone()).await.state(), BuildState::Fresh);
    // When another one is
    copy("cat", &folder.path().join("new"));
    std::fs::rename(folder.path().join("new"), &binary).expect("renamed");
    let report = BuildReport::look(asked.clone()).await;
    assert!(
        matches!(report.findings[..], [BuildFinding::Replaced { .. }]),
        "{report:?}"
    );
    // When there is none any more
    std::fs::remove_file(&binary).expect("removed");
    let report = BuildReport::look(asked).await;
    assert!(
        matches!(report.findings[..], [BuildFinding::Deleted { .. }]),
        "{report:?}"
    );
    assert_eq!(report.state(), BuildState::Stale);
    end(child);
}

#[tokio::test]
async fn a_script_that_was_changed_after_the_start_is_stale() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("agent.sh");
    std::fs::write(&script, "read x\n").expect("written");
    date(&script, 60);
    let mut child = Command::new("sh")
        .arg(&script)
        .stdin(Stdio::piped())
        .spawn()
        .expect("sh starts");
    let asked = BuildQuestion {
        pid: Some(child.id()),
        binary: Some(script.clone()),
        ..BuildQuestion::default()
    };
    assert_eq!(BuildReport::look(asked.clone()).await.state(), BuildState::Fresh);
    let later = SystemTime::now() + Duration::from_secs(60);
    std::fs::File::open(&script)
        .and_then(|f| f.set_modified(later))
        .expect("dated");
    let report = BuildReport::look(asked).await;
    assert!(
        matches!(report.findings[..], [BuildFinding::ChangedAfterStart { .. }]),
        "{report:?}"
    );
    drop(child.stdin.take());
    child.wait().expect("it ends");
}
