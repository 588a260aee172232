//! What is well formed in `[traffic]` and yet makes no sense.

use super::Found;
use crate::scenario::Traffic;

/// More requests a second than this are a benchmark's, and need more than one harness.
const MOST_PER_SECOND: f64 = 1000.0;

/// Every contradiction in `[traffic]`.
pub(super) fn check(traffic: &Traffic, found: &mut Found<'_>) {
    if traffic.url.is_some() != traffic.command.is_empty() {
        let both = if traffic.url.is_some() { "both" } else { "neither" };
        found.say(
            &["traffic"],
            format!("traffic is a `url` or a `command`; here is {both}"),
            "url = \"http://127.0.0.1:{port}/\"".to_owned(),
        );
    }
    if let Some(url) = &traffic.url
        && !url.starts_with("http://")
    {
        found.say(
            &["traffic", "url"],
            format!("`{url}` is not an http:// address"),
            "write http://127.0.0.1:{port}/".to_owned(),
        );
    }
    if !(traffic.per_second > 0.0 && traffic.per_second <= MOST_PER_SECOND) {
        found.say(
            &["traffic", "per_second"],
            format!("{} requests a second", traffic.per_second),
            format!("more than 0, at most {MOST_PER_SECOND}; a `command` may do what it likes"),
        );
    }
    if traffic.method.is_empty() || !traffic.method.bytes().all(|b| b.is_ascii_uppercase()) {
        found.say(
            &["traffic", "method"],
            format!("`{}` is no method of HTTP", traffic.method),
            "GET, POST, …".to_owned(),
        );
    }
}
