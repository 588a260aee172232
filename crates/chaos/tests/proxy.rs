//! The proxy between a client and the simulated engine, without and with faults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use leakcheck_chaos::{FaultEvent, FaultPhase, FaultScript, Proxy, ProxyEvent, StartHandle};
use leakcheck_dockersim::{Server, Settings};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Deadline of every wait; a test that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine with a proxy in front of it.
struct Scene {
    folder: TempDir,
    start: StartHandle,
    events: mpsc::Receiver<ProxyEvent>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Scene {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::bind(&Settings::new(folder.path().join("engine.sock"))).expect("an engine");
        let script = FaultScript::parse(script).expect("a good script");
        let listen = folder.path().join("chaos.sock");
        let proxy = Proxy::bind(&listen, server.socket(), script).expect("a proxy");
        let (sender, events) = mpsc::channel(16);
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let start = proxy.start_handle();
        tasks.spawn(server.run(shutdown.clone()));
        tasks.spawn(proxy.run(Some(sender), shutdown.clone()));
        tasks.close();
        Self {
            folder,
            start,
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

    /// Starts a container of a load group, directly at the engine.
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

    /// Waits until a fault begins or ends.
    async fn next_event(&mut self) -> FaultEvent {
        let event = timeout(PATIENCE, self.events.recv()).await.expect("in time");
        match event.expect("an event") {
            ProxyEvent::Fault(event) => event,
            other => panic!("{other:?}"),
        }
    }

    /// Starts the clock and waits until the only fault begins.
    async fn begin(&mut self) {
        self.start.start();
        assert_eq!(self.next_event().await.phase, FaultPhase::Began);
    }

    /// Waits until the only fault ends, and returns its hits.
    async fn fault_ends(&mut self) -> u64 {
        match self.next_event().await.phase {
            FaultPhase::Ended { hits } => hits,
            FaultPhase::Began => panic!("it has begun already"),
        }
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

/// A client's end of a connection. Bytes after an awaited text are kept for the next read, because one read may return
/// far more than the text.
struct Client {
    stream: UnixStream,
    unread: Vec<u8>,
}

impl Client {
    async fn connect(socket: &Path) -> Self {
        Self {
            stream: UnixStream::connect(socket).await.expect("somebody listens"),
            unread: Vec::new(),
        }
    }

    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("sent");
    }

    /// Reads up to and including `text`.
    async fn read_until(&mut self, text: &str) -> String {
        let found = timeout(PATIENCE, async {
            loop {
                if let Some(at) = self
                    .unread
                    .windows(text.len())
                    .position(|window| window == text.as_bytes())
                {
                    break self.unread.drain(..at + text.len()).collect::<Vec<u8>>();
                }
                let count = self.stream.read_buf(&mut self.unread).await.expect("no error");
                assert_ne!(
                    count,
                    0,
                    "it ended before {text:?}: {}",
                    String::from_utf8_lossy(&self.unread)
                );
            }
        });
        let found = found.await.unwrap_or_else(|_| panic!("{text:?} never came"));
        String::from_utf8_lossy(&found).into_owned()
    }

    /// Reads until the connection ends or fails.
    async fn rest(mut self) -> String {
        // A reset in the middle is an end too.
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut self.unread))
            .await
            .expect("an end");
        String::from_utf8_lossy(&self.unread).into_owned()
    }

    /// Reads until the connection ends, and reports whether it was reset.
    async fn rest_or_reset(mut self) -> (String, bool) {
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut self.unread))
            .await
            .expect("an end");
        let is_reset = read.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
        (String::from_utf8_lossy(&self.unread).into_owned(), is_reset)
    }

    /// Reports whether bytes have arrived, for tests in which none may arrive.
    fn has_bytes(&self) -> bool {
        !self.unread.is_empty() || self.stream.try_read(&mut [0; 64]).is_ok()
    }
}

/// Sends one request on a new connection and returns the response.
async fn ask(socket: &Path, method: &str, path: &str, body: &str) -> String {
    let mut client = Client::connect(socket).await;
    client.send(&request(method, path, body, "close")).await;
    client.rest().await
}

/// Follows a log, and returns after the head of the response.
async fn follow(socket: &Path, name: &str) -> Client {
    let mut client = open_log(socket, name).await;
    client.read_until("\r\n\r\n").await;
    client
}

