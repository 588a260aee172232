//! Every kind of target against every build requirement, before anything is started.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use leakcheck_model::Scenario;

use super::check_before_start;

/// A defect of the repository.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Defect {
    Nothing,
    /// A source file is newer than the executable.
    Stale,
    /// A committed file was changed.
    Changed,
}

fn git(repo: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .arg("-C")
        .arg(repo)
        .args(["-c", "user.name=test", "-c", "user.email=test@localhost"])
        .args(["-c", "commit.gpgsign=false"])
        .args(arguments)
        .stdout(Stdio::null())
        .status()
        .expect("git runs");
    assert!(done.success(), "git {arguments:?}");
}

fn date(path: &Path, seconds_ago: u64) {
    let when = SystemTime::now() - Duration::from_secs(seconds_ago);
    let dated = std::fs::File::open(path).and_then(|f| f.set_modified(when));
    dated.expect("dated");
}

/// Seconds since this executable was built. The sources must be older.
fn own_age() -> u64 {
    let built = std::env::current_exe()
        .and_then(std::fs::metadata)
        .and_then(|m| m.modified());
    built.expect("a time").elapsed().map_or(0, |age| age.as_secs())
}

/// A repository with a source file, a script, and an agent that is newer than both.
fn repository(defect: Defect) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let repo = folder.path();
    for (name, text) in [
        ("main.go", "package main\n"),
        ("agent.sh", "sleep 300\n"),
        ("notes.txt", "a\n"),
        (".gitignore", "agent\n"),
    ] {
        std::fs::write(repo.join(name), text).expect("written");
        date(&repo.join(name), own_age() + 600);
    }
    let copy = "cp \"$(command -v sleep)\" agent";
    let copied = Command::new("sh").args(["-c", copy]).current_dir(repo).status();
    assert!(copied.expect("sh runs").success());
    date(&repo.join("agent"), 300);
    git(repo, &["init", "--quiet"]);
    git(repo, &["add", "."]);
    git(repo, &["commit", "--quiet", "-m", "first"]);
    match defect {
        Defect::Nothing => {}
        Defect::Stale => date(&repo.join("main.go"), 100),
        // Not a source file, so that the build stays fresh.
        Defect::Changed => std::fs::write(repo.join("notes.txt"), "b\n").expect("written"),
    }
    folder
}

/// Returns the broken requirement of a target with these lines of TOML; empty if it may start.
async fn broken(repo: &Path, target: &str, extra: &str, require: &str) -> String {
    // A metrics address alone has no descriptors.
    let judged = if target.contains("\"metrics\"") {
        "[metrics]\nm = { metrics = \"m\" }\n[limits]\nm"
    } else {
        "[limits]\nfds"
    };
    let repo = repo.display();
    let build = format!("build = {{ repo = \"{repo}\", require = [{require}]{extra} }}");
    let text = format!("name = \"t\"\n{judged} = \"max < 50\"\n[target]\n{target}\n{build}\n");
    let scenario = Scenario::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}: {text}"));
    let check = check_before_start(&scenario).await.expect("the build is checked");
    check.broken.join("; ")
}

/// A process that is killed on drop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(program: &Path, words: &[&str]) -> Running {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null());
    Running(command.spawn().expect("it starts"))
}

/// Serves a version page until the test process ends, and returns its address.
fn serve_version(commit: String) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let body = format!("{{\"version\":\"1.2.3\",\"commit\":\"{commit}\"}}");
            let _ = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    format!("http://{address}/metrics")
}

