//! What the file sink writes, keeps and takes back.

use std::path::Path;

use super::super::recover::{numbers, recover};
use super::*;
use crate::assemble::Line;
use crate::chunk::Identity;
use crate::frame::Stream;
use crate::queue::Queue;
use crate::seam::Position;
use crate::testbed::metrics;
use crate::timestamp::Timestamp;

/// One line of container "a", number `number`.
fn line(position: &mut Position, number: i64) -> Chunk {
    let time = Timestamp::from_nanos(number * 1_000_000);
    position.record(Stream::Stdout, time, 1, true);
    let identity = Arc::new(Identity::new("a".into(), "name".into()));
    let mut chunk = Chunk::new(identity, *position);
    let text = format!("line {number}");
    chunk.push(&Line {
        stream: Stream::Stdout,
        time,
        text: text.as_bytes(),
        partial: false,
        pieces: 1,
    });
    chunk
}

/// Runs a sink over lines `from..to`, each in a batch of its own.
async fn write(folder: &Path, fsync: Fsync, keep_files: u32, position: &mut Position, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let (mut sink, _) = FileSink::open(folder.into(), 300, keep_files, fsync, metrics()).unwrap();
        let (queue, items) = Queue::new(1000, 1_000_000);
        queue.send(line(position, number)).await.unwrap();
        queue.end().await;
        tokio::task::spawn_blocking(move || sink.run(items, &CancellationToken::new()))
            .await
            .unwrap();
    }
}

/// The numbers of all lines in the folder's files, in order.
fn written(folder: &Path) -> Vec<i64> {
    let mut seen = Vec::new();
    for number in numbers(folder).unwrap() {
        for record in fs::read_to_string(path_of(folder, number)).unwrap().lines() {
            let record: serde_json::Value = serde_json::from_str(record).unwrap();
            seen.push(record["line"].as_str().unwrap()["line ".len()..].parse().unwrap());
        }
    }
    seen
}

#[tokio::test]
async fn every_policy_writes_every_line_once_and_resumes_behind_the_last() {
    for fsync in [Fsync::Never, Fsync::EverySecond, Fsync::Always] {
        let folder = tempfile::tempdir().unwrap();
        let mut position = Position::default();
        write(folder.path(), fsync, 0, &mut position, 0..20).await;
        assert_eq!(written(folder.path()), (0..20).collect::<Vec<_>>(), "{fsync:?}");
        assert_eq!(recover(folder.path()).unwrap().0["a"], position, "{fsync:?}");
    }
}

#[tokio::test]
async fn no_more_files_are_kept_than_asked_for_and_the_newest_lines_are_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut position = Position::default();
    write(folder.path(), Fsync::Never, 3, &mut position, 0..40).await;
    let kept = numbers(folder.path()).unwrap();
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert!(kept[0] > 1, "{kept:?}");
    let seen = written(folder.path());
    assert_eq!(seen, (40 - seen.len() as i64..40).collect::<Vec<_>>());
    assert_eq!(recover(folder.path()).unwrap().0["a"], position);
}

#[tokio::test]
async fn a_write_that_fails_is_tried_again_shows_as_bad_health_and_moves_no_position() {
    const HEALTH: &str = r#"log_capturer_component_health{component_type="sink",component_name="file"}"#;
    let folder = tempfile::tempdir().unwrap();
    let metrics = metrics();
    let (mut sink, _) = FileSink::open(folder.path().into(), 1_000_000, 0, Fsync::Never, Arc::clone(&metrics)).unwrap();
    // A disk that has no room.
    let good = std::mem::replace(
        &mut sink.file,
        OpenOptions::new().write(true).open("/dev/full").unwrap(),
    );
    let mut position = Position::default();
    let (queue, items) = Queue::new(1000, 1_000_000);
    queue.send(line(&mut position, 1)).await.unwrap();
    queue.end().await;
    let abandon = CancellationToken::new();
    abandon.cancel();
    let mut sink = tokio::task::spawn_blocking(move || {
        sink.run(items, &abandon);
        sink
    })
    .await
    .unwrap();
    let text = metrics.encode();
    assert!(text.contains(&format!("{HEALTH} 0")), "{text}");
    assert!(text.contains("log_capturer_lines_total 0"), "{text}");
    assert!(sink.positions.is_empty() && written(folder.path()).is_empty());

    // There is room again: the same lines are written, once.
    sink.file = good;
    let (queue, items) = Queue::new(1000, 1_000_000);
    queue.send(line(&mut Position::default(), 1)).await.unwrap();
    queue.end().await;
    tokio::task::spawn_blocking(move || sink.run(items, &CancellationToken::new()))
        .await
        .unwrap();
    assert_eq!(written(folder.path()), [1]);
    assert!(metrics.encode().contains(&format!("{HEALTH} 1")));
}

#[test]
fn half_a_batch_that_was_written_before_the_disk_was_full_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sink, _) = FileSink::open(folder.path().into(), 1_000_000, 0, Fsync::Never, metrics()).unwrap();
    sink.write(b"whole\n").unwrap();
    // Half of the next one reached the file; then the disk was full.
    let mut half = OpenOptions::new().append(true).open(sink.path()).unwrap();
    half.write_all(b"ha").unwrap();
    sink.file = OpenOptions::new().write(true).open(sink.path()).unwrap();
    sink.take_back();
    assert_eq!(fs::read(sink.path()).unwrap(), b"whole\n");
}
