//! The load image, made from leakcheck's own executable: no registry, no Dockerfile, works for static and dynamic builds.
//!
//! The executable is read in pieces, for its checksum and again on its way to the engine: held in memory it would be the
//! largest part of what the harness costs.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::PathBuf;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::docker::{Docker, DockerError};

/// Repository of the load image.
const REPOSITORY: &str = "leakcheck-noise";

/// The label by which our images are found.
pub const IMAGE_LABEL: &str = "leakcheck.image";

/// Where the executable is inside the image.
const INSIDE: &str = "/leakcheck";

/// Bytes of the archive that go to the engine at once, and how many such pieces may wait.
const PIECE: usize = 128 << 10;
const PIECES: usize = 4;

/// How long another run may take to make the same image; after that it is made here too.
const PATIENCE: Duration = Duration::from_secs(180);

/// Between two looks whether it is made.
const LOOK_EVERY: Duration = Duration::from_millis(100);

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
        source: io::Error,
    },
    /// The archive cannot be written.
    #[error("failed to pack the load image")]
    Pack(#[source] io::Error),
    /// The engine refused.
    #[error(transparent)]
    Docker(#[from] DockerError),
}

/// Finds the image of this very executable, or makes it. Returns its name and whether it had to be made.
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
    // Version and content: made once, found again, and never an older build's.
    let checksum = checksum(&executable).map_err(unreadable)?;
    let tag = format!("{}-{checksum:08x}", env!("CARGO_PKG_VERSION"));
    let name = format!("{REPOSITORY}:{tag}");
    if docker.has_image(&name).await? {
        return Ok((name, false));
    }
    // Of two first runs at once both would make it, and the later would take the name from the earlier one's.
    let waited = turn(&executable).await;
    if waited && docker.has_image(&name).await? {
        return Ok((name, false));
    }
    let mut files = vec![(PathBuf::from(INSIDE), path.clone())];
    files.extend(
        shared_objects(&executable)?
            .into_iter()
            .map(|file| (file.clone(), file)),
    );
    let (sender, pieces) = mpsc::channel(PIECES);
    let packing = tokio::task::spawn_blocking(move || pack(&files, sender));
    let changes = vec![
        format!("ENTRYPOINT [\"{INSIDE}\"]"),
        format!("LABEL {IMAGE_LABEL}={tag}"),
    ];
    let imported = docker.import_image(REPOSITORY, &tag, pieces, changes).await;
    // An engine that hangs up breaks the packing too, and knows better why.
    match packing.await {
        Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => return Err(ImageError::Pack(error)),
        _ => imported?,
    }
    Ok((name, true))
}

/// Waits until no other process makes an image of this executable; the lock goes with the file. Whether there was another.
async fn turn(executable: &File) -> bool {
    let began = Instant::now();
    let mut waited = false;
    while let Err(std::fs::TryLockError::WouldBlock) = executable.try_lock() {
        waited = true;
        if began.elapsed() > PATIENCE {
            break;
        }
        sleep(LOOK_EVERY).await;
    }
    waited
}

fn checksum(mut file: &File) -> io::Result<u32> {
    let mut sum = crc32fast::Hasher::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(sum.finalize()),
            length => sum.update(&piece[..length]),
        }
    }
}

/// The files that the executable needs beside itself.
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

/// Packs files, each with its place inside the image, and hands the archive on in pieces.
fn pack(files: &[(PathBuf, PathBuf)], sender: mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let pipe = io::BufWriter::with_capacity(PIECE, Pipe(sender.clone()));
    let packed = append(files, pipe);
    if packed.is_err() {
        // Half an archive must not pass for a whole one.
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

/// The writing end of an archive that is on its way.
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
    fn a_dynamic_build_has_its_loader_and_libc_beside_it() {
        let executable = File::open(std::env::current_exe().expect("our path")).expect("ours");
        let files = shared_objects(&executable).expect("readable");
        let libc = files.iter().any(|p| p.to_string_lossy().contains("libc"));
        assert!(files.is_empty() || libc, "{files:?}");
    }

    #[tokio::test]
    async fn an_archive_arrives_whole_in_pieces_and_half_of_one_as_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, absent) = (folder.path().join("file"), folder.path().join("absent"));
        let content: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &content).expect("written");
        let archive = |files: Vec<(PathBuf, PathBuf)>| async move {
            let (sender, mut pieces) = mpsc::channel(PIECES);
            let packing = tokio::task::spawn_blocking(move || pack(&files, sender));
            let mut whole = Vec::new();
            while let Some(piece) = pieces.recv().await {
                whole.extend_from_slice(&piece?);
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
    async fn of_two_who_make_the_same_image_one_waits() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("executable");
        std::fs::write(&path, "").expect("written");
        let (one, other) = (File::open(&path).expect("opened"), File::open(&path).expect("opened"));
        assert!(!turn(&one).await);
        let waiting = turn(&other);
        tokio::pin!(waiting);
        let early = tokio::time::timeout(LOOK_EVERY * 2, &mut waiting).await;
        assert!(early.is_err(), "the first is not done yet");
        drop(one);
        assert!(waiting.await);
    }
}
