//! `leakcheck chaos`: the breaking wire, alone, for use with other people's tests.

use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use anyhow::Context as _;
pub(super) use leakcheck_chaos::Arguments;
use leakcheck_chaos::{FaultEvent, News, Plan, Proxy};

use super::{Failure, runtime, stop_on_signal};
use crate::style;

/// News that is no fault's beginning or end and may wait to be told.
const OTHER_NEWS: usize = 8;

/// Serves until SIGTERM or SIGINT; each fault's beginning and end is a line on standard error.
///
/// # Errors
/// A script that is wrong, or a socket that cannot be made.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let script = arguments.script.display();
    let text =
        std::fs::read_to_string(&arguments.script).with_context(|| format!("failed to read the script {script}"))?;
    let plan = Plan::parse(&text).with_context(|| format!("{script} is not a script of faults"))?;
    style::say(&format!(
        "{} faults, listening on unix://{}",
        plan.faults.len(),
        arguments.listen.display()
    ));
    if let Err(error) = UnixStream::connect(&arguments.upstream) {
        style::note(&format!(
            "no engine answers at {} yet ({error}): until one does, clients are turned away",
            arguments.upstream.display()
        ));
    }
    let runtime = runtime()?;
    let stop = stop_on_signal(&runtime, "");
    let (sender, mut events) = tokio::sync::mpsc::channel(2 * plan.faults.len() + OTHER_NEWS);
    runtime.block_on(async {
        let proxy = Proxy::bind(&arguments.listen, &arguments.upstream, plan).map_err(anyhow::Error::from)?;
        proxy.starter().start();
        let serving = proxy.run(Some(sender), stop);
        tokio::pin!(serving);
        loop {
            tokio::select! {
                () = &mut serving => return Ok(ExitCode::SUCCESS),
                Some(news) = events.recv() => tell(news),
            }
        }
    })
}

fn tell(news: News) {
    match news {
        News::Fault(FaultEvent {
            index,
            began,
            after,
            what,
            struck,
        }) => {
            let verb = if began { "begins" } else { "ends" };
            let struck = struck.map_or(String::new(), |times| format!(" (strikes: {times})"));
            style::say(&format!(
                "{:7.1} s  fault {} {verb}: {what}{struck}",
                after.as_secs_f64(),
                index + 1
            ));
        }
        News::Unknown { container, why } => style::say(&format!(
            "note: could not find out who the container {container} is, so faults that choose may not strike as meant \
             (told once): {why}"
        )),
    }
}
