//! `leakcheck engine` and `leakcheck chaos` as commands of their own, for other people's tests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::stand::LEAKCHECK;

/// Longer than anything here takes; a test that needs it has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

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
        command.args(words);
        Self::spawn(command, folder)
    }

    fn spawn(mut command: Command, folder: &Path) -> Self {
        command.current_dir(folder).env("XDG_RUNTIME_DIR", folder);
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
    pub(super) fn wire(folder: &Path, [listen, upstream, script]: [&Path; 3]) -> Self {
        Self::wire_by(Command::new(LEAKCHECK), folder, [listen, upstream, script])
    }

    /// A wire whose process may have `files` open.
    pub(super) fn narrow_wire(files: u32, folder: &Path, sockets_and_script: [&Path; 3]) -> Self {
        let mut shell = Command::new("sh");
        let limited = format!("ulimit -n {files} && exec {LEAKCHECK} \"$@\"");
        shell.args(["-c", &limited, "sh"]);
        Self::wire_by(shell, folder, sockets_and_script)
    }

    fn wire_by(mut leakcheck: Command, folder: &Path, [listen, upstream, script]: [&Path; 3]) -> Self {
        leakcheck.arg("chaos").arg("--listen").arg(listen);
        leakcheck.arg("--upstream").arg(upstream).arg("--script").arg(script);
        let wire = Self::spawn(leakcheck, folder);
        until("the wire", || UnixStream::connect(listen).is_ok());
        wire
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits for a line with these words on standard error.
    pub(super) fn says(&mut self, words: &str) -> String {
        let out = self.0.stderr.as_mut().expect("a pipe");
        let (mut line, mut byte) = (Vec::new(), [0]);
        loop {
            out.read_exact(&mut byte).expect("it goes on");
            line.push(byte[0]);
            if byte[0] == b'\n' {
                let told = String::from_utf8_lossy(&line).into_owned();
                if told.contains(words) {
                    return told;
                }
                line.clear();
            }
        }
    }

    /// Ends it as a user does; what it said on standard error.
    pub(super) fn end(mut self) -> String {
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

pub(super) fn ask(socket: &Path, path: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let request = format!("GET {path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

pub(super) fn until(what: &str, holds: impl Fn() -> bool) {
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
