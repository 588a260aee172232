//! Faults over each other on a wire whose every byte is known: a broken connection loses its end, never what comes before it.

use std::path::Path;
use std::time::Duration;

use leakcheck_chaos::{Plan, Proxy};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Of paused time: far more than all faults take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What an engine sends at a time: so many frames, cut at that byte of the last, and then it waits.
type Burst = (usize, usize, u64);

/// A log's frames, and each of them as the engine sends it.
fn log(frames: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut text, mut chunks) = (Vec::new(), Vec::new());
    for number in 0..frames {
        let line = format!("line {number}\n");
        let frame = [&[1, 0, 0, 0, 0, 0, 0, line.len() as u8], line.as_bytes()].concat();
        chunks.push([format!("{:x}\r\n", frame.len()).as_bytes(), &frame, b"\r\n"].concat());
        text.extend_from_slice(&frame);
    }
    (text, chunks)
}

/// The writes of an engine whose first comes with the head.
fn writes(bursts: &[Burst]) -> Vec<(Vec<u8>, u64)> {
    let (_, chunks) = log(bursts.iter().map(|burst| burst.0).sum());
    let (mut rest, mut chunks, mut writes) = (HEAD.to_vec(), chunks.into_iter(), Vec::new());
    for (frames, cut, wait) in bursts {
        chunks.by_ref().take(*frames).for_each(|chunk| rest.extend(chunk));
        let later = rest.split_off(rest.len() - cut.min(&rest.len()));
        writes.push((std::mem::replace(&mut rest, later), *wait));
    }
    rest.extend_from_slice(b"0\r\n\r\n");
    writes.push((rest, 0));
    writes
}

async fn serve(mut client: UnixStream, writes: Vec<(Vec<u8>, u64)>) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    if !String::from_utf8_lossy(&request).contains("/logs") {
        let body = r#"{"Name":"/one","Config":{"Labels":{}}}"#;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        return client.write_all(answer.as_bytes()).await;
    }
    for (bytes, wait) in writes {
        client.write_all(&bytes).await?;
        sleep(Duration::from_millis(wait)).await;
    }
    // Until the proxy has enough.
    client.read_to_end(&mut request).await.map(|_| ())
}

/// What one client gets before its connection ends or breaks, or until the log's proper end.
async fn read(socket: &Path) -> Vec<u8> {
    let mut client = UnixStream::connect(socket).await.expect("the proxy listens");
    client
        .write_all(b"GET /containers/one/logs HTTP/1.1\r\nHost: docker\r\n\r\n")
        .await
        .expect("sent");
    let mut got = Vec::new();
    while !got.ends_with(b"0\r\n\r\n") && client.read_buf(&mut got).await.is_ok_and(|count| count > 0) {}
    got
}

/// The text in the chunks, as far as it came; nothing of an answer that is no log.
fn text(answer: &[u8]) -> Vec<u8> {
    let (mut rest, mut text) = (answer.strip_prefix(HEAD).unwrap_or_default(), Vec::new());
    while let Some(line) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let size = std::str::from_utf8(&rest[..line]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a chunk begins where the last one ended");
        let data = &rest[line + 2..];
        text.extend_from_slice(&data[..size.min(data.len())]);
        rest = data.get(size + 2..).unwrap_or_default();
    }
    text
}

/// What clients get that come so many milliseconds after the faults' clock began.
async fn through(script: &str, bursts: &[Burst], clients: &[u64]) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, listen) = (folder.path().join("engine.sock"), folder.path().join("chaos.sock"));
    let listener = UnixListener::bind(&engine).expect("a socket");
    let proxy = Proxy::bind(&listen, &engine, Plan::parse(script).expect("a good script")).expect("a proxy");
    proxy.starter().start();
    let mut scene = JoinSet::new();
    scene.spawn(proxy.run(None, CancellationToken::new()));
    let writes = writes(bursts);
    scene.spawn(async move {
        let mut served = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            served.spawn(serve(client, writes.clone()));
        }
    });
    let mut readers = JoinSet::new();
    for (index, after) in clients.iter().copied().enumerate() {
        let listen = listen.clone();
        readers.spawn(async move {
            sleep(Duration::from_millis(after)).await;
            (index, read(&listen).await)
        });
    }
    // A paused clock goes on to the next timer though bytes are on their way: it goes in small steps.
    let began = tokio::time::Instant::now();
    let mut answers = Vec::new();
    while answers.len() < clients.len() {
        sleep(Duration::from_millis(1)).await;
        while let Some(answer) = readers.try_join_next() {
            answers.push(answer.expect("no panic"));
        }
        assert!(began.elapsed() < PATIENCE, "{} of {} end", answers.len(), clients.len());
    }
    answers.sort();
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn fault(kind: &str, at: u64, length: u64, seed: u64) -> String {
    let more = match kind {
        "drip" => "after = \"2ms\"\n",
        "cut-idle" => "after = \"20ms\"\n",
        _ => "",
    };
    format!("[[fault]]\nat = \"{at}ms\"\nfor = \"{length}ms\"\nkind = \"{kind}\"\nseed = {seed}\n{more}")
}

#[tokio::test(start_paused = true)]
async fn a_reset_loses_nothing_of_what_a_stall_has_held_back_before_what_it_delivers() {
    let script = fault("stall", 0, 1000, 1) + &fault("reset", 100, 100, 2);
    // One read brings the head and twenty lines; more come while the stream is stalled.
    let bursts = [(20, 0, 5), (20, 0, 1000)];
    for answer in through(&script, &bursts, &[10, 20, 30]).await {
        let (sent, got) = (log(40).0, text(&answer));
        assert!(
            !got.is_empty() && sent.starts_with(&got),
            "{}",
            String::from_utf8_lossy(&got)
        );
    }
}

fn faults(kinds: &'static [&'static str]) -> impl Strategy<Value = String> {
    let fault = (prop::sample::select(kinds), 0..200_u64, 1..200_u64, 0..1000_u64)
        .prop_map(|(kind, at, length, seed)| fault(kind, at, length, seed));
    prop::collection::vec(fault, 1..6).prop_map(|faults| faults.concat())
}

fn bursts() -> impl Strategy<Value = Vec<Burst>> {
    let cut = prop_oneof![3 => Just(0), 1 => 1..30_usize];
    prop::collection::vec((0..30_usize, cut, 0..60_u64), 1..8)
}

fn run(script: &str, bursts: &[Burst], clients: &[u64]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let answers = runtime.block_on(through(script, bursts, clients));
    let sent = log(bursts.iter().map(|burst| burst.0).sum()).0;
    (sent, answers.iter().map(|answer| text(answer)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_faults_lie_over_each_other_a_client_gets_a_beginning_of_what_the_engine_sent(
        script in faults(&["stall", "stall-before-headers", "drip", "reset", "truncate", "eof-storm", "cut-idle", "error-status"]),
        bursts in bursts(),
        clients in prop::collection::vec(0..250_u64, 1..8),
    ) {
        let (sent, got) = run(&script, &bursts, &clients);
        for got in got {
            prop_assert!(sent.starts_with(&got), "{}", String::from_utf8_lossy(&got));
        }
    }

    #[test]
    fn faults_that_only_delay_a_log_lose_nothing_of_it(
        script in faults(&["stall", "stall-before-headers", "drip"]),
        bursts in bursts(),
        clients in prop::collection::vec(0..250_u64, 1..8),
    ) {
        let (sent, got) = run(&script, &bursts, &clients);
        for got in got {
            prop_assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(&sent));
        }
    }
}
