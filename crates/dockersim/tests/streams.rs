//! Log streams of the simulated engine over its socket: whole, resumable, and gone with their clients.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use leakcheck_dockersim::{ServeError, Server, Settings};
use leakcheck_model::stamp;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longer than anything here takes; a test that needs it has failed.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

struct Scene {
    folder: TempDir,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Scene {
    fn new(containers: u32, lines_per_second: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut settings = Settings::new(folder.path().join("engine.sock"));
        settings.containers = containers;
        settings.lines_per_second = lines_per_second.parse().expect("a rate");
        let server = Server::bind(&settings).expect("an engine");
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(server.run(shutdown.clone()));
        tasks.close();
        Self {
            folder,
            shutdown,
            tasks,
        }
    }

    async fn open(&self, method: &str, path: &str) -> UnixStream {
        let mut stream = UnixStream::connect(self.folder.path().join("engine.sock"))
            .await
            .expect("it listens");
        let request = format!("{method} {path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        stream
    }

    async fn ask(&self, method: &str, path: &str) -> String {
        let mut bytes = Vec::new();
        let mut stream = self.open(method, path).await;
        timeout(TEST_TIMEOUT, stream.read_to_end(&mut bytes))
            .await
            .expect("an end")
            .expect("no error");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Connections that the engine counts, this one included.
    async fn connections(&self) -> u64 {
        let info = self.ask("GET", "/info").await;
        let body = info.split("\r\n\r\n").nth(1).expect("a body");
        let info: serde_json::Value = serde_json::from_str(body).expect("JSON");
        info["NFd"].as_u64().expect("a number") - 1
    }

    async fn end(self) -> TempDir {
        self.shutdown.cancel();
        timeout(TEST_TIMEOUT, self.tasks.wait())
            .await
            .expect("every connection ends");
        self.folder
    }
}

/// Reads until that many lines are whole; gives them as they came, with their times.
async fn lines(stream: &mut UnixStream, count: usize) -> Vec<(String, u64)> {
    let (mut seen, mut buffer) = (Vec::new(), vec![0; 8192]);
    loop {
        let read = timeout(TEST_TIMEOUT, stream.read(&mut buffer))
            .await
            .expect("in time")
            .expect("no error");
        assert_ne!(read, 0, "it ended");
        seen.extend_from_slice(&buffer[..read]);
        let found = stamped(&seen);
        if found.len() >= count {
            return found;
        }
    }
}

/// The times and numbers of the whole lines in a piece of a log.
fn stamped(bytes: &[u8]) -> Vec<(String, u64)> {
    let of_line = |line: &str| {
        let at = line.find(" lc1 ")?;
        let (stamp, _) = stamp::read(&line.as_bytes()[at + 1..]).ok()?;
        Some((line[at - 30..at].to_owned(), stamp.sequence))
    };
    String::from_utf8_lossy(bytes).lines().filter_map(of_line).collect()
}

fn logs(query: &str) -> String {
    format!("/v1.41/containers/noise-00001/logs?stdout=1&stderr=1&timestamps=1&{query}")
}

#[tokio::test]
async fn a_follower_that_comes_back_by_time_loses_and_repeats_nothing() {
    let scene = Scene::new(1, "400").await_lines().await;
    let mut got: Vec<u64> = Vec::new();
    let mut since = "0".to_owned();
    let mut last = String::new();
    while got.len() < 200 {
        let mut stream = scene.open("GET", &logs(&format!("follow=1&since={since}"))).await;
        let found = lines(&mut stream, 20).await;
        // `since` includes its own nanosecond, so the first is known already.
        let fresh = found.iter().filter(|(time, _)| *time > last);
        got.extend(fresh.map(|(_, sequence)| sequence));
        last.clone_from(&found.last().expect("a line").0);
        let at: jiff::Timestamp = last.parse().expect("a time");
        since = format!("{}.{:09}", at.as_second(), at.subsec_nanosecond());
    }
    let expected: Vec<u64> = (1..=got.len() as u64).collect();
    assert_eq!(got, expected);
    scene.end().await;
}

impl Scene {
    /// Waits for the first lines, so that there is something to come back to.
    async fn await_lines(self) -> Self {
        let mut stream = self.open("GET", &logs("follow=1")).await;
        lines(&mut stream, 5).await;
        self
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_written_at_full_speed_stay_in_order_on_all_threads() {
    let scene = Scene::new(4, "max");
    for number in 1..=4 {
        let path = logs("follow=1").replace("noise-00001", &format!("noise-{number:05}"));
        // More than two wakeups of 3000 lines of 120 bytes.
        let (mut stream, mut seen) = (scene.open("GET", &path).await, vec![0; 1 << 20]);
        let read = timeout(TEST_TIMEOUT, stream.read_exact(&mut seen))
            .await
            .expect("in time");
        read.expect("so much is written");
        let found = stamped(&seen);
        assert!(found.len() > 6000, "noise-{number:05}: {} lines", found.len());
        for pair in found.windows(2) {
            assert!(
                pair[0].0 < pair[1].0 && pair[0].1 + 1 == pair[1].1,
                "noise-{number:05}: {pair:?}"
            );
        }
    }
    scene.end().await;
}

#[tokio::test]
async fn followers_are_gone_with_their_clients() {
    let scene = Scene::new(1, "0");
    let mut followers = Vec::new();
    for _ in 0..200 {
        followers.push(scene.open("GET", &logs("follow=1")).await);
    }
    let until = async |holds: fn(u64) -> bool| while !holds(scene.connections().await) {};
    timeout(TEST_TIMEOUT, until(|count| count >= 201))
        .await
        .expect("all are counted");
    drop(followers);
    timeout(TEST_TIMEOUT, until(|count| count <= 1))
        .await
        .expect("all are gone");
    scene.end().await;
}

#[tokio::test]
async fn the_end_of_the_engine_ends_every_stream_and_removes_the_socket() {
    let scene = Scene::new(3, "10");
    let mut log = scene.open("GET", &logs("follow=1")).await;
    let mut events = scene.open("GET", "/events").await;
    lines(&mut log, 1).await;
    let folder = scene.end().await;
    for stream in [&mut log, &mut events] {
        let mut rest = Vec::new();
        // Cut like by an engine that is killed.
        let _ = timeout(TEST_TIMEOUT, stream.read_to_end(&mut rest))
            .await
            .expect("an end");
    }
    assert!(!folder.path().join("engine.sock").exists());
}

#[tokio::test]
async fn a_restarted_container_logs_both_of_its_ends() {
    let scene = Scene::new(1, "100").await_lines().await;
    let stopped = scene.ask("POST", "/containers/noise-00001/restart").await;
    assert!(stopped.starts_with("HTTP/1.1 204"), "{stopped}");
    let stopped = scene.ask("POST", "/containers/noise-00001/stop").await;
    assert!(stopped.starts_with("HTTP/1.1 204"), "{stopped}");
    let all = scene.ask("GET", &logs("")).await;
    assert_eq!(all.matches(" end:").count(), 2);
    let times: BTreeSet<&str> = all
        .lines()
        .filter_map(|line| line.find(" lc1 ").map(|at| &line[at - 30..at]))
        .collect();
    assert_eq!(
        times.len(),
        all.matches(" lc1 ").count(),
        "every line has a time of its own"
    );
    scene.end().await;
}

#[tokio::test]
async fn what_is_missing_is_named_and_nonsense_is_refused() {
    let scene = Scene::new(0, "0");
    let missing = scene.ask("POST", "/containers/x/exec").await;
    assert!(
        missing.starts_with("HTTP/1.1 501") && missing.contains("POST /containers/{id}/exec"),
        "{missing}"
    );
    let unknown = scene.ask("GET", "/leakcheck").await;
    assert!(unknown.starts_with("HTTP/1.1 404"), "{unknown}");
    let mut stream = UnixStream::connect(scene.folder.path().join("engine.sock"))
        .await
        .expect("it listens");
    stream.write_all(b"\x00\x01 nonsense\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    timeout(TEST_TIMEOUT, stream.read_to_string(&mut answer))
        .await
        .expect("an end")
        .expect("text");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    scene.end().await;
}

#[tokio::test]
async fn a_socket_that_is_in_use_or_no_socket_is_left_alone() {
    let scene = Scene::new(0, "0");
    let taken = Server::bind(&Settings::new(scene.folder.path().join("engine.sock")));
    assert!(matches!(taken.err(), Some(ServeError::InUse(_))));
    let file: &Path = &scene.folder.path().join("file");
    std::fs::write(file, "mine").expect("written");
    assert!(matches!(
        Server::bind(&Settings::new(file)).err(),
        Some(ServeError::Listen { .. })
    ));
    assert_eq!(std::fs::read_to_string(file).expect("still there"), "mine");
    let folder = scene.end().await;
    // What a killed engine left behind is replaced.
    let stale = folder.path().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).expect("a socket"));
    assert!(Server::bind(&Settings::new(&stale)).is_ok());
}

/// Starts a container of its own, called `own`.
async fn start_own(scene: &Scene, body: &str) {
    create(scene, "own", body).await;
    let started = scene.ask("POST", "/containers/own/start").await;
    assert!(started.starts_with("HTTP/1.1 204"), "{started}");
}

/// Creates a container, and says what the engine answered.
async fn create(scene: &Scene, name: &str, body: &str) -> String {
    scene.ask("POST", "/images/create?fromImage=any").await;
    let mut stream = UnixStream::connect(scene.folder.path().join("engine.sock"))
        .await
        .expect("it listens");
    let create = format!(
        "POST /containers/create?name={name} HTTP/1.1\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(create.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test]
async fn who_creates_a_container_whose_program_does_not_run_is_warned() {
    let scene = Scene::new(0, "0");
    for (name, command, warns) in [
        ("ls", r#"["ls", "/"]"#, true),
        ("echo", r#"["echo", "hi"]"#, false),
        ("noise", r#"["/leakcheck", "noise", "--lines-per-second", "0"]"#, false),
    ] {
        let answer = create(&scene, name, &format!(r#"{{"Image":"any","Cmd":{command}}}"#)).await;
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        assert_eq!(
            answer.contains("runs no programs: `ls` prints nothing"),
            warns,
            "{answer}"
        );
    }
    scene.end().await;
}

#[tokio::test]
async fn a_signal_to_a_paused_container_acts_when_it_goes_on() {
    let scene = Scene::new(0, "1");
    // With a stop signal of its own another one does not make it go on.
    start_own(
        &scene,
        r#"{"Image":"any","Cmd":["noise","--emitter","own"],"StopSignal":"SIGTERM"}"#,
    )
    .await;
    scene.ask("POST", "/containers/own/pause").await;
    let killed = scene.ask("POST", "/containers/own/kill?signal=INT").await;
    assert!(killed.starts_with("HTTP/1.1 204"), "{killed}");
    let inspected = scene.ask("GET", "/containers/own/json").await;
    assert!(inspected.contains("\"Paused\":true"), "{inspected}");
    scene.ask("POST", "/containers/own/unpause").await;
    let waited = timeout(TEST_TIMEOUT, scene.ask("POST", "/containers/own/wait")).await;
    let waited = waited.expect("it ends");
    assert!(
        waited.contains("\"StatusCode\":0"),
        "the noise ends on SIGINT: {waited}"
    );
    scene.end().await;
}

#[tokio::test]
async fn a_stop_without_end_lasts_as_long_as_its_client() {
    let scene = Scene::new(0, "1");
    start_own(&scene, r#"{"Image":"any","Cmd":["sleep","infinity"]}"#).await;
    let stopping = scene.open("POST", "/containers/own/stop?t=-1").await;
    let until = async |holds: fn(u64) -> bool| while !holds(scene.connections().await) {};
    timeout(TEST_TIMEOUT, until(|count| count >= 2))
        .await
        .expect("it waits");
    drop(stopping);
    timeout(TEST_TIMEOUT, until(|count| count <= 1))
        .await
        .expect("it is over");
    let inspected = scene.ask("GET", "/containers/own/json").await;
    assert!(inspected.contains("\"Running\":true"), "not killed: {inspected}");
    scene.end().await;
}
