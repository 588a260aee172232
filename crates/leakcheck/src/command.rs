//! Every command, and what its failure means to a script.

mod capture;
mod chaos;
mod check;
mod clean;
mod compare;
mod completions;
mod doctor;
mod engine;
mod hold;
mod init;
mod judge;
mod noise;
mod plan;
mod replica;
mod report;
mod run;
mod schema;
mod selftest;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use leakcheck_model::error_chain;

use crate::style;

/// Usage or scenario error; nothing was started.
pub(crate) const USAGE: u8 = 2;
/// No verdict.
pub(crate) const NO_VERDICT: u8 = 125;
/// Interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

/// Leak-regression test harness and load generator for long-running daemons.
#[derive(Parser)]
#[command(name = "leakcheck", version, about, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  leakcheck run scenarios/smoke.toml                  6 containers, under a minute
  leakcheck run scenarios/55-containers.toml          the main job
  leakcheck judge samples.csv --limit 'fds: growth_per_min < 1'
  leakcheck init my-daemon.toml                       a commented scenario to start from

Exit codes: 0 pass, 1 fail, 2 usage or scenario error, 125 no verdict (invalid or inconclusive), 130 interrupted";

#[derive(Subcommand)]
enum Command {
    /// Run a scenario: start load and target, sample, judge, report
    Run(run::Arguments),
    /// Judge something that is running already, or a command started here, with no scenario
    Watch(watch::Arguments),
    /// Judge a stored run again, or any CSV with a time column
    Judge(judge::Arguments),
    /// Before a run: how long, how many rotations, and the smallest leak that it can prove
    Plan(plan::Arguments),
    /// Runs side by side, and whether the newest got worse
    Compare(compare::Arguments),
    /// Read and explain scenarios; start nothing
    Check(check::Arguments),
    /// Write a commented scenario to start from
    Init(init::Arguments),
    /// Prove that each gate fires on a target that leaks on purpose, and that a clean one stays green
    Selftest(selftest::Arguments),
    /// Is there an engine, may I use it, are the limits enough
    Doctor(doctor::Arguments),
    /// Remove whatever an earlier run left behind, by label; nothing else
    Clean(clean::Arguments),
    /// Write the report of a stored run again
    Report(report::Arguments),
    /// Hand the samples of a stored run to other tools
    Export(report::ExportArguments),
    /// The capture core: follow every container's log as a daemon
    #[command(after_help = "\
Examples:
  leakcheck capture --output captured
  leakcheck capture --rotate-every 30s --label app=web --exclude '*-test' --keep-files 5
  leakcheck capture --sink loki --loki http://127.0.0.1:3100 --listen 127.0.0.1:8001")]
    Capture(Box<capture::Arguments>),
    /// The simulated Docker Engine on a Unix socket, for any client
    #[command(after_help = "\
Examples:
  leakcheck engine --socket /tmp/engine.sock --containers 50 --lines-per-second 20
  docker -H unix:///tmp/engine.sock ps")]
    Engine(engine::Arguments),
    /// The breaking wire alone: a proxy in front of any engine's socket
    #[command(after_help = "\
Examples:
  leakcheck chaos --listen /tmp/wire.sock --upstream /var/run/docker.sock --script faults.toml
  DOCKER_HOST=unix:///tmp/wire.sock ./my-daemon

A script:
  [[fault]]
  at = \"10s\"
  for = \"5s\"
  kind = \"stall\"

Each stream is two open files of the wire. What has no room under the limit of open files is carried by a second process")]
    Chaos(chaos::Arguments),
    /// What runs inside a load container
    #[command(after_help = "\
Examples:
  leakcheck noise --lines-per-second 20 --line-bytes 80..400 --stderr-share 0.1
  leakcheck noise --lines-per-second max --lines 100000 > lines")]
    Noise(leakcheck_noise::Settings),
    /// The JSON Schema of scenario files
    #[command(
        after_help = "Example:\n  leakcheck schema > scenario.schema.json, and `#:schema scenario.schema.json` as a scenario's first line"
    )]
    Schema,
    /// Shell completions
    Completions(completions::Arguments),
    /// Man pages: this one's, a command's, or all into a folder
    Man(completions::ManArguments),
    /// A small target that leaks on purpose
    #[command(hide = true)]
    Replica(replica::Arguments),
    /// Start a program that dies with its parent
    #[command(hide = true)]
    Hold(hold::Arguments),
    /// Carry connections of a wire whose process has no files left
    #[command(hide = true)]
    Carry,
}

impl Command {
    /// Whether it may hold a descriptor or two for each of thousands of containers.
    fn holds_many_files(&self) -> bool {
        matches!(
            self,
            Self::Run(_)
                | Self::Watch(_)
                | Self::Selftest(_)
                | Self::Capture(_)
                | Self::Engine(_)
                | Self::Chaos(_)
                | Self::Carry
        )
    }
}

/// Why a command ends without what was asked.
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// A user's mistake.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            code: USAGE,
            message: message.into(),
        }
    }

    /// No verdict could be reached.
    pub(crate) fn no_verdict(message: impl Into<String>) -> Self {
        Self {
            code: NO_VERDICT,
            message: message.into(),
        }
    }

    /// What went wrong, in words.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Tells the user, and gives the exit code.
    pub(crate) fn tell(self) -> ExitCode {
        if !self.message.is_empty() {
            style::say(&format!(
                "{}error{}: {}",
                style::BAD,
                style::PLAIN,
                self.message.trim_end()
            ));
        }
        ExitCode::from(self.code)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::usage(error_chain(error.as_ref()))
    }
}

/// Runs the command that was asked for.
///
/// # Errors
/// [`Failure`], to be told.
pub(crate) fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    if cli.command.holds_many_files() {
        leakcheck_runner::raise_open_files();
    }
    match cli.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Judge(arguments) => judge::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Selftest(arguments) => selftest::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Clean(arguments) => clean::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Export(arguments) => report::export(&arguments),
        Command::Capture(arguments) => capture::run(*arguments),
        Command::Engine(arguments) => engine::run(arguments),
        Command::Chaos(arguments) => chaos::run(&arguments),
        Command::Noise(settings) => noise::run(&settings),
        Command::Schema => schema::run(),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => completions::man(&arguments),
        Command::Replica(arguments) => replica::run(arguments),
        Command::Hold(arguments) => hold::run(&arguments),
        Command::Carry => chaos::carry(),
    }
}

/// A runtime for commands that talk to an engine.
///
/// # Errors
/// If the machine has no threads or descriptors left.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::no_verdict(format!("failed to start the async runtime: {error}")))
}

/// Cancelled by the first SIGINT or SIGTERM; the second ends the process at once.
pub(crate) fn stop_on_signal(
    runtime: &tokio::runtime::Runtime,
    told: &'static str,
) -> tokio_util::sync::CancellationToken {
    let stop = tokio_util::sync::CancellationToken::new();
    let token = stop.clone();
    let tasks = tokio_util::task::TaskTracker::new();
    tasks.spawn_on(
        async move {
            signalled().await;
            if !told.is_empty() {
                style::say(told);
            }
            token.cancel();
            signalled().await;
            std::process::exit(i32::from(INTERRUPTED));
        },
        runtime.handle(),
    );
    stop
}

async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}
