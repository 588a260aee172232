//! The capture daemon alone: `cargo run -p leakcheck-capture --example capture -- --help`.

use clap::Parser;
use leakcheck_capture::Arguments;
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
struct Door {
    #[command(flatten)]
    arguments: Arguments,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let door = Door::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    leakcheck_capture::runtime()?.block_on(run(door))
}

async fn run(door: Door) -> Result<(), Box<dyn std::error::Error>> {
    let shutdown = CancellationToken::new();
    let mut daemon = std::pin::pin!(leakcheck_capture::run(door.arguments.into_config(), shutdown.clone()));
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        done = &mut daemon => return Ok(done?),
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    shutdown.cancel();
    Ok(daemon.await?)
}
