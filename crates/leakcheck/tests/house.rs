//! The house rules that no compiler checks: which room may know which, and who may name what.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may know: the map of ARCHITECTURE.md.
const MAP: [(&str, &[&str]); 11] = [
    ("model", &[]),
    ("judge", &["model"]),
    ("probe", &["model"]),
    ("report", &["model"]),
    ("noise", &["model"]),
    ("chaos", &["model"]),
    ("dockersim", &["model", "noise"]),
    ("capture", &[]),
    ("replicas", &[]),
    ("runner", &["model", "judge", "probe", "report", "chaos"]),
    (
        "leakcheck",
        &[
            "model",
            "judge",
            "probe",
            "report",
            "noise",
            "chaos",
            "dockersim",
            "capture",
            "replicas",
            "runner",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace")
}

fn folder(room: &str) -> PathBuf {
    if room == "replicas" {
        root().join("fixtures/replicas")
    } else {
        root().join("crates").join(room)
    }
}

/// The lines of a manifest's `[dependencies]`, names only.
fn dependencies(room: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(folder(room).join("Cargo.toml")).expect("a manifest");
    let table = text.split("[dependencies]").nth(1).unwrap_or_default();
    let table = table.split("\n[").next().unwrap_or_default();
    table
        .lines()
        .filter_map(|l| l.split_once(['=', '.']))
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}

fn sources(room: &str) -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, all: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, all);
            } else if path.extension().is_some_and(|e| e == "rs") {
                all.push(path);
            }
        }
    }
    let mut all = Vec::new();
    walk(&folder(room).join("src"), &mut all);
    all.into_iter()
        .map(|path| (path.clone(), fs::read_to_string(&path).expect("readable")))
        .collect()
}

#[test]
fn no_room_knows_another_that_the_map_does_not_show() {
    for (room, may_know) in MAP {
        let allowed: BTreeSet<String> = may_know.iter().map(|r| format!("leakcheck-{r}")).collect();
        let known: BTreeSet<String> = dependencies(room)
            .into_iter()
            .filter(|d| d.starts_with("leakcheck-"))
            .collect();
        let arrows: Vec<_> = known.difference(&allowed).collect();
        assert!(
            arrows.is_empty(),
            "{room} knows {arrows:?}, which ARCHITECTURE.md does not show"
        );
    }
}

#[test]
fn every_room_is_on_the_map() {
    let on_map: BTreeSet<_> = MAP
        .iter()
        .map(|(room, _)| (*room).to_owned())
        .filter(|r| r != "replicas")
        .collect();
    let built: BTreeSet<_> = fs::read_dir(root().join("crates"))
        .expect("crates")
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(on_map, built);
}

#[test]
fn words_and_mind_have_no_way_to_the_world() {
    for room in ["model", "judge"] {
        let worldly = [
            "tokio",
            "tokio-util",
            "reqwest",
            "hyper",
            "bollard",
            "rustix",
            "procfs",
            "axum",
            "fastrand",
            "rand",
        ];
        let found: Vec<_> = dependencies(room)
            .into_iter()
            .filter(|d| worldly.contains(&d.as_str()))
            .collect();
        assert!(found.is_empty(), "{room} depends on {found:?}");
        for (path, text) in sources(room) {
            for word in [
                "std::fs",
                "std::net",
                "std::process",
                "std::thread",
                "SystemTime",
                "Instant::now",
                "File::",
            ] {
                assert!(!text.contains(word), "{} names {word}", path.display());
            }
        }
    }
}

#[test]
fn bollard_is_named_in_one_file_per_room() {
    for (room, _) in MAP {
        // The simulated engine answers with bollard's types: its models are its language.
        if room == "dockersim" {
            continue;
        }
        let files: Vec<_> = sources(room)
            .into_iter()
            .filter(|(_, t)| t.contains("bollard::"))
            .map(|(p, _)| p)
            .collect();
        assert!(files.len() <= 1, "{room} names bollard in {files:?}");
    }
}

#[test]
fn only_the_eyes_read_proc() {
    for (room, _) in MAP {
        // A target reads its own numbers; that is no measuring.
        if ["probe", "capture", "replicas"].contains(&room) {
            continue;
        }
        for (path, text) in sources(room) {
            let code: String = text
                .lines()
                .filter(|l| !l.trim_start().starts_with("//"))
                .collect::<Vec<_>>()
                .join("\n");
            let reads = [
                "fs::read(\"/proc",
                "read_to_string(\"/proc",
                "read_dir(\"/proc",
                "File::open(\"/proc",
                "procfs::",
            ];
            assert!(
                !reads.iter().any(|r| code.contains(r)),
                "{} reads /proc",
                path.display()
            );
        }
    }
}

#[test]
fn files_say_what_they_are_for_and_have_honest_names() {
    let mut sizes = BTreeMap::new();
    for (room, _) in MAP {
        for (path, text) in sources(room) {
            assert!(
                text.starts_with("//!"),
                "{} does not open with what it is for",
                path.display()
            );
            let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
            for name in [
                "utils", "util", "helpers", "common", "manager", "types", "imp", "misc", "mod",
            ] {
                assert_ne!(stem, name, "{}", path.display());
            }
            sizes.insert(path, text.lines().count());
        }
    }
    let large: Vec<_> = sizes.iter().filter(|(_, lines)| **lines > 650).collect();
    assert!(large.is_empty(), "files that nobody reads in one sitting: {large:?}");
}

#[test]
fn nothing_points_at_the_machine_it_was_written_on() {
    for (room, _) in MAP {
        for (path, text) in sources(room) {
            for prefix in ["/home/", "/root/", "/Users/"] {
                assert!(!text.contains(prefix), "{} holds {prefix}", path.display());
            }
        }
    }
}
