//! The position file: where each container's delivered lines end, as of a certain byte of the output.
//!
//! It need not be up to date, because the output itself says the rest (see [`super::recover`]); it only bounds how much of
//! the output must be read again. It is replaced atomically: a reader sees the old one or the new one, never half of one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::Folder;
use super::{Fsync, Positions, SinkError};

const NAME: &str = "capture.positions.json";
/// Raised when the meaning of a field changes.
const VERSION: u32 = 1;

/// Positions as of a byte of the output.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    version: u32,
    /// The number of the output file.
    pub(crate) file: u64,
    /// Bytes of it that the positions account for.
    pub(crate) offset: u64,
    pub(crate) positions: Positions,
}

impl Snapshot {
    /// The snapshot in `folder`; an empty one if there is none.
    ///
    /// # Errors
    /// [`SinkError`] if there is one that cannot be read.
    pub(crate) fn load(folder: &Path) -> Result<Self, SinkError> {
        let path = folder.join(NAME);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => {
                return Err(SinkError::File {
                    what: "read",
                    path,
                    source,
                });
            }
        };
        let snapshot: Self = serde_json::from_slice(&text).map_err(|source| SinkError::Positions {
            path: path.clone(),
            source,
        })?;
        if snapshot.version != VERSION {
            let source = serde::de::Error::custom(format_args!("version {} instead of {VERSION}", snapshot.version));
            return Err(SinkError::Positions { path, source });
        }
        Ok(snapshot)
    }

    /// Replaces the snapshot in `folder`.
    pub(crate) fn store(
        folder: &Folder,
        file: u64,
        offset: u64,
        positions: &Positions,
        fsync: Fsync,
    ) -> Result<(), SinkError> {
        #[derive(Serialize)]
        struct Borrowed<'a> {
            version: u32,
            file: u64,
            offset: u64,
            positions: &'a Positions,
        }
        let path = folder.path().join(NAME);
        let new = folder.path().join(format!("{NAME}.new"));
        let failed = |what, path: &PathBuf| {
            let path = path.clone();
            move |source| SinkError::File { what, path, source }
        };
        let text = serde_json::to_vec(&Borrowed {
            version: VERSION,
            file,
            offset,
            positions,
        })
        .map_err(|source| SinkError::Positions {
            path: path.clone(),
            source,
        })?;
        let mut out = File::create(&new).map_err(failed("create", &new))?;
        out.write_all(&text).map_err(failed("write", &new))?;
        if fsync != Fsync::Never {
            out.sync_data().map_err(failed("sync", &new))?;
        }
        drop(out);
        fs::rename(&new, &path).map_err(failed("replace", &path))?;
        folder.sync(fsync)
    }
}
