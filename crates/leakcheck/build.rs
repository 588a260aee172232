//! Tells the executable which commit it is built from, where there is a repository to ask: `leakcheck capture` serves it at
//! `/version`, and the stale-build check compares it with the source. A build from a tarball knows none, and says none.

use std::path::Path;
use std::process::Command;

fn main() {
    // Named, or Cargo would run this at every change of any file.
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LEAKCHECK_COMMIT");
    // A packager who builds from a tarball may know it.
    if std::env::var_os("LEAKCHECK_COMMIT").is_some() {
        return;
    }
    // The repository must be this one: an unpacked tarball may lie inside someone else's.
    let is_ours = git(&["rev-parse", "--show-toplevel"])
        .is_some_and(|top| Path::new(&top).join("crates/leakcheck/build.rs").is_file());
    if !is_ours {
        return;
    }
    // The log of HEAD grows with each commit and checkout, HEAD itself only with the latter.
    for path in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--path-format=absolute", "--git-path", path])
            && Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    if let Some(commit) = git(&["rev-parse", "HEAD"]) {
        println!("cargo::rustc-env=LEAKCHECK_COMMIT={commit}");
    }
}

/// What git says; `None` where there is no git or no repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let said = said.trim();
    (output.status.success() && !said.is_empty()).then(|| said.to_owned())
}
