//! The files that match a pattern: a file, a folder (all files in it), or `*` and `?` in the last part of a path.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Returns the matching regular files, oldest first, so that rotated files are read in the order of their writing. A
/// missing folder has none.
pub(crate) fn files(pattern: &Path) -> Vec<PathBuf> {
    if pattern.is_file() {
        return vec![pattern.to_owned()];
    }
    let (folder, name) = if pattern.is_dir() {
        (pattern, None)
    } else {
        let folder = pattern
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        (folder, pattern.file_name().map(|n| n.as_encoded_bytes()))
    };
    let mut found: Vec<(SystemTime, PathBuf)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| name.is_none_or(|n| matches(n, e.file_name().as_encoded_bytes())))
        .filter_map(|e| {
            let meta = std::fs::metadata(e.path()).ok().filter(std::fs::Metadata::is_file)?;
            Some((meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), e.path()))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// Returns `true` if a name matches a pattern with `*` (any number of bytes) and `?` (one byte). On a mismatch it goes back to
/// the last star only, because that star can match everything that an earlier one could.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(b) if *b == b'?' || *b == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.ndjson", "a.ndjson", true),
            ("*.ndjson", "a.ndjson.1", false),
            ("*.ndjson*", "a.ndjson.1", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "ab-a", false),
            ("", "", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn files_are_found_by_folder_path_and_pattern_and_folders_are_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a.log", "b.log", "c.txt"] {
            std::fs::write(folder.path().join(name), "x").expect("written");
        }
        std::fs::create_dir(folder.path().join("d.log")).expect("made");
        assert_eq!(files(folder.path()).len(), 3);
        assert_eq!(files(&folder.path().join("*.log")).len(), 2);
        assert_eq!(files(&folder.path().join("c.txt")).len(), 1);
        assert!(files(&folder.path().join("none").join("*.log")).is_empty());
    }
}
