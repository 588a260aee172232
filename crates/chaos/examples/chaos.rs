//! Runs the proxy until Ctrl-C: `chaos LISTEN UPSTREAM [SCRIPT]`.

use std::path::Path;

use leakcheck_chaos::{Plan, serve};
use tokio_util::sync::CancellationToken;

#[expect(clippy::print_stderr, reason = "an example has no other door")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream, script @ ..] = &words[..] else {
        return Err("usage: chaos LISTEN UPSTREAM [SCRIPT]".into());
    };
    let plan = match script.first() {
        Some(script) => Plan::parse(&std::fs::read_to_string(script)?)?,
        None => Plan::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let (events, mut said) = tokio::sync::mpsc::channel(16);
        let run = serve(
            Path::new(listen),
            Path::new(upstream),
            plan,
            Some(events),
            shutdown.clone(),
        );
        tokio::pin!(run);
        eprintln!("listening on unix://{listen}");
        loop {
            tokio::select! {
                done = &mut run => return Ok(done?),
                Some(news) = said.recv() => eprintln!("{news:?}"),
                _ = tokio::signal::ctrl_c(), if !shutdown.is_cancelled() => shutdown.cancel(),
            }
        }
    })
}
