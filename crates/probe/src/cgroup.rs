//! The control group that a process lives in: memory and processes of a whole container or service, as the kernel accounts them.
//!
//! Both versions are read: version 1 has a hierarchy for each controller (`/sys/fs/cgroup/memory/docker/ID`), version 2
//! one for all (`/sys/fs/cgroup/system.slice/docker-ID.scope`). Where they are mounted, and which part of a hierarchy is
//! visible here, stands in `/proc/self/mountinfo`.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::process::{Process, ProcessError};

/// A control group's folders; those of a version 1 hierarchy may be two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cgroup {
    memory: Option<Place>,
    pids: Option<Place>,
}

/// Where a controller's files are.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    folder: PathBuf,
    version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Cgroup {
    /// The control group of a process.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn of(process: &Process) -> Result<Self, ProcessError> {
        let mut groups = String::new();
        let read = process.open_file("cgroup")?.read_to_string(&mut groups);
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Ok(read.map_or_else(|_| Self::default(), |_| Self::find(&groups, &mounts)))
    }

    fn find(groups: &str, mounts: &str) -> Self {
        Self {
            memory: place("memory", groups, mounts),
            pids: place("pids", groups, mounts),
        }
    }

    /// Memory that is charged to the group and that the kernel cannot simply take back: without the inactive page cache,
    /// which grows with every file that is written or read. `docker stats` shows the same number.
    #[must_use]
    pub fn memory_bytes(&self) -> Option<u64> {
        let place = self.memory.as_ref()?;
        // memory.stat: admin-guide/cgroup-v1/memory and cgroup-v2 of the kernel.
        let (usage, cache) = match place.version {
            Version::One => ("memory.usage_in_bytes", "total_inactive_file "),
            Version::Two => ("memory.current", "inactive_file "),
        };
        let stat = fs::read_to_string(place.folder.join("memory.stat")).ok()?;
        let cache: u64 = stat.lines().find_map(|l| l.strip_prefix(cache))?.trim().parse().ok()?;
        Some(number(&place.folder.join(usage))?.saturating_sub(cache))
    }

    /// Processes and threads in the group.
    #[must_use]
    pub fn pids(&self) -> Option<u64> {
        number(&self.pids.as_ref()?.folder.join("pids.current"))
    }
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The folder of a controller: its own hierarchy of version 1 if there is one, else that of version 2.
fn place(controller: &str, groups: &str, mounts: &str) -> Option<Place> {
    // cgroups(7): `hierarchy:controllers:path`; version 2 has hierarchy 0 and no controllers.
    let lines = || {
        groups.lines().filter_map(|l| {
            let mut fields = l.splitn(3, ':');
            Some((fields.next()?, fields.next()?, fields.next()?))
        })
    };
    let first = lines().find(|(_, all, _)| all.split(',').any(|c| c == controller));
    let (path, version) = match first {
        Some((_, _, path)) => (path, Version::One),
        None => (
            lines().find(|(id, all, _)| *id == "0" && all.is_empty())?.2,
            Version::Two,
        ),
    };
    let wanted = |mount: &Mount| match version {
        Version::One => mount.kind == "cgroup" && mount.options.split(',').any(|o| o == controller),
        Version::Two => mount.kind == "cgroup2",
    };
    let folder = mounts
        .lines()
        .filter_map(Mount::parse)
        .filter(wanted)
        .find_map(|m| m.holds(path))?;
    Some(Place { folder, version })
}

/// A line of mountinfo (proc_pid_mountinfo(5)).
struct Mount<'a> {
    /// Which part of the file system is mounted.
    root: String,
    /// Where.
    point: String,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (place, what) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, point) = (place.next()?, place.next()?);
        let mut what = what.split(' ');
        // Blanks in paths are written in octal.
        let plain = |path: &str| path.replace("\\040", " ");
        Some(Self {
            root: plain(root),
            point: plain(point),
            kind: what.next()?,
            options: what.nth(1)?,
        })
    }

    /// The folder of a group, if this mount shows it.
    fn holds(&self, group: &str) -> Option<PathBuf> {
        let inside = if self.root == "/" {
            group
        } else {
            let rest = group.strip_prefix(self.root.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some(rest)?
        };
        Some(Path::new(&self.point).join(inside.trim_start_matches('/')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "\
30 25 0:26 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
31 25 0:27 / /sys/fs/cgroup/pids rw,nosuid shared:9 - cgroup cgroup rw,pids
32 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate";

    fn folder(place: Option<Place>) -> Option<String> {
        place.map(|p| p.folder.display().to_string())
    }

    #[test]
    fn each_controller_of_version_1_has_its_own_folder() {
        let groups = "4:memory:/docker/abc\n3:pids:/docker/abc\n2:cpu,cpuacct:/\n0::/docker/abc\n";
        let found = Cgroup::find(groups, ONE);
        assert_eq!(
            folder(found.memory).as_deref(),
            Some("/sys/fs/cgroup/memory/docker/abc")
        );
        assert_eq!(folder(found.pids).as_deref(), Some("/sys/fs/cgroup/pids/docker/abc"));
    }

    #[test]
    fn version_2_has_one_folder_for_all() {
        let mounts = "29 25 0:25 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
        let found = Cgroup::find("0::/system.slice/docker-abc.scope\n", mounts);
        let expected = "/sys/fs/cgroup/system.slice/docker-abc.scope";
        assert_eq!(folder(found.memory.clone()).as_deref(), Some(expected));
        assert_eq!(found.memory, found.pids);
    }

    #[test]
    fn inside_a_container_only_its_own_part_is_mounted() {
        let mounts = "30 25 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
        let of = |path: &str| folder(Cgroup::find(&format!("4:memory:{path}\n"), mounts).memory);
        assert_eq!(of("/docker/abc").as_deref(), Some("/sys/fs/cgroup/memory/"));
        assert_eq!(of("/docker/abc/job").as_deref(), Some("/sys/fs/cgroup/memory/job"));
        assert_eq!(of("/docker/abcdef"), None);
        assert_eq!(of("/other"), None);
    }

    #[test]
    fn the_page_cache_that_can_be_had_back_is_no_memory_of_the_group() {
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
            let place = Some(Place {
                folder: folder.path().into(),
                version,
            });
            let group = Cgroup {
                memory: place.clone(),
                pids: place,
            };
            assert_eq!((group.memory_bytes(), group.pids()), (Some(995_904), Some(7)));
        }
    }

    #[test]
    fn what_is_not_accounted_is_no_number() {
        assert_eq!(Cgroup::find("", ONE), Cgroup::default());
        assert_eq!(Cgroup::find("4:memory:/x\n", ""), Cgroup::default());
        assert_eq!(
            (Cgroup::default().memory_bytes(), Cgroup::default().pids()),
            (None, None)
        );
    }
}
