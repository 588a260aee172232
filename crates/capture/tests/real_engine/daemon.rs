//! The daemon as a process of its own: started, asked, stopped, killed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use clap::Parser as _;
use tokio::signal::unix;
use tokio_util::sync::CancellationToken;

use crate::cage::{Cage, until};

/// The daemon's arguments, one a line.
const ARGUMENTS: &str = "CAPTURE_TEST_ARGUMENTS";

/// Far beyond what anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Daemon {
    child: Child,
    address: String,
}

impl Daemon {
    /// Starts the daemon on the containers of `cage` and waits until it has found them.
    pub(crate) fn start(cage: &Cage, options: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["the_daemon_itself", "--exact", "--ignored", "--nocapture"]);
        let (label, output) = (format!("leakcheck.run={}", cage.run), cage.output());
        let mut arguments = vec![
            "--label",
            &label,
            "--listen",
            "127.0.0.1:0",
            "--output",
            output.to_str().unwrap(),
        ];
        arguments.extend(options);
        if let Some(host) = cage.host() {
            arguments.extend(["--docker-host", host]);
        }
        command
            .env(ARGUMENTS, arguments.join("\n"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        let (tell, told) = mpsc::channel();
        // What it says is shown with the test, and its pipe never fills.
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                eprintln!("{line}");
                if let Some((_, address)) = line.split_once("listening on http://") {
                    // Nobody waits for a second one.
                    let _ = tell.send(address.trim().to_owned());
                }
            }
        });
        // Owned from here on, so that a failure ends it.
        let mut daemon = Self {
            child,
            address: String::new(),
        };
        daemon.address = told
            .recv_timeout(PATIENCE)
            .expect("the daemon ended, or did not listen in time");
        until("ready", || daemon.get("/healthz").starts_with("HTTP/1.1 200"));
        daemon
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        let address = self.address.parse().unwrap();
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: daemon\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The sum of a metric's series whose labels contain `labels`.
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

    /// Errors of log streams, but those that a machine which stands still for a while makes by itself.
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

    /// Open file descriptors as the system counts them.
    pub(crate) fn fds(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .unwrap()
            .count()
    }

    /// Asks it to end, and returns how long it took.
    pub(crate) fn stop(mut self) -> Duration {
        let began = Instant::now();
        signal(self.child.id(), "TERM");
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return began.elapsed();
            }
            assert!(began.elapsed() < PATIENCE, "it does not end; its drop kills it");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it as the system would: without a word.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail if it was waited for already.
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

/// What the process that [`Daemon::start`] starts does: this test program runs itself.
pub(crate) fn run_as_daemon() -> Result<(), Box<dyn std::error::Error>> {
    #[derive(clap::Parser)]
    struct Door {
        #[command(flatten)]
        arguments: leakcheck_capture::Arguments,
    }
    let arguments = std::env::var(ARGUMENTS)?;
    let door = Door::try_parse_from(std::iter::once("daemon").chain(arguments.lines()))?;
    let runtime = leakcheck_capture::runtime()?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let daemon = leakcheck_capture::run(door.arguments.into_config(), shutdown.clone());
        let mut terminate = unix::signal(unix::SignalKind::terminate())?;
        let asked = async {
            terminate.recv().await;
            shutdown.cancel();
            std::future::pending().await
        };
        tokio::select! {
            ended = daemon => Ok(ended?),
            never = asked => never,
        }
    })
}
