//! Reading real processes, which the tests start themselves.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use leakcheck_probe::{Process, ProcessError};

/// A shell that runs a script and then waits until its standard input is closed.
fn shell(script: &str) -> Child {
    Command::new("sh")
        .args(["-c", &format!("{script}\nread wait")])
        .stdin(Stdio::piped())
        .spawn()
        .expect("sh starts")
}

fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let limit = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(
            std::time::Instant::now() < limit,
            "the condition was not met within 10 s"
        );
        std::thread::yield_now();
    }
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().expect("it ends");
}

#[test]
fn open_files_are_counted_as_the_folder_lists_them() {
    // Given a shell that opens three descriptors and then starts a child
    let mut child = shell("read go; exec 3</dev/null 4</dev/null 5</dev/null; sleep 300 & read more; kill $!");
    let process = Process::open(child.id()).expect("it runs");
    let (before, _) = until(|| {
        Some((
            process.fd_count().ok()?,
            process.stat().ok().filter(|s| s.state == 'S')?,
        ))
    });
    child
        .stdin
        .as_mut()
        .expect("piped")
        .write_all(b"go\n")
        .expect("written");
    until(|| (process.children().ok()? == 1).then_some(()));
    // Then there are three more, as many as the folder lists
    let listed = std::fs::read_dir(format!("/proc/{}/fd", child.id()))
        .expect("readable")
        .count() as u64;
    let sample = process.sample().expect("readable");
    assert_eq!((sample.fds, listed, sample.threads), (Some(before + 3), before + 3, 1));
    assert!(sample.rss_bytes > 100_000, "{sample:?}");
    child
        .stdin
        .as_mut()
        .expect("piped")
        .write_all(b"more\n")
        .expect("written");
    end(child);
}

#[test]
fn threads_are_counted() {
    let process = Process::open(std::process::id()).expect("we run");
    let (stop, wait) = std::sync::mpsc::sync_channel::<()>(0);
    let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    // More than the other tests could start and end at the same time.
    let threads: Vec<_> = (0..100)
        .map(|_| {
            let wait = wait.clone();
            std::thread::spawn(move || wait.lock().is_ok_and(|w| w.recv().is_ok()))
        })
        .collect();
    assert!(process.sample().expect("readable").threads > 100);
    drop(stop);
    for thread in threads {
        let _ = thread.join();
    }
}

#[test]
fn a_zombie_has_ended_and_has_no_numbers() {
    // Given a child that has ended and was not reaped
    let mut child = Command::new("true").spawn().expect("it starts");
    let state = until(|| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it was not reaped");
        stat.contains(") Z ").then_some(stat)
    });
    // Then it cannot be opened
    assert!(
        matches!(Process::open(child.id()), Err(ProcessError::Gone { .. })),
        "{state}"
    );
    child.wait().expect("waited");
}

#[test]
fn an_open_process_is_gone_after_its_end() {
    let child = shell("");
    let process = Process::open(child.id()).expect("it runs");
    assert!(process.is_alive());
    end(child);
    assert!(!process.is_alive());
    for result in [
        process.sample().map(|_| ()),
        process.fd_count().map(|_| ()),
        process.children().map(|_| ()),
    ] {
        assert!(
            matches!(result, Err(ProcessError::Gone { .. } | ProcessError::Restarted { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn a_missing_process_is_an_error_with_its_id() {
    // Above the highest id that Linux can give (2^22).
    let error = Process::open(1 << 23).expect_err("there is none");
    assert_eq!(error.to_string(), "process 8388608 has ended");
}

#[test]
fn children_and_their_children_and_zombies_are_counted() {
    // `exec sleep` never reaps the child that it inherits, which becomes a zombie.
    let mut child = shell("sh -c '(exit 0) & exec sleep 300' &\nsleeper=$!\nread go; kill $sleeper");
    let process = Process::open(child.id()).expect("it runs");
    until(|| {
        let groups = process.children_by_name().ok()?;
        let has = |name: &str, state| groups.contains_key(&(name.to_owned(), state));
        (has("sleep", 'S') && has("sh", 'Z') && process.children().ok()? == 2).then_some(())
    });
    child
        .stdin
        .as_mut()
        .expect("piped")
        .write_all(b"go\n")
        .expect("written");
    end(child);
}

#[test]
fn proportional_memory_is_no_more_than_resident_memory() {
    let child = shell("");
    let process = Process::open(child.id()).expect("it runs");
    let (pss, rss) = until(|| {
        let pss = process.pss_bytes().ok()?;
        Some((pss, process.rss_bytes().ok()?)).filter(|(p, _)| *p > 0)
    });
    assert!(pss <= rss, "{pss} {rss}");
    end(child);
}

#[tokio::test]
async fn the_end_of_a_process_is_waited_for() {
    let child = shell("");
    let process = Process::open(child.id()).expect("it runs");
    assert!(!process.ended_within(Duration::from_millis(20)).await.expect("waited"));
    let waiter = std::thread::spawn(move || end(child));
    assert!(process.ended_within(Duration::from_secs(10)).await.expect("waited"));
    waiter.join().expect("joined");
}

#[test]
fn the_running_executable_is_found() {
    let process = Process::open(std::process::id()).expect("we run");
    assert_eq!(process.exe().expect("readable"), std::env::current_exe().expect("ours"));
}
