//! Tests of the Loki sink against a scripted server.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Instant;

use leakcheck_http1::{Framing, RequestHead};

use super::super::config::Fsync;
use super::super::positions::Snapshot;
use super::*;
use crate::chunk::Chunk;
use crate::frame::Stream;
use crate::test_support::metrics;
use crate::timestamp::Timestamp;

fn chunk(name: &str, lines: &[(Stream, i64, &str)]) -> Chunk {
    let identity = Arc::new(Identity::new(format!("id-{name}"), name.to_owned()));
    let mut chunk = Chunk::new(identity, Position::default());
    for (stream, time, text) in lines {
        let time = Timestamp::from_nanos(*time);
        chunk.push(&Line {
            stream: *stream,
            time,
            text: text.as_bytes(),
            partial: false,
            pieces: 1,
        });
    }
    chunk
}

/// The timeout of a push in tests whose server answers.
const TIMEOUT: Duration = Duration::from_secs(10);
const SHORT_TIMEOUT: Duration = Duration::from_millis(500);

/// Starts a server that answers `count` requests with the status line that `answer` returns for their number and body, and
/// returns the bodies. It does not answer at all if `answer` returns an empty string.
fn serve_loki(
    count: usize,
    mut answer: impl FnMut(usize, &str) -> &'static str + Send + 'static,
) -> (LokiAddress, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let serving = std::thread::spawn(move || {
        let mut bodies = Vec::new();
        'connections: while bodies.len() < count {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let body = loop {
                let mut piece = [0; 1024];
                let read = stream.read(&mut piece).unwrap();
                if read == 0 {
                    continue 'connections;
                }
                request.extend_from_slice(&piece[..read]);
                let Some((head, length)) = RequestHead::parse(&request).unwrap() else {
                    continue;
                };
                if head.framing == Framing::Length((request.len() - length) as u64) {
                    break String::from_utf8(request.split_off(length)).unwrap();
                }
            };
            let answer = answer(bodies.len(), &body);
            bodies.push(body);
            if answer.is_empty() {
                // Ends when the client closes the connection.
                let _ = stream.read(&mut [0; 1]);
                continue;
            }
            let close = if answer.contains("unannounced") {
                ""
            } else {
                "Connection: close\r\n"
            };
            let head = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n{close}\r\n");
            stream.write_all(head.as_bytes()).unwrap();
        }
        bodies
    });
    (address, serving)
}

/// Starts a server that answers each request with the next of `answers`, and returns the bodies.
fn loki(answers: &'static [&'static str]) -> (LokiAddress, std::thread::JoinHandle<Vec<String>>) {
    serve_loki(answers.len(), |number, _| answers[number])
}

const HEALTH: &str = r#"log_capturer_component_health{component_type="sink",component_name="loki"}"#;

/// Runs a sink over `chunks` to its end; returns its metrics and its stored positions.
async fn run(address: LokiAddress, folder: &std::path::Path, chunks: Vec<Chunk>) -> (String, Positions) {
    let metrics = metrics();
    let (mut sink, _) = open(address, folder, &metrics);
    let (queue, items) = crate::queue::Queue::new(100_000, 10_000_000);
    for chunk in chunks {
        queue.send(chunk).await.unwrap();
    }
    queue.end().await;
    sink.run(items, &CancellationToken::new()).await;
    (metrics.encode(), sink.positions.positions().clone())
}

fn open(address: LokiAddress, folder: &std::path::Path, metrics: &Arc<Metrics>) -> (LokiSink, Positions) {
    LokiSink::open(address, folder.into(), Arc::clone(metrics), TIMEOUT).unwrap()
}

