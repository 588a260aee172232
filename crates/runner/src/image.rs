//! The load image, built from leakcheck's own executable: no registry and no Dockerfile, for static and dynamic builds.
//!
//! The executable is read in chunks, once for its checksum and once for the upload, to keep memory small.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::docker::{Docker, DockerError};

/// Repository of the load image.
const REPOSITORY: &str = "leakcheck-noise";

/// Label of every load image.
pub const IMAGE_LABEL: &str = "leakcheck.image";

/// Path of the executable inside the image.
const EXECUTABLE: &str = "/leakcheck";

/// Size of an upload chunk in bytes.
const CHUNK_BYTES: usize = 128 << 10;

/// Chunks that may wait for the engine.
const CHUNKS_QUEUED: usize = 4;

/// Time that another run may take to import the same image; after that it is imported here too.
const LOCK_TIMEOUT: Duration = Duration::from_secs(180);

/// Pause between two attempts to take the lock.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// A load image that could not be imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// A file that belongs into the image cannot be read.
    #[error("failed to read {path}, which goes into the load image")]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The error of the file system.
        #[source]
        source: io::Error,
    },
    /// The archive cannot be written.
    #[error("failed to pack the load image")]
    Pack(#[source] io::Error),
    /// The engine refused the import.
    #[error(transparent)]
    Docker(#[from] DockerError),
}

/// Finds the image of this executable, or imports it. Returns its name, and true if it was imported.
///
/// # Errors
/// [`ImageError`].
pub(crate) async fn ensure(docker: &Docker) -> Result<(String, bool), ImageError> {
    let path = std::env::current_exe().map_err(|source| ImageError::Read {
        path: "our own executable".into(),
        source,
    })?;
    let unreadable = |source| ImageError::Read {
        path: path.clone(),
        source,
    };
    let executable = File::open(&path).map_err(unreadable)?;
    // Version and checksum: a later run finds the image, and another build does not.
    let checksum = checksum(&executable).map_err(unreadable)?;
    let tag = format!("{}-{checksum:08x}", env!("CARGO_PKG_VERSION"));
    let name = format!("{REPOSITORY}:{tag}");
    if docker.has_image(&name).await? {
        return Ok((name, false));
    }
    // Two first runs at once would both import it, and the second import would take the tag from the first.
    let waited = lock(&executable).await;
    if waited && docker.has_image(&name).await? {
        return Ok((name, false));
    }
    let mut files = vec![(PathBuf::from(EXECUTABLE), path.clone())];
    files.extend(
        shared_objects(&executable)?
            .into_iter()
            .map(|file| (file.clone(), file)),
    );
    let (sender, chunks) = mpsc::channel(CHUNKS_QUEUED);
    let packing = tokio::task::spawn_blocking(move || pack(&files, sender));
    let changes = vec![
        format!("ENTRYPOINT [\"{EXECUTABLE}\"]"),
        format!("LABEL {IMAGE_LABEL}={tag}"),
    ];
    let imported = docker.import_image(REPOSITORY, &tag, chunks, changes).await;
    // If the engine closes the connection, its error explains more than the broken pipe.
    match packing.await {
        Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => return Err(ImageError::Pack(error)),
        _ => imported?,
    }
    Ok((name, true))
}

/// Locks the executable against other processes that import it; closing the file unlocks it. Returns true if it had to wait.
async fn lock(executable: &File) -> bool {
    let began = Instant::now();
    let mut waited = false;
    while let Err(std::fs::TryLockError::WouldBlock) = executable.try_lock() {
        waited = true;
        if began.elapsed() > LOCK_TIMEOUT {
            break;
        }
        sleep(LOCK_POLL).await;
    }
    waited
}

fn checksum(mut file: &File) -> io::Result<u32> {
    let mut sum = crc32fast::Hasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(sum.finalize()),
            length => sum.update(&chunk[..length]),
        }
    }
}

/// Lists the loader and libraries of a dynamically linked executable.
fn shared_objects(executable: &File) -> Result<Vec<PathBuf>, ImageError> {
    let Some(interpreter) = leakcheck_probe::build::interpreter(executable) else {
        return Ok(Vec::new());
    };
    let loaded = leakcheck_probe::loaded_libraries().map_err(|source| ImageError::Read {
        path: "our own memory map".into(),
        source,
    })?;
    let mut files = vec![interpreter];
    for path in loaded {
        if !files.contains(&path) {
            files.push(path);
        }
    }
    Ok(files)
}

/// Packs files, each with its path inside the image, and sends the archive in chunks.
fn pack(files: &[(PathBuf, PathBuf)], sender: mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let pipe = io::BufWriter::with_capacity(CHUNK_BYTES, Pipe(sender.clone()));
    let packed = append(files, pipe);
    if packed.is_err() {
        // A truncated archive must not be imported.
        let _ = sender.blocking_send(Err(io::ErrorKind::InvalidData.into()));
    }
    packed
}

fn append(files: &[(PathBuf, PathBuf)], out: impl Write) -> io::Result<()> {
    let mut tar = tar::Builder::new(out);
    for (inside, path) in files {
        let file = File::open(path)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(file.metadata()?.len());
        header.set_mode(0o755);
        header.set_mtime(0);
        tar.append_data(&mut header, inside.strip_prefix("/").unwrap_or(inside), file)?;
    }
    tar.into_inner()?.flush()
}

/// Writer that sends the archive to the upload.
struct Pipe(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_image_of_a_dynamic_build_has_loader_and_libc() {
        let executable = File::open(std::env::current_exe().expect("our path")).expect("ours");
        let files = shared_objects(&executable).expect("readable");
        let libc = files.iter().any(|p| p.to_string_lossy().contains("libc"));
        assert!(files.is_empty() || libc, "{files:?}");
    }

    #[tokio::test]
    async fn a_whole_archive_arrives_in_chunks_and_a_truncated_one_as_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, absent) = (folder.path().join("file"), folder.path().join("absent"));
        let content: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &content).expect("written");
        let archive = |files: Vec<(PathBuf, PathBuf)>| async move {
            let (sender, mut chunks) = mpsc::channel(CHUNKS_QUEUED);
            let packing = tokio::task::spawn_blocking(move || pack(&files, sender));
            let mut whole = Vec::new();
            while let Some(chunk) = chunks.recv().await {
                whole.extend_from_slice(&chunk?);
            }
            packing.await.expect("no panic").map(|()| whole)
        };
        let whole = archive(vec![("/inside".into(), path.clone())]).await.expect("packed");
        let mut tar = tar::Archive::new(whole.as_slice());
        let mut entry = tar
            .entries()
            .expect("an archive")
            .next()
            .expect("a file")
            .expect("whole");
        let mut unpacked = Vec::new();
        entry.read_to_end(&mut unpacked).expect("readable");
        assert_eq!(
            (entry.path().expect("named").as_ref(), unpacked),
            (Path::new("inside"), content)
        );
        assert!(
            archive(vec![("/inside".into(), path), ("/absent".into(), absent)])
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn the_second_of_two_importers_waits() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("executable");
        std::fs::write(&path, "").expect("written");
        let (one, other) = (File::open(&path).expect("opened"), File::open(&path).expect("opened"));
        assert!(!lock(&one).await);
        let waiting = lock(&other);
        tokio::pin!(waiting);
        let early = tokio::time::timeout(LOCK_POLL * 2, &mut waiting).await;
        assert!(early.is_err(), "the first still holds the lock");
        drop(one);
        assert!(waiting.await);
    }
}
