//! The version and commit that a target reports.
//!
//! They come from `/version` (JSON, as the capture daemon and many Go programs serve it), then from a build-info series in
//! /metrics (`…_build_info{version="…",revision="…"} 1`, `target_info`), then from the command that the scenario names. No
//! program is run with `--version` by default: one that does not know the option would start as a second daemon.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::build::ReportedVersion;
use crate::scrape;

/// The deadline for each page.
const DEADLINE: Duration = Duration::from_secs(2);

/// The JSON keys and labels of a version, and of a commit.
const VERSION: [&str; 4] = ["version", "service_version", "app_version", "gitversion"];
const COMMIT: [&str; 7] = [
    "commit",
    "revision",
    "git_commit",
    "gitcommit",
    "git_sha",
    "vcs_revision",
    "sha",
];

/// Fetches version and commit of a target that serves `url` (its /metrics, for example).
#[tracing::instrument(name = "version", level = "debug")]
pub async fn fetch(url: &str) -> ReportedVersion {
    let mut version = ReportedVersion::default();
    let page = reqwest::Url::parse(url).and_then(|u| u.join("/version"));
    if let Ok(page) = page
        && let Ok(text) = scrape::fetch_text(page.as_str(), DEADLINE).await
    {
        version.add_json(&text);
    }
    if (version.version.is_none() || version.commit.is_none())
        && let Ok(text) = scrape::fetch_text(url, DEADLINE).await
    {
        version.add_exposition(&text);
    }
    version
}

/// The deadline for the command.
const COMMAND_DEADLINE: Duration = Duration::from_secs(5);

/// The number of bytes of its output that are read.
const MAX_COMMAND_BYTES: u64 = 64 << 10;

/// Runs a command that prints a version: `agent 1.2.3 (commit 0af7651)`, or JSON as on `/version`.
///
/// # Errors
/// A message if it cannot be started, fails, or does not end in time.
pub async fn run_command(command: &[String], folder: Option<&Path>) -> Result<ReportedVersion, String> {
    let Some((program, words)) = command.split_first() else {
        return Err("the command is empty".into());
    };
    let mut starting = Command::new(program);
    starting
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    starting.kill_on_drop(true);
    if let Some(folder) = folder {
        starting.current_dir(folder);
    }
    let mut child = starting
        .spawn()
        .map_err(|e| format!("failed to start `{program}`: {e}"))?;
    let out = child.stdout.take().ok_or("it has no output")?;
    let reading = async {
        let mut text = Vec::new();
        out.take(MAX_COMMAND_BYTES)
            .read_to_end(&mut text)
            .await
            .map_err(|e| e.to_string())?;
        let status = child.wait().await.map_err(|e| e.to_string())?;
        if !status.success() {
            return Err(format!("`{}` ended with {status}", command.join(" ")));
        }
        let mut version = ReportedVersion::default();
        let text = String::from_utf8_lossy(&text);
        version.add_json(&text);
        version.add_words(&text);
        Ok(version)
    };
    let too_slow = || {
        format!(
            "`{}` did not end within {} s",
            command.join(" "),
            COMMAND_DEADLINE.as_secs()
        )
    };
    tokio::time::timeout(COMMAND_DEADLINE, reading)
        .await
        .map_err(|_| too_slow())?
}

