//! The executable that a process runs, compared with the one on disk; and what an executable says of its own origin.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{BuildFinding, BuildReport, elf};
use crate::process::Process;

/// What the kernel writes behind the path of a file that is gone.
const DELETED: &[u8] = b" (deleted)";

/// Largest executable that is searched or summed.
const LARGEST: u64 = 1 << 30;

/// Bytes of an executable that are searched at once.
const PIECE: usize = 256 << 10;

/// Bytes that two pieces have in common: more than a key with its value has.
const COMMON: usize = 256;

/// An executable on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executable {
    /// Where it is.
    pub path: PathBuf,
    /// When it was written, RFC 3339.
    pub built_at: Option<String>,
    /// Its build id in hexadecimal, if its linker gave it one.
    pub build_id: Option<String>,
}

impl Executable {
    /// The one at `path`, which was written at this time.
    pub(super) fn of(path: &Path, built: SystemTime) -> Self {
        Self {
            path: path.to_owned(),
            built_at: jiff::Timestamp::try_from(built).ok().map(|at| format!("{at:.0}")),
            build_id: File::open(path).ok().as_ref().and_then(elf::build_id),
        }
    }
}

/// The path without the kernel's remark.
pub(super) fn without_deleted(path: PathBuf) -> PathBuf {
    match path.as_os_str().as_bytes().strip_suffix(DELETED) {
        Some(bytes) => PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec())),
        None => path,
    }
}

/// Compares what `process` runs with `named` (or with what its path has now) and adds what it finds. Whether it found anything.
pub(super) fn compare(process: &Process, named: Option<&Path>, report: &mut BuildReport) -> bool {
    let (Ok(link), Ok(running)) = (process.exe(), process.open_file("exe")) else {
        let what = format!(
            "the executable of process {} cannot be read (another user's?)",
            process.pid()
        );
        report.findings.push(BuildFinding::Unknown { what });
        return false;
    };
    if named.is_none() && is_elsewhere(process) {
        let what = format!(
            "process {} runs {} of another mount namespace (a container's): there is nothing here to compare it with",
            process.pid(),
            link.display()
        );
        report.findings.push(BuildFinding::Unknown { what });
        return true;
    }
    let is_deleted = link.as_os_str().as_bytes().ends_with(DELETED);
    let path = without_deleted(link);
    if let Some(named) = named.filter(|n| is_script(n)) {
        return changed_after_start(process, named, report);
    }
    let named = named.unwrap_or(&path);
    let Ok(on_disk) = File::open(named) else {
        report.findings.push(BuildFinding::Deleted { path });
        return true;
    };
    let identity = |f: &File| f.metadata().map(|m| (m.dev(), m.ino())).ok();
    if identity(&running) == identity(&on_disk) {
        report
            .good
            .push(format!("process {} runs the executable that is on disk", process.pid()));
        return true;
    }
    match (print(&running), print(&on_disk)) {
        (Ok(a), Ok(b)) if a == b => {
            report.good.push(format!(
                "process {} runs the same build as the one on disk ({a})",
                process.pid()
            ));
        }
        (Ok(running), Ok(on_disk)) if is_deleted || path == named => {
            report.findings.push(BuildFinding::Replaced {
                path: named.to_owned(),
                running,
                on_disk,
            });
        }
        (Ok(_), Ok(_)) => {
            report.findings.push(BuildFinding::OtherBinary {
                running: path.clone(),
                named: named.to_owned(),
            });
        }
        (Err(error), _) | (_, Err(error)) => {
            report.findings.push(BuildFinding::Unknown {
                what: format!("{}: {error}", named.display()),
            });
        }
    }
    true
}

/// A program in a file for an interpreter: what runs is what the file was when the process began.
fn changed_after_start(process: &Process, script: &Path, report: &mut BuildReport) -> bool {
    let Some(began) = began(process) else { return false };
    let Ok(changed) = std::fs::metadata(script).and_then(|m| m.modified()) else {
        return false;
    };
    match changed.duration_since(began) {
        Ok(by) if !by.is_zero() => {
            report.findings.push(BuildFinding::ChangedAfterStart {
                path: script.to_owned(),
                by,
            });
        }
        _ => report
            .good
            .push(format!("{} was not changed since the process began", script.display())),
    }
    true
}

/// When a process began: the boot's time and the ticks since then, good to a second.
fn began(process: &Process) -> Option<SystemTime> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let boot = stat
        .lines()
        .find_map(|l| l.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()?;
    // The boot's time is cut to seconds; later by one is sooner wrong than earlier by one.
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(boot) + Duration::from_secs_f64(process.start_s() + 1.0))
}

/// Whether a process sees other files than this one does, as one in a container does.
pub(super) fn is_elsewhere(process: &Process) -> bool {
    let space = |p: &Process| p.link("ns/mnt").ok();
    space(process) != Process::open(std::process::id()).ok().as_ref().and_then(space)
}

