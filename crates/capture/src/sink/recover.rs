//! Recovery: what an earlier run delivered, read from its output.
//!
//! The output is its own journal. The position file says where delivery stood at a certain byte; every whole record behind
//! that byte moves its container's position on by one line; a record that was cut by a kill is removed, since its line was
//! not delivered. So a killed daemon resumes behind its last whole record: nothing is lost and nothing is repeated.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::positions::Snapshot;
use super::{Positions, SinkError};
use crate::ndjson::Read;
use crate::timestamp::Timestamp;

const PREFIX: &str = "capture-";
const SUFFIX: &str = ".ndjson";

/// The path of output file `number`.
pub(crate) fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{PREFIX}{number:08}{SUFFIX}"))
}

/// The numbers of the output files in `folder`, ascending.
///
/// # Errors
/// [`SinkError`] if the folder cannot be read.
pub(crate) fn numbers(folder: &Path) -> Result<Vec<u64>, SinkError> {
    let failed = |source| SinkError::File {
        what: "list",
        path: folder.to_owned(),
        source,
    };
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let digits = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        numbers.extend(digits.and_then(|digits| digits.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// What was delivered into `folder` so far, and the numbers of its files.
///
/// # Errors
/// [`SinkError`] if a file cannot be read or repaired.
pub(crate) fn recover(folder: &Path) -> Result<(Positions, Vec<u64>), SinkError> {
    let Snapshot {
        file,
        offset,
        mut positions,
        ..
    } = Snapshot::load(folder)?;
    let numbers = numbers(folder)?;
    for number in numbers.iter().copied().filter(|number| *number >= file) {
        let start = if number == file { offset } else { 0 };
        replay(&path_of(folder, number), start, &mut positions)?;
    }
    Ok((positions, numbers))
}

/// Moves `positions` on by the records of `path` from byte `start`, and removes a cut record at its end.
fn replay(path: &Path, start: u64, positions: &mut Positions) -> Result<(), SinkError> {
    let failed = |what| {
        move |source| SinkError::File {
            what,
            path: path.to_owned(),
            source,
        }
    };
    let mut file = File::open(path).map_err(failed("open"))?;
    let length = file.metadata().map_err(failed("measure"))?.len();
    if start > length {
        tracing::error!(path = %path.display(), missing = start - length, "output is shorter than its positions say");
    }
    file.seek(SeekFrom::Start(start.min(length)))
        .map_err(failed("read"))?;
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let (mut whole, mut record) = (start.min(length), Vec::new());
    loop {
        record.clear();
        let read = reader
            .read_until(b'\n', &mut record)
            .map_err(failed("read"))?;
        if read == 0 || record.last() != Some(&b'\n') {
            break;
        }
        whole += read as u64;
        // A line that is no record of ours was put there by someone else: it tells nothing about positions.
        let Ok(read) = serde_json::from_slice::<Read<'_>>(&record) else {
            continue;
        };
        let Some(time) = Timestamp::parse_rfc3339(read.ts.as_bytes()) else {
            continue;
        };
        match positions.get_mut(read.container_id) {
            Some(position) => position.replay(read.stream, time, read.pieces),
            None => {
                let position = positions.entry(read.container_id.to_owned()).or_default();
                position.replay(read.stream, time, read.pieces);
            }
        }
    }
    if whole < length {
        tracing::warn!(path = %path.display(), bytes = length - whole, "removed a record that was cut");
        let file = OpenOptions::new()
            .write(true)
            .open(path)
            .map_err(failed("open"))?;
        file.set_len(whole).map_err(failed("shorten"))?;
    }
    Ok(())
}
