//! File descriptors by kind and by what is at the other end.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;

use super::sockets::{self, Sockets};
use crate::process::{Process, ProcessError};

/// What several descriptors have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FdGroup {
    /// `unix-socket`, `tcp`, `pipe`, `inotify`, `eventfd`, `file`, `deleted`, …
    pub kind: String,
    /// What is at the other end, where there is something to name.
    pub peer: Option<String>,
}

impl FdGroup {
    pub(super) fn of(kind: &str, peer: Option<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            peer,
        }
    }
}

/// What a link of /proc/PID/fd says.
#[derive(Debug, PartialEq, Eq)]
enum Link {
    Known(FdGroup),
    Socket(u64),
}

/// All descriptors of a process.
pub(super) fn groups(process: &Process, unseen: &mut Vec<String>) -> Result<BTreeMap<FdGroup, u64>, ProcessError> {
    let mut groups = BTreeMap::new();
    let mut inodes = Vec::new();
    for name in process.folder("fd")? {
        let Some(name) = name.to_str() else { continue };
        // It may be closed since the folder was listed.
        let target = match process.link(&format!("fd/{name}")) {
            Ok(target) => target,
            Err(error @ ProcessError::NotPermitted { .. }) => return Err(error),
            Err(_) => continue,
        };
        match read_link(target.as_os_str().as_bytes()) {
            Link::Socket(inode) => inodes.push(inode),
            Link::Known(group) => *groups.entry(group).or_default() += 1,
        }
    }
    let sockets = Sockets::of(process, &inodes, unseen);
    for inode in inodes {
        *groups.entry(sockets.group(inode)).or_default() += 1;
    }
    Ok(groups)
}

/// `socket:[4711]`, `pipe:[4711]`, `anon_inode:[eventfd]`, `/memfd:name (deleted)`, `/path (deleted)`, `/path`.
fn read_link(target: &[u8]) -> Link {
    let text = String::from_utf8_lossy(target);
    let bracketed = |prefix: &str| {
        Some(
            text.strip_prefix(prefix)?
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
        )
    };
    if let Some(inode) = bracketed("socket:").and_then(|i| i.parse().ok()) {
        return Link::Socket(inode);
    }
    Link::Known(if text.starts_with("pipe:") {
        FdGroup::of("pipe", None)
    } else if let Some(kind) = bracketed("anon_inode:") {
        FdGroup::of(if kind == "eventpoll" { "epoll" } else { &kind }, None)
    } else if let Some(name) = text.strip_prefix("/memfd:") {
        FdGroup::of("memfd", Some(name.trim_end_matches(" (deleted)").to_owned()))
    } else if let Some(path) = text.strip_suffix(" (deleted)") {
        FdGroup::of("deleted", Some(path.to_owned()))
    } else if text.starts_with("/dev/") {
        FdGroup::of("device", Some(text.into_owned()))
    } else if text.starts_with('/') {
        FdGroup::of("file", Some(text.into_owned()))
    } else {
        // net:[…], mnt:[…] and what the kernel will think of later.
        FdGroup::of(text.split(':').next().unwrap_or("other"), None)
    })
}

impl Sockets {
    fn group(&self, inode: u64) -> FdGroup {
        self.known
            .get(&inode)
            .cloned()
            .unwrap_or_else(|| FdGroup::of(sockets::UNKNOWN, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_link_has_its_name() {
        let known = |kind: &str, peer: Option<&str>| Link::Known(FdGroup::of(kind, peer.map(str::to_owned)));
        for (link, expected) in [
            ("socket:[4711]", Link::Socket(4711)),
            ("pipe:[1]", known("pipe", None)),
            ("anon_inode:[eventfd]", known("eventfd", None)),
            ("anon_inode:[eventpoll]", known("epoll", None)),
            ("anon_inode:inotify", known("inotify", None)),
            ("/memfd:cache (deleted)", known("memfd", Some("cache"))),
            ("/var/log/a.log (deleted)", known("deleted", Some("/var/log/a.log"))),
            ("/dev/null", known("device", Some("/dev/null"))),
            ("/var/log/a.log", known("file", Some("/var/log/a.log"))),
            ("net:[4026531840]", known("net", None)),
        ] {
            assert_eq!(read_link(link.as_bytes()), expected, "{link}");
        }
    }
}
