//! A leakcheck process that serves HTTP, for a test that talks to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::harness::leakcheck;

const DEADLINE: Duration = Duration::from_secs(90);

/// A process that ends with its test.
pub(crate) struct Daemon {
    child: Child,
    /// The host and port from the line that reports where it listens.
    pub(crate) address: String,
}

impl Daemon {
    /// Starts leakcheck and waits until it reports where it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = leakcheck()
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("leakcheck starts");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        let mut daemon = Self {
            child,
            address: String::new(),
        };
        // A thread reads to the end, so that the pipe never fills and the wait here has a deadline.
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let address = line.split("http://").nth(1).and_then(|a| a.split(['/', ' ']).next());
                if let Some(address) = address {
                    let _ = sender.try_send(address.to_owned());
                }
            }
        });
        daemon.address = receiver.recv_timeout(DEADLINE).expect("the address");
        daemon
    }

    /// The whole response to a request.
    pub(crate) fn get(&self, path: &str) -> String {
        self.get_as(path, &self.address)
    }

    /// The whole response to a request with this `Host`.
    pub(crate) fn get_as(&self, path: &str, host: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut response = Vec::new();
        stream.read_to_end(&mut response).expect("received");
        String::from_utf8_lossy(&response).into_owned()
    }

    /// Sends SIGINT, waits, and returns the exit code.
    pub(crate) fn interrupt(mut self) -> Option<i32> {
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

/// The body of a response.
pub(crate) fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
