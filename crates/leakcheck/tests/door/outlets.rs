//! Where a run's figures go: a live page, Prometheus, Grafana, a CI. Each is tried with the tool it is for, where that is
//! installed; where it is not, the test is skipped out loud.

mod ci;
mod grafana;
mod junit;
mod kept_build;
mod live;
mod page;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::aloud::skip_without_tool;
use crate::stand::{LEAKCHECK, said};
use tempfile::TempDir;

/// How long anything may take before its test fails.
const PATIENCE: Duration = Duration::from_secs(90);

/// A process that ends with its test.
struct Daemon {
    child: Child,
    /// What follows `http://` in the line in which it said where it listens.
    address: String,
}

impl Daemon {
    /// Starts leakcheck and waits until it has said where it listens.
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(LEAKCHECK)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("leakcheck starts");
        let words = BufReader::new(child.stderr.take().expect("piped"));
        let mut daemon = Self {
            child,
            address: String::new(),
        };
        // Read to its end, so that its pipe never fills; by a thread, so that the wait here can have a deadline.
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            for line in words.lines().map_while(Result::ok) {
                let address = line.split("http://").nth(1).and_then(|a| a.split(['/', ' ']).next());
                if let Some(address) = address {
                    let _ = tell.try_send(address.to_owned());
                }
            }
        });
        daemon.address = told.recv_timeout(PATIENCE).expect("it says where it listens");
        daemon
    }

    fn get(&self, path: &str) -> String {
        self.get_as(path, &self.address)
    }

    /// The whole answer to a request that names this host.
    fn get_as(&self, path: &str, host: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("asked");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Ctrl-C; gives the exit code.
    fn interrupt(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-INT", &pid]).status().expect("kill");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A short run of the capture core on the simulated engine, made once for all tests that only read it.
fn a_run() -> &'static Path {
    static RUN: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, folder) = RUN.get_or_init(|| {
        let scratch = TempDir::new().expect("a scratch folder");
        let scenario = scratch.path().join("short.toml");
        let text = "name = \"short\"\n[[load]]\nname = \"noisy\"\ncontainers = 3\nlines_per_second = 20\n\
            [target]\nkind = \"capture\"\nrotate_every = \"1s\"\n\
            [schedule]\nwarm_up = \"1s\"\nmeasure = \"6s\"\nsample_every = \"250ms\"\ncheckpoint_every = \"2s\"\ndrain = \"2s\"\nextend = \"0s\"\n\
            [limits]\nfds = \"growth_per_min < 60\"\nrotations = \"increase >= 50% of expected\"\nlines = \"lost == 0\"\n";
        std::fs::write(&scenario, text).expect("written");
        let reports = scratch.path().join("reports");
        let output = Command::new(LEAKCHECK)
            .arg("run")
            .arg(&scenario)
            .args(["--engine", "simulated", "--quiet", "--out"])
            .arg(&reports)
            .output()
            .expect("leakcheck starts");
        let runs = std::fs::read_dir(reports.join("short"));
        let runs = runs.unwrap_or_else(|_| panic!("{}", said(&output)));
        let folder = runs.flatten().next().expect("a run").path();
        assert!(folder.join("report.html").is_file(), "{}", said(&output));
        (scratch, folder)
    });
    folder
}

/// The run for Prometheus.
fn exported(folder: &Path) -> String {
    let output = Command::new(LEAKCHECK)
        .arg("export")
        .arg(folder)
        .args(["--format", "openmetrics"])
        .output()
        .expect("leakcheck starts");
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn prometheus_takes_an_exported_run() {
    if Command::new("promtool").arg("--version").output().is_err() {
        return skip_without_tool("`promtool` is not installed (Debian's package prometheus has it)");
    }
    let scratch = TempDir::new().expect("a scratch folder");
    let (text, data) = (scratch.path().join("run.txt"), scratch.path().join("data"));
    std::fs::write(&text, exported(a_run())).expect("written");
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&text, &data])
        .output()
        .expect("promtool starts");
    assert!(made.status.success(), "{}", said(&made));
    let blocks = std::fs::read_dir(&data).expect("blocks").flatten();
    assert!(blocks.filter(|b| b.path().join("index").is_file()).count() >= 1);
    // And what it holds is what was sampled (`dump` wants a folder for what is not in blocks yet).
    std::fs::create_dir(data.join("wal")).expect("a folder");
    let dumped = Command::new("promtool").args(["tsdb", "dump"]).arg(&data).output();
    let dumped = String::from_utf8(dumped.expect("promtool starts").stdout).expect("text");
    let samples = std::fs::read_to_string(a_run().join("samples.csv")).expect("samples");
    let fds = dumped
        .lines()
        .filter(|l| l.contains("\"leakcheck_fds\"") || l.contains("leakcheck_fds{"));
    assert_eq!(fds.count(), samples.lines().count() - 1, "{dumped}");
}
