//! The status of a git repository, read within a deadline and without changing it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use super::sources::is_source;

/// The deadline for one call. `git status` of a very large cold repository takes seconds.
const DEADLINE: Duration = Duration::from_secs(20);

/// The number of bytes of an answer that are read (a million files).
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// The status of a repository.
#[derive(Debug)]
pub(super) struct Status {
    /// The commit that is checked out; `None` before the first one.
    pub(super) commit: Option<String>,
    /// Tracked files with changes, and new files that look like source.
    pub(super) changed: Vec<String>,
    /// Tracked and new files, with the path of the repository.
    pub(super) files: Vec<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum GitError {
    #[error("failed to run `git {command}`: {source}")]
    Start { command: String, source: std::io::Error },
    #[error("`git {command}` did not end within {} s", DEADLINE.as_secs())]
    TooSlow { command: String },
    #[error("`git {command}` failed: {message}")]
    Failed { command: String, message: String },
}

/// Reads the status of a repository.
pub(super) async fn status(repo: &Path) -> Result<Status, GitError> {
    let top = text(git(repo, &["rev-parse", "--show-toplevel"]).await?);
    let top = Path::new(top.trim_end_matches('\n'));
    // A repository without a commit is no error.
    let commit = git(repo, &["rev-parse", "--verify", "--quiet", "HEAD"])
        .await
        .ok()
        .map(|out| text(out).trim().to_owned());
    let status = git(
        top,
        &[
            "status",
            "--porcelain=v1",
            "-z",
            "--untracked-files=all",
            "--no-renames",
        ],
    )
    .await?;
    let listed = git(top, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).await?;
    let files = listed
        .split(|b| *b == 0)
        .filter(|n| !n.is_empty())
        .map(|n| top.join(&*String::from_utf8_lossy(n)));
    Ok(Status {
        commit,
        changed: changed(&status),
        files: files.collect(),
    })
}

/// Reads `git status --porcelain=v1 -z`: two letters, a blank, the name. A new file counts if it looks like source, because
/// many repositories contain untracked reports and other output.
fn changed(status: &[u8]) -> Vec<String> {
    let mut files = Vec::new();
    for entry in status.split(|b| *b == 0).filter(|e| e.len() > 3) {
        let name = String::from_utf8_lossy(&entry[3..]).into_owned();
        if !entry.starts_with(b"??") || is_source(Path::new(&name)) {
            files.push(name);
        }
    }
    files
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn git(repo: &Path, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
    let command = || arguments.join(" ");
    let start = |source| GitError::Start {
        command: command(),
        source,
    };
    let mut child = tokio::process::Command::new("git")
        // Does not start the file watcher that the repository may configure.
        .args(["-c", "core.fsmonitor=false", "-C"])
        .arg(repo)
        .args(arguments)
        // Within a git hook these name another repository.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        // Does not write the index and does not ask for a password.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(start)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let (out, err) = tokio::try_join!(read(stdout, MAX_ANSWER_BYTES), read(stderr, 4096))?;
        Ok((child.wait().await?, out, err))
    };
    match tokio::time::timeout(DEADLINE, work).await {
        Err(_) => Err(GitError::TooSlow { command: command() }),
        Ok(Err(source)) => Err(start(source)),
        Ok(Ok((status, out, _))) if status.success() => Ok(out),
        Ok(Ok((_, _, err))) => {
            let message = text(err);
            let first = message.lines().next().unwrap_or("no message").to_owned();
            Err(GitError::Failed {
                command: command(),
                message: first,
            })
        }
    }
}

async fn read(pipe: Option<impl tokio::io::AsyncRead + Unpin>, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(limit).read_to_end(&mut out).await?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_files_and_new_source_count_and_other_new_files_do_not() {
        let status = b" M src/a.rs\0M  docs/b.md\0?? src/new.go\0?? reports/result.json\0";
        assert_eq!(changed(status), ["src/a.rs", "docs/b.md", "src/new.go"]);
        assert!(changed(b"").is_empty());
    }
}
