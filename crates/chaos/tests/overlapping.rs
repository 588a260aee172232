//! Overlapping faults on streams whose every byte is known: a client receives a prefix of what the engine sent.

use std::path::Path;
use std::time::Duration;

use leakcheck_chaos::{FaultScript, Proxy};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Deadline in paused time, far beyond the end of all faults.
const PATIENCE: Duration = Duration::from_secs(600);

/// A burst of the engine: number of frames, bytes of their end that go with the next burst, and a pause in milliseconds.
type Burst = (usize, usize, u64);

/// Returns the text of a log, and the chunk of each frame.
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

/// Returns the engine's writes and pauses; the first write begins with the head.
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
    // The proxy closes the connection.
    client.read_to_end(&mut request).await.map(|_| ())
}

/// Returns the bytes that one client reads until its connection or the log ends.
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

/// Returns the text in the chunks of a log, which may be incomplete; nothing of any other response.
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

/// Returns the responses to clients that connect so many milliseconds after the fault clock starts.
async fn through(script: &str, bursts: &[Burst], clients: &[u64]) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, listen) = (folder.path().join("engine.sock"), folder.path().join("chaos.sock"));
    let listener = UnixListener::bind(&engine).expect("a socket");
    let proxy = Proxy::bind(&listen, &engine, FaultScript::parse(script).expect("a good script")).expect("a proxy");
    proxy.start_handle().start();
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
    // A paused clock jumps to the next timer even while bytes are in flight, so it advances in small steps.
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
async fn a_reset_delivers_bytes_held_by_a_stall_before_later_ones() {
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
    fn under_any_faults_a_client_receives_a_prefix_of_what_the_engine_sent(
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
