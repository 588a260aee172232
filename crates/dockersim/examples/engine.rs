//! Runs the simulated engine until Ctrl-C: `engine [SOCKET [CONTAINERS [LINES_PER_SECOND]]]`.

use leakcheck_dockersim::{Server, Settings};
use tokio_util::sync::CancellationToken;

#[expect(clippy::print_stderr, reason = "an example has no other door")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let mut settings = Settings::new(words.next().unwrap_or_else(|| "engine.sock".into()));
    settings.containers = words.next().map_or(Ok(0), |word| word.parse())?;
    settings.lines_per_second = words.next().unwrap_or_else(|| "1".into()).parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let server = Server::bind(&settings)?;
        eprintln!("listening on unix://{}", server.socket().display());
        let shutdown = CancellationToken::new();
        let run = server.run(shutdown.clone());
        tokio::pin!(run);
        tokio::select! {
            () = &mut run => {}
            _ = tokio::signal::ctrl_c() => {
                shutdown.cancel();
                run.await;
            }
        }
        Ok(())
    })
}
