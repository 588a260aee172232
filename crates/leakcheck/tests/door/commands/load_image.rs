//! The image of the load containers, for tests that start containers of their own: nothing is pulled from anywhere.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::aloud::skip_without_docker;

/// What `docker` prints; `None` if it fails.
pub(crate) fn docker(arguments: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// Its id, made if it is not there yet; `None`, said out loud, without an engine, unless one is required.
pub(crate) fn load_image() -> Option<String> {
    if docker(&["version"]).is_none() {
        skip_without_docker();
        return None;
    }
    let newest = || {
        docker(&["images", "-q", "leakcheck-noise"])?
            .lines()
            .next()
            .map(str::to_owned)
    };
    newest().or_else(|| {
        let said = make();
        Some(newest().unwrap_or_else(|| panic!("no load image was made: {said}")))
    })
}

/// A short run, whatever it comes to, makes the image. What it says.
fn make() -> String {
    let folder = TempDir::new().expect("a scratch folder");
    let scenario = "name = \"image\"\n[[load]]\nname = \"one\"\ncontainers = 1\n[target]\nkind = \"command\"\ncommand = \
                    [\"sleep\", \"60\"]\n[schedule]\nwarm_up = \"500ms\"\nmeasure = \"4s\"\nsample_every = \"500ms\"\ndrain = \
                    \"1s\"\n[limits]\nfds = \"max < 50\"\n";
    std::fs::write(folder.path().join("image.toml"), scenario).expect("a scenario");
    let run = Command::new(crate::stand::LEAKCHECK)
        .args(["run", "--engine", "docker", "--quiet", "image.toml"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output();
    String::from_utf8_lossy(&run.expect("leakcheck starts").stderr).into_owned()
}
