//! Checks of `[traffic]`.

use super::findings::Findings;
use crate::scenario::traffic::Traffic;

/// Largest rate that one process of leakcheck makes reliably. Higher rates need a benchmark tool.
const MAX_PER_SECOND: f64 = 1000.0;

/// Adds the problems of the traffic.
pub(super) fn check(traffic: &Traffic, findings: &mut Findings<'_>) {
    if traffic.url.is_some() != traffic.command.is_empty() {
        let both = if traffic.url.is_some() { "both" } else { "neither" };
        findings.add(
            &["traffic"],
            format!("traffic has either a `url` or a `command`; this one has {both}"),
            "url = \"http://127.0.0.1:{port}/\"".to_owned(),
        );
    }
    if let Some(url) = &traffic.url
        && !url.starts_with("http://")
    {
        findings.add(
            &["traffic", "url"],
            format!("`{url}` is not an http:// address"),
            "write http://127.0.0.1:{port}/".to_owned(),
        );
    }
    if !(traffic.per_second > 0.0 && traffic.per_second <= MAX_PER_SECOND) {
        findings.add(
            &["traffic", "per_second"],
            format!("{} requests per second", traffic.per_second),
            format!("more than 0, at most {MAX_PER_SECOND}; a `command` has no limit"),
        );
    }
    if traffic.method.is_empty() || !traffic.method.bytes().all(|b| b.is_ascii_uppercase()) {
        findings.add(
            &["traffic", "method"],
            format!("`{}` is not an HTTP method", traffic.method),
            "GET, POST, …".to_owned(),
        );
    }
}
