//! The workspace as the rules see it: crates, source files, documentation pages, and the table of layers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The workspace's top folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace")
}

/// A crate of the product, or the leaky targets.
pub(crate) struct Crate {
    /// Folder name, which is the package name without `leakcheck-`.
    pub name: String,
    folder: PathBuf,
}

/// A source file.
pub(crate) struct Source {
    /// Path relative to the workspace.
    pub path: PathBuf,
    /// Module path within its crate: `["relay", "client"]`; empty for the crate root.
    pub module: Vec<String>,
    /// Whole text.
    pub text: String,
}

impl Crate {
    /// Names in the manifest's `[dependencies]` table.
    pub(crate) fn dependencies(&self) -> BTreeSet<String> {
        let manifest = fs::read_to_string(self.folder.join("Cargo.toml")).expect("a manifest");
        let table = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let table = table.split("\n[").next().unwrap_or_default();
        table
            .lines()
            .filter_map(|line| line.split_once(['=', '.']))
            .map(|(name, _)| name.trim().to_owned())
            .collect()
    }

    /// Files below `src`, without those that hold tests only.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let src = self.folder.join("src");
        let mut files = Vec::new();
        collect(&src, "rs", &mut files);
        files
            .into_iter()
            .map(|path| {
                let relative = path.strip_prefix(&src).expect("below src").with_extension("");
                let mut module: Vec<String> = relative
                    .iter()
                    .map(|part| part.to_string_lossy().into_owned())
                    .collect();
                if module
                    .last()
                    .is_some_and(|last| ["lib", "main", "mod"].contains(&last.as_str()))
                {
                    module.pop();
                }
                Source {
                    text: fs::read_to_string(&path).expect("readable"),
                    path: path.strip_prefix(root()).expect("inside").to_owned(),
                    module,
                }
            })
            .filter(|source| !source.module.iter().any(|part| part == "tests"))
            .collect()
    }
}

impl Source {
    /// Code without comments and without its inline test module.
    pub(crate) fn code(&self) -> String {
        let body = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = body.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// All crates.
pub(crate) fn crates() -> Vec<Crate> {
    let mut folders: Vec<PathBuf> = fs::read_dir(root().join("crates"))
        .expect("crates")
        .flatten()
        .map(|entry| entry.path())
        .chain([root().join("fixtures/leaky-targets")])
        .filter(|path| path.join("Cargo.toml").exists())
        .collect();
    folders.sort();
    folders
        .into_iter()
        .map(|folder| Crate {
            name: folder.file_name().expect("a name").to_string_lossy().into_owned(),
            folder,
        })
        .collect()
}

/// The crates on which one crate may depend.
pub(crate) enum Allowed {
    All,
    These(BTreeSet<String>),
}

impl Allowed {
    pub(crate) fn allows(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.contains(name),
        }
    }
}

/// The table of layers in ARCHITECTURE.md: crate name → allowed dependencies.
pub(crate) fn layers() -> BTreeMap<String, Allowed> {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    page.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, _, name, _, allowed, _] = cells[..] else {
                return None;
            };
            let name = name.strip_prefix('`')?.strip_suffix('`')?;
            let allowed = match allowed {
                "all" => Allowed::All,
                "–" => Allowed::These(BTreeSet::new()),
                list => Allowed::These(list.split(", ").map(str::to_owned).collect()),
            };
            Some((name.rsplit('/').next()?.to_owned(), allowed))
        })
        .collect()
}

/// The Markdown pages of the repository.
pub(crate) fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for folder in ["docs", "examples"] {
        collect(&root().join(folder), "md", &mut pages);
    }
    let top = fs::read_dir(root()).expect("the workspace").flatten();
    pages.extend(
        top.map(|e| e.path())
            .filter(|p| p.extension().is_some_and(|e| e == "md")),
    );
    pages
}

fn collect(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|e| e.path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            collect(&path, extension, files);
        } else if path.extension().is_some_and(|e| e == extension) {
            files.push(path);
        }
    }
}
