//! The load image, made from leakcheck's own executable: no registry, no Dockerfile, works for static and dynamic builds.

use std::fs;
use std::path::{Path, PathBuf};

use crate::docker::{Docker, DockerError};

/// Repository of the load image.
const REPOSITORY: &str = "leakcheck-noise";

/// The label by which our images are found.
pub const IMAGE_LABEL: &str = "leakcheck.image";

/// Where the executable is inside the image.
const INSIDE: &str = "/leakcheck";

/// An image that could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// A file of our own cannot be read.
    #[error("failed to read {path}, which goes into the load image")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The archive cannot be written.
    #[error("failed to pack the load image")]
    Pack(#[source] std::io::Error),
    /// The engine refused.
    #[error(transparent)]
    Docker(#[from] DockerError),
}

/// Finds the image of this very executable, or makes it. Returns its name and whether it had to be made.
///
/// # Errors
/// [`ImageError`].
pub(crate) async fn ensure(docker: &Docker) -> Result<(String, bool), ImageError> {
    let executable = std::env::current_exe().map_err(|source| ImageError::Read {
        path: "our own executable".into(),
        source,
    })?;
    let bytes = read(&executable)?;
    // Version and content: made once, found again, and never an older build's.
    let tag = format!("{}-{:08x}", env!("CARGO_PKG_VERSION"), crc32fast::hash(&bytes));
    let name = format!("{REPOSITORY}:{tag}");
    if docker.has_image(&name).await? {
        return Ok((name, false));
    }
    let tar = pack(&bytes, &shared_objects(&bytes)?)?;
    let changes = vec![
        format!("ENTRYPOINT [\"{INSIDE}\"]"),
        format!("LABEL {IMAGE_LABEL}={tag}"),
    ];
    docker.import_image(REPOSITORY, &tag, tar, changes).await?;
    Ok((name, true))
}

fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    fs::read(path).map_err(|source| ImageError::Read {
        path: path.to_owned(),
        source,
    })
}

/// The files that the executable needs beside itself, with their places inside the image.
fn shared_objects(executable: &[u8]) -> Result<Vec<(PathBuf, Vec<u8>)>, ImageError> {
    let Some(interpreter) = interpreter(executable) else {
        return Ok(Vec::new());
    };
    let mut files = vec![(interpreter.clone(), read(&interpreter)?)];
    let loaded = leakcheck_probe::loaded_libraries().map_err(|source| ImageError::Read {
        path: "our own memory map".into(),
        source,
    })?;
    for path in loaded {
        if !files.iter().any(|(p, _)| *p == path) {
            files.push((path.clone(), read(&path)?));
        }
    }
    Ok(files)
}

/// The dynamic loader that a 64-bit ELF executable names (PT_INTERP); a static one names none. Layout: `elf(5)`.
fn interpreter(elf: &[u8]) -> Option<PathBuf> {
    let u16_at = |at: usize| Some(usize::from(u16::from_le_bytes(elf.get(at..at + 2)?.try_into().ok()?)));
    let u64_at = |at: usize| usize::try_from(u64::from_le_bytes(elf.get(at..at + 8)?.try_into().ok()?)).ok();
    if elf.get(..4)? != b"\x7fELF" {
        return None;
    }
    let (table, size, count) = (u64_at(32)?, u16_at(54)?, u16_at(56)?);
    (0..count).find_map(|i| {
        let header = table + i * size;
        // PT_INTERP is 3.
        if elf.get(header..header + 4)? != [3, 0, 0, 0] {
            return None;
        }
        let (offset, length) = (u64_at(header + 8)?, u64_at(header + 32)?);
        let text = elf.get(offset..offset + length)?.split(|b| *b == 0).next()?;
        std::str::from_utf8(text).ok().map(PathBuf::from)
    })
}

fn pack(executable: &[u8], others: &[(PathBuf, Vec<u8>)]) -> Result<Vec<u8>, ImageError> {
    let mut tar = tar::Builder::new(Vec::with_capacity(executable.len() + (8 << 20)));
    let mut add = |path: &Path, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        header.set_mtime(0);
        tar.append_data(&mut header, path.strip_prefix("/").unwrap_or(path), bytes)
            .map_err(ImageError::Pack)
    };
    add(Path::new(INSIDE), executable)?;
    for (path, bytes) in others {
        add(path, bytes)?;
    }
    tar.into_inner().map_err(ImageError::Pack)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_executable_names_its_loader_and_its_libraries() {
        let bytes = fs::read(std::env::current_exe().expect("our path")).expect("our bytes");
        let Some(loader) = interpreter(&bytes) else { return };
        assert!(loader.to_string_lossy().contains("ld"), "{loader:?}");
        let files = shared_objects(&bytes).expect("readable");
        assert!(
            files.iter().any(|(p, _)| p.to_string_lossy().contains("libc")),
            "a dynamic build has a libc"
        );
    }

    #[test]
    fn bytes_that_are_no_executable_have_no_loader() {
        assert_eq!(interpreter(b""), None);
        assert_eq!(interpreter(b"\x7fELF"), None);
        assert_eq!(interpreter(b"#!/bin/sh\n"), None);
    }
}
