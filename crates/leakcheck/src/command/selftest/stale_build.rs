//! The stale build of case `fase-6b`: a repository whose source is newer than the program.

use std::path::Path;
use std::time::{Duration, SystemTime};

use leakcheck_model::scenario::Build;

use crate::failure::Failure;

/// Makes the repository below `scratch`, and returns the `build` table that checks it.
///
/// # Errors
/// If git is missing, or the folder cannot be written.
pub(super) fn stale_build(scratch: &Path, wanted: &Build) -> Result<Build, Failure> {
    let repo = scratch.join("stale");
    make(&repo).map_err(|error| {
        Failure::no_verdict(format!(
            "failed to make a stale build in {} (git is needed): {error}",
            repo.display()
        ))
    })?;
    Ok(Build {
        repo: repo.display().to_string(),
        binary: Some(repo.join("agent").display().to_string()),
        require: wanted.require.clone(),
        ..Build::default()
    })
}

fn make(repo: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(repo)?;
    let agent = std::fs::File::create(repo.join("agent"))?;
    agent.set_modified(SystemTime::now() - Duration::from_secs(3600))?;
    std::fs::write(repo.join("agent.go"), "// changed an hour after the build\n")?;
    for arguments in [&["init", "--quiet"][..], &["add", "agent.go"]] {
        std::process::Command::new("git")
            .args(arguments)
            .current_dir(repo)
            .status()?;
    }
    Ok(())
}