async fn open_log(socket: &Path, name: &str) -> Client {
    let mut client = Client::connect(socket).await;
    let path = format!("/v1.41/containers/{name}/logs?follow=1&stdout=1&stderr=1");
    client.send(&request("GET", &path, "", "keep-alive")).await;
    client
}

#[tokio::test]
async fn without_faults_a_connection_serves_one_request_after_another() {
    let scene = Scene::new("");
    scene.container("loud", "noisy", "200").await;
    let mut stream = Client::connect(&scene.proxy()).await;
    let create = r#"{"Image":"noise","Cmd":["true"]}"#;
    for (method, path, body, status) in [
        ("GET", "/_ping", "", "200 OK"),
        ("POST", "/containers/create?name=two", create, "201 Created"),
        ("POST", "/containers/nobody/start", "", "404 Not Found"),
        ("GET", "/containers/loud/logs?stdout=1&tail=0", "", "200 OK"),
        ("GET", "/containers/json?all=1", "", "200 OK"),
    ] {
        stream.send(&request(method, path, body, "keep-alive")).await;
        let end = if path.contains("logs") { "0\r\n\r\n" } else { "\r\n\r\n" };
        let answer = stream.read_until(end).await;
        assert!(answer.contains(status), "{path}: {answer}");
    }
    let mut log = follow(&scene.proxy(), "loud").await;
    log.read_until("lc1 manual loud o 20 ").await;
    scene.end().await;
}

#[tokio::test]
async fn an_upgraded_connection_is_relayed_unchanged_in_both_directions() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, listen) = (folder.path().join("engine.sock"), folder.path().join("chaos.sock"));
    let listener = UnixListener::bind(&engine).expect("a socket");
    let proxy = Proxy::bind(&listen, &engine, FaultScript::default()).expect("a proxy");
    let shutdown = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn(proxy.run(None, shutdown.clone()));
    tasks.spawn(async move {
        let (stream, _) = listener.accept().await.expect("the proxy comes");
        let mut engine = Client {
            stream,
            unread: Vec::new(),
        };
        engine.read_until("\r\n\r\n").await;
        engine.send("HTTP/1.1 101 UPGRADED\r\n\r\n").await;
        let Client { mut stream, unread } = engine;
        let mut said = String::from_utf8(unread).expect("text");
        stream.read_to_string(&mut said).await.expect("its last word");
        stream.write_all(said.to_uppercase().as_bytes()).await.expect("sent");
    });
    tasks.close();
    let mut client = Client::connect(&listen).await;
    client
        .send("POST /containers/x/attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        .await;
    client.read_until("\r\n\r\n").await;
    client.send("get /events http/1.1\r\n\r\n").await;
    client.stream.shutdown().await.expect("half closed");
    assert_eq!(client.rest().await, "GET /EVENTS HTTP/1.1\r\n\r\n");
    shutdown.cancel();
    timeout(PATIENCE, tasks.wait()).await.expect("everything ends");
}

/// Returns a script with one fault that outlasts the test.
fn lasting(kind: &str, more: &str) -> String {
    format!("[[fault]]\nat = \"0s\"\nfor = \"1h\"\nkind = \"{kind}\"\n{more}\n")
}

#[tokio::test]
async fn a_stall_holds_only_its_group() {
    let mut scene = Scene::new(&lasting("stall", "containers = \"a\""));
    scene.container("one-a", "a", "100").await;
    scene.container("one-b", "b", "100").await;
    let mut b = follow(&scene.proxy(), "one-b").await;
    scene.begin().await;
    // A stream that is opened during the stall receives only its head.
    let new = follow(&scene.proxy(), "one-a").await;
    b.read_until(" o 30 ").await;
    assert!(!new.has_bytes(), "held back while the other group flows");
    scene.end().await;
}

#[tokio::test]
async fn bytes_held_by_a_stall_arrive_after_it() {
    let mut scene = Scene::new("[[fault]]\nat = \"0s\"\nfor = \"500ms\"\nkind = \"stall\"\n");
    scene.container("one", "a", "100").await;
    let mut stream = follow(&scene.proxy(), "one").await;
    scene.begin().await;
    let mut new = follow(&scene.proxy(), "one").await;
    scene.fault_ends().await;
    for stream in [&mut stream, &mut new] {
        let seen = stream.read_until(" o 80 ").await;
        for number in 1..80 {
            assert_eq!(seen.matches(&format!(" o {number} ")).count(), 1, "line {number}");
        }
    }
    scene.end().await;
}

