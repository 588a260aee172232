//! More streams through a wire than its process has files for: a second process carries them, and nothing else changes.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::commands::{Running, get};
use crate::harness::{DEADLINE, wait_until};

/// Streams through the wire at once: two descriptors each of the wire, one of the engine and one of this test.
const STREAMS: usize = 10_000;

/// Descriptors of a process beside its streams.
const SPARE: usize = 150;

/// As many as the limit of open files lets this test have: its soft one, and the engine's hard one.
fn streams_that_fit() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let mut numbers = line.expect("the limit of open files").split_whitespace().skip(3);
    // What is "unlimited" is no number, and enough.
    let mut next = || numbers.next().and_then(|word| word.parse().ok()).unwrap_or(usize::MAX);
    let (soft, hard): (usize, usize) = (next(), next());
    STREAMS.min(hard - SPARE).min(soft - SPARE)
}

/// The processes that a process has started, all threads of it taken together.
fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it lives");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|line| {
            line.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn lives(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

fn follow(socket: &Path, container: &str) -> UnixStream {
    let mut stream = UnixStream::connect(socket).expect("the wire takes it");
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

/// An engine, and the socket and script of a wire in front of it.
struct Scene {
    folder: tempfile::TempDir,
    engine: Running,
    upstream: PathBuf,
}

impl Scene {
    fn new(containers: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let count = containers.to_string();
        let (engine, upstream) = Running::engine(folder.path(), &["--containers", &count, "--lines-per-second", "0"]);
        Self {
            folder,
            engine,
            upstream,
        }
    }

    /// A wire under `script` whose process may have `files` open, or as many as the machine lets.
    fn wire(&self, name: &str, script: &str, files: Option<u32>) -> (Running, PathBuf) {
        let folder = self.folder.path();
        let (listen, file) = (folder.join(format!("{name}.sock")), folder.join(format!("{name}.toml")));
        std::fs::write(&file, script).expect("written");
        let paths: [&Path; 3] = [&listen, &self.upstream, &file];
        let wire = match files {
            Some(files) => Running::narrow_proxy(files, folder, paths),
            None => Running::proxy(folder, paths),
        };
        (wire, listen)
    }
}

/// Twelve of these fit into a process with 152 files; the second process carries the others.
const NARROW: u32 = 152;
const CROWD: usize = 20;

/// Connections that are answered and stay open.
fn crowd(socket: &Path) -> Vec<UnixStream> {
    let mut open: Vec<_> = (1..=CROWD).map(|n| follow(socket, &format!("noise-{n:05}"))).collect();
    open.iter_mut().for_each(answers);
    open
}

#[test]
fn thousands_of_streams_are_open_through_the_wire_at_once_and_gone_with_their_clients() {
    let streams = streams_that_fit();
    if streams < STREAMS {
        eprintln!("with this limit of open files only {streams} streams of {STREAMS}");
    }
    let scene = Scene::new(streams);
    let (wire, listen) = scene.wire("wire", "", None);
    let carriers = || [vec![wire.id()], children(wire.id())].concat();
    let held = || carriers().into_iter().map(descriptors).sum::<usize>();
    let mut open: Vec<_> = (1..=streams)
        .map(|n| follow(&listen, &format!("noise-{n:05}")))
        .collect();
    open.iter_mut().for_each(answers);
    assert!(held() >= 2 * streams, "all at once: {}", held());
    assert!(get(&listen, "/_ping").ends_with("OK"), "and there is room for more");
    drop(open);
    wait_until("the end of every stream", || held() < 2 * SPARE);
    let all = carriers();
    wire.end();
    wait_until("the end of all that carried", || !all.iter().copied().any(lives));
}

#[test]
fn faults_strike_the_same_containers_whichever_process_carries_them() {
    let scene = Scene::new(40);
    let script =
        "[[fault]]\nat = \"0s\"\nfor = \"10m\"\nkind = \"error-status\"\nstatus = 503\nshare = 0.5\nseed = 7\n";
    let refused = |socket: &Path| -> BTreeSet<usize> {
        let is_refused = |n: &usize| {
            let logs = format!("/containers/noise-{n:05}/logs?stdout=1");
            get(socket, &logs).starts_with("HTTP/1.1 503")
        };
        (1..=40).filter(is_refused).collect()
    };
    let (alone, socket) = scene.wire("alone", script, None);
    wait_until("the fault", || !refused(&socket).is_empty());
    let expected = refused(&socket);
    assert!((10..=30).contains(&expected.len()), "about a half: {expected:?}");
    assert!(
        children(alone.id()).is_empty(),
        "a second process is started when there is need of one"
    );

    let (narrow, socket) = scene.wire("narrow", script, Some(NARROW));
    // All of its own seats are taken, so that whatever is asked now is asked of the second.
    let mut open: Vec<_> = (0..CROWD)
        .map(|_| UnixStream::connect(&socket).expect("taken"))
        .collect();
    for stream in &mut open {
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        stream
            .write_all(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
            .expect("sent");
        answers(stream);
    }
    assert_eq!(children(narrow.id()).len(), 1, "the second process");
    wait_until("the fault", || !refused(&socket).is_empty());
    assert_eq!(refused(&socket), expected);
    get(&socket, "/containers/nobody/logs?stdout=1");
    let stderr = narrow.end();
    assert!(stderr.contains("who the container nobody is"), "{stderr}");
}

#[test]
fn what_strikes_in_the_second_process_is_counted_with_the_rest() {
    let scene = Scene::new(CROWD);
    let script = "[[fault]]\nat = \"8s\"\nfor = \"2s\"\nkind = \"stall\"\n";
    let (mut wire, socket) = scene.wire("wire", script, Some(NARROW));
    let open = crowd(&socket);
    assert_eq!(children(wire.id()).len(), 1, "the second process");
    let ends = wire.wait_for_line("ends: ");
    assert!(ends.contains(&format!("(strikes: {CROWD})")), "{ends}");
    drop(open);
    wire.end();
}

#[test]
fn an_engine_that_is_gone_is_gone_for_both_processes_and_told_once() {
    let scene = Scene::new(CROWD);
    let script = "[[fault]]\nat = \"8s\"\nfor = \"1s\"\nkind = \"engine-gone\"\n";
    let (wire, socket) = scene.wire("wire", script, Some(NARROW));
    let mut open = crowd(&socket);
    assert_eq!(children(wire.id()).len(), 1, "the second process");
    for stream in &mut open {
        // What follows the head, then the end.
        stream.read_to_end(&mut Vec::new()).expect("an end");
    }
    wait_until("the engine's return", || UnixStream::connect(&socket).is_ok());
    drop(crowd(&socket));
    let stderr = wire.end();
    assert_eq!(stderr.matches("begins: the engine is gone").count(), 1, "{stderr}");
}

#[test]
fn the_second_process_ends_with_a_first_that_is_killed_and_is_started_again_when_it_was_killed_itself() {
    let scene = Scene::new(CROWD);
    let (wire, socket) = scene.wire("wire", "", Some(NARROW));
    let open = crowd(&socket);
    let first = children(wire.id());
    let kill = |pid: u32| {
        let killed = std::process::Command::new("kill")
            .args(["-9", &pid.to_string()])
            .status();
        assert!(killed.expect("kill").success());
    };
    kill(first[0]);
    wait_until("its end", || !lives(first[0]));
    drop(open);
    drop(crowd(&socket));
    wait_until("another", || children(wire.id()).len() == 1);
    let open = crowd(&socket);
    let second = children(wire.id());
    assert!(second.len() == 1 && second != first, "{second:?}");
    kill(wire.id());
    wait_until("the end of the second", || !lives(second[0]));
    drop(open);
    drop(scene.engine);
}
