//! The daemon as a separate process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use clap::Parser as _;
use tokio::signal::unix;
use tokio_util::sync::CancellationToken;

use crate::harness::{Harness, until};

/// The environment variable with the daemon's arguments, one per line.
const ARGUMENTS: &str = "CAPTURE_TEST_ARGUMENTS";

/// The deadline of each operation, for a loaded machine.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Daemon {
    child: Child,
    address: String,
}

impl Daemon {
    /// Starts the daemon on the containers of `harness` and waits until it has listed them.
    pub(crate) fn start(harness: &Harness, options: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["the_daemon_itself", "--exact", "--ignored", "--nocapture"]);
        let (label, output) = (format!("leakcheck.run={}", harness.run), harness.output());
        let mut arguments = vec![
            "--label",
            &label,
            "--listen",
            "127.0.0.1:0",
            "--output",
            output.to_str().unwrap(),
        ];
        arguments.extend(options);
        if let Some(host) = harness.host() {
            arguments.extend(["--docker-host", host]);
        }
        command
            .env(ARGUMENTS, arguments.join("\n"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (address_sender, addresses) = mpsc::channel();
        // Its messages are shown with the test, and its pipe is always drained.
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                eprintln!("{line}");
                if let Some((_, address)) = line.split_once("listening on http://") {
                    // Only the first address is received.
                    let _ = address_sender.send(address.trim().to_owned());
                }
            }
        });
        // Its drop ends the process if something fails.
        let mut daemon = Self {
            child,
            address: String::new(),
        };
        daemon.address = addresses
            .recv_timeout(DEADLINE)
            .expect("the daemon ended, or did not listen in time");
        until("ready", || daemon.get("/healthz").starts_with("HTTP/1.1 200"));
        daemon
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        let address = self.address.parse().unwrap();
        let mut stream = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: daemon\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Returns the sum of the series of `name` whose labels contain `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.get("/metrics");
        let mut values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']))?;
            rest.contains(labels)
                .then(|| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        });
        let first = values
            .next()
            .unwrap_or_else(|| panic!("no series {name} {labels} in:\n{text}"));
        first + values.sum::<f64>()
    }

    /// Asserts that there are no stream errors, except those that a loaded machine can cause.
    pub(crate) fn assert_no_errors(&self) {
        let text = self.get("/metrics");
        let errors: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("log_capturer_stream_errors_total{") && !line.ends_with(" 0"))
            .filter(|line| {
                !["no_answer", "join_timeout", "reader_timeout"]
                    .iter()
                    .any(|kind| line.contains(kind))
            })
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }

    pub(crate) fn streams(&self) -> f64 {
        self.metric("log_capturer_container_streams_active", "")
    }

    /// Returns the number of open file descriptors.
    pub(crate) fn fds(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .unwrap()
            .count()
    }

    /// Stops the daemon and returns the time that it took.
    pub(crate) fn stop(mut self) -> Duration {
        let start = Instant::now();
        signal(self.child.id(), "TERM");
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return start.elapsed();
            }
            assert!(start.elapsed() < DEADLINE, "the daemon does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills the daemon with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Runs the daemon, in the process that [`Daemon::start`] starts.
pub(crate) fn run_as_daemon() -> Result<(), Box<dyn std::error::Error>> {
    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        arguments: leakcheck_capture::Arguments,
    }
    let arguments = std::env::var(ARGUMENTS)?;
    let cli = Cli::try_parse_from(std::iter::once("daemon").chain(arguments.lines()))?;
    let runtime = leakcheck_capture::runtime()?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let daemon = leakcheck_capture::run(cli.arguments.into_config(), shutdown.clone());
        let mut terminate = unix::signal(unix::SignalKind::terminate())?;
        let terminated = async {
            terminate.recv().await;
            shutdown.cancel();
            std::future::pending().await
        };
        tokio::select! {
            ended = daemon => Ok(ended?),
            never = terminated => never,
        }
    })
}
