//! The source files of an executable, and the newest of them.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::finding::BuildFinding;
use super::report::BuildReport;

/// Extensions of files that compilers and interpreters read. An edited document makes no build stale.
const EXTENSIONS: [&str; 42] = [
    "rs", "go", "c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx", "m", "mm", "java", "kt", "kts", "scala", "groovy",
    "cs", "fs", "vb", "py", "pyx", "rb", "php", "pl", "lua", "js", "mjs", "cjs", "jsx", "ts", "tsx", "swift", "zig",
    "nim", "d", "ex", "erl", "hs", "ml", "proto", "s",
];

/// Names of files that determine a build and have no extension of a language.
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

/// The number of bytes of Cargo's list that are read: some 100 000 names.
const MAX_LIST_BYTES: u64 = 16 << 20;

/// The newest source file.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) path: PathBuf,
    pub(super) changed: SystemTime,
    /// The number of source files.
    pub(super) count: usize,
    /// The way in which the source files were found.
    pub(super) how: &'static str,
}

/// Returns `true` for a file that a compiler or an interpreter reads.
pub(super) fn is_source(path: &Path) -> bool {
    let is_one_of = |part: Option<&std::ffi::OsStr>, all: &[&str]| {
        part.and_then(|p| p.to_str())
            .is_some_and(|p| all.iter().any(|a| a.eq_ignore_ascii_case(p)))
    };
    is_one_of(path.extension(), &EXTENSIONS) || is_one_of(path.file_name(), &NAMES)
}

/// Returns the newest source file of `binary`: by the list that Cargo writes beside an executable, else among all tracked
/// files that look like source.
pub(super) fn newest(binary: &Path, tracked: &[PathBuf]) -> Option<Newest> {
    let by_cargo = read_list(&binary.with_extension("d")).unwrap_or_default();
    if by_cargo.is_empty() {
        of(
            tracked.iter().filter(|p| is_source(p) && p.as_path() != binary),
            "by their extensions",
        )
    } else {
        of(by_cargo.iter(), "by Cargo's list")
    }
}

/// Returns `true` if this file is tracked by the repository.
pub(super) fn contain(tracked: &[PathBuf], file: &Path) -> bool {
    // git prints the path of the repository with its links resolved.
    file.canonicalize().is_ok_and(|path| tracked.contains(&path))
}

impl BuildReport {
    /// Compares the time of a build with the newest of its sources.
    pub(super) fn compare_times(&mut self, name: &str, built: SystemTime, newest: Newest) {
        match newest.changed.duration_since(built) {
            Ok(by) if !by.is_zero() => self.findings.push(BuildFinding::OlderThanSource {
                binary: name.into(),
                source: newest.path,
                by,
            }),
            _ => self.confirmed.push(format!(
                "{name} is newer than its {} source files ({})",
                newest.count, newest.how
            )),
        }
    }
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
        count,
        how,
    })
}

fn read_list(path: &Path) -> Option<Vec<PathBuf>> {
    let mut text = String::new();
    File::open(path)
        .ok()?
        .take(MAX_LIST_BYTES)
        .read_to_string(&mut text)
        .ok()?;
    Some(dep_info(&text))
}

/// Returns the files behind the colon of a make rule, in which blanks are escaped by a backslash.
fn dep_info(text: &str) -> Vec<PathBuf> {
    let Some((_, files)) = text.lines().find_map(|l| l.split_once(": ")) else {
        return Vec::new();
    };
    let escaped = files.replace("\\ ", "\0");
    let names = escaped
        .split_ascii_whitespace()
        .map(|n| PathBuf::from(n.replace('\0', " ")));
    // Relative names depend on a folder that the list does not name.
    names.filter(|n| n.is_absolute()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_recognized_by_extension_or_name() {
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
    fn a_make_rule_is_read_with_escaped_blanks() {
        let text = "/t/release/agent: /s/a.rs /s/with\\ blank.rs relative.rs\n\n/s/a.rs:\n";
        assert_eq!(
            dep_info(text),
            [PathBuf::from("/s/a.rs"), PathBuf::from("/s/with blank.rs")]
        );
    }
}