#[tokio::test]
async fn only_log_requests_are_refused_with_the_status() {
    for (more, status) in [("status = 503", 503), ("status = 409", 409), ("", 500)] {
        let mut scene = Scene::new(&lasting("error-status", more));
        scene.container("one", "a", "1").await;
        scene.begin().await;
        let answer = ask(&scene.proxy(), "GET", "/containers/one/logs?stdout=1", "").await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains("leakcheck chaos"),
            "{answer}"
        );
        let other = ask(&scene.proxy(), "GET", "/containers/one/json", "").await;
        assert!(other.starts_with("HTTP/1.1 200"), "{other}");
        scene.end().await;
    }
}

#[tokio::test]
async fn requests_are_answered_again_after_the_fault() {
    let mut scene = Scene::new("[[fault]]\nat = \"0s\"\nfor = \"100ms\"\nkind = \"error-status\"\n");
    scene.container("one", "a", "1").await;
    scene.begin().await;
    assert_eq!(scene.fault_ends().await, 0, "nobody asked");
    let answer = ask(&scene.proxy(), "GET", "/containers/one/logs?stdout=1", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    scene.end().await;
}

#[tokio::test]
async fn only_idle_streams_are_cut() {
    let mut scene = Scene::new(&lasting("cut-idle", "after = \"3s\""));
    scene.container("quiet", "a", "0").await;
    scene.container("loud", "a", "100").await;
    let (quiet, mut loud) = (
        follow(&scene.proxy(), "quiet").await,
        follow(&scene.proxy(), "loud").await,
    );
    scene.begin().await;
    assert_eq!(quiet.rest().await, "", "cut, not ended");
    // These lines take 5 s, longer than the silence after which the other is cut.
    loud.read_until(" o 500 ").await;
    scene.end().await;
}

#[tokio::test]
async fn in_an_eof_storm_streams_end_cleanly_as_soon_as_they_begin() {
    let mut scene = Scene::new(&lasting("eof-storm", ""));
    scene.container("quiet", "a", "0").await;
    let open = follow(&scene.proxy(), "quiet").await;
    scene.begin().await;
    assert_eq!(open.rest().await, "0\r\n\r\n");
    let answer = open_log(&scene.proxy(), "quiet").await.rest().await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n0\r\n\r\n"),
        "{answer}"
    );
    scene.end().await;
}

#[tokio::test]
async fn reset_and_truncated_streams_end_in_a_frame_and_their_successors_are_spared() {
    for (kind, is_clean) in [("reset", false), ("truncate", true)] {
        // With this seed the trigger point of the container "loud" is early, which leaves time on a slow machine.
        let script = format!("[[fault]]\nat = \"0s\"\nfor = \"60s\"\nkind = \"{kind}\"\nseed = 11\n");
        let mut scene = Scene::new(&script);
        scene.container("loud", "a", "100").await;
        let stream = follow(&scene.proxy(), "loud").await;
        scene.begin().await;
        let (rest, is_reset) = stream.rest_or_reset().await;
        assert_eq!(rest.ends_with("0\r\n\r\n"), is_clean, "{kind}: {rest:?}");
        assert_eq!(is_reset, kind == "reset", "ECONNRESET, and only then");
        let mut successor = follow(&scene.proxy(), "loud").await;
        successor.read_until(" o 200 ").await;
        scene.end().await;
    }
}

#[tokio::test]
async fn a_script_with_resets_changes_no_other_end_of_a_connection() {
    let mut scene = Scene::new(&format!(
        "[[fault]]\nat = \"0s\"\nfor = \"1h\"\nkind = \"eof-storm\"\n{}",
        "[[fault]]\nat = \"1h\"\nfor = \"1h\"\nkind = \"reset\"\n"
    ));
    scene.container("quiet", "a", "0").await;
    let mut client = Client::connect(&scene.proxy()).await;
    for _ in 0..3 {
        client.send(&request("GET", "/_ping", "", "keep-alive")).await;
        assert!(client.read_until("\r\n\r\nOK").await.starts_with("HTTP/1.1 200"));
    }
    let open = follow(&scene.proxy(), "quiet").await;
    scene.begin().await;
    assert_eq!(open.rest_or_reset().await, ("0\r\n\r\n".to_owned(), false));
    client.send(&request("GET", "/_ping", "", "close")).await;
    let (answer, is_reset) = client.rest_or_reset().await;
    assert!(answer.ends_with("OK") && !is_reset, "{answer}");
    scene.end().await;
}

