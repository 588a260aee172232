//! What a target says of itself: its version and the commit that it was built from.
//!
//! Asked are `/version` (JSON, as the capture core and many Go programs have it), then a build-info series in /metrics
//! (`…_build_info{version="…",revision="…"} 1`, `target_info`), then the command that the scenario names for it. No program
//! is run with `--version` unasked: one that does not know the word would start as a second daemon.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::build::Told;
use crate::scrape;

/// How long each page may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// Names under which a version, and a commit, go.
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

/// Asks a target whose other pages are at `url` (its /metrics, say).
pub async fn ask(url: &str) -> Told {
    let mut identity = Told::default();
    let page = reqwest::Url::parse(url).and_then(|u| u.join("/version"));
    if let Ok(page) = page
        && let Ok(text) = scrape::fetch_text(page.as_str(), DEADLINE).await
    {
        identity.take_json(&text);
    }
    if (identity.version.is_none() || identity.commit.is_none())
        && let Ok(text) = scrape::fetch_text(url, DEADLINE).await
    {
        identity.take_exposition(&text);
    }
    identity
}

/// How long a command that tells a version may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(5);

/// Most that is read of what it says.
const COMMAND_BYTES: u64 = 64 << 10;

/// Asks a program for its version: `agent 1.2.3 (commit 0af7651)`, or JSON as on `/version`.
///
/// # Errors
/// If it cannot be started, fails, or does not end in time, in words.
pub async fn ask_command(command: &[String], folder: Option<&Path>) -> Result<Told, String> {
    let Some((program, words)) = command.split_first() else {
        return Err("no command is named".into());
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
        out.take(COMMAND_BYTES)
            .read_to_end(&mut text)
            .await
            .map_err(|e| e.to_string())?;
        let status = child.wait().await.map_err(|e| e.to_string())?;
        if !status.success() {
            return Err(format!("`{}` ended with {status}", command.join(" ")));
        }
        let mut told = Told::default();
        let text = String::from_utf8_lossy(&text);
        told.take_json(&text);
        told.take_words(&text);
        Ok(told)
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

impl Told {
    /// Takes what is not known yet from another source.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            version: self.version.or(other.version),
            commit: self.commit.or(other.commit),
        }
    }

    /// The first word that looks like a version, and the first that looks like a commit.
    fn take_words(&mut self, text: &str) {
        let is_version = |word: &&str| {
            let number = word.trim_start_matches('v');
            number.starts_with(|c: char| c.is_ascii_digit()) && number.contains('.')
        };
        let is_commit = |word: &&str| {
            let name = word.split(['-', '+']).next().unwrap_or_default();
            let has = |wanted: fn(&u8) -> bool| name.bytes().any(|b| wanted(&b));
            // A date has no letters, and a word no digits.
            (7..=64).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_hexdigit())
                && has(u8::is_ascii_digit)
                && has(u8::is_ascii_alphabetic)
        };
        let words = || text.split(|c: char| c.is_whitespace() || "(),;:=\"".contains(c));
        if let Some(version) = words().find(is_version) {
            self.take(VERSION[0], version);
        }
        if let Some(commit) = words().find(is_commit) {
            self.take(COMMIT[0], commit);
        }
    }

    fn take(&mut self, name: &str, value: &str) {
        let is = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(name));
        // A word that builds without the information put there is none.
        if value.is_empty() || value.len() > 200 || ["unknown", "none", "(devel)"].contains(&value) {
            return;
        }
        if is(&VERSION) && self.version.is_none() {
            self.version = Some(value.to_owned());
        } else if is(&COMMIT) && self.commit.is_none() {
            self.commit = Some(value.to_owned());
        }
    }

    fn take_json(&mut self, text: &str) {
        let Ok(serde_json::Value::Object(object)) = serde_json::from_str(text) else {
            return;
        };
        for (name, value) in &object {
            if let Some(value) = value.as_str() {
                self.take(name, value);
            }
        }
    }

    fn take_exposition(&mut self, text: &str) {
        let lines = text.lines().filter(|l| {
            let name = l.split(['{', ' ']).next().unwrap_or_default();
            // Go's own build info tells of the module and not of the program's commit, and prometheus clients have it everywhere.
            name != "go_build_info" && (name.ends_with("build_info") || name == "target_info")
        });
        for line in lines {
            for (name, value) in crate::exposition::labels_of(line.as_bytes()) {
                self.take(&name, &value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_json_tells_version_and_commit_under_their_usual_names() {
        for text in [
            r#"{"version":"1.2.3","commit":"abc123","go":"1.22"}"#,
            r#"{"Version":"1.2.3","GitCommit":"abc123","ok":true}"#,
        ] {
            let mut identity = Told::default();
            identity.take_json(text);
            assert_eq!(
                (identity.version.as_deref(), identity.commit.as_deref()),
                (Some("1.2.3"), Some("abc123"))
            );
        }
        let mut identity = Told::default();
        identity.take_json("<html>");
        identity.take_json(r#"{"version":"unknown"}"#);
        assert_eq!(identity, Told::default());
    }

    #[test]
    fn a_build_info_series_tells_them_too() {
        let mut identity = Told::default();
        identity.take_exposition(
            "go_build_info{version=\"(devel)\",path=\"x\"} 1\n\
             prometheus_build_info{branch=\"HEAD\",revision=\"abc123\",version=\"2.42.0\"} 1\n",
        );
        assert_eq!(
            (identity.version.as_deref(), identity.commit.as_deref()),
            (Some("2.42.0"), Some("abc123"))
        );
    }

    #[test]
    fn words_tell_them_as_people_write_them() {
        for (text, version, commit) in [
            ("agent 1.2.3 (commit 0af7651)\n", Some("1.2.3"), Some("0af7651")),
            (
                "agent, version v2.42.0, revision: 225c61122d88-dirty\n",
                Some("v2.42.0"),
                Some("225c61122d88-dirty"),
            ),
            ("go version go1.22 built 20260101\n", None, None),
        ] {
            let mut told = Told::default();
            told.take_words(text);
            assert_eq!(
                (told.version.as_deref(), told.commit.as_deref()),
                (version, commit),
                "{text}"
            );
        }
    }

    #[tokio::test]
    async fn a_program_is_asked_and_one_that_does_not_answer_is_given_up() {
        let command = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let told = ask_command(&command(&["echo", "agent 1.2.3 0af7651"]), None).await;
        assert_eq!(told.expect("it answers").commit.as_deref(), Some("0af7651"));
        assert!(ask_command(&command(&["false"]), None).await.is_err());
        assert!(ask_command(&command(&["no-such-program-here"]), None).await.is_err());
    }
}
