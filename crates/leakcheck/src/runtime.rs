//! The async runtime, signals and logging of commands that run until they are stopped.

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::style;

/// Makes a runtime.
///
/// # Errors
/// If the machine has no threads or descriptors left.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::no_verdict(format!("failed to start the async runtime: {error}")))
}

/// Returns a token that the first SIGINT or SIGTERM cancels, after printing `message`. The second signal ends the process.
pub(crate) fn stop_on_signal(runtime: &Runtime, message: &'static str) -> CancellationToken {
    let stop = CancellationToken::new();
    let token = stop.clone();
    TaskTracker::new().spawn_on(
        async move {
            signalled().await;
            if !message.is_empty() {
                style::print_line(message);
            }
            token.cancel();
            signalled().await;
            Exit::Interrupted.now();
        },
        runtime.handle(),
    );
    stop
}

/// Waits for SIGINT or SIGTERM.
pub(crate) async fn signalled() {
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}

/// Writes log lines and the durations of spans to standard error, if `LEAKCHECK_LOG` is set to a valid filter.
pub(crate) fn log_if_requested() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("LEAKCHECK_LOG") {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
            .with_writer(std::io::stderr)
            .init();
    }
}

/// Writes log lines to standard error, from the level in `LEAKCHECK_LOG` on (`info` by default).
pub(crate) fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LEAKCHECK_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
