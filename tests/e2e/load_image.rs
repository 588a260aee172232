//! The image of the load containers, for tests that start their own containers. Nothing is pulled.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::{has_docker, leakcheck};

/// Runs `docker` and returns its standard output, or `None` if it fails.
pub(crate) fn docker(arguments: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// Returns the image's id, and makes the image if necessary. Returns `None` if the test is skipped.
pub(crate) fn load_image() -> Option<String> {
    if !has_docker() {
        return None;
    }
    let newest = || {
        docker(&["images", "-q", "leakcheck-noise"])?
            .lines()
            .next()
            .map(str::to_owned)
    };
    newest().or_else(|| {
        let printed = make();
        Some(newest().unwrap_or_else(|| panic!("no load image was made: {printed}")))
    })
}

/// Makes the image by a short run of any verdict, and returns the run's standard error.
fn make() -> String {
    let folder = TempDir::new().expect("a scratch folder");
    let scenario = "name = \"image\"\n[[load]]\nname = \"one\"\ncontainers = 1\n[target]\nkind = \"command\"\ncommand = \
                    [\"sleep\", \"60\"]\n[schedule]\nwarm_up = \"500ms\"\nmeasure = \"4s\"\nsample_every = \"500ms\"\ndrain = \
                    \"1s\"\n[limits]\nfds = \"max < 50\"\n";
    std::fs::write(folder.path().join("image.toml"), scenario).expect("a scenario");
    let run = leakcheck()
        .args(["run", "--engine", "docker", "--quiet", "image.toml"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output();
    String::from_utf8_lossy(&run.expect("leakcheck starts").stderr).into_owned()
}
