//! An executable on disk.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::elf;

/// The suffix that the kernel appends to the path of a deleted file.
const DELETED: &[u8] = b" (deleted)";

/// The number of bytes of an executable that are summed.
const MAX_BYTES: u64 = 1 << 30;

/// An executable on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executable {
    /// Its path.
    pub path: PathBuf,
    /// The time at which it was written, RFC 3339.
    pub built_at: Option<String>,
    /// Its build id in hexadecimal, if its linker gave it one.
    pub build_id: Option<String>,
}

impl Executable {
    /// Describes the executable at `path`, which was written at this time.
    pub(super) fn of(path: &Path, built: SystemTime) -> Self {
        Self {
            path: path.to_owned(),
            built_at: jiff::Timestamp::try_from(built).ok().map(|at| format!("{at:.0}")),
            build_id: File::open(path).ok().as_ref().and_then(elf::build_id),
        }
    }
}

/// Returns `true` if the kernel marks the file of this path as deleted.
pub(super) fn is_deleted(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(DELETED)
}

/// Returns the path without the kernel's mark.
pub(super) fn without_deleted(path: PathBuf) -> PathBuf {
    match path.as_os_str().as_bytes().strip_suffix(DELETED) {
        Some(bytes) => PathBuf::from(OsString::from_vec(bytes.to_vec())),
        None => path,
    }
}

/// Returns `true` for a file that an interpreter reads.
pub(super) fn is_script(path: &Path) -> bool {
    let mut head = [0; 2];
    let has_interpreter = File::open(path).and_then(|mut f| f.read_exact(&mut head)).is_ok() && &head == b"#!";
    has_interpreter
        || path
            .extension()
            .is_some_and(|e| ["py", "js", "rb", "sh", "jar"].iter().any(|s| e == *s))
}

/// Returns the build id, or length and checksum of a file that has none.
pub(super) fn fingerprint(file: &File) -> io::Result<String> {
    if let Some(id) = elf::build_id(file) {
        return Ok(format!("build id {}", &id[..id.len().min(16)]));
    }
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut length = 0;
    let mut file = file.try_clone()?.take(MAX_BYTES);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_a_deleted_file_is_removed() {
        assert!(is_deleted(Path::new("/a/b (deleted)")) && !is_deleted(Path::new("/a/b")));
        assert_eq!(without_deleted("/a/b (deleted)".into()), Path::new("/a/b"));
        assert_eq!(without_deleted("/a/b".into()), Path::new("/a/b"));
    }
}
