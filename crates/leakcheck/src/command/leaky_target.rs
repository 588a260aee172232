//! `leakcheck leaky-target NAME`: a small target that leaks on purpose, for the self-test.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use leakcheck_leaky_targets::{NAMES, Options};
use leakcheck_model::HumanDuration;
use leakcheck_runner::engine;
use leakcheck_runner::engine_address::EngineAddress;

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::runtime::{runtime, stop_on_signal};
use crate::style;

/// Arguments of `leakcheck leaky-target`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Name of the target; `list` prints all names
    name: String,
    /// Address of the engine: unix:///PATH [default: DOCKER_HOST, then the default socket]
    #[arg(long, value_name = "URI")]
    docker_host: Option<String>,
    /// Follow only the containers of this run
    #[arg(long, value_name = "RUN_ID")]
    run: Option<String>,
    /// Interval after which each stream is replaced
    #[arg(long, value_name = "D", default_value = "1s")]
    rotate_every: HumanDuration,
    /// Folder of the delivered lines
    #[arg(long, value_name = "DIR", default_value = "captured")]
    output: PathBuf,
    /// Address of /metrics, /healthz and /debug/tasks
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8001")]
    listen: SocketAddr,
}

/// Runs until SIGTERM or SIGINT. Its leaks remain until then.
///
/// # Errors
/// If the name is unknown, or the address or folder cannot be used.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    if arguments.name == "list" {
        let list: String = NAMES
            .iter()
            .map(|(name, defect)| format!("{name:<20} {defect}\n"))
            .collect();
        style::print(&list);
        return Ok(Exit::Success.into());
    }
    let host = engine::address(arguments.docker_host.as_deref()).map_err(|e| Failure::usage(e.to_string()))?;
    let EngineAddress::Unix(socket) = host else {
        return Err(Failure::usage("leaky targets need an engine on a Unix socket"));
    };
    let options = Options {
        engine: socket,
        run: arguments.run,
        rotate_every: arguments.rotate_every.0,
        output: arguments.output,
        listen: arguments.listen,
    };
    let runtime = runtime()?;
    let stop = stop_on_signal(&runtime, "");
    let done = runtime.block_on(leakcheck_leaky_targets::run(&arguments.name, options, stop));
    // Leaked tasks are not awaited.
    runtime.shutdown_background();
    done.map_err(|error| Failure::usage(format!("{:#}", anyhow::Error::from(error))))?;
    Ok(Exit::Success.into())
}
