//! The control group of a process: memory and processes of a whole container or service, as the kernel accounts them.
//!
//! Both versions are supported. Version 1 has a hierarchy for each controller (`/sys/fs/cgroup/memory/docker/ID`),
//! version 2 one for all (`/sys/fs/cgroup/system.slice/docker-ID.scope`). `/proc/self/mountinfo` tells which part of a
//! hierarchy is mounted here, and where.

use std::fs;
use std::path::{Path, PathBuf};

use procfs::ProcessCGroups;
use procfs::process::{MountInfo, MountInfos};

use crate::process::{Process, ProcessError};

/// The folders of a control group. With version 1 they may be in two hierarchies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cgroup {
    memory: Option<ControllerFolder>,
    pids: Option<ControllerFolder>,
}

/// The folder of one controller.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ControllerFolder {
    path: PathBuf,
    version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Cgroup {
    /// Finds the control group of a process.
    ///
    /// # Errors
    /// An error if the process has ended.
    pub fn of(process: &Process) -> Result<Self, ProcessError> {
        let groups = process.read("cgroup", procfs::process::Process::cgroups)?;
        let mounts = procfs::process::Process::myself().and_then(|ourselves| ourselves.mountinfo());
        Ok(mounts.map_or_else(|_| Self::default(), |mounts| Self::find(&groups, &mounts)))
    }

    fn find(groups: &ProcessCGroups, mounts: &MountInfos) -> Self {
        Self {
            memory: folder_of("memory", groups, mounts),
            pids: folder_of("pids", groups, mounts),
        }
    }

    /// Returns the memory charged to the group in bytes, without the inactive page cache, which the kernel can take back
    /// and which grows with every file that is read. `docker stats` shows the same number.
    #[must_use]
    pub fn memory_bytes(&self) -> Option<u64> {
        let folder = self.memory.as_ref()?;
        // memory.stat: admin-guide/cgroup-v1/memory and cgroup-v2 of the kernel.
        let (usage, cache) = match folder.version {
            Version::One => ("memory.usage_in_bytes", "total_inactive_file "),
            Version::Two => ("memory.current", "inactive_file "),
        };
        let stat = fs::read_to_string(folder.path.join("memory.stat")).ok()?;
        let cache: u64 = stat.lines().find_map(|l| l.strip_prefix(cache))?.trim().parse().ok()?;
        Some(number(&folder.path.join(usage))?.saturating_sub(cache))
    }

    /// Returns the number of processes and threads in the group.
    #[must_use]
    pub fn pids(&self) -> Option<u64> {
        number(&self.pids.as_ref()?.path.join("pids.current"))
    }
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Returns the folder of a controller: in its own hierarchy of version 1 if there is one, else in that of version 2.
fn folder_of(controller: &str, groups: &ProcessCGroups, mounts: &MountInfos) -> Option<ControllerFolder> {
    // cgroups(7): version 2 has hierarchy 0 and no controllers.
    let own = groups.0.iter().find(|g| g.controllers.iter().any(|c| c == controller));
    let shared = || groups.0.iter().find(|g| g.hierarchy == 0 && g.controllers.is_empty());
    let (group, version) = match own {
        Some(group) => (group, Version::One),
        None => (shared()?, Version::Two),
    };
    let wanted = |mount: &&MountInfo| match version {
        Version::One => mount.fs_type == "cgroup" && mount.super_options.contains_key(controller),
        Version::Two => mount.fs_type == "cgroup2",
    };
    let path = mounts
        .iter()
        .filter(wanted)
        .find_map(|mount| path_in(mount, &group.pathname))?;
    Some(ControllerFolder { path, version })
}

/// Returns the path of a group below a mount, if the mount shows it.
fn path_in(mount: &MountInfo, group: &str) -> Option<PathBuf> {
    // Blanks in paths are written in octal.
    let plain = |path: &str| path.replace("\\040", " ");
    let root = plain(&mount.root);
    let inside = if root == "/" {
        group
    } else {
        let rest = group.strip_prefix(root.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)?
    };
    let mount_point = plain(&mount.mount_point.to_string_lossy());
    Some(Path::new(&mount_point).join(inside.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use procfs::FromBufRead as _;

    use super::*;

    const ONE: &str = "\
30 25 0:26 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
31 25 0:27 / /sys/fs/cgroup/pids rw,nosuid shared:9 - cgroup cgroup rw,pids
32 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate";

    fn find(groups: &str, mounts: &str) -> Cgroup {
        let groups = ProcessCGroups::from_buf_read(groups.as_bytes()).expect("the kernel's format");
        let mounts = MountInfos::from_buf_read(mounts.as_bytes()).expect("the kernel's format");
        Cgroup::find(&groups, &mounts)
    }

    fn path(folder: Option<ControllerFolder>) -> Option<String> {
        folder.map(|f| f.path.display().to_string())
    }

    #[test]
    fn each_controller_of_version_1_has_its_own_folder() {
        let groups = "4:memory:/docker/abc\n3:pids:/docker/abc\n2:cpu,cpuacct:/\n0::/docker/abc\n";
        let found = find(groups, ONE);
        assert_eq!(path(found.memory).as_deref(), Some("/sys/fs/cgroup/memory/docker/abc"));
        assert_eq!(path(found.pids).as_deref(), Some("/sys/fs/cgroup/pids/docker/abc"));
    }

    #[test]
    fn version_2_has_one_folder_for_all() {
        let mounts = "29 25 0:25 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
        let found = find("0::/system.slice/docker-abc.scope\n", mounts);
        let expected = "/sys/fs/cgroup/system.slice/docker-abc.scope";
        assert_eq!(path(found.memory.clone()).as_deref(), Some(expected));
        assert_eq!(found.memory, found.pids);
    }

    #[test]
    fn inside_a_container_only_its_own_part_is_mounted() {
        let mounts = "30 25 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
        let of = |group: &str| path(find(&format!("4:memory:{group}\n"), mounts).memory);
        assert_eq!(of("/docker/abc").as_deref(), Some("/sys/fs/cgroup/memory/"));
        assert_eq!(of("/docker/abc/job").as_deref(), Some("/sys/fs/cgroup/memory/job"));
        assert_eq!(of("/docker/abcdef"), None);
        assert_eq!(of("/other"), None);
    }

    #[test]
    fn inactive_page_cache_is_no_memory_of_the_group() {
        let folder = tempfile::tempdir().expect("a folder");
        for (version, usage, stat) in [
            (
                Version::One,
                "memory.usage_in_bytes",
                "cache 9\ninactive_file 1\ntotal_inactive_file 4096\n",
            ),
            (Version::Two, "memory.current", "anon 9\ninactive_file 4096\n"),
        ] {
            fs::write(folder.path().join(usage), "1000000\n").expect("written");
            fs::write(folder.path().join("memory.stat"), stat).expect("written");
            fs::write(folder.path().join("pids.current"), "7\n").expect("written");
            let controller = Some(ControllerFolder {
                path: folder.path().into(),
                version,
            });
            let group = Cgroup {
                memory: controller.clone(),
                pids: controller,
            };
            assert_eq!((group.memory_bytes(), group.pids()), (Some(995_904), Some(7)));
        }
    }

    #[test]
    fn a_group_that_is_not_accounted_has_no_numbers() {
        assert_eq!(find("", ONE), Cgroup::default());
        assert_eq!(find("4:memory:/x\n", ""), Cgroup::default());
        assert_eq!(
            (Cgroup::default().memory_bytes(), Cgroup::default().pids()),
            (None, None)
        );
    }
}
