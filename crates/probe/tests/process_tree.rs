//! A process with its descendants, added up for real: workers that come, go, and lose their parent.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use leakcheck_probe::{Process, ProcessTree};

/// A shell that obeys lines on its standard input.
fn shell() -> Child {
    Command::new("sh")
        .args(["-c", "while read line; do eval \"$line\"; done"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("sh starts")
}

fn tell(shell: &mut Child, line: &str) {
    let input = shell.stdin.as_mut().expect("piped");
    input.write_all(format!("{line}\n").as_bytes()).expect("written");
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
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

/// How many members there are beside the eldest, once each of them is what it was started as.
fn sleeping(tree: &mut ProcessTree) -> usize {
    let is_sleep = |p: &Process| p.exe().is_ok_and(|exe| !exe.to_string_lossy().contains("sh"));
    tree.descendants()
        .map_or(0, |all| all.iter().filter(|p| is_sleep(p)).count())
}

#[test]
fn workers_count_while_they_live_and_no_longer() {
    // Given a parent with two workers
    let mut parent = shell();
    let mut tree = ProcessTree::of(Process::open(parent.id()).expect("it runs"));
    let alone = tree.sample().expect("readable");
    tell(&mut parent, "sleep 300 & a=$!; sleep 300 & b=$!");
    until("two workers", || (sleeping(&mut tree) == 2).then_some(()));
    // Then their threads, descriptors and memory count
    let three = tree.sample().expect("readable");
    assert_eq!(three.threads, 3);
    assert!(three.fds > alone.fds.map(|n| n + 2), "{three:?} after {alone:?}");
    assert!(three.rss_bytes > alone.rss_bytes, "{three:?} after {alone:?}");
    assert!(tree.pss_bytes().expect("ours") > 0);
    // When one goes and another comes, the sum is of those that live
    tell(&mut parent, "kill $a; wait $a; sleep 300 & c=$!");
    until("a new worker", || {
        let threads = tree.sample().expect("readable").threads;
        (sleeping(&mut tree) == 2 && threads == 3).then_some(())
    });
    tell(&mut parent, "kill $b $c; wait $b $c");
    until("none left", || (tree.sample().ok()?.threads == 1).then_some(()));
    end(parent);
}

#[test]
fn a_worker_that_lost_its_parent_is_still_followed() {
    // Given a grandchild that was seen with its parent
    let mut parent = shell();
    let mut tree = ProcessTree::of(Process::open(parent.id()).expect("it runs"));
    tell(&mut parent, "(sleep 300 & read more < /dev/zero) & middle=$!");
    until("a grandchild", || (sleeping(&mut tree) == 1).then_some(()));
    // When its parent is killed, so that it is nobody's descendant here any more
    tell(&mut parent, "kill -9 $middle; wait $middle");
    until("the middle one gone", || {
        let root = Process::open(parent.id()).ok()?;
        root.descendants().ok()?.is_empty().then_some(())
    });
    // Then it counts all the same
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
    tell(&mut parent, "(while :; do :; done) & busy=$!");
    let before = until("a tenth of a second", || {
        Some(tree.sample().ok()?.cpu_s).filter(|cpu| *cpu > 0.1)
    });
    // When it ends and is waited for
    tell(&mut parent, "kill -9 $busy; wait $busy");
    until("it gone", || (tree.sample().ok()?.threads == 1).then_some(()));
    // Then its time is not forgotten
    assert!(tree.sample().expect("readable").cpu_s >= before);
    end(parent);
}

#[test]
fn a_family_ends_with_its_eldest() {
    let mut parent = shell();
    let mut tree = ProcessTree::of(Process::open(parent.id()).expect("it runs"));
    tree.sample().expect("it runs");
    parent.kill().expect("ours");
    parent.wait().expect("waited");
    assert!(tree.sample().is_err());
}
