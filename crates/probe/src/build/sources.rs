//! Which files an executable is made of, and the newest of them.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Endings of files that compilers and interpreters read. Documents and data are left out: an edited README makes no build stale.
const ENDINGS: [&str; 42] = [
    "rs", "go", "c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx", "m", "mm", "java", "kt", "kts", "scala", "groovy",
    "cs", "fs", "vb", "py", "pyx", "rb", "php", "pl", "lua", "js", "mjs", "cjs", "jsx", "ts", "tsx", "swift", "zig",
    "nim", "d", "ex", "erl", "hs", "ml", "proto", "s",
];

/// Files that decide what is built, whatever their ending.
const NAMES: [&str; 14] = [
    "Cargo.toml",
    "Cargo.lock",
    "go.mod",
    "go.sum",
    "package.json",
    "package-lock.json",
    "yarn.lock",
    "pom.xml",
    "build.gradle",
    "Makefile",
    "CMakeLists.txt",
    "pyproject.toml",
    "requirements.txt",
    "Dockerfile",
];

/// The newest file of those that count.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) path: PathBuf,
    pub(super) changed: SystemTime,
    /// How many were looked at.
    pub(super) of: usize,
    /// How it is known that they count.
    pub(super) how: &'static str,
}

/// Whether a compiler or an interpreter reads such a file.
pub(super) fn is_source(path: &Path) -> bool {
    let is_one_of = |part: Option<&std::ffi::OsStr>, all: &[&str]| {
        part.and_then(|p| p.to_str())
            .is_some_and(|p| all.iter().any(|a| a.eq_ignore_ascii_case(p)))
    };
    is_one_of(path.extension(), &ENDINGS) || is_one_of(path.file_name(), &NAMES)
}

/// The newest file that `binary` is made of: by the list that Cargo leaves beside an executable, else of all listed files
/// that look like source.
pub(super) fn newest(binary: &Path, listed: &[PathBuf]) -> Option<Newest> {
    let by_cargo = std::fs::read_to_string(binary.with_extension("d"))
        .ok()
        .map(|text| dep_info(&text))
        .unwrap_or_default();
    if by_cargo.is_empty() {
        of(
            listed.iter().filter(|p| is_source(p) && p.as_path() != binary),
            "by their endings",
        )
    } else {
        of(by_cargo.iter(), "by Cargo's list")
    }
}

/// Whether this file is one of the repository's own.
pub(super) fn are_among(file: &Path, listed: &[PathBuf]) -> bool {
    // git tells the repository's own path with its links resolved.
    file.canonicalize().is_ok_and(|place| listed.contains(&place))
}

fn of<'p>(paths: impl Iterator<Item = &'p PathBuf>, how: &'static str) -> Option<Newest> {
    let mut count = 0;
    let mut newest: Option<(SystemTime, &PathBuf)> = None;
    for path in paths {
        let Ok(changed) = std::fs::symlink_metadata(path).and_then(|m| m.modified()) else {
            continue;
        };
        count += 1;
        if newest.is_none_or(|(n, _)| changed > n) {
            newest = Some((changed, path));
        }
    }
    newest.map(|(changed, path)| Newest {
        path: path.clone(),
        changed,
        of: count,
        how,
    })
}

/// The files behind the colon of a line for make: blanks within names are escaped by a backslash.
fn dep_info(text: &str) -> Vec<PathBuf> {
    let Some((_, files)) = text.lines().find_map(|l| l.split_once(": ")) else {
        return Vec::new();
    };
    let escaped = files.replace("\\ ", "\0");
    let names = escaped
        .split_ascii_whitespace()
        .map(|n| PathBuf::from(n.replace('\0', " ")));
    // Relative names depend on a folder that the list does not tell.
    names.filter(|n| n.is_absolute()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_known_by_its_ending_or_its_name() {
        for (name, expected) in [
            ("src/main.rs", true),
            ("a/Cargo.lock", true),
            ("README.md", false),
            ("Makefile", true),
            ("x", false),
        ] {
            assert_eq!(is_source(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn the_list_for_make_is_read_with_its_blanks() {
        let text = "/t/release/agent: /s/a.rs /s/with\\ blank.rs relative.rs\n\n/s/a.rs:\n";
        assert_eq!(
            dep_info(text),
            [PathBuf::from("/s/a.rs"), PathBuf::from("/s/with blank.rs")]
        );
    }
}
