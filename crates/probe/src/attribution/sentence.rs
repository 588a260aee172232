//! Growth in a sentence: `+572 file descriptors: 570 are unix sockets to docker.sock`.

use std::collections::BTreeMap;

use leakcheck_model::event::{GrownFds, GrownMemory, GrownTasks};

use super::timeline::GrowthPeriod;

/// The number of groups that a sentence names.
const MAX_NAMED: usize = 3;

/// Memory growth below this many bytes is noise of the allocator.
const MIN_MEMORY: u64 = 1 << 20;

/// Describes the growth of descriptors; `None` if there is none.
pub(super) fn of_fds(total: i64, grown: &[GrownFds], period: &GrowthPeriod) -> Option<String> {
    if total <= 0 {
        return None;
    }
    let parts = grown.iter().take(MAX_NAMED).map(|g| {
        let what = describe_fd(&g.kind, g.peer.as_deref(), g.grew_by != 1);
        format!("{} {} {what}", g.grew_by, if g.grew_by == 1 { "is" } else { "are" })
    });
    let what = if total == 1 {
        "file descriptor"
    } else {
        "file descriptors"
    };
    Some(sentence(total, what, parts.collect(), "opened", period))
}

/// Describes the growth of tasks, threads or child processes; `None` if there is none.
pub(super) fn of_tasks(what: &str, total: i64, grown: &[GrownTasks], period: &GrowthPeriod) -> Option<String> {
    if total <= 0 {
        return None;
    }
    let parts = grown.iter().take(MAX_NAMED).map(|g| {
        let state = g.state.as_deref().map(|s| format!(" ({s})")).unwrap_or_default();
        format!(
            "{} {} `{}`{state}",
            g.grew_by,
            if g.grew_by == 1 { "is" } else { "are" },
            g.name
        )
    });
    let several = if what.ends_with('s') { "es" } else { "s" };
    let what = if total == 1 {
        what.to_owned()
    } else {
        format!("{what}{several}")
    };
    Some(sentence(total, &what, parts.collect(), "begun", period))
}

/// Returns the growth of resident memory by kind, largest first, and describes it; nothing if it is allocator noise.
pub(super) fn of_memory(
    before: &BTreeMap<String, u64>,
    after: &BTreeMap<String, u64>,
    period: &GrowthPeriod,
) -> (Vec<GrownMemory>, Option<String>) {
    let sum = |groups: &BTreeMap<String, u64>| groups.values().sum::<u64>();
    let total = sum(after).saturating_sub(sum(before));
    if before.is_empty() || total < MIN_MEMORY {
        return (Vec::new(), None);
    }
    let more = |(kind, bytes): (&String, &u64)| GrownMemory {
        kind: kind.clone(),
        grew_by: bytes.saturating_sub(before.get(kind).copied().unwrap_or_default()),
    };
    let mut grown: Vec<GrownMemory> = after.iter().map(more).filter(|g| g.grew_by >= MIN_MEMORY / 4).collect();
    grown.sort_by_key(|g| std::cmp::Reverse(g.grew_by));
    let parts = grown.iter().take(MAX_NAMED);
    let parts: Vec<String> = parts
        .map(|g| format!("{} in {}", bytes(g.grew_by as f64), g.kind))
        .collect();
    let sentence = format!(
        "+{} of resident memory: {}{}",
        bytes(total as f64),
        parts.join(", "),
        period.describe("taken", total as f64, bytes)
    );
    (grown, Some(sentence))
}

fn sentence(total: i64, what: &str, parts: Vec<String>, verb: &str, period: &GrowthPeriod) -> String {
    let parts = if parts.is_empty() {
        String::new()
    } else {
        format!(": {}", parts.join(", "))
    };
    let context = period.describe(verb, total as f64, |each| format!("{each:.2}"));
    format!("+{total} {what}{parts}{context}")
}

fn describe_fd(kind: &str, peer: Option<&str>, plural: bool) -> String {
    let a = |word: &str| {
        if plural {
            format!("{word}s")
        } else {
            format!("a {word}")
        }
    };
    let to = |link: &str| peer.map(|p| format!(" {link} {p}")).unwrap_or_default();
    match kind {
        "unix-socket" if peer.is_some_and(|p| p.starts_with("closed ")) => {
            format!(
                "{}{}",
                a("unix socket"),
                to(if plural { "that are" } else { "that is" })
            )
        }
        "unix-socket" => format!("{}{}", a("unix socket"), to("to")),
        "unix-accepted" => format!("{}{}", a("connection"), to("accepted on")),
        "unix-listener" => format!("{}{}", a("listening unix socket"), to("at")),
        "tcp" => format!("{}{}", a("tcp connection"), to("to")),
        "tcp-close-wait" => format!("{}{} that the other end has closed", a("tcp connection"), to("to")),
        "tcp-accepted" => format!("{}{}", a("tcp connection"), to("accepted on")),
        "tcp-listener" => format!("{}{}", a("listening tcp socket"), to("at")),
        "udp" => format!("{}{}", a("udp socket"), to("to")),
        "inotify" => format!("{} (inotify)", a("file watcher")),
        "file" => {
            if plural {
                format!("open files{}", to("at"))
            } else {
                format!("an open file{}", to("at"))
            }
        }
        "deleted" => format!("{} still open{}", a("deleted file"), to("at")),
        "device" => format!("{}{}", a("device"), to("at")),
        other => format!("{}{}", a(other), to("of")),
    }
}

/// Formats bytes in KiB or MiB.
fn bytes(bytes: f64) -> String {
    const KIB: f64 = 1024.0;
    if bytes < KIB * KIB {
        format!("{:.1} KiB", bytes / KIB)
    } else {
        format!("{:.1} MiB", bytes / KIB / KIB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_descriptor_has_a_singular_and_a_plural() {
        for (kind, peer, one, several) in [
            (
                "unix-socket",
                Some("docker.sock"),
                "a unix socket to docker.sock",
                "unix sockets to docker.sock",
            ),
            (
                "unix-socket",
                Some("closed by the other end"),
                "a unix socket that is closed by the other end",
                "unix sockets that are closed by the other end",
            ),
            ("unix-socket", None, "a unix socket", "unix sockets"),
            (
                "tcp",
                Some("127.0.0.1:3100"),
                "a tcp connection to 127.0.0.1:3100",
                "tcp connections to 127.0.0.1:3100",
            ),
            ("inotify", None, "a file watcher (inotify)", "file watchers (inotify)"),
            ("pipe", None, "a pipe", "pipes"),
            (
                "deleted",
                Some("/a"),
                "a deleted file still open at /a",
                "deleted files still open at /a",
            ),
        ] {
            assert_eq!(describe_fd(kind, peer, false), one);
            assert_eq!(describe_fd(kind, peer, true), several);
        }
    }

    #[test]
    fn memory_growth_is_described_by_kind_and_small_growth_is_not() {
        let groups = |heap: u64| BTreeMap::from([("the heap".to_owned(), heap << 20), ("libc".to_owned(), 2 << 20)]);
        let rotations = GrowthPeriod {
            causes: vec![("rotation", 480.0)],
            ..GrowthPeriod::default()
        };
        let (grown, sentence) = of_memory(&groups(10), &groups(130), &rotations);
        assert_eq!(
            sentence.as_deref(),
            Some("+120.0 MiB of resident memory: 120.0 MiB in the heap; 256.0 KiB for each of 480 rotations")
        );
        assert_eq!((grown.len(), grown[0].grew_by), (1, 120 << 20));
        assert_eq!(of_memory(&groups(10), &groups(10), &rotations), (Vec::new(), None));
    }
}
