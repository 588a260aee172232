//! An image without a registry: a static program that is `sh`, `echo`, `sleep`, `true` and `false`, as far as the
//! simulated engine understands them.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// The image as a tar, or why there is none. `mark` makes its layer unlike any other.
pub(crate) fn tar(mark: &str) -> Result<Vec<u8>, String> {
    static PROGRAM: OnceLock<Result<Vec<u8>, String>> = OnceLock::new();
    let program = PROGRAM.get_or_init(compile).as_deref().map_err(Clone::clone)?;
    let mut archive = tar::Builder::new(Vec::new());
    let files = ["bin/sh", "bin/echo", "bin/sleep", "bin/true", "bin/false"].map(|path| (path, program));
    for (path, bytes) in files.into_iter().chain([("mark", mark.as_bytes())]) {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(bytes.len() as u64);
        archive
            .append_data(&mut header, path, bytes)
            .map_err(|error| error.to_string())?;
    }
    archive.into_inner().map_err(|error| error.to_string())
}

fn compile() -> Result<Vec<u8>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/shell.c");
    let program = folder.path().join("shell");
    let compiled = Command::new("gcc")
        .args(["-static", "-O1", "-s", "-o"])
        .arg(&program)
        .arg(source)
        .output();
    match compiled {
        Ok(output) if output.status.success() => std::fs::read(&program).map_err(|error| error.to_string()),
        Ok(output) => Err(format!(
            "gcc cannot build an image: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => Err(format!("there is no gcc to build an image: {error}")),
    }
}