/// Returns the texts of the lines in a body.
fn texts(body: &str) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let streams = body["streams"].as_array().unwrap().iter();
    streams
        .flat_map(|stream| stream["values"].as_array().unwrap())
        .map(|value| value[1].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_batch_is_repeated_until_loki_accepts_it_and_only_then_committed() {
    let folder = tempfile::tempdir().unwrap();
    let (address, serving) = loki(&["500 Internal Server Error", "429 Too Many Requests", "204 No Content"]);
    let lines = [
        (Stream::Stdout, 2, "two"),
        (Stream::Stderr, 1, "one"),
        (Stream::Stdout, 3, "th\"ree"),
    ];
    let (metrics, positions) = run(address, folder.path(), vec![chunk("web", &lines)]).await;
    let bodies = serving.join().unwrap();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(
        bodies[0],
        r#"{"streams":[{"stream":{"container_id":"id-web","container_name":"web","stream":"stdout"},"values":[["2","two"],["3","th\"ree"]]},{"stream":{"container_id":"id-web","container_name":"web","stream":"stderr"},"values":[["1","one"]]}]}"#
    );
    assert!(metrics.contains("log_capturer_lines_total 3"));
    assert!(positions.contains_key("id-web"));
}

#[tokio::test]
async fn only_rejected_lines_are_left_out_and_they_do_not_count_as_delivered() {
    let folder = tempfile::tempdir().unwrap();
    // Loki accepts the valid lines of such a push and answers with 400.
    let (address, serving) = serve_loki(5, |_, body| {
        if body.contains("too old") {
            "400 Bad Request"
        } else {
            "204 No Content"
        }
    });
    let lines = [
        (Stream::Stdout, 1, "a"),
        (Stream::Stdout, 2, "b"),
        (Stream::Stdout, 3, "too old"),
        (Stream::Stdout, 4, "c"),
    ];
    let (metrics, positions) = run(address, folder.path(), vec![chunk("web", &lines)]).await;
    let bodies: Vec<_> = serving.join().unwrap().iter().map(|body| texts(body)).collect();
    assert_eq!(
        bodies,
        [
            &["a", "b", "too old", "c"][..],
            &["a", "b"],
            &["too old", "c"],
            &["too old"],
            &["c"]
        ]
    );
    assert!(metrics.contains("log_capturer_sink_refused_lines_total 1"), "{metrics}");
    assert!(metrics.contains("log_capturer_lines_total 3"), "{metrics}");
    assert!(positions.contains_key("id-web"));
}

#[tokio::test]
async fn a_batch_that_is_rejected_as_a_whole_is_not_pushed_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..4_000).map(|number| number.to_string()).collect();
    let lines: Vec<_> = texts
        .iter()
        .zip(0..)
        .map(|(text, time)| (Stream::Stdout, time, text.as_str()))
        .collect();
    let requests = 2 * SPLITS_MAX as usize + 1;
    let (address, serving) = serve_loki(requests, |_, _| "400 Bad Request");
    let (metrics, _) = run(address, folder.path(), vec![chunk("web", &lines)]).await;
    serving.join().unwrap();
    assert!(
        metrics.contains("log_capturer_sink_refused_lines_total 4000"),
        "{metrics}"
    );
    assert!(metrics.contains("log_capturer_lines_total 0"), "{metrics}");
}

#[tokio::test]
async fn a_wrong_password_or_path_loses_nothing_and_is_reported_as_unhealthy() {
    let folder = tempfile::tempdir().unwrap();
    let answers = [
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "408 Request Timeout",
    ];
    let metrics = metrics();
    let (seen, watched) = (Arc::new(std::sync::Mutex::new(Vec::new())), Arc::clone(&metrics));
    let noted = Arc::clone(&seen);
    let (address, serving) = serve_loki(5, move |number, _| {
        let text = watched.encode();
        let health = text
            .lines()
            .find_map(|line| line.strip_prefix(HEALTH))
            .map(str::to_owned);
        noted.lock().unwrap().push(health);
        answers.get(number).copied().unwrap_or("204 No Content")
    });
    let (mut sink, _) = open(address, folder.path(), &metrics);
    let (queue, items) = crate::queue::Queue::new(100, 10_000);
    queue.send(chunk("web", &[(Stream::Stdout, 1, "line")])).await.unwrap();
    queue.end().await;
    sink.run(items, &CancellationToken::new()).await;
    assert!(serving.join().unwrap().iter().all(|body| texts(body) == ["line"]));
    let bad = Some(" 0".to_owned());
    assert_eq!(seen.lock().unwrap()[1..], [bad.clone(), bad.clone(), bad.clone(), bad]);
    let text = metrics.encode();
    assert!(text.contains(&format!("{HEALTH} 1")), "{text}");
    assert!(text.contains("log_capturer_lines_total 1"), "{text}");
    assert!(text.contains("log_capturer_sink_refused_lines_total 0"), "{text}");
}

#[tokio::test]
async fn lines_are_pushed_in_order_across_batches() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(BATCH_BYTES / 8);
    let chunks: Vec<Chunk> = (0..20)
        .map(|number| chunk("web", &[(Stream::Stdout, number, &format!("{number} {long}"))]))
        .collect();
    let (address, serving) = loki(&["204 No Content", "204 No Content", "204 No Content"]);
    let (metrics, _) = run(address, folder.path(), chunks).await;
    let bodies = serving.join().unwrap();
    let numbers: Vec<u32> = bodies
        .iter()
        .flat_map(|body| texts(body))
        .map(|text| text.split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    assert!(metrics.contains("log_capturer_lines_total 20"), "{metrics}");
}

#[tokio::test]
async fn lines_of_a_quiet_load_share_pushes() {
    let folder = tempfile::tempdir().unwrap();
    let pushes = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&pushes);
    let (address, _) = serve_loki(usize::MAX, move |_, _| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        "204 No Content"
    });
    let metrics = metrics();
    let (mut sink, _) = open(address, folder.path(), &metrics);
    let (queue, items) = crate::queue::Queue::new(100, 10_000);
    let mut running = tokio::task::JoinSet::new();
    running.spawn(async move { sink.run(items, &CancellationToken::new()).await });
    for number in 0..40 {
        queue
            .send(chunk("web", &[(Stream::Stdout, number, "line")]))
            .await
            .unwrap();
        tokio::time::sleep(LINGER / 10).await;
    }
    queue.end().await;
    running.join_all().await;
    let pushes = pushes.load(std::sync::atomic::Ordering::Relaxed);
    assert!(pushes <= 20, "{pushes} pushes for 40 lines");
    assert!(metrics.encode().contains("log_capturer_lines_total 40"));
}

