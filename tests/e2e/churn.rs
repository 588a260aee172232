//! `leakcheck capture` on `leakcheck engine`: a thousand containers come and go, and nothing is left behind.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::harness::{leakcheck, wait_until};

const CONTAINERS: usize = 50;
const ROUNDS: usize = 20;

/// A process that ends with the test.
struct Process(Child);

impl Process {
    fn start(arguments: &[&str], folder: &Path) -> Self {
        let mut command = leakcheck();
        command.args(arguments).current_dir(folder).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        Self(command.spawn().expect("leakcheck starts"))
    }

    /// The rest of the first line of standard error that contains `text`. The lines behind it are read and dropped.
    fn wait_for_line(&mut self, text: &str) -> String {
        let mut lines = BufReader::new(self.0.stderr.take().expect("a pipe")).lines();
        let printed = lines.by_ref().map_while(Result::ok);
        let found = printed
            .filter_map(|line| line.split_once(text).map(|(_, rest)| rest.to_owned()))
            .next();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        found.expect("the line")
    }

    fn fds(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.0.id()))
            .expect("it lives")
            .count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends one request on a new connection and returns the response.
fn request(mut stream: impl Read + Write, what: &str) -> String {
    let request = format!("{what} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_thousand_containers_come_and_go_and_the_counts_end_where_they_began() {
    // Given a daemon that follows fifty containers
    let folder = TempDir::new().expect("a scratch folder");
    let socket = folder.path().join("engine.sock");
    let path = socket.to_str().expect("text");
    let many = CONTAINERS.to_string();
    let _engine = Process::start(&["engine", "--socket", path, "--containers", &many], folder.path());
    wait_until("the engine listens", || UnixStream::connect(&socket).is_ok());
    let host = format!("unix://{path}");
    let options = ["--sink", "discard", "--rotate-every", "1s", "--listen", "127.0.0.1:0"];
    let mut daemon = Process::start(
        &[&["capture", "--docker-host", &host], &options[..]].concat(),
        folder.path(),
    );
    let address = daemon.wait_for_line("listening on http://");
    let metric = |name: &str| -> f64 {
        let text = request(TcpStream::connect(&address).expect("it listens"), "GET /metrics");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).unwrap_or(f64::NAN)
    };
    let streams = |wanted: usize| metric("log_capturer_container_streams_active") == wanted as f64;
    wait_until("all are followed", || streams(CONTAINERS));
    let (fds, tasks) = (daemon.fds(), metric("log_capturer_tasks"));
    let engine = |what: &str| request(UnixStream::connect(&socket).expect("it listens"), what);
    let list = engine("GET /containers/json");
    let ids: Vec<&str> = list
        .split("\"Id\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(ids.len(), CONTAINERS);
    // When each is stopped and started twenty times
    for _ in 0..ROUNDS {
        for (verb, left) in [("stop?t=0", 0), ("start", CONTAINERS)] {
            for id in &ids {
                let answer = engine(&format!("POST /containers/{id}/{verb}"));
                assert!(answer.starts_with("HTTP/1.1 204"), "{verb}: {answer}");
            }
            wait_until("the daemon has noticed", || streams(left));
        }
    }
    // Then its counts are where they began
    wait_until("counts are where they began", || {
        daemon.fds() <= fds && metric("log_capturer_tasks") <= tasks
    });
    assert!(metric("log_capturer_streams_opened_total") >= (CONTAINERS * ROUNDS) as f64);
}
