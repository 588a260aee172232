//! `leakcheck engine` and `leakcheck chaos` as stand-alone commands.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::harness::{DEADLINE, executable, leakcheck, wait_until};

/// A command that ends with the test.
pub(super) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(arguments: &[&str], folder: &Path) -> Self {
        let mut command = leakcheck();
        command.args(arguments);
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

    /// Starts an engine that chooses its own socket, and returns the socket's path.
    pub(super) fn engine(folder: &Path, more: &[&str]) -> (Self, PathBuf) {
        let mut engine = Self::start(&[&["engine"], more].concat(), folder);
        let mut first = String::new();
        let mut out = BufReader::new(engine.0.stdout.take().expect("a pipe"));
        out.read_line(&mut first).expect("its address");
        let path = first.trim_end().strip_prefix("unix://").expect("an address").to_owned();
        (engine, path.into())
    }

    /// Starts a fault proxy with a script, and waits until it accepts connections.
    pub(super) fn proxy(folder: &Path, [listen, upstream, script]: [&Path; 3]) -> Self {
        Self::proxy_by(leakcheck(), folder, [listen, upstream, script])
    }

    /// Starts a fault proxy whose limit of open files is `files`.
    pub(super) fn narrow_proxy(files: u32, folder: &Path, sockets_and_script: [&Path; 3]) -> Self {
        let mut shell = Command::new("sh");
        let limited = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
        shell.args(["-c", &limited]).arg(executable());
        Self::proxy_by(shell, folder, sockets_and_script)
    }

    fn proxy_by(mut leakcheck: Command, folder: &Path, [listen, upstream, script]: [&Path; 3]) -> Self {
        leakcheck.arg("chaos").arg("--listen").arg(listen);
        leakcheck.arg("--upstream").arg(upstream).arg("--script").arg(script);
        let proxy = Self::spawn(leakcheck, folder);
        wait_until("the proxy listens", || UnixStream::connect(listen).is_ok());
        proxy
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends it with SIGTERM, and returns its standard error.
    pub(super) fn end(mut self) -> String {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().expect("kill").success());
        let mut stderr = String::new();
        self.0
            .stderr
            .take()
            .expect("a pipe")
            .read_to_string(&mut stderr)
            .expect("text");
        assert!(self.0.wait().expect("it ends").success(), "{stderr}");
        stderr
    }
}

pub(super) fn get(socket: &Path, path: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    let request = format!("GET {path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    // A reset also ends the response.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
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
    let list = get(&socket, "/containers/json");
    assert!(list.contains("noise-00001") && list.contains("noise-00002"), "{list}");
    engine.end();
    assert!(!socket.exists());
}

#[test]
fn a_proxy_injects_the_faults_of_its_script_and_logs_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_engine, upstream) = Running::engine(folder.path(), &["--containers", "1"]);
    let (listen, script) = (folder.path().join("proxy.sock"), folder.path().join("faults.toml"));
    std::fs::write(
        &script,
        "[[fault]]\nat = \"0s\"\nfor = \"1h\"\nkind = \"error-status\"\nstatus = 503\n",
    )
    .expect("written");
    let proxy = Running::proxy(folder.path(), [&listen, &upstream, &script]);
    let logs = "/containers/noise-00001/logs?stdout=1";
    wait_until("the fault begins", || get(&listen, logs).starts_with("HTTP/1.1 503"));
    assert!(get(&listen, "/_ping").ends_with("OK"), "only log requests fail");
    assert!(
        get(&upstream, logs).starts_with("HTTP/1.1 200"),
        "and the engine is untouched"
    );
    let stderr = proxy.end();
    assert!(stderr.contains("1 faults, listening on unix://"), "{stderr}");
    assert!(
        stderr.contains("fault 1 begins: log requests are answered with 503"),
        "{stderr}"
    );
    assert!(!listen.exists() && upstream.exists());
}

#[test]
fn a_proxy_on_the_socket_of_a_running_engine_is_refused_and_the_engine_keeps_running() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_engine, upstream) = Running::engine(folder.path(), &[]);
    let script = folder.path().join("faults.toml");
    std::fs::write(&script, "").expect("written");
    let other = folder.path().join("other.sock").display().to_string();
    let socket = upstream.display().to_string();
    for (behind, why) in [
        (&other, "another process is listening"),
        (&socket, "the engine's own socket"),
    ] {
        let refused = leakcheck()
            .args(["chaos", "--listen", &socket, "--upstream", behind, "--script"])
            .arg(&script)
            .output()
            .expect("leakcheck starts");
        let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(why), "{stderr}");
        assert!(get(&upstream, "/_ping").ends_with("OK"), "it still answers");
    }
}