#[tokio::test]
async fn a_stalled_push_ends_at_its_timeout_and_only_its_batch_is_repeated_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let (address, serving) = loki(&["204 No Content", ""]);
    let abandon = CancellationToken::new();
    let (mut sink, _) = LokiSink::open(address.clone(), folder.path().into(), metrics(), SHORT_TIMEOUT).unwrap();
    let (queue, items) = crate::queue::Queue::new(100, 10_000_000);
    let mut position = Position::default();
    let mut next = |time| {
        let mut chunk = chunk("web", &[(Stream::Stdout, time, "line")]);
        position.record(Stream::Stdout, Timestamp::from_nanos(time), 1, true);
        chunk.after = position;
        chunk
    };
    let ended = abandon.clone();
    let mut running = tokio::task::JoinSet::new();
    running.spawn(async move { sink.run(items, &ended).await });
    queue.send(next(1)).await.unwrap();
    let stored = || std::fs::metadata(folder.path().join("capture.positions.journal")).is_ok_and(|file| file.len() > 0);
    while !stored() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Loki receives this line, and the daemon ends before the answer.
    queue.send(next(2)).await.unwrap();
    abandon.cancel();
    let start = Instant::now();
    running.join_all().await;
    assert!(start.elapsed() < SHORT_TIMEOUT * 10, "{:?}", start.elapsed());
    // Not on this thread, which closes the connection of the stalled push.
    let bodies = tokio::task::spawn_blocking(|| serving.join().unwrap()).await.unwrap();
    assert_eq!(bodies.len(), 2);
    let (_, resume) = open(address, folder.path(), &metrics());
    assert_eq!(
        resume["id-web"].newest(),
        Timestamp::from_nanos(1),
        "behind the first batch"
    );
}

#[tokio::test]
async fn a_container_removed_behind_its_last_lines_leaves_no_position() {
    let folder = tempfile::tempdir().unwrap();
    let (address, serving) = loki(&["204 No Content"]);
    let (mut sink, _) = open(address, folder.path(), &metrics());
    let (queue, items) = crate::queue::Queue::new(100, 10_000);
    queue.send(chunk("web", &[(Stream::Stdout, 1, "line")])).await.unwrap();
    assert!(queue.forget("id-web".to_owned()));
    queue.end().await;
    sink.run(items, &CancellationToken::new()).await;
    serving.join().unwrap();
    assert!(sink.positions.positions().is_empty(), "{:?}", sink.positions);
}

#[tokio::test]
async fn a_stale_keep_alive_connection_is_not_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = metrics();
    let (health, watched) = (Arc::new(std::sync::Mutex::new(Vec::new())), Arc::clone(&metrics));
    let noted = Arc::clone(&health);
    // It closes behind each answer without announcing that.
    let (address, serving) = serve_loki(2, move |_, _| {
        noted
            .lock()
            .unwrap()
            .push(watched.encode().contains(&format!("{HEALTH} 0")));
        "204 No Content\r\nX-Closing: unannounced"
    });
    let (mut sink, _) = open(address, folder.path(), &metrics);
    let (queue, items) = crate::queue::Queue::new(100, 10_000);
    let mut running = tokio::task::JoinSet::new();
    running.spawn(async move { sink.run(items, &CancellationToken::new()).await });
    for number in [1, 2] {
        queue
            .send(chunk("web", &[(Stream::Stdout, number, "line")]))
            .await
            .unwrap();
        tokio::time::sleep(LINGER * 3).await;
    }
    queue.end().await;
    running.join_all().await;
    serving.join().unwrap();
    assert_eq!(*health.lock().unwrap(), [false, false]);
}

#[tokio::test]
async fn a_batch_does_not_rewrite_the_positions_of_other_containers() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let others: Positions = (0..1000).map(|n| (format!("c{n}"), Position::default())).collect();
    Snapshot::store(
        &Folder::take(folder.path().into()).unwrap(),
        0,
        0,
        &others,
        Fsync::Never,
    )
    .unwrap();
    let snapshot = || {
        std::fs::metadata(folder.path().join("capture.positions.json"))
            .unwrap()
            .ino()
    };
    let before = snapshot();
    let (address, serving) = loki(&["204 No Content"]);
    run(
        address.clone(),
        folder.path(),
        vec![chunk("web", &[(Stream::Stdout, 1, "line")])],
    )
    .await;
    serving.join().unwrap();
    assert_eq!(snapshot(), before, "it was replaced");
    let (_, resume) = open(address, folder.path(), &metrics());
    assert_eq!((resume.len(), resume.contains_key("id-web")), (1001, true));
}
