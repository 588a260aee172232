//! What the Loki sink pushes, again and in which order, against a Loki of the test's own.

use std::net::TcpListener;

use super::*;
use crate::frame::Stream;
use crate::seam::Position;
use crate::testbed::metrics;
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

/// A Loki that answers each request with what `answer` says to its number and body, and hands back the bodies of `count`
/// of them. It does not answer where `answer` says nothing.
fn loki_that(
    count: usize,
    mut answer: impl FnMut(usize, &str) -> &'static str + Send + 'static,
) -> (LokiAddress, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let serving = std::thread::spawn(move || {
        let mut bodies = Vec::new();
        while bodies.len() < count {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let body = loop {
                let mut piece = [0; 1024];
                let read = stream.read(&mut piece).unwrap();
                request.extend_from_slice(&piece[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("Content-Length: "))
                    .unwrap();
                if body.len() == length.parse::<usize>().unwrap() {
                    break body.to_owned();
                }
            };
            let answer = answer(bodies.len(), &body);
            bodies.push(body);
            if answer.is_empty() {
                // Until they give up.
                let _ = stream.read(&mut [0; 1]);
                continue;
            }
            let head = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
        }
        bodies
    });
    (address, serving)
}

/// A Loki that answers each request with the next of `answers`, and hands back the bodies.
fn loki(answers: &'static [&'static str]) -> (LokiAddress, std::thread::JoinHandle<Vec<String>>) {
    loki_that(answers.len(), |number, _| answers[number])
}

const HEALTH: &str = r#"log_capturer_component_health{component_type="sink",component_name="loki"}"#;

/// Runs a sink over `chunks` to its end; what it says of itself, and its positions.
async fn run(address: LokiAddress, folder: &std::path::Path, chunks: Vec<Chunk>) -> (String, Positions) {
    let metrics = metrics();
    let (mut sink, _) = LokiSink::open(address, folder.into(), Arc::clone(&metrics)).unwrap();
    let (queue, items) = crate::queue::Queue::new(100_000, 10_000_000);
    for chunk in chunks {
        queue.send(chunk).await.unwrap();
    }
    queue.end().await;
    tokio::task::spawn_blocking(move || sink.run(items, &CancellationToken::new()))
        .await
        .unwrap();
    (metrics.encode(), Snapshot::load(folder).unwrap().positions)
}

