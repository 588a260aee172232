//! The list of commands, and the call of the one that was given.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::command::{
    capture, chaos, check, clean, compare, completions, die_with_parent, doctor, engine, explain, init, judge,
    leaky_target, noise, plan, report, run, schema, selftest, trace_target, watch,
};
use crate::failure::Failure;
use crate::runtime::log_if_requested;

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
    /// Judge a running process, container or metrics URL, or a command, without a scenario
    Watch(watch::Arguments),
    /// Judge a stored run again, or any CSV with a time column
    Judge(judge::Arguments),
    /// Predict duration, rotations and the smallest provable leak of a scenario
    Plan(plan::Arguments),
    /// Compare runs, and report whether the newest is worse
    Compare(compare::Arguments),
    /// Name the line of code that leaked, in a second, traced run
    Explain(explain::Arguments),
    /// Check and explain scenarios without starting anything
    Check(check::Arguments),
    /// Write a commented scenario to start from
    Init(init::Arguments),
    /// Prove that each leaky target fails for the right reason and that a sound one passes
    Selftest(selftest::Arguments),
    /// Check engine, permissions and limits of this machine
    Doctor(doctor::Arguments),
    /// Remove containers and folders that an earlier run left behind
    Clean(clean::Arguments),
    /// Write the report of a stored run again
    Report(report::Arguments),
    /// Print the samples of a stored run in a format for other tools
    Export(report::ExportArguments),
    /// Capture the logs of all containers as a daemon
    #[command(after_help = "\
Examples:
  leakcheck capture --output captured
  leakcheck capture --rotate-every 30s --label app=web --exclude '*-test' --keep-files 5
  leakcheck capture --sink loki --loki http://127.0.0.1:3100 --listen 127.0.0.1:8001")]
    Capture(Box<capture::Arguments>),
    /// Serve a simulated Docker Engine on a Unix socket
    #[command(after_help = "\
Examples:
  leakcheck engine --socket /tmp/engine.sock --containers 50 --lines-per-second 20
  docker -H unix:///tmp/engine.sock ps")]
    Engine(engine::Arguments),
    /// Inject faults between clients and an engine, as a proxy
    #[command(after_help = "\
Examples:
  leakcheck chaos --listen /tmp/proxy.sock --upstream /var/run/docker.sock --script faults.toml
  DOCKER_HOST=unix:///tmp/proxy.sock ./my-daemon

A script:
  [[fault]]
  at = \"10s\"
  for = \"5s\"
  kind = \"stall\"

Each stream takes two open files of the proxy: for 10,000 streams the limit (`ulimit -Hn`) must be at least 20,100")]
    Chaos(chaos::Arguments),
    /// Write paced log lines, as a load container does
    #[command(after_help = "\
Examples:
  leakcheck noise --lines-per-second 20 --line-bytes 80..400 --stderr-share 0.1
  leakcheck noise --lines-per-second max --lines 100000 > lines")]
    Noise(leakcheck_noise::Settings),
    /// Print the JSON Schema of scenario files
    #[command(
        after_help = "Example:\n  leakcheck schema > scenario.schema.json, and `#:schema scenario.schema.json` as a scenario's first line"
    )]
    Schema,
    /// Print shell completions
    Completions(completions::Arguments),
    /// Print a man page, or write all of them to a folder
    Man(completions::ManArguments),
    /// A small target that leaks on purpose
    #[command(hide = true)]
    LeakyTarget(leaky_target::Arguments),
    /// Start a program that dies with its parent
    #[command(hide = true)]
    DieWithParent(die_with_parent::Arguments),
    /// Run a command under the tracer
    #[command(hide = true)]
    TraceTarget(trace_target::Arguments),
    /// Become a command that the parent traces
    #[command(hide = true)]
    TraceExec(trace_target::ExecArguments),
}

impl Command {
    /// Returns whether the command may open descriptors for each of thousands of containers.
    fn needs_many_files(&self) -> bool {
        matches!(
            self,
            Self::Run(_)
                | Self::Watch(_)
                | Self::Explain(_)
                | Self::Selftest(_)
                | Self::Capture(_)
                | Self::Engine(_)
                | Self::Chaos(_)
        )
    }
}

/// Runs the given command.
///
/// # Errors
/// The command's [`Failure`].
pub(crate) fn run(cli: Cli) -> Result<ExitCode, Failure> {
    if cli.command.needs_many_files() {
        leakcheck_runner::raise_open_files();
    }
    // The daemons log without a request, too.
    if !matches!(cli.command, Command::Capture(_) | Command::Engine(_)) {
        log_if_requested();
    }
    match cli.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Judge(arguments) => judge::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
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
        Command::Completions(arguments) => completions::run(&arguments, Cli::command()),
        Command::Man(arguments) => completions::man(&arguments, Cli::command()),
        Command::LeakyTarget(arguments) => leaky_target::run(arguments),
        Command::TraceTarget(arguments) => trace_target::run(arguments),
        Command::TraceExec(arguments) => trace_target::exec(&arguments),
        Command::DieWithParent(arguments) => die_with_parent::run(&arguments),
    }
}