impl ReportedVersion {
    /// Fills what is missing from another source.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            version: self.version.or(other.version),
            commit: self.commit.or(other.commit),
        }
    }

    /// Adds the first word that looks like a version, and the first that looks like a commit.
    fn add_words(&mut self, text: &str) {
        let is_version = |word: &&str| {
            let number = word.trim_start_matches('v');
            number.starts_with(|c: char| c.is_ascii_digit()) && number.contains('.')
        };
        let is_commit = |word: &&str| {
            let name = word.split(['-', '+']).next().unwrap_or_default();
            let has = |wanted: fn(&u8) -> bool| name.bytes().any(|b| wanted(&b));
            // A date has no letters, and an English word no digits.
            (7..=64).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_hexdigit())
                && has(u8::is_ascii_digit)
                && has(u8::is_ascii_alphabetic)
        };
        let words = || text.split(|c: char| c.is_whitespace() || "(),;:=\"".contains(c));
        if let Some(version) = words().find(is_version) {
            self.add(VERSION[0], version);
        }
        if let Some(commit) = words().find(is_commit) {
            self.add(COMMIT[0], commit);
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        let is = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(name));
        // Placeholders of builds without the information.
        if value.is_empty() || value.len() > 200 || ["unknown", "none", "(devel)"].contains(&value) {
            return;
        }
        if is(&VERSION) && self.version.is_none() {
            self.version = Some(value.to_owned());
        } else if is(&COMMIT) && self.commit.is_none() {
            self.commit = Some(value.to_owned());
        }
    }

    fn add_json(&mut self, text: &str) {
        let Ok(serde_json::Value::Object(object)) = serde_json::from_str(text) else {
            return;
        };
        for (name, value) in &object {
            if let Some(value) = value.as_str() {
                self.add(name, value);
            }
        }
    }

    fn add_exposition(&mut self, text: &str) {
        let lines = text.lines().filter(|l| {
            let name = l.split(['{', ' ']).next().unwrap_or_default();
            // `go_build_info` describes the Go module and not the program, and every Prometheus client for Go has it.
            name != "go_build_info" && (name.ends_with("build_info") || name == "target_info")
        });
        for line in lines {
            for (name, value) in crate::exposition::labels_of(line.as_bytes()) {
                self.add(&name, &value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_and_commit_are_read_from_json() {
        for text in [
            r#"{"version":"1.2.3","commit":"abc123","go":"1.22"}"#,
            r#"{"Version":"1.2.3","GitCommit":"abc123","ok":true}"#,
        ] {
            let mut version = ReportedVersion::default();
            version.add_json(text);
            assert_eq!(
                (version.version.as_deref(), version.commit.as_deref()),
                (Some("1.2.3"), Some("abc123"))
            );
        }
        let mut version = ReportedVersion::default();
        version.add_json("<html>");
        version.add_json(r#"{"version":"unknown"}"#);
        assert_eq!(version, ReportedVersion::default());
    }

    #[test]
    fn version_and_commit_are_read_from_a_build_info_series() {
        let mut version = ReportedVersion::default();
        version.add_exposition(
            "go_build_info{version=\"(devel)\",path=\"x\"} 1\n\
             prometheus_build_info{branch=\"HEAD\",revision=\"abc123\",version=\"2.42.0\"} 1\n",
        );
        assert_eq!(
            (version.version.as_deref(), version.commit.as_deref()),
            (Some("2.42.0"), Some("abc123"))
        );
    }

    #[test]
    fn version_and_commit_are_read_from_plain_text() {
        for (text, version, commit) in [
            ("agent 1.2.3 (commit 0af7651)\n", Some("1.2.3"), Some("0af7651")),
            (
                "agent, version v2.42.0, revision: 225c61122d88-dirty\n",
                Some("v2.42.0"),
                Some("225c61122d88-dirty"),
            ),
            ("go version go1.22 built 20260101\n", None, None),
        ] {
            let mut found = ReportedVersion::default();
            found.add_words(text);
            assert_eq!(
                (found.version.as_deref(), found.commit.as_deref()),
                (version, commit),
                "{text}"
            );
        }
    }

    #[tokio::test]
    async fn a_command_that_fails_is_an_error() {
        let command = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let version = run_command(&command(&["echo", "agent 1.2.3 0af7651"]), None).await;
        assert_eq!(version.expect("it answers").commit.as_deref(), Some("0af7651"));
        assert!(run_command(&command(&["false"]), None).await.is_err());
        assert!(run_command(&command(&["no-such-program-here"]), None).await.is_err());
    }
}
