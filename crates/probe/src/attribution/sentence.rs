//! A difference in a sentence: `+572 file descriptors: 570 are unix sockets to docker.sock`.

use std::collections::BTreeMap;

use leakcheck_model::event::{GrownFds, GrownTasks};

use super::Circumstances;

/// Kinds that a sentence names.
const NAMED: usize = 3;

/// Memory growth below this is noise of the allocator.
const MEMORY: u64 = 1 << 20;

/// Of descriptors; none if there are not more of them.
pub(super) fn of_fds(total: i64, grown: &[GrownFds], circumstances: &Circumstances) -> Option<String> {
    if total <= 0 {
        return None;
    }
    let parts = grown.iter().take(NAMED).map(|g| {
        let what = fd_in_words(&g.kind, g.peer.as_deref(), g.grew_by != 1);
        format!("{} {} {what}", g.grew_by, if g.grew_by == 1 { "is" } else { "are" })
    });
    let what = if total == 1 {
        "file descriptor"
    } else {
        "file descriptors"
    };
    Some(sentence(total, what, parts.collect(), "opened", circumstances))
}

/// Of tasks, threads or child processes.
pub(super) fn of_tasks(what: &str, total: i64, grown: &[GrownTasks], circumstances: &Circumstances) -> Option<String> {
    if total <= 0 {
        return None;
    }
    let parts = grown.iter().take(NAMED).map(|g| {
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
    Some(sentence(total, &what, parts.collect(), "begun", circumstances))
}

/// Of resident memory.
pub(super) fn of_memory(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> Option<String> {
    let sum = |groups: &BTreeMap<String, u64>| groups.values().sum::<u64>();
    let total = sum(after).saturating_sub(sum(before));
    if before.is_empty() || total < MEMORY {
        return None;
    }
    let mut grown: Vec<(u64, &str)> = after
        .iter()
        .map(|(kind, bytes)| {
            (
                bytes.saturating_sub(before.get(kind).copied().unwrap_or_default()),
                kind.as_str(),
            )
        })
        .filter(|(bytes, _)| *bytes >= MEMORY / 4)
        .collect();
    grown.sort_unstable_by(|a, b| b.cmp(a));
    let parts = grown
        .iter()
        .take(NAMED)
        .map(|(bytes, kind)| format!("{} in {kind}", mebibytes(*bytes)));
    let parts = parts.collect::<Vec<_>>().join(", ");
    Some(format!("+{} of resident memory: {parts}", mebibytes(total)))
}

fn sentence(total: i64, what: &str, parts: Vec<String>, verb: &str, circumstances: &Circumstances) -> String {
    let mut out = format!("+{total} {what}");
    if !parts.is_empty() {
        out.push_str(": ");
        out.push_str(&parts.join(", "));
    }
    if let Some(when) = &circumstances.when {
        out.push_str(&format!("; {verb} {when}"));
    }
    if let Some(rotations) = circumstances.rotations.filter(|r| *r >= 1.0) {
        #[expect(clippy::cast_precision_loss, reason = "a count of descriptors")]
        let each = total as f64 / rotations;
        let joint = if circumstances.when.is_some() { ", " } else { "; " };
        out.push_str(&format!("{joint}{each:.2} for each of {rotations:.0} rotations"));
    }
    out
}

fn fd_in_words(kind: &str, peer: Option<&str>, several: bool) -> String {
    let a = |word: &str| {
        if several {
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
                to(if several { "that are" } else { "that is" })
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
            if several {
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

fn mebibytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "bytes of memory, one decimal shown")]
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    format!("{mebibytes:.1} MiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_said_as_people_say_it() {
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
            assert_eq!(fd_in_words(kind, peer, false), one);
            assert_eq!(fd_in_words(kind, peer, true), several);
        }
    }

    #[test]
    fn memory_is_told_by_what_it_is_and_small_growth_is_not() {
        let groups = |heap: u64| BTreeMap::from([("the heap".to_owned(), heap << 20), ("libc".to_owned(), 2 << 20)]);
        assert_eq!(
            of_memory(&groups(10), &groups(130)).as_deref(),
            Some("+120.0 MiB of resident memory: 120.0 MiB in the heap")
        );
        assert_eq!(of_memory(&groups(10), &groups(10)), None);
    }
}
