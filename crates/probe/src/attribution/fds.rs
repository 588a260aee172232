//! File descriptors by kind and by the other end.

use std::collections::BTreeMap;
use std::path::Path;

use procfs::process::FDTarget;

use super::group::FdGroup;
use super::sockets;
use crate::process::{Process, ProcessError};

/// Counts all descriptors of a process. Adds a message to `unseen` for what cannot be read.
pub(super) fn groups(process: &Process, unseen: &mut Vec<String>) -> Result<BTreeMap<FdGroup, u64>, ProcessError> {
    let mut groups = BTreeMap::new();
    let mut inodes = Vec::new();
    let fds = process.read("fd", procfs::process::Process::fd)?;
    for fd in fds.flatten() {
        match fd.target {
            FDTarget::Socket(inode) => inodes.push(inode),
            other => *groups.entry(group(&other)).or_default() += 1,
        }
    }
    let sockets = sockets::groups(process, &inodes, unseen);
    for inode in inodes {
        let known = sockets.get(&inode).cloned();
        let group = known.unwrap_or_else(|| FdGroup::of("socket", None));
        *groups.entry(group).or_default() += 1;
    }
    Ok(groups)
}

/// Returns the group of a descriptor that is no socket.
fn group(target: &FDTarget) -> FdGroup {
    match target {
        FDTarget::Path(path) => file_group(path),
        FDTarget::Socket(_) => FdGroup::of("socket", None),
        FDTarget::Pipe(_) => FdGroup::of("pipe", None),
        FDTarget::Net(_) => FdGroup::of("net", None),
        FDTarget::AnonInode(kind) => match kind.trim_matches(['[', ']']) {
            "eventpoll" => FdGroup::of("epoll", None),
            kind => FdGroup::of(kind, None),
        },
        FDTarget::MemFD(name) => FdGroup::of("memfd", Some(name.trim_end_matches(" (deleted)").to_owned())),
        FDTarget::Other(kind, _) | FDTarget::Unknown(kind, _) => FdGroup::of(kind, None),
    }
}

fn file_group(path: &Path) -> FdGroup {
    let text = path.to_string_lossy();
    if let Some(path) = text.strip_suffix(" (deleted)") {
        FdGroup::of("deleted", Some(path.to_owned()))
    } else if text.starts_with("/dev/") {
        FdGroup::of("device", Some(text.into_owned()))
    } else if text.starts_with('/') {
        FdGroup::of("file", Some(text.into_owned()))
    } else {
        FdGroup::of("other", None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_descriptor_has_a_name() {
        for (link, kind, peer) in [
            ("pipe:[1]", "pipe", None),
            ("anon_inode:[eventfd]", "eventfd", None),
            ("anon_inode:[eventpoll]", "epoll", None),
            ("anon_inode:inotify", "inotify", None),
            ("/memfd:cache (deleted)", "memfd", Some("cache")),
            ("/var/log/a.log (deleted)", "deleted", Some("/var/log/a.log")),
            ("/dev/null", "device", Some("/dev/null")),
            ("/var/log/a.log", "file", Some("/var/log/a.log")),
            ("net:[4026531840]", "net", None),
            ("mnt:[4026531840]", "mnt", None),
        ] {
            let target: FDTarget = link.parse().expect("the kernel's format");
            assert_eq!(group(&target), FdGroup::of(kind, peer.map(str::to_owned)), "{link}");
        }
    }
}
