//! The proxy between a client and the simulated engine, without and with faults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use leakcheck_chaos::{FaultEvent, Plan, Proxy, Starter};
use leakcheck_dockersim::{Server, Settings};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longer than anything here takes; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// An engine with a proxy in front of it.
struct Scene {
    folder: TempDir,
    starter: Starter,
    events: mpsc::Receiver<FaultEvent>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Scene {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::bind(&Settings::new(folder.path().join("engine.sock"))).expect("an engine");
        let plan = Plan::parse(script).expect("a good script");
        let listen = folder.path().join("chaos.sock");
        let proxy = Proxy::bind(&listen, server.socket(), plan).expect("a proxy");
        let (sender, events) = mpsc::channel(16);
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let starter = proxy.starter();
        tasks.spawn(server.run(shutdown.clone()));
        tasks.spawn(proxy.run(Some(sender), shutdown.clone()));
        tasks.close();
        Self {
            folder,
            starter,
            events,
            shutdown,
            tasks,
        }
    }

    fn proxy(&self) -> PathBuf {
        self.folder.path().join("chaos.sock")
    }

    fn engine(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }

    /// A running container of a load group, past the proxy.
    async fn container(&self, name: &str, group: &str, rate: &str) {
        let image = ask(&self.engine(), "POST", "/images/create?fromImage=noise", "").await;
        assert!(image.starts_with("HTTP/1.1 200"), "{image}");
        let body = format!(
            r#"{{"Image":"noise","Entrypoint":["/leakcheck"],"Cmd":["noise","--emitter","{name}","--lines-per-second","{rate}"],
                "Labels":{{"leakcheck.load":"{group}","leakcheck.emitter":"{name}"}}}}"#
        );
        let made = ask(
            &self.engine(),
            "POST",
            &format!("/containers/create?name={name}"),
            &body,
        )
        .await;
        assert!(made.starts_with("HTTP/1.1 201"), "{made}");
        let started = ask(&self.engine(), "POST", &format!("/containers/{name}/start"), "").await;
        assert!(started.starts_with("HTTP/1.1 204"), "{started}");
    }

    /// Waits for a fault to begin or to end.
    async fn next_event(&mut self) -> FaultEvent {
        timeout(PATIENCE, self.events.recv())
            .await
            .expect("in time")
            .expect("an event")
    }

    async fn end(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.tasks.wait()).await.expect("everything ends");
        assert!(
            !self.proxy().exists() && !self.engine().exists(),
            "the sockets are gone"
        );
    }
}