/// Whether an interpreter reads this file.
pub(super) fn is_script(path: &Path) -> bool {
    let mut head = [0; 2];
    let has_line = File::open(path).and_then(|mut f| f.read_exact(&mut head)).is_ok() && &head == b"#!";
    has_line
        || path
            .extension()
            .is_some_and(|e| ["py", "js", "rb", "sh", "jar"].iter().any(|s| e == *s))
}

/// The build id; or length and checksum of a file that has none.
fn print(file: &File) -> io::Result<String> {
    if let Some(id) = elf::build_id(file) {
        return Ok(format!("build id {}", &id[..id.len().min(16)]));
    }
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut length = 0;
    let mut file = file.try_clone()?.take(LARGEST);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{length} bytes, checksum {:08x}", hasher.finalize())),
            n => {
                hasher.update(&buffer[..n]);
                length += n;
            }
        }
    }
}

/// What Go's linker writes into every executable built in a repository, compared with what is checked out.
pub(super) fn compare_with_commit(binary: &Path, report: &mut BuildReport) {
    let Ok(meta) = std::fs::metadata(binary) else { return };
    if meta.len() > LARGEST || is_script(binary) {
        return;
    }
    let keys: [&[u8]; 2] = [b"vcs.revision=", b"vcs.modified="];
    let Ok([Some(built_from), modified]) = File::open(binary).and_then(|file| go_settings(file, keys)) else {
        return;
    };
    match &report.commit {
        Some(commit) if *commit != built_from => {
            let checked_out = commit.clone();
            report.findings.push(BuildFinding::OtherCommit {
                built_from,
                checked_out,
            });
        }
        Some(_) => report
            .good
            .push(format!("{} says that it was built from {built_from}", binary.display())),
        None => {}
    }
    if modified.as_deref() == Some("true") {
        report.findings.push(BuildFinding::BuiltFromChanges {
            binary: binary.to_owned(),
        });
    }
}

/// What Go's build information says of each key. The file is read in pieces, because executables are large and this is the
/// harness's own memory; what stands across the border of two pieces is found by what they have in common.
fn go_settings<const N: usize>(mut file: impl io::Read, keys: [&[u8]; N]) -> io::Result<[Option<String>; N]> {
    let mut found = [const { None }; N];
    let mut piece = vec![0; PIECE + COMMON];
    let mut filled = 0;
    loop {
        let length = file.read(&mut piece[filled..])?;
        filled += length;
        if length == 0 || filled == piece.len() {
            for (value, key) in found.iter_mut().zip(keys) {
                *value = value.take().or_else(|| go_setting(&piece[..filled], key));
            }
            if length == 0 || found.iter().all(Option::is_some) {
                return Ok(found);
            }
            piece.copy_within(filled - COMMON.., 0);
            filled = COMMON;
        }
    }
}

/// `build\tKEY=VALUE\n` in Go's build information. The mark `build\t` before the key keeps other programs that merely
/// mention the key (this one) from being taken for Go's.
fn go_setting(bytes: &[u8], key: &[u8]) -> Option<String> {
    let mark = [b"\nbuild\t", key].concat();
    let at = memchr::memmem::find(bytes, &mark)? + mark.len();
    let rest = bytes.get(at..(at + 80).min(bytes.len()))?;
    let value = &rest[..memchr::memchr(b'\n', rest)?];
    value
        .iter()
        .all(u8::is_ascii_alphanumeric)
        .then(|| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_writes_of_its_origin_is_found() {
        let bytes = b"\x00path\tx\nbuild\t-compiler=gc\nbuild\tvcs.revision=0123abcd\nbuild\tvcs.modified=true\n\xff";
        assert_eq!(go_setting(bytes, b"vcs.revision="), Some("0123abcd".into()));
        assert_eq!(go_setting(bytes, b"vcs.modified="), Some("true".into()));
        assert_eq!(go_setting(b"vcs.revision=0123abcd\n", b"vcs.revision="), None);
    }

    #[test]
    fn what_stands_across_two_pieces_is_found_too() {
        let keys: [&[u8]; 2] = [b"vcs.revision=", b"vcs.modified="];
        for before in [0, 7, PIECE - 300, PIECE - 20, PIECE, PIECE + COMMON - 20, 3 * PIECE - 5] {
            let mut bytes = vec![0; before];
            bytes.extend_from_slice(b"\nbuild\tvcs.revision=0123abcd\nbuild\tvcs.modified=true\n");
            bytes.resize(bytes.len() + 1000, 0);
            let found = go_settings(bytes.as_slice(), keys).expect("readable");
            assert_eq!(found, [Some("0123abcd".into()), Some("true".into())], "{before}");
        }
        assert_eq!(go_settings(&b""[..], keys).expect("readable"), [None, None]);
    }

    #[test]
    fn the_kernels_remark_is_taken_off() {
        assert_eq!(without_deleted("/a/b (deleted)".into()), Path::new("/a/b"));
        assert_eq!(without_deleted("/a/b".into()), Path::new("/a/b"));
    }
}
