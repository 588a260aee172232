//! `leakcheck chaos`: the fault-injection proxy alone, for any engine and any client.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use leakcheck_chaos::{FaultEvent, FaultPhase, FaultScript, Proxy, ProxyEvent};

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::runtime::{runtime, stop_on_signal};
use crate::style;

/// Room in the event channel beside the two events of each fault.
const OTHER_EVENTS: usize = 8;

/// Arguments of `leakcheck chaos`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Socket to create; clients connect to it instead of to the engine's
    #[arg(long, value_name = "PATH")]
    listen: PathBuf,
    /// Socket of the engine
    #[arg(long, value_name = "PATH")]
    upstream: PathBuf,
    /// TOML file with `[[fault]]` tables as in a scenario; their times count from the proxy's start
    #[arg(long, value_name = "FILE")]
    script: PathBuf,
}

/// Serves until SIGTERM or SIGINT, and prints a line on standard error when a fault begins or ends.
///
/// # Errors
/// An error in the script, or a socket that cannot be created.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let path = arguments.script.display();
    let text =
        std::fs::read_to_string(&arguments.script).with_context(|| format!("failed to read the script {path}"))?;
    let script = FaultScript::parse(&text).with_context(|| format!("{path} is not a script of faults"))?;
    style::print_line(&format!(
        "{} faults, listening on unix://{}",
        script.faults.len(),
        arguments.listen.display()
    ));
    if let Err(error) = UnixStream::connect(&arguments.upstream) {
        style::note(&format!(
            "no engine answers at {} yet ({error}); until one does, connections are closed",
            arguments.upstream.display()
        ));
    }
    let runtime = runtime()?;
    let stop = stop_on_signal(&runtime, "");
    let (sender, mut events) = tokio::sync::mpsc::channel(2 * script.faults.len() + OTHER_EVENTS);
    runtime.block_on(async {
        let proxy = Proxy::bind(&arguments.listen, &arguments.upstream, script).map_err(anyhow::Error::from)?;
        proxy.start_handle().start();
        let serving = proxy.run(Some(sender), stop);
        tokio::pin!(serving);
        loop {
            tokio::select! {
                () = &mut serving => return Ok(Exit::Success.into()),
                Some(event) = events.recv() => print_event(event),
            }
        }
    })
}

fn print_event(event: ProxyEvent) {
    match event {
        ProxyEvent::Fault(FaultEvent {
            index,
            at,
            description,
            phase,
        }) => {
            let (verb, hits) = match phase {
                FaultPhase::Began => ("begins", String::new()),
                FaultPhase::Ended { hits } => ("ends", format!(" (hits: {hits})")),
            };
            style::print_line(&format!(
                "{:7.1} s  fault {} {verb}: {description}{hits}",
                at.as_secs_f64(),
                index + 1
            ));
        }
        ProxyEvent::InspectFailed { container, error } => style::print_line(&format!(
            "note: could not inspect the container {container}, so faults that select containers may hit or spare it \
             wrongly (reported once): {error}"
        )),
    }
}
