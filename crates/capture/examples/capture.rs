//! The capture daemon alone: `cargo run -p leakcheck-capture --example capture -- --help`.

use clap::Parser;
use leakcheck_capture::Arguments;
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cli = Cli::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    leakcheck_capture::runtime()?.block_on(run(cli))
}

async fn run(cli: Cli) -> Result<(), Box<dyn std::error::Error>> {
    let shutdown = CancellationToken::new();
    let mut daemon = std::pin::pin!(leakcheck_capture::run(cli.arguments.into_config(), shutdown.clone()));
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        done = &mut daemon => return Ok(done?),
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    shutdown.cancel();
    Ok(daemon.await?)
}
