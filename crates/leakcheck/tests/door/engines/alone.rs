//! `leakcheck engine` and `leakcheck chaos` as commands of their own, for other people's tests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::stand::LEAKCHECK;

/// Longer than anything here takes; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that ends with the test.
pub(super) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(words: &[&str], folder: &Path) -> Self {
        let mut command = Command::new(LEAKCHECK);
        command.args(words).current_dir(folder).env("XDG_RUNTIME_DIR", folder);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(command.spawn().expect("leakcheck starts"))
    }

    /// An engine on a socket of its own choice, and where that is.
    pub(super) fn engine(folder: &Path, more: &[&str]) -> (Self, PathBuf) {
        let mut engine = Self::start(&[&["engine"], more].concat(), folder);
        let mut first = String::new();
        let mut out = BufReader::new(engine.0.stdout.take().expect("a pipe"));
        out.read_line(&mut first).expect("its address");
        let path = first.trim_end().strip_prefix("unix://").expect("an address").to_owned();
        (engine, path.into())
    }

    /// The wire between a socket and an engine, by a script, once it takes connections.
    fn wire(folder: &Path, [listen, upstream, script]: [&Path; 3]) -> Self {
        let of = |path: &Path| path.display().to_string();
        let words = [
            "chaos",
            "--listen",
            &of(listen),
            "--upstream",
            &of(upstream),
            "--script",
            &of(script),
        ];
        let wire = Self::start(&words, folder);
        until("the wire", || UnixStream::connect(listen).is_ok());
        wire
    }

    /// Ends it as a user does; what it said on standard error.
    fn end(mut self) -> String {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().expect("kill").success());
        let mut said = String::new();
        self.0
            .stderr
            .take()
            .expect("a pipe")
            .read_to_string(&mut said)
            .expect("text");
        assert!(self.0.wait().expect("it ends").success(), "{said}");
        said
    }
}

fn ask(socket: &Path, path: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let request = format!("GET {path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_engine_without_a_socket_makes_one_and_prints_its_address() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, socket) = Running::engine(folder.path(), &["--containers", "2", "--lines-per-second", "0"]);
    assert!(
        socket.starts_with(folder.path()),
        "in the runtime folder: {}",
        socket.display()
    );
    let list = ask(&socket, "/containers/json");
    assert!(list.contains("noise-00001") && list.contains("noise-00002"), "{list}");
    engine.end();
    assert!(!socket.exists());
}

#[test]
fn the_wire_breaks_by_its_script_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_engine, upstream) = Running::engine(folder.path(), &["--containers", "1"]);
    let (listen, script) = (folder.path().join("wire.sock"), folder.path().join("faults.toml"));
    std::fs::write(
        &script,
        "[[fault]]\nat = \"0s\"\nfor = \"1h\"\nkind = \"error-status\"\nstatus = 503\n",
    )
    .expect("written");
    let wire = Running::wire(folder.path(), [&listen, &upstream, &script]);
    let logs = "/containers/noise-00001/logs?stdout=1";
    until("the fault", || ask(&listen, logs).starts_with("HTTP/1.1 503"));
    assert!(ask(&listen, "/_ping").ends_with("OK"), "and nothing else is broken");
    assert!(ask(&upstream, logs).starts_with("HTTP/1.1 200"), "nor is the engine");
    let said = wire.end();
    assert!(said.contains("1 faults, listening on unix://"), "{said}");
    assert!(
        said.contains("fault 1 begins: log requests are answered with 503"),
        "{said}"
    );
    assert!(!listen.exists() && upstream.exists());
}

/// Streams through the proxy at once. It holds two descriptors for each: with a limit of open files below 20,150 as many as
/// that lets, said aloud.
const STREAMS: usize = 10_000;

/// Descriptors beside the streams.
const SPARE: usize = 150;

fn streams_that_fit() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("limits");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .expect("the limit of open files");
    let mut numbers = line.split_whitespace().skip(3);
    // What is "unlimited" is no number, and enough.
    let mut next = || numbers.next().and_then(|word| word.parse().ok()).unwrap_or(usize::MAX);
    let (soft, hard): (usize, usize) = (next(), next());
    STREAMS.min((hard - SPARE) / 2).min(soft - SPARE)
}

#[test]
fn thousands_of_streams_are_open_through_the_wire_at_once_and_gone_with_their_clients() {
    let streams = streams_that_fit();
    if streams < STREAMS {
        eprintln!("with this limit of open files only {streams} streams of {STREAMS}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let count = streams.to_string();
    let (_engine, upstream) = Running::engine(folder.path(), &["--containers", &count, "--lines-per-second", "0"]);
    let (listen, script) = (folder.path().join("wire.sock"), folder.path().join("faults.toml"));
    std::fs::write(&script, "").expect("written");
    let wire = Running::wire(folder.path(), [&listen, &upstream, &script]);
    let held = || {
        let folder = format!("/proc/{}/fd", wire.0.id());
        std::fs::read_dir(folder).expect("it lives").count()
    };
    let mut open = Vec::with_capacity(streams);
    for number in 1..=streams {
        let mut stream = UnixStream::connect(&listen).expect("the wire takes it");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        let request = format!("GET /containers/noise-{number:05}/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: d\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        open.push(stream);
    }
    for stream in &mut open {
        let mut head = [0; 15];
        stream.read_exact(&mut head).expect("an answer");
        assert_eq!(&head, b"HTTP/1.1 200 OK");
    }
    assert!(held() >= 2 * streams, "all at once: {}", held());
    assert!(ask(&listen, "/_ping").ends_with("OK"), "and there is room for more");
    drop(open);
    until("the end of every stream", || held() < SPARE);
    wire.end();
}

#[test]
fn a_wire_in_the_place_of_a_living_engine_is_refused_and_the_engine_lives_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_engine, upstream) = Running::engine(folder.path(), &[]);
    let script = folder.path().join("faults.toml");
    std::fs::write(&script, "").expect("written");
    let other = folder.path().join("other.sock").display().to_string();
    let socket = upstream.display().to_string();
    for (behind, why) in [(&other, "somebody is listening"), (&socket, "the engine's own socket")] {
        let refused = Command::new(LEAKCHECK)
            .args(["chaos", "--listen", &socket, "--upstream", behind, "--script"])
            .arg(&script)
            .output()
            .expect("leakcheck starts");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
        assert!(ask(&upstream, "/_ping").ends_with("OK"), "it answers as before");
    }
}
