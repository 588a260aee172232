//! As many streams through the fault proxy as the limit of open files allows, and more.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::commands::{Running, get};
use crate::harness::{DEADLINE, wait_until};

/// Streams through the proxy at once: two descriptors each of the proxy, one of the engine and one of this test.
const STREAMS: usize = 10_000;

/// Descriptors of a process beside its streams.
const SPARE: usize = 150;

/// The most streams that the limit of open files allows: half the hard limit for the proxy, the soft one for this test.
fn streams_that_fit() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let mut numbers = line.expect("the limit of open files").split_whitespace().skip(3);
    // What is "unlimited" is no number, and enough.
    let mut next = || numbers.next().and_then(|word| word.parse().ok()).unwrap_or(usize::MAX);
    let (soft, hard): (usize, usize) = (next(), next());
    STREAMS.min((hard - SPARE) / 2).min(soft - SPARE)
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

fn follow(socket: &Path, container: &str) -> UnixStream {
    let mut stream = UnixStream::connect(socket).expect("the proxy accepts it");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    let request = format!("GET /containers/{container}/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: d\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    stream
}

fn answers(stream: &mut UnixStream) {
    let mut head = [0; 15];
    stream.read_exact(&mut head).expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 200 OK");
}

/// An engine with silent containers, for a proxy in front of it.
struct Scene {
    folder: tempfile::TempDir,
    _engine: Running,
    upstream: PathBuf,
}

impl Scene {
    fn new(containers: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let count = containers.to_string();
        let (engine, upstream) = Running::engine(folder.path(), &["--containers", &count, "--lines-per-second", "0"]);
        Self {
            folder,
            _engine: engine,
            upstream,
        }
    }

    /// Starts a proxy without faults whose process may have `files` open, or as many as the machine allows.
    fn proxy(&self, files: Option<u32>) -> (Running, PathBuf) {
        let folder = self.folder.path();
        let (listen, file) = (folder.join("proxy.sock"), folder.join("faults.toml"));
        std::fs::write(&file, "").expect("written");
        let paths: [&Path; 3] = [&listen, &self.upstream, &file];
        let proxy = match files {
            Some(files) => Running::narrow_proxy(files, folder, paths),
            None => Running::proxy(folder, paths),
        };
        (proxy, listen)
    }
}

/// Limit of open files of a proxy that has fewer than its clients want.
const NARROW: u32 = 152;

#[test]
fn thousands_of_streams_are_open_through_the_proxy_at_once_and_closed_with_their_clients() {
    let streams = streams_that_fit();
    if streams < STREAMS {
        eprintln!("with this limit of open files only {streams} streams of {STREAMS}");
    }
    let scene = Scene::new(streams);
    let (proxy, listen) = scene.proxy(None);
    let held = || descriptors(proxy.id());
    let mut open: Vec<_> = (1..=streams)
        .map(|n| follow(&listen, &format!("noise-{n:05}")))
        .collect();
    open.iter_mut().for_each(answers);
    assert!(held() >= 2 * streams, "all at once: {}", held());
    assert!(get(&listen, "/_ping").ends_with("OK"), "and one more connection fits");
    drop(open);
    wait_until("the end of every stream", || held() < SPARE);
    proxy.end();
}

#[test]
fn a_proxy_without_free_files_serves_again_when_streams_end() {
    let scene = Scene::new(1);
    let (proxy, listen) = scene.proxy(Some(NARROW));
    let open: Vec<_> = (0..2 * NARROW).map(|_| follow(&listen, "noise-00001")).collect();
    wait_until("the limit of open files", || {
        descriptors(proxy.id()) >= NARROW as usize - 1
    });
    drop(open);
    wait_until("an answer", || get(&listen, "/_ping").ends_with("OK"));
    proxy.end();
}
