//! Sums over real process trees: workers that come, go, and lose their parent.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use leakcheck_probe::{Process, ProcessTree};

/// Starts a shell that executes lines from its standard input.
fn shell() -> Child {
    Command::new("sh")
        .args(["-c", "while read line; do eval \"$line\"; done"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("sh starts")
}

fn run_line(shell: &mut Child, line: &str) {
    let input = shell.stdin.as_mut().expect("piped");
    input.write_all(format!("{line}\n").as_bytes()).expect("written");
}

fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < limit, "{what}: not within 20 s");
        std::thread::yield_now();
    }
}

fn end(mut shell: Child) {
    drop(shell.stdin.take());
    shell.wait().expect("it ends");
}

/// Counts the members that run `sleep` already.
fn sleeping(tree: &mut ProcessTree) -> usize {
    let is_sleep = |p: &Process| p.exe().is_ok_and(|exe| !exe.to_string_lossy().contains("sh"));
    tree.descendants()
        .map_or(0, |all| all.iter().filter(|p| is_sleep(p)).count())
}

#[test]
fn workers_count_only_while_they_live() {
    // Given a parent with two workers
    let mut parent = shell();
    let mut tree = ProcessTree::of(Process::open(parent.id()).expect("it runs"));
    let alone = tree.sample().expect("readable");
    run_line(&mut parent, "sleep 300 & a=$!; sleep 300 & b=$!");
    until("two workers", || (sleeping(&mut tree) == 2).then_some(()));
    // Then their threads, descriptors and memory count
    let three = tree.sample().expect("readable");
    assert_eq!(three.threads, 3);
    assert!(three.fds > alone.fds.map(|n| n + 2), "{three:?} after {alone:?}");
    assert!(three.rss_bytes > alone.rss_bytes, "{three:?} after {alone:?}");
    assert!(tree.pss_bytes().expect("ours") > 0);
    // When one ends and another starts, only the living ones count
    run_line(&mut parent, "kill $a; wait $a; sleep 300 & c=$!");
    until("a new worker", || {
        let threads = tree.sample().expect("readable").threads;
        (sleeping(&mut tree) == 2 && threads == 3).then_some(())
    });
    run_line(&mut parent, "kill $b $c; wait $b $c");
    until("none left", || (tree.sample().ok()?.threads == 1).then_some(()));
    end(parent);
}

#[test]
fn a_worker_whose_parent_died_still_counts() {
    // Given a grandchild that was sampled together with its parent
    let mut parent = shell();
    let mut tree = ProcessTree::of(Process::open(parent.id()).expect("it runs"));
    run_line(&mut parent, "(sleep 300 & read more < /dev/zero) & middle=$!");
    until("a grandchild", || (sleeping(&mut tree) == 1).then_some(()));
    // When its parent is killed, so that init adopts it
    run_line(&mut parent, "kill -9 $middle; wait $middle");
    until("the middle one gone", || {
        let root = Process::open(parent.id()).ok()?;
        root.descendants().ok()?.is_empty().then_some(())
    });
    // Then it still counts
    assert_eq!(tree.sample().expect("readable").threads, 2);
    let orphan = tree
        .descendants()
        .expect("readable")
        .first()
        .map(Process::pid)
        .expect("one");
    Command::new("kill").arg(orphan.to_string()).status().expect("kill");
    until("the orphan gone", || (tree.sample().ok()?.threads == 1).then_some(()));
    end(parent);
}

#[test]
fn processor_time_never_falls_when_a_worker_ends() {
    let mut parent = shell();
    let mut tree = ProcessTree::of(Process::open(parent.id()).expect("it runs"));
    // Given a worker that has used some time
    run_line(&mut parent, "(while :; do :; done) & busy=$!");
    let before = until("a tenth of a second", || {
        Some(tree.sample().ok()?.cpu_s).filter(|cpu| *cpu > 0.1)
    });
    // When it ends and is reaped
    run_line(&mut parent, "kill -9 $busy; wait $busy");
    until("it gone", || (tree.sample().ok()?.threads == 1).then_some(()));
    // Then its time still counts
    assert!(tree.sample().expect("readable").cpu_s >= before);
    end(parent);
}

#[test]
fn a_tree_ends_with_its_root() {
    let mut parent = shell();
    let mut tree = ProcessTree::of(Process::open(parent.id()).expect("it runs"));
    tree.sample().expect("it runs");
    parent.kill().expect("ours");
    parent.wait().expect("waited");
    assert!(tree.sample().is_err());
}
