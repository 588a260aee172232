//! Tests of writing, keeping, rolling back and committing.

use std::path::Path;

use super::super::recover::{numbers, recover};
use super::*;
use crate::assemble::Line;
use crate::chunk::Chunk;
use crate::chunk::Identity;
use crate::frame::Stream;
use crate::queue::Queue;
use crate::resume::Position;
use crate::test_support::metrics;
use crate::timestamp::Timestamp;

/// Returns a chunk with line `number` of container "a".
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

/// Runs a sink over lines `numbers`, each in a batch of its own.
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

/// Returns the numbers of all lines in the output, in order.
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
async fn every_fsync_policy_writes_each_line_once_and_resumes_behind_the_last() {
    for fsync in [Fsync::Never, Fsync::EverySecond, Fsync::Always] {
        let folder = tempfile::tempdir().unwrap();
        let mut position = Position::default();
        write(folder.path(), fsync, 0, &mut position, 0..20).await;
        assert_eq!(written(folder.path()), (0..20).collect::<Vec<_>>(), "{fsync:?}");
        assert_eq!(recover(folder.path()).unwrap().0["a"], position, "{fsync:?}");
    }
}

#[tokio::test]
async fn only_the_newest_files_are_kept() {
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
async fn a_failed_write_is_repeated_reported_as_unhealthy_and_commits_no_position() {
    const HEALTH: &str = r#"log_capturer_component_health{component_type="sink",component_name="file"}"#;
    let folder = tempfile::tempdir().unwrap();
    let metrics = metrics();
    let (mut sink, _) = FileSink::open(folder.path().into(), 1_000_000, 0, Fsync::Never, Arc::clone(&metrics)).unwrap();
    // A full disk.
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

    // The disk has space again: the same lines are written once.
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
fn an_incomplete_batch_is_rolled_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sink, _) = FileSink::open(folder.path().into(), 1_000_000, 0, Fsync::Never, metrics()).unwrap();
    sink.write(b"whole\n").unwrap();
    // Half of the next batch was written when the disk became full.
    let mut half = OpenOptions::new().append(true).open(sink.path()).unwrap();
    half.write_all(b"ha").unwrap();
    sink.file = OpenOptions::new().write(true).open(sink.path()).unwrap();
    sink.rollback();
    assert_eq!(fs::read(sink.path()).unwrap(), b"whole\n");
}

#[tokio::test]
async fn a_container_removed_behind_its_last_lines_leaves_no_position() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sink, _) = FileSink::open(folder.path().into(), 1_000_000, 0, Fsync::Never, metrics()).unwrap();
    let (queue, items) = Queue::new(1000, 1_000_000);
    queue.send(line(&mut Position::default(), 1)).await.unwrap();
    assert!(queue.forget("a".to_owned()));
    queue.end().await;
    let sink = tokio::task::spawn_blocking(move || {
        sink.run(items, &CancellationToken::new());
        sink
    })
    .await
    .unwrap();
    assert!(sink.positions.is_empty(), "{:?}", sink.positions);
    assert!(Snapshot::load(folder.path()).unwrap().positions.is_empty());
}
