//! Recovery of the file sink's positions from its output.
//!
//! The output is its own journal. The position file holds the positions at a byte of the output. Each complete record behind
//! that byte advances its container's position by one line. A record that a kill cut is removed, because its line was not
//! delivered. A killed daemon therefore resumes behind its last complete record: no line is lost or repeated.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::SinkError;
use super::positions::{Positions, Snapshot};
use crate::ndjson::Record;
use crate::timestamp::Timestamp;

const PREFIX: &str = "capture-";
const SUFFIX: &str = ".ndjson";

/// Returns the path of output file `number`.
pub(crate) fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{PREFIX}{number:08}{SUFFIX}"))
}

/// Returns the numbers of the output files in `folder`, ascending.
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

/// Returns the positions behind the output in `folder`, and the numbers of its files.
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

/// Advances `positions` by the records of `path` from byte `start`, and removes an incomplete record at its end.
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
        tracing::error!(path = %path.display(), missing = start - length, "output is shorter than the offset in the position file");
    }
    file.seek(SeekFrom::Start(start.min(length))).map_err(failed("read"))?;
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let (mut whole, mut record) = (start.min(length), Vec::new());
    loop {
        record.clear();
        let read = reader.read_until(b'\n', &mut record).map_err(failed("read"))?;
        if read == 0 || record.last() != Some(&b'\n') {
            break;
        }
        whole += read as u64;
        // Lines that are not records do not affect positions.
        let Ok(read) = serde_json::from_slice::<Record<'_>>(&record) else {
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
        tracing::warn!(path = %path.display(), bytes = length - whole, "removed an incomplete record");
        let file = OpenOptions::new().write(true).open(path).map_err(failed("open"))?;
        file.set_len(whole).map_err(failed("shorten"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{config::Fsync, file::FileSink};
    use super::*;
    use crate::assemble::Line;
    use crate::chunk::{Chunk, Identity};
    use crate::frame::Stream;
    use crate::queue::Queue;
    use crate::resume::Position;
    use crate::test_support::metrics;
    use std::sync::Arc;
    use tokio_util::sync::CancellationToken;

    /// Writes `count` lines of container "a" from number `first` on, and returns the position behind them.
    async fn write(folder: &Path, mut position: Position, first: i64, count: i64) -> Position {
        let metrics = metrics();
        let (mut sink, _) = FileSink::open(folder.into(), 500, 0, Fsync::Never, metrics).unwrap();
        let (queue, items) = Queue::new(1000, 1_000_000);
        let identity = Arc::new(Identity::new("a".into(), "name".into()));
        for number in first..first + count {
            let time = Timestamp::from_nanos(number * 3_000_000_000);
            position.record(Stream::Stdout, time, 1, true);
            let mut chunk = Chunk::new(Arc::clone(&identity), position);
            let text = format!("line {number}");
            let line = Line {
                stream: Stream::Stdout,
                time,
                text: text.as_bytes(),
                partial: false,
                pieces: 1,
            };
            chunk.push(&line);
            queue.send(chunk).await.unwrap();
        }
        queue.end().await;
        tokio::task::spawn_blocking(move || sink.run(items, &CancellationToken::new()))
            .await
            .unwrap();
        position
    }

    #[tokio::test]
    async fn the_next_run_resumes_behind_the_output_with_or_without_a_position_file() {
        let folder = tempfile::tempdir().unwrap();
        let position = write(folder.path(), Position::default(), 1, 10).await;
        let position = write(folder.path(), position, 11, 10).await;
        let (positions, numbers) = recover(folder.path()).unwrap();
        assert_eq!(positions["a"], position);
        assert!(numbers.len() > 1, "500 bytes a file make several: {numbers:?}");

        fs::remove_file(folder.path().join("capture.positions.json")).unwrap();
        let (positions, _) = recover(folder.path()).unwrap();
        assert_eq!(positions["a"].newest(), position.newest());
    }

    #[tokio::test]
    async fn records_behind_the_position_file_are_replayed_and_an_incomplete_one_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let position = write(folder.path(), Position::default(), 1, 5).await;
        let stale = fs::read(folder.path().join("capture.positions.json")).unwrap();
        let newer = write(folder.path(), position, 6, 5).await;
        fs::write(folder.path().join("capture.positions.json"), stale).unwrap();
        let last = path_of(folder.path(), *numbers(folder.path()).unwrap().last().unwrap());
        let whole = fs::read(&last).unwrap();
        fs::write(&last, [&whole[..], b"{\"ts\":\"2026-11-22T20:"].concat()).unwrap();

        let (positions, _) = recover(folder.path()).unwrap();
        assert_eq!(positions["a"].newest(), newer.newest());
        assert_eq!(fs::read(&last).unwrap(), whole);
    }

    #[test]
    fn a_broken_position_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("capture.positions.json"), "{").unwrap();
        let error = recover(folder.path()).unwrap_err().to_string();
        assert!(error.contains("capture.positions.json"), "{error}");
    }
}