/// The texts of a body's lines.
fn texts(body: &str) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let streams = body["streams"].as_array().unwrap().iter();
    streams
        .flat_map(|stream| stream["values"].as_array().unwrap())
        .map(|value| value[1].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_batch_is_sent_again_until_loki_takes_it_and_only_then_committed() {
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
async fn only_the_lines_that_loki_refuses_are_left_out_and_they_do_not_count_as_delivered() {
    let folder = tempfile::tempdir().unwrap();
    // As Loki does: what can be taken of a push is taken, and the whole answered with 400.
    let (address, serving) = loki_that(5, |_, body| {
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
async fn a_batch_of_which_all_is_refused_is_not_pushed_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..4_000).map(|number| number.to_string()).collect();
    let lines: Vec<_> = texts
        .iter()
        .zip(0..)
        .map(|(text, time)| (Stream::Stdout, time, text.as_str()))
        .collect();
    let requests = 2 * SPLITS as usize + 1;
    let (address, serving) = loki_that(requests, |_, _| "400 Bad Request");
    let (metrics, _) = run(address, folder.path(), vec![chunk("web", &lines)]).await;
    serving.join().unwrap();
    assert!(
        metrics.contains("log_capturer_sink_refused_lines_total 4000"),
        "{metrics}"
    );
    assert!(metrics.contains("log_capturer_lines_total 0"), "{metrics}");
}

#[tokio::test]
async fn a_wrong_password_or_path_loses_nothing_and_shows_as_bad_health() {
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
    let (address, serving) = loki_that(5, move |number, _| {
        let text = watched.encode();
        let health = text
            .lines()
            .find_map(|line| line.strip_prefix(HEALTH))
            .map(str::to_owned);
        noted.lock().unwrap().push(health);
        answers.get(number).copied().unwrap_or("204 No Content")
    });
    let (mut sink, _) = LokiSink::open(address, folder.path().into(), Arc::clone(&metrics)).unwrap();
    let (queue, items) = crate::queue::Queue::new(100, 10_000);
    queue.send(chunk("web", &[(Stream::Stdout, 1, "line")])).await.unwrap();
    queue.end().await;
    tokio::task::spawn_blocking(move || sink.run(items, &CancellationToken::new()))
        .await
        .unwrap();
    assert!(serving.join().unwrap().iter().all(|body| texts(body) == ["line"]));
    let bad = Some(" 0".to_owned());
    assert_eq!(seen.lock().unwrap()[1..], [bad.clone(), bad.clone(), bad.clone(), bad]);
    let text = metrics.encode();
    assert!(text.contains(&format!("{HEALTH} 1")), "{text}");
    assert!(text.contains("log_capturer_lines_total 1"), "{text}");
    assert!(text.contains("log_capturer_sink_refused_lines_total 0"), "{text}");
}

#[tokio::test]
async fn lines_of_many_reads_are_pushed_together_and_in_order_across_batches() {
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
async fn a_quiet_load_is_not_a_push_for_each_of_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let pushes = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&pushes);
    let (address, _) = loki_that(usize::MAX, move |_, _| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        "204 No Content"
    });
    let metrics = metrics();
    let (mut sink, _) = LokiSink::open(address, folder.path().into(), Arc::clone(&metrics)).unwrap();
    let (queue, items) = crate::queue::Queue::new(100, 10_000);
    let working = tokio::task::spawn_blocking(move || sink.run(items, &CancellationToken::new()));
    for number in 0..40 {
        queue
            .send(chunk("web", &[(Stream::Stdout, number, "line")]))
            .await
            .unwrap();
        tokio::time::sleep(LINGER / 10).await;
    }
    queue.end().await;
    working.await.unwrap();
    let pushes = pushes.load(std::sync::atomic::Ordering::Relaxed);
    assert!(pushes <= 20, "{pushes} pushes for 40 lines");
    assert!(metrics.encode().contains("log_capturer_lines_total 40"));
}

#[tokio::test]
async fn a_loki_that_stalls_is_given_up_at_the_deadline_and_what_a_kill_repeats_is_that_one_batch() {
    let folder = tempfile::tempdir().unwrap();
    let (address, serving) = loki(&["204 No Content", ""]);
    let abandon = CancellationToken::new();
    let (mut sink, _) = LokiSink::open(address.clone(), folder.path().into(), metrics()).unwrap();
    let (queue, items) = crate::queue::Queue::new(100, 10_000_000);
    let mut position = Position::default();
    let mut next = |time| {
        let mut chunk = chunk("web", &[(Stream::Stdout, time, "line")]);
        position.record(Stream::Stdout, Timestamp::from_nanos(time), 1, true);
        chunk.after = position;
        chunk
    };
    let ended = abandon.clone();
    let working = tokio::task::spawn_blocking(move || sink.run(items, &ended));
    queue.send(next(1)).await.unwrap();
    let stored = || Snapshot::load(folder.path()).is_ok_and(|stored| !stored.positions.is_empty());
    while !stored() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Loki has this one, and the daemon is ended before it knows.
    queue.send(next(2)).await.unwrap();
    abandon.cancel();
    let began = Instant::now();
    working.await.unwrap();
    assert!(began.elapsed() < DEADLINE * 2, "{:?}", began.elapsed());
    assert_eq!(serving.join().unwrap().len(), 2);
    let (_, resume) = LokiSink::open(address, folder.path().into(), metrics()).unwrap();
    assert_eq!(
        resume["id-web"].newest(),
        Timestamp::from_nanos(1),
        "behind the first batch"
    );
}

#[test]
fn addresses_are_read_as_people_write_them() {
    let parse = |text: &str| {
        text.parse::<LokiAddress>()
            .map(|address| (address.authority, address.path))
    };
    assert_eq!(
        parse("http://loki:3100"),
        Ok(("loki:3100".into(), "/loki/api/v1/push".into()))
    );
    assert_eq!(parse("http://loki/push"), Ok(("loki:80".into(), "/push".into())));
    assert!(parse("https://loki").is_err());
}
