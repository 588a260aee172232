//! Attribution of real sockets, files, threads and children of the test's own process.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use leakcheck_model::event::Attribution;
use leakcheck_probe::Process;
use leakcheck_probe::attribution::{GrowthContext, MAX_FDS, Snapshot};

/// Returns the growth while `work` ran. Its result is kept until after the second snapshot.
fn growth<T>(work: impl FnOnce() -> T) -> Attribution {
    let process = Process::open(std::process::id()).expect("we run");
    let before = Snapshot::take(&process, MAX_FDS);
    let held = work();
    let after = Snapshot::take(&process, MAX_FDS);
    drop(held);
    assert_eq!(after.unseen, Vec::<String>::new());
    after.since(&before, &GrowthContext::default())
}

fn grew(attribution: &Attribution, kind: &str, peer: Option<&str>) -> i64 {
    attribution
        .fds
        .iter()
        .filter(|g| g.kind == kind && g.peer.as_deref() == peer)
        .map(|g| g.grew_by)
        .sum()
}

#[test]
fn descriptors_are_grouped_by_kind_and_peer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("engine.sock");
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = tcp.local_addr().expect("an address");
    let attribution = growth(|| {
        // Given twelve clients of a Unix socket of which four were closed by the other end, and five of a TCP port
        let listener = UnixListener::bind(&path).expect("bound");
        let clients: Vec<UnixStream> = (0..12)
            .map(|_| UnixStream::connect(&path).expect("connected"))
            .collect();
        let mut accepted: Vec<UnixStream> = (0..12).map(|_| listener.accept().expect("accepted").0).collect();
        accepted.truncate(8);
        let out: Vec<_> = (0..5)
            .map(|_| std::net::TcpStream::connect(address).expect("connected"))
            .collect();
        let mut served: Vec<_> = (0..5).map(|_| tcp.accept().expect("accepted").0).collect();
        served.truncate(3);
        // And files: three of one pattern, of which one is deleted
        let files: Vec<File> = (0..4)
            .map(|i| File::create(folder.path().join(format!("cache-{i}"))).expect("created"))
            .collect();
        std::fs::remove_file(folder.path().join("cache-3")).expect("removed");
        (listener, clients, accepted, out, served, files)
    });
    assert_eq!(
        grew(&attribution, "unix-socket", Some("engine.sock")),
        8,
        "{attribution:?}"
    );
    assert_eq!(grew(&attribution, "unix-socket", Some("closed by the other end")), 4);
    assert_eq!(grew(&attribution, "unix-accepted", Some("engine.sock")), 8);
    assert_eq!(grew(&attribution, "unix-listener", Some("engine.sock")), 1);
    assert_eq!(grew(&attribution, "tcp", Some(&address.to_string())), 3);
    assert_eq!(grew(&attribution, "tcp-close-wait", Some(&address.to_string())), 2);
    assert_eq!(
        grew(&attribution, "tcp-accepted", Some(&format!("port {}", address.port()))),
        3
    );
    let of_files = |kind: &str| {
        let ours = |peer: &String| peer.contains("/cache-*") || peer.contains("/cache-3");
        let groups = attribution
            .fds
            .iter()
            .filter(|g| g.kind == kind && g.peer.as_ref().is_some_and(ours));
        groups.map(|g| g.grew_by).sum::<i64>()
    };
    assert_eq!((of_files("file"), of_files("deleted")), (3, 1), "{attribution:?}");
    assert!(
        attribution.sentences[0].contains("file descriptors: "),
        "{:?}",
        attribution.sentences
    );
}

#[test]
fn threads_and_zombies_are_grouped_by_name() {
    let (stop, wait) = std::sync::mpsc::sync_channel::<()>(0);
    let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    let mut threads = Vec::new();
    let mut children = Vec::new();
    let attribution = growth(|| {
        for i in 0..6 {
            let wait = wait.clone();
            let named = std::thread::Builder::new().name(format!("leaky-{i}"));
            threads.push(
                named
                    .spawn(move || wait.lock().is_ok_and(|w| w.recv().is_ok()))
                    .expect("begun"),
            );
        }
        for _ in 0..3 {
            children.push(Command::new("true").stdin(Stdio::null()).spawn().expect("true starts"));
        }
        // Waits until each has ended, without reaping it.
        for child in &children {
            let stat = format!("/proc/{}/stat", child.id());
            while !std::fs::read_to_string(&stat).expect("not waited for").contains(") Z ") {
                std::thread::yield_now();
            }
        }
    });
    let of = |name: &str| {
        attribution
            .tasks
            .iter()
            .filter(|g| g.name == name)
            .map(|g| g.grew_by)
            .sum::<i64>()
    };
    assert_eq!((of("thread leaky-*"), of("child true")), (6, 3), "{attribution:?}");
    let sentences = attribution.sentences.join("; ");
    assert!(sentences.contains("3 are `true` (zombie)"), "{sentences}");
    drop(stop);
    for thread in threads {
        let _ = thread.join();
    }
    for mut child in children {
        child.wait().expect("waited");
    }
}

#[test]
fn growth_of_memory_is_described() {
    let attribution = growth(|| vec![1u8; 64 << 20]);
    assert!(
        attribution.sentences.iter().any(|s| s.contains("of resident memory")),
        "{attribution:?}"
    );
}

#[test]
fn too_many_descriptors_are_not_read_and_a_message_says_so() {
    let process = Process::open(std::process::id()).expect("we run");
    let snapshot = Snapshot::take(&process, 1);
    assert_eq!(snapshot.fds, None);
    assert!(
        snapshot.unseen[0].contains("too many to read each (more than 1)"),
        "{:?}",
        snapshot.unseen
    );
}

#[tokio::test]
async fn the_process_of_the_docker_engine_is_found_by_its_socket() {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let socket = host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock");
    let socket = std::path::Path::new(socket);
    if UnixStream::connect(socket).is_err() {
        assert!(
            std::env::var_os("LEAKCHECK_REQUIRE_DOCKER").is_none(),
            "no Docker engine answers"
        );
        // Written past the captured output of the test, so that it is visible.
        let _ = writeln!(std::io::stderr(), "SKIPPED: no Docker engine answers");
        return;
    }
    let pid = leakcheck_probe::listener_of(socket).await.expect("it listens");
    let process = Process::open(pid).expect("it runs");
    assert!(pid != 1 && process.fd_count().expect("countable") > 3, "{process:?}");
}