fn request(method: &str, path: &str, body: &str, connection: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: docker\r\nConnection: {connection}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// One request on a connection of its own.
async fn ask(socket: &Path, method: &str, path: &str, body: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.expect("somebody listens");
    stream
        .write_all(request(method, path, body, "close").as_bytes())
        .await
        .expect("sent");
    rest_of(&mut stream).await
}

/// Everything until the end, however it comes.
async fn rest_of(stream: &mut UnixStream) -> String {
    let mut answer = Vec::new();
    // A reset in the middle is an end too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("an end");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Follows a log; returns when the head has come.
async fn follow(socket: &Path, name: &str) -> UnixStream {
    let mut stream = open_log(socket, name).await;
    read_until(&mut stream, "\r\n\r\n").await;
    stream
}

async fn open_log(socket: &Path, name: &str) -> UnixStream {
    let mut stream = UnixStream::connect(socket).await.expect("somebody listens");
    let path = format!("/v1.41/containers/{name}/logs?follow=1&stdout=1&stderr=1");
    stream
        .write_all(request("GET", &path, "", "keep-alive").as_bytes())
        .await
        .expect("sent");
    stream
}

async fn read_until(stream: &mut UnixStream, text: &str) -> String {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains(text) {
        let count = timeout(PATIENCE, stream.read(&mut buffer))
            .await
            .expect("in time")
            .expect("no error");
        assert_ne!(count, 0, "it ended before {text:?}: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

/// Whether something comes at once: used only for what must not come, after its order in time is known otherwise.
fn has_bytes(stream: &UnixStream) -> bool {
    let mut buffer = [0; 64];
    stream.try_read(&mut buffer).is_ok()
}

#[tokio::test]
async fn without_faults_a_connection_serves_one_request_after_another() {
    let scene = Scene::new("");
    scene.container("loud", "noisy", "200").await;
    let mut stream = UnixStream::connect(scene.proxy()).await.expect("the proxy listens");
    let create = r#"{"Image":"noise","Cmd":["true"]}"#;
    for (method, path, body, status) in [
        ("GET", "/_ping", "", "200 OK"),
        ("POST", "/containers/create?name=two", create, "201 Created"),
        ("POST", "/containers/nobody/start", "", "404 Not Found"),
        ("GET", "/containers/loud/logs?stdout=1&tail=0", "", "200 OK"),
        ("GET", "/containers/json?all=1", "", "200 OK"),
    ] {
        stream
            .write_all(request(method, path, body, "keep-alive").as_bytes())
            .await
            .expect("sent");
        let end = if path.contains("logs") { "0\r\n\r\n" } else { "\r\n\r\n" };
        let answer = read_until(&mut stream, end).await;
        assert!(answer.contains(status), "{path}: {answer}");
    }
    let mut log = follow(&scene.proxy(), "loud").await;
    read_until(&mut log, "lc1 manual loud o 20 ").await;
    scene.end().await;
}

#[tokio::test]
async fn an_upgraded_connection_passes_as_it_is_and_both_ways() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, listen) = (folder.path().join("engine.sock"), folder.path().join("chaos.sock"));
    let listener = UnixListener::bind(&engine).expect("a socket");
    let proxy = Proxy::bind(&listen, &engine, Plan::default()).expect("a proxy");
    let shutdown = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn(proxy.run(None, shutdown.clone()));
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("the proxy comes");
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 101 UPGRADED\r\n\r\n").await.expect("sent");
        let mut said = String::new();
        stream.read_to_string(&mut said).await.expect("its last word");
        stream.write_all(said.to_uppercase().as_bytes()).await.expect("sent");
    });
    tasks.close();
    let mut client = UnixStream::connect(&listen).await.expect("the proxy listens");
    client
        .write_all(b"POST /containers/x/attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        .await
        .expect("sent");
    read_until(&mut client, "\r\n\r\n").await;
    client.write_all(b"get /events http/1.1\r\n\r\n").await.expect("sent");
    client.shutdown().await.expect("half closed");
    assert_eq!(rest_of(&mut client).await, "GET /EVENTS HTTP/1.1\r\n\r\n");
    shutdown.cancel();
    timeout(PATIENCE, tasks.wait()).await.expect("everything ends");
}

#[tokio::test]
async fn a_stall_holds_only_its_group_and_nothing_is_lost() {
    let mut scene = Scene::new("[[fault]]\nat = \"0s\"\nfor = \"700ms\"\nkind = \"stall\"\ncontainers = \"a\"\n");
    scene.container("one-a", "a", "100").await;
    scene.container("one-b", "b", "100").await;
    let (mut a, mut b) = (
        follow(&scene.proxy(), "one-a").await,
        follow(&scene.proxy(), "one-b").await,
    );
    read_until(&mut a, " o 3 ").await;
    scene.starter.start();
    assert!(scene.next_event().await.began);
    // A stream that is opened now gets its head and no more.
    let new = follow(&scene.proxy(), "one-a").await;
    read_until(&mut b, " o 30 ").await;
    assert!(!has_bytes(&new), "held back while the other group flows");
    assert!(!scene.next_event().await.began);
    let seen = read_until(&mut a, " o 80 ").await;
    for number in 10..80 {
        assert!(seen.contains(&format!(" o {number} ")), "line {number} is missing");
    }
    scene.end().await;
}

#[tokio::test]
async fn requests_are_refused_with_the_status_while_the_fault_lasts() {
    let mut scene = Scene::new("[[fault]]\nat = \"0s\"\nfor = \"500ms\"\nkind = \"error-status\"\nstatus = 503\n");
    scene.container("one", "a", "1").await;
    scene.starter.start();
    assert!(scene.next_event().await.began);
    let answer = ask(&scene.proxy(), "GET", "/containers/one/logs?stdout=1", "").await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("leakcheck chaos"),
        "{answer}"
    );
    let other = ask(&scene.proxy(), "GET", "/containers/one/json", "").await;
    assert!(other.starts_with("HTTP/1.1 200"), "{other}");
    assert!(!scene.next_event().await.began);
    let answer = ask(&scene.proxy(), "GET", "/containers/one/logs?stdout=1", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    scene.end().await;
}

#[tokio::test]
async fn idle_streams_are_cut_and_noisy_ones_are_not() {
    let mut scene = Scene::new("[[fault]]\nat = \"0s\"\nfor = \"1s\"\nkind = \"cut-idle\"\nafter = \"200ms\"\n");
    scene.container("quiet", "a", "0").await;
    scene.container("loud", "a", "100").await;
    let (mut quiet, mut loud) = (
        follow(&scene.proxy(), "quiet").await,
        follow(&scene.proxy(), "loud").await,
    );
    scene.starter.start();
    assert_eq!(rest_of(&mut quiet).await, "", "cut, not ended");
    while scene.next_event().await.began {}
    read_until(&mut loud, " o 100 ").await;
    scene.end().await;
}

#[tokio::test]
async fn in_a_storm_streams_end_cleanly_as_soon_as_they_begin() {
    let mut scene = Scene::new("[[fault]]\nat = \"0s\"\nfor = \"500ms\"\nkind = \"eof-storm\"\n");
    scene.container("quiet", "a", "0").await;
    let mut open = follow(&scene.proxy(), "quiet").await;
    scene.starter.start();
    assert!(scene.next_event().await.began);
    assert_eq!(rest_of(&mut open).await, "0\r\n\r\n");
    let answer = rest_of(&mut open_log(&scene.proxy(), "quiet").await).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n0\r\n\r\n"),
        "{answer}"
    );
    scene.end().await;
}

#[tokio::test]
async fn reset_and_truncated_streams_end_in_the_middle_and_their_successors_live() {
    for (kind, is_clean) in [("reset", false), ("truncate", true)] {
        let mut scene = Scene::new(&format!("[[fault]]\nat = \"0s\"\nfor = \"1s\"\nkind = \"{kind}\"\n"));
        scene.container("loud", "a", "100").await;
        let mut stream = follow(&scene.proxy(), "loud").await;
        scene.starter.start();
        assert!(scene.next_event().await.began);
        let rest = rest_of(&mut stream).await;
        assert_eq!(rest.ends_with("0\r\n\r\n"), is_clean, "{kind}: {rest:?}");
        let mut successor = follow(&scene.proxy(), "loud").await;
        assert!(!scene.next_event().await.began);
        read_until(&mut successor, " o 100 ").await;
        scene.end().await;
    }
}

#[tokio::test]
async fn while_the_engine_is_gone_nobody_answers_and_then_it_is_back() {
    let mut scene = Scene::new("[[fault]]\nat = \"0s\"\nfor = \"300ms\"\nkind = \"engine-gone\"\n");
    scene.container("quiet", "a", "0").await;
    let mut stream = follow(&scene.proxy(), "quiet").await;
    scene.starter.start();
    assert_eq!(rest_of(&mut stream).await, "", "cut");
    while scene.next_event().await.began {}
    let answer = loop {
        // The socket is made anew a moment after the fault has ended.
        match UnixStream::connect(scene.proxy()).await {
            Ok(_) => break ask(&scene.proxy(), "GET", "/_ping", "").await,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    scene.end().await;
}

#[tokio::test]
async fn events_come_late_and_all_of_them() {
    let mut scene = Scene::new("[[fault]]\nat = \"0s\"\nfor = \"600ms\"\nkind = \"delay\"\nafter = \"100ms\"\n");
    let mut events = UnixStream::connect(scene.proxy()).await.expect("the proxy listens");
    events
        .write_all(request("GET", "/events", "", "keep-alive").as_bytes())
        .await
        .expect("sent");
    read_until(&mut events, "\r\n\r\n").await;
    scene.starter.start();
    assert!(scene.next_event().await.began);
    for number in 0..10 {
        scene.container(&format!("c-{number}"), "a", "0").await;
    }
    let mut seen = String::new();
    let count = |seen: &str, action: &str| seen.matches(&format!("\"Action\":\"{action}\"")).count();
    while count(&seen, "start") < 10 || count(&seen, "create") < 10 {
        seen.push_str(&read_until(&mut events, "\n").await);
    }
    assert_eq!((count(&seen, "start"), count(&seen, "create")), (10, 10));
    scene.end().await;
}

#[tokio::test]
async fn byte_by_byte_is_slow_but_whole() {
    let mut scene = Scene::new("[[fault]]\nat = \"0s\"\nfor = \"400ms\"\nkind = \"drip\"\nafter = \"2ms\"\n");
    scene.container("loud", "a", "50").await;
    let mut stream = follow(&scene.proxy(), "loud").await;
    scene.starter.start();
    assert!(scene.next_event().await.began);
    let seen = read_until(&mut stream, " o 40 ").await;
    for number in 2..40 {
        assert_eq!(seen.matches(&format!(" o {number} ")).count(), 1, "line {number}");
    }
    scene.end().await;
}
