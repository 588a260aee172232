//! What a target says of itself: its version and the commit that it was built from.
//!
//! Asked are `/version` (JSON, as the capture core and many Go programs have it), then a build-info series in /metrics
//! (`…_build_info{version="…",revision="…"} 1`, `target_info`).

use std::time::Duration;

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

/// What a target says of itself; what it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its version.
    pub version: Option<String>,
    /// The commit that it was built from.
    pub commit: Option<String>,
}

/// Asks a target whose other pages are at `url` (its /metrics, say).
pub async fn ask(url: &str) -> Identity {
    let mut identity = Identity::default();
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

impl Identity {
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
            let mut identity = Identity::default();
            identity.take_json(text);
            assert_eq!(
                (identity.version.as_deref(), identity.commit.as_deref()),
                (Some("1.2.3"), Some("abc123"))
            );
        }
        let mut identity = Identity::default();
        identity.take_json("<html>");
        identity.take_json(r#"{"version":"unknown"}"#);
        assert_eq!(identity, Identity::default());
    }

    #[test]
    fn a_build_info_series_tells_them_too() {
        let mut identity = Identity::default();
        identity.take_exposition(
            "go_build_info{version=\"(devel)\",path=\"x\"} 1\n\
             prometheus_build_info{branch=\"HEAD\",revision=\"abc123\",version=\"2.42.0\"} 1\n",
        );
        assert_eq!(
            (identity.version.as_deref(), identity.commit.as_deref()),
            (Some("2.42.0"), Some("abc123"))
        );
    }
}
