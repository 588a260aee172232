//! Architecture rules that the compiler does not check: layers, purity, import cycles, and the form of files.

mod imports;
mod workspace;

use std::collections::{BTreeMap, BTreeSet};

use workspace::{Crate, crates, layers, root};

/// Fails with `message` and the offending `places`, if there are any.
fn none<P: std::fmt::Display>(places: &[P], message: &str) {
    let list: Vec<String> = places.iter().map(ToString::to_string).collect();
    assert!(places.is_empty(), "{message}:\n  {}", list.join("\n  "));
}

#[test]
fn crates_depend_only_on_those_that_the_architecture_page_lists() {
    let layers = layers();
    for krate in crates() {
        let allowed = layers
            .get(&krate.name)
            .unwrap_or_else(|| panic!("ARCHITECTURE.md does not list `{}`", krate.name));
        let used: BTreeSet<String> = krate
            .dependencies()
            .iter()
            .filter_map(|d| d.strip_prefix("leakcheck-").map(str::to_owned))
            .collect();
        let extra: Vec<_> = used.iter().filter(|d| !allowed.allows(d)).collect();
        none(
            &extra,
            &format!("`{}` depends on crates that ARCHITECTURE.md does not allow", krate.name),
        );
    }
}

#[test]
fn every_crate_of_the_architecture_page_exists() {
    let existing: BTreeSet<String> = crates().into_iter().map(|c| c.name).collect();
    let listed: BTreeSet<String> = layers().into_keys().filter(|name| name != "tests").collect();
    assert_eq!(listed, existing);
}

#[test]
fn files_do_not_import_each_other() {
    let cycles: Vec<String> = crates().iter().flat_map(|c| imports::cycles(&c.sources())).collect();
    none(&cycles, "files that import each other, directly or through others");
}

#[test]
fn model_and_judge_are_pure() {
    const IMPURE_CRATES: [&str; 9] = [
        "tokio",
        "tokio-util",
        "reqwest",
        "hyper",
        "bollard",
        "rustix",
        "procfs",
        "fastrand",
        "rand",
    ];
    const IMPURE_PATHS: [&str; 7] = [
        "std::fs",
        "std::net",
        "std::process",
        "std::thread",
        "SystemTime",
        "Instant::now",
        "File::",
    ];
    for krate in crates()
        .iter()
        .filter(|c| ["model", "judge"].contains(&c.name.as_str()))
    {
        let found: Vec<_> = krate
            .dependencies()
            .into_iter()
            .filter(|d| IMPURE_CRATES.contains(&d.as_str()))
            .collect();
        none(&found, &format!("`{}` must stay pure and depends on", krate.name));
        for source in krate.sources() {
            let found: Vec<_> = IMPURE_PATHS.iter().filter(|p| source.code().contains(**p)).collect();
            none(&found, &format!("{} must stay pure and names", source.path.display()));
        }
    }
}

#[test]
fn bollard_is_named_in_one_file_per_crate() {
    // The simulated engine answers with bollard's types.
    for krate in crates().iter().filter(|c| c.name != "dockersim") {
        let files: Vec<_> = krate
            .sources()
            .into_iter()
            .filter(|s| s.code().contains("bollard::"))
            .map(|s| s.path.display().to_string())
            .collect();
        assert!(
            files.len() <= 1,
            "`{}` names bollard in several files: {files:?}",
            krate.name
        );
    }
}

#[test]
fn only_probe_and_trace_read_other_processes() {
    // Capture daemon and leaky targets report their own numbers from /proc/self.
    for krate in crates()
        .iter()
        .filter(|c| !["probe", "trace", "capture", "leaky-targets"].contains(&c.name.as_str()))
    {
        let files: Vec<_> = krate
            .sources()
            .into_iter()
            .filter(|s| {
                let code = s.code();
                let own = code.replace("(\"/proc/self", "");
                // An argument of a call; a path in a list is text.
                code.contains("procfs::") || own.contains("(\"/proc")
            })
            .map(|s| s.path.display().to_string())
            .collect();
        none(&files, "files outside probe and trace that read /proc");
    }
}

#[test]
fn exit_codes_are_known_in_one_file() {
    let cli = crates()
        .into_iter()
        .find(|c| c.name == "leakcheck")
        .expect("the CLI crate");
    let files: Vec<_> = cli
        .sources()
        .into_iter()
        .filter(|s| s.code().contains("ExitCode::from(") && !s.path.ends_with("exit_code.rs"))
        .map(|s| s.path.display().to_string())
        .collect();
    none(&files, "files that make exit codes, beside exit_code.rs");
}

#[test]
fn files_begin_with_their_purpose_and_have_telling_names() {
    const EMPTY_NAMES: [&str; 10] = [
        "utils", "util", "helpers", "common", "manager", "types", "imp", "misc", "mod", "stuff",
    ];
    let mut long = BTreeMap::new();
    for source in crates().iter().flat_map(Crate::sources) {
        let path = source.path.display();
        assert!(
            source.text.starts_with("//!"),
            "{path} does not begin with a `//!` comment"
        );
        let stem = source.path.file_stem().expect("a name").to_string_lossy();
        assert!(
            !EMPTY_NAMES.contains(&stem.as_ref()),
            "{path}: a file is a noun or verb of the field"
        );
        let lines = source.text.lines().count();
        if lines > 600 {
            long.insert(path.to_string(), lines);
        }
    }
    assert!(
        long.is_empty(),
        "files that are too long to read in one sitting: {long:?}"
    );
}

#[test]
fn doc_comments_name_the_thing_first() {
    const QUESTION_WORDS: [&str; 9] = [
        "What", "Whether", "How", "Who", "Whose", "Where", "When", "That", "Which",
    ];
    let mut places = Vec::new();
    for source in crates().iter().flat_map(Crate::sources) {
        let mut before = "";
        for (number, line) in source.text.lines().enumerate() {
            let line = line.trim_start();
            let doc = line.strip_prefix("/// ").or_else(|| line.strip_prefix("//! "));
            let continued = ["///", "//!"].iter().any(|c| before.starts_with(c));
            before = line;
            let Some(text) = doc.filter(|_| !continued) else {
                continue;
            };
            let first = text.split(' ').next().unwrap_or_default();
            if QUESTION_WORDS.contains(&first) && !text.contains('?') {
                places.push(format!("{}:{}: {text}", source.path.display(), number + 1));
            }
        }
    }
    none(
        &places,
        "doc comments that begin with a question word instead of the thing",
    );
}

#[test]
fn no_source_holds_a_path_of_one_machine() {
    for source in crates().iter().flat_map(Crate::sources) {
        for prefix in ["/home/", "/root/", "/Users/"] {
            assert!(
                !source.text.contains(prefix),
                "{} holds {prefix}",
                source.path.display()
            );
        }
    }
}

#[test]
fn every_relative_link_of_the_documentation_leads_to_a_file() {
    let mut broken = Vec::new();
    for page in workspace::pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        let folder = page.parent().expect("a folder");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") || file.contains(' ') {
                continue;
            }
            if !folder.join(file).exists() {
                let page = page.strip_prefix(root()).expect("inside").display();
                broken.push(format!("{page}: {target}"));
            }
        }
    }
    none(&broken, "links that lead nowhere");
}
