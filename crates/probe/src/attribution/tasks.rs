//! Tasks by name and state, as the target lists them: at `/debug/tasks` (the capture daemon) or in Go's goroutine profile.

use std::time::Duration;

use serde::Deserialize;

use super::group::Groups;
use crate::scrape;

/// The deadline for a list. Go stops all goroutines for its profile, which takes a second with 100 000 of them.
const DEADLINE: Duration = Duration::from_secs(5);

/// Packages of Go's standard library. The first function outside of them names the code that waits.
const STANDARD_PACKAGES: [&str; 18] = [
    "runtime",
    "internal/",
    "net",
    "io",
    "bufio",
    "sync",
    "time",
    "syscall",
    "os",
    "crypto/",
    "context",
    "bytes",
    "compress/",
    "encoding/",
    "sort",
    "vendor/",
    "reflect",
    "log",
];

/// Fetches the tasks of a target that serves `url` (its /metrics, for example); `None` if it does not list them.
#[tracing::instrument(name = "tasks", level = "debug")]
pub async fn fetch(url: &str) -> Option<Groups> {
    let base = reqwest::Url::parse(url).ok()?;
    let page = |path: &str| base.join(path).ok().map(|u| u.to_string());
    if let Ok(text) = scrape::fetch_text(&page("/debug/tasks")?, DEADLINE).await
        && let Some(groups) = parse_task_list(&text)
    {
        return Some(groups);
    }
    let text = scrape::fetch_text(&page("/debug/pprof/goroutine?debug=1")?, DEADLINE)
        .await
        .ok()?;
    parse_goroutines(&text)
}

#[derive(Deserialize)]
struct Task {
    name: String,
    #[serde(default)]
    state: String,
}

/// Reads an array of objects with `name` and `state`; other keys are ignored.
fn parse_task_list(text: &str) -> Option<Groups> {
    let mut groups = Groups::new();
    for task in serde_json::from_str::<Vec<Task>>(text).ok()? {
        *groups.entry((task.name, task.state)).or_default() += 1;
    }
    Some(groups)
}

/// Reads a goroutine profile: `3 @ 0x1 0x2` begins a group of three with the same stack; its functions follow, innermost
/// first.
fn parse_goroutines(text: &str) -> Option<Groups> {
    let (_, text) = text.split_once("goroutine profile: total")?;
    let mut groups = Groups::new();
    for block in text.split("\n\n") {
        let mut lines = block.lines().skip_while(|l| !l.contains(" @ "));
        let Some(count) = lines
            .next()
            .and_then(|l| l.split(" @ ").next()?.trim().parse::<u64>().ok())
        else {
            continue;
        };
        let functions: Vec<&str> = lines.filter_map(function).collect();
        let Some(innermost) = functions.first() else { continue };
        let owner = functions
            .iter()
            .find(|f| !is_standard(f))
            .or(functions.last())
            .unwrap_or(innermost);
        *groups
            .entry(((*owner).to_owned(), (*innermost).to_owned()))
            .or_default() += count;
    }
    Some(groups)
}

/// Returns the function of a line: `#<tab>0x4364c7<tab>main.reader+0x47<tab>/src/main.go:42`.
fn function(line: &str) -> Option<&str> {
    let name = line
        .strip_prefix('#')?
        .split('\t')
        .map(str::trim)
        .filter(|w| !w.is_empty())
        .nth(1)?;
    Some(name.split('+').next().unwrap_or(name))
}

fn is_standard(function: &str) -> bool {
    STANDARD_PACKAGES.iter().any(|package| {
        function
            .strip_prefix(package)
            .is_some_and(|r| package.ends_with('/') || r.starts_with('.') || r.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, state: &str, n: u64) -> ((String, String), u64) {
        ((name.to_owned(), state.to_owned()), n)
    }

    #[test]
    fn a_task_list_is_grouped_by_name_and_state() {
        let text = r#"[{"name":"reader","container":"a","state":"reading","age":1.5},
            {"name":"reader","container":"b","state":"reading","age":2},{"name":"sink","container":null,"state":"idle","age":9}]"#;
        let expected = [group("reader", "reading", 2), group("sink", "idle", 1)];
        assert_eq!(parse_task_list(text), Some(expected.into()));
        assert_eq!(parse_task_list("<html>"), None);
    }

    #[test]
    fn goroutines_are_grouped_by_the_first_function_outside_the_standard_library() {
        let text = "goroutine profile: total 4\n3 @ 0x1 0x2 0x3\n\
            #\t0x1\tinternal/poll.runtime_pollWait+0x47\t/go/src/runtime/netpoll.go:343\n\
            #\t0x2\tnet.(*conn).Read+0x44\t\t/go/src/net/net.go:179\n\
            #\t0x3\texample.com/agent.(*Stream).read+0x55\t/src/stream.go:42\n\n1 @ 0x4\n\
            #\t0x4\truntime/pprof.writeGoroutine+0x1\t/go/src/runtime/pprof/pprof.go:1\n";
        let expected = [
            group("example.com/agent.(*Stream).read", "internal/poll.runtime_pollWait", 3),
            group("runtime/pprof.writeGoroutine", "runtime/pprof.writeGoroutine", 1),
        ];
        assert_eq!(parse_goroutines(text), Some(expected.into()));
        assert_eq!(parse_goroutines("[]"), None);
    }
}