#[tokio::test]
async fn every_requirement_is_checked_for_every_kind_of_target() {
    // Given each state of the repository, and each kind of target that leads to an executable of it
    for defect in [Defect::Nothing, Defect::Stale, Defect::Changed] {
        let folder = repository(defect);
        let repo = folder.path();
        let agent = repo.join("agent");
        let process = run(&agent, &["300"]);
        let own = format!("kind = \"pid\"\npid = {}", std::process::id());
        let (path, pid) = (agent.display(), process.0.id());
        let named = format!(", binary = \"{path}\"");
        let targets = [
            ("a path", format!("kind = \"command\"\ncommand = [\"{path}\"]"), ""),
            (
                "a path from its folder",
                format!(
                    "kind = \"command\"\ncommand = [\"./agent\"]\ncwd = \"{}\"",
                    repo.display()
                ),
                "",
            ),
            ("a process", format!("kind = \"pid\"\npid = {pid}"), ""),
            (
                "a bare word with its binary",
                "kind = \"command\"\ncommand = [\"sleep\"]".into(),
                &*named,
            ),
            ("the capture core with a binary", "kind = \"capture\"".into(), &*named),
            (
                "an address with its binary",
                "kind = \"metrics\"\nmetrics_url = \"http://127.0.0.1:1/metrics\"".into(),
                &*named,
            ),
        ];
        for (what, target, extra) in &targets {
            // When it is checked
            let fresh = broken(repo, target, extra, "\"fresh\"").await;
            let committed = broken(repo, target, extra, "\"committed\"").await;
            // Then each requirement is broken by what breaks it, and by nothing else
            assert_eq!(
                fresh.contains("before the last change of"),
                defect == Defect::Stale,
                "{defect:?} {what}: {fresh}"
            );
            assert_eq!(fresh.is_empty(), defect != Defect::Stale, "{defect:?} {what}: {fresh}");
            let changed = "1 uncommitted change(s) in the source: notes.txt";
            assert_eq!(
                committed,
                if defect == Defect::Changed { changed } else { "" },
                "{defect:?} {what}"
            );
        }
        // And a process of something else is no fresh build of this repository, whatever its age
        let other = broken(repo, &own, &named, "\"fresh\"").await;
        assert!(other.contains("not "), "{other}");
    }
}

#[tokio::test]
async fn programs_in_path_our_own_and_scripts_are_found() {
    let folder = repository(Defect::Nothing);
    let repo = folder.path();
    let command = |words: &str| format!("kind = \"command\"\ncommand = [{words}]\ncwd = \"{}\"", repo.display());
    // Our own executable has a list of its sources beside it.
    for target in ["kind = \"capture\"".to_owned(), command("\"{leakcheck}\", \"capture\"")] {
        assert_eq!(broken(repo, &target, "", "\"fresh\"").await, "");
    }
    // A program of the system is older than the source of today, and is not built from it.
    let sleep = broken(repo, &command("\"sleep\", \"300\""), "", "\"fresh\"").await;
    assert!(sleep.contains("sleep was built"), "{sleep}");
    // A script is its own source. If it cannot be found, that is reported.
    let script = command("\"sh\", \"agent.sh\"");
    assert_eq!(broken(repo, &script, "", "\"fresh\"").await, "");
    let process = run(Path::new("sh"), &[&repo.join("agent.sh").display().to_string()]);
    let pid = format!("kind = \"pid\"\npid = {}", process.0.id());
    assert_eq!(broken(repo, &pid, "", "\"fresh\"").await, "");
    let hidden = broken(repo, &command("\"sh\", \"-c\", \"sleep 300\""), "", "\"fresh\"").await;
    assert!(
        hidden.contains("it is unknown whether the executable is fresh"),
        "{hidden}"
    );
    let gone = broken(repo, "kind = \"pid\"\npid = 4194304", "", "\"fresh\"").await;
    assert!(gone.contains("there is no process 4194304"), "{gone}");
}

#[tokio::test]
async fn the_reported_version_is_checked_before_anything_starts() {
    let folder = repository(Defect::Nothing);
    let repo = folder.path();
    let head = Command::new("git")
        .arg("-C")
        .arg(repo)
        .args(["rev-parse", "HEAD"])
        .output();
    let head = String::from_utf8_lossy(&head.expect("git runs").stdout)
        .trim()
        .to_owned();
    let process = run(&repo.join("agent"), &["300"]);
    for (commit, fresh, committed) in [
        (head[..8].to_owned(), "", ""),
        (
            format!("{}-dirty", &head[..8]),
            "uncommitted changes",
            "uncommitted changes",
        ),
        ("0123abc".to_owned(), "built from commit 0123abc", ""),
    ] {
        let url = serve_version(commit.clone());
        let command = format!(", version_command = [\"echo\", \"agent 1.2.3 (commit {commit})\"]");
        let agent = repo.join("agent").display().to_string();
        for (target, extra) in [
            (format!("kind = \"metrics\"\nmetrics_url = \"{url}\""), ""),
            (
                format!("kind = \"pid\"\npid = {}\nmetrics_url = \"{url}\"", process.0.id()),
                "",
            ),
            (format!("kind = \"command\"\ncommand = [\"{agent}\"]"), &*command),
            (format!("kind = \"pid\"\npid = {}", process.0.id()), &*command),
        ] {
            for (require, expected) in [("\"fresh\"", fresh), ("\"committed\"", committed)] {
                let message = broken(repo, &target, extra, require).await;
                let is_right = message.contains(expected) && message.is_empty() == expected.is_empty();
                assert!(is_right, "{target} {require}: `{message}`");
            }
        }
    }
}