#[tokio::test]
async fn connections_are_refused_while_the_engine_is_gone_and_accepted_afterwards() {
    let mut scene = Scene::new("[[fault]]\nat = \"0s\"\nfor = \"3s\"\nkind = \"engine-gone\"\n");
    scene.container("quiet", "a", "0").await;
    let stream = follow(&scene.proxy(), "quiet").await;
    scene.begin().await;
    assert_eq!(stream.rest().await, "", "cut");
    let refused = UnixStream::connect(scene.proxy()).await.is_err();
    assert!(
        refused || !scene.events.is_empty(),
        "connections are refused until the fault ends"
    );
    assert!(scene.fault_ends().await >= 1, "the stream was cut");
    // The socket is created again shortly after the fault has ended.
    let is_back = async {
        while UnixStream::connect(scene.proxy()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, is_back).await.expect("the proxy listens again");
    let answer = ask(&scene.proxy(), "GET", "/_ping", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    scene.end().await;
}

#[tokio::test]
async fn delayed_events_all_arrive() {
    let mut scene = Scene::new(&lasting("delay", "after = \"100ms\""));
    let mut events = Client::connect(&scene.proxy()).await;
    events.send(&request("GET", "/events", "", "keep-alive")).await;
    events.read_until("\r\n\r\n").await;
    scene.begin().await;
    for number in 0..10 {
        scene.container(&format!("c-{number}"), "a", "0").await;
    }
    let mut seen = String::new();
    let count = |seen: &str, action: &str| seen.matches(&format!("\"Action\":\"{action}\"")).count();
    while count(&seen, "start") < 10 || count(&seen, "create") < 10 {
        seen.push_str(&events.read_until("\n").await);
    }
    assert_eq!((count(&seen, "start"), count(&seen, "create")), (10, 10));
    scene.end().await;
}

#[tokio::test]
async fn a_dripping_stream_loses_nothing() {
    let mut scene = Scene::new("[[fault]]\nat = \"0s\"\nfor = \"400ms\"\nkind = \"drip\"\nafter = \"2ms\"\n");
    scene.container("loud", "a", "50").await;
    let mut stream = follow(&scene.proxy(), "loud").await;
    scene.begin().await;
    let seen = stream.read_until(" o 40 ").await;
    for number in 2..40 {
        assert_eq!(seen.matches(&format!(" o {number} ")).count(), 1, "line {number}");
    }
    scene.end().await;
}

/// Serves logs, but never answers to an inspect.
async fn serve_logs_only(listener: UnixListener) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(async move {
            let mut engine = Client {
                stream,
                unread: Vec::new(),
            };
            let asked = engine.read_until("\r\n\r\n").await;
            if !asked.contains("/logs") {
                return std::future::pending().await;
            }
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let mut said = engine.stream.write_all(head.as_bytes()).await;
            while said.is_ok() {
                said = engine.stream.write_all(b"6\r\nline \n\r\n").await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
    }
}

#[tokio::test]
async fn an_open_log_flows_during_the_inspection_of_its_container_and_a_failure_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, listen) = (folder.path().join("engine.sock"), folder.path().join("chaos.sock"));
    let listener = UnixListener::bind(&engine).expect("a socket");
    let script = FaultScript::parse(&lasting("stall", "containers = \"others\"")).expect("a good script");
    let proxy = Proxy::bind(&listen, &engine, script).expect("a proxy");
    let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (sender, mut events) = mpsc::channel(8);
    let start = proxy.start_handle();
    tasks.spawn(proxy.run(Some(sender), shutdown.clone()));
    let token = shutdown.clone();
    tasks.spawn(async move { _ = token.run_until_cancelled(serve_logs_only(listener)).await });
    tasks.close();
    let mut log = follow(&listen, "mine").await;
    start.start();
    let begins = timeout(PATIENCE, events.recv()).await.expect("in time");
    assert!(matches!(begins, Some(ProxyEvent::Fault(event)) if event.phase == FaultPhase::Began));
    for _ in 0..50 {
        log.read_until("line \n").await;
    }
    assert!(events.is_empty(), "it flowed during the inspection");
    let reported = timeout(PATIENCE, events.recv()).await.expect("in time");
    assert!(
        matches!(&reported, Some(ProxyEvent::InspectFailed { container, .. }) if container == "mine"),
        "{reported:?}"
    );
    shutdown.cancel();
    timeout(PATIENCE, tasks.wait()).await.expect("everything ends");
}
