//! `leakcheck replica NAME`: a small target that leaks on purpose, for the scenarios of the record and the self-test.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use leakcheck_model::HumanDuration;
use leakcheck_replicas::{NAMES, Options};
use leakcheck_runner::engine;
use leakcheck_runner::host::Host;

use super::{Failure, runtime, stop_on_signal};
use crate::style;

/// Arguments of `leakcheck replica`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Which; `list` lists them
    name: String,
    /// Address of the engine: unix:///PATH [default: DOCKER_HOST, then the default socket]
    #[arg(long, value_name = "URI")]
    docker_host: Option<String>,
    /// Follow only the containers of this run
    #[arg(long, value_name = "RUN_ID")]
    run: Option<String>,
    /// Replace each stream this often
    #[arg(long, value_name = "D", default_value = "1s")]
    rotate_every: HumanDuration,
    /// Folder for what is delivered
    #[arg(long, value_name = "DIR", default_value = "captured")]
    output: PathBuf,
    /// Where /metrics, /healthz and /debug/tasks are served
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8001")]
    listen: SocketAddr,
}

/// Runs until SIGTERM or SIGINT; what has leaked stays leaked until then.
///
/// # Errors
/// A name that is none, an address or folder that cannot be used.
pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    if arguments.name == "list" {
        let list: String = NAMES
            .iter()
            .map(|(name, defect)| format!("{name:<20} {defect}\n"))
            .collect();
        style::print(&list);
        return Ok(ExitCode::SUCCESS);
    }
    let host = engine::host(arguments.docker_host.as_deref()).map_err(|e| Failure::usage(e.to_string()))?;
    let Host::Unix(socket) = host else {
        return Err(Failure::usage("replicas follow engines on Unix sockets only"));
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
    let done = runtime.block_on(leakcheck_replicas::run(&arguments.name, options, stop));
    // What it has leaked on purpose is not waited for.
    runtime.shutdown_background();
    done.map_err(|error| Failure::usage(format!("{:#}", anyhow::Error::from(error))))?;
    Ok(ExitCode::SUCCESS)
}
