//! The docker CLI on both engines: the same commands, the same output.
//!
//! The real engine's side needs the engine; the simulated one's alone shows that the CLI can use it at all.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::engines::{Simulated, real};
use crate::exchanges::Session;
use crate::normal::Normal;

/// Longer than any command here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The CLI, pointed at an engine.
struct Cli {
    host: String,
    normal: Normal,
}

/// Standard output, standard error and exit code of a command, made comparable.
type Said = (String, String, Option<i32>);

impl Cli {
    fn run(&self, words: &[&str]) -> Said {
        let output = self.output(words);
        let text = |bytes: &[u8]| {
            let text = self.normal.text(&String::from_utf8_lossy(bytes));
            // Columns are as wide as their longest cell, and the cells have been replaced.
            let lines = text
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
            lines.collect::<Vec<_>>().join("\n")
        };
        (text(&output.stdout), text(&output.stderr), output.status.code())
    }

    fn output(&self, words: &[&str]) -> Output {
        let mut command = Command::new("docker");
        command
            .args(["-H", &self.host])
            .args(words)
            .env_remove("DOCKER_CONTEXT")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().expect("the docker CLI runs");
        within(child, &format!("docker {}", words.join(" ")))
    }
}

/// Returns the output of a command; one that does not end is killed and named.
pub(crate) fn within(child: Child, what: &str) -> Output {
    let pid = child.id().to_string();
    let (sender, receiver) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(PATIENCE) else {
        let _ = Command::new("kill").args(["-9", &pid]).status();
        panic!("{what} has no end");
    };
    waiting.join().expect("no panic").expect("it was heard");
    output.expect("its output")
}

fn is_installed() -> bool {
    let found = Command::new("docker")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: there is no docker CLI");
    }
    found
}

/// The life of a container in the CLI.
fn story(socket: &Path) -> Vec<(String, Said)> {
    let session = Session::new(socket);
    let cli = Cli {
        host: format!("unix://{}", socket.display()),
        normal: Normal::new(&session.prefix),
    };
    let image = session.prefix.clone();
    let label = format!("leakcheck.run={image}");
    let filter = format!("label={label}");
    let (one, two) = (session.name("one"), session.name("two"));
    let mut said = Vec::new();
    let mut say = |words: &[&str]| {
        let shown = cli.normal.text(&words.join(" "));
        let result = cli.run(words);
        said.push((shown, result));
    };
    let script = "echo first; echo second >&2; echo third; sleep 0.5; echo fourth; sleep infinity";
    let log = ["--log-opt", "max-size=10m", "--log-opt", "max-file=3"];
    let labelled: [&str; 4] = ["--network", "none", "--label", &label];
    say(&[
        &["run", "-d", "--name", &one][..],
        &labelled,
        &log,
        &[&image, "sh", "-c", script],
    ]
    .concat());
    // Followed from before its end to its end; most of its lines come while it is followed. Docker's follower gives up
    // what it has not read when the log's writer closes, so the end comes late.
    let followed = session.name("followed");
    let brief = "echo first; sleep 0.5; echo second >&2; sleep 0.5; echo third; sleep 2";
    say(&[
        &["run", "-d", "--name", &followed][..],
        &labelled,
        &log,
        &[&image, "sh", "-c", brief],
    ]
    .concat());
    say(&["logs", "-f", &followed]);
    say(&["rm", &followed]);
    // In the foreground: attached, and removed at its end.
    let attached = session.name("attached");
    let brief = "echo in; echo out >&2; sleep 0.3; exit 4";
    say(&[
        &["run", "--rm", "--name", &attached][..],
        &labelled,
        &log,
        &[&image, "sh", "-c", brief],
    ]
    .concat());
    // The first container has said everything by now.
    say(&["ps", "-a", "--filter", &filter]);
    say(&[
        "ps",
        "--no-trunc",
        "--format",
        "{{.Names}} {{.Image}} {{.Command}} {{.State}} {{.Status}}",
        "--filter",
        &filter,
    ]);
    say(&["logs", &one]);
    say(&["logs", "--tail", "2", "-t", &one]);
    say(&["logs", "--tail", "1", &one]);
    let stamped = cli.output(&["logs", "-t", &one]);
    let stamped = String::from_utf8_lossy(&stamped.stdout).into_owned();
    let times: Vec<&str> = stamped.lines().filter_map(|line| line.split(' ').next()).collect();
    say(&["logs", "-t", "--since", times[1], &one]);
    say(&["logs", "-t", "--until", times[1], &one]);
    say(&["logs", "--since", "1h", &one]);
    say(&["logs", "--since", times[1], "--tail", "1", "-t", &one]);
    say(&["logs", "--since", "1h", "--tail", "2", "-t", &one]);
    say(&[
        "inspect",
        "--format",
        "{{.Name}} {{.State.Status}} {{.State.Running}} {{.Config.Cmd}} {{json .Config.Labels}} {{.HostConfig.NetworkMode}}",
        &one,
    ]);
    say(&["inspect", "--format", "{{json .HostConfig.LogConfig}}", &one]);
    // Without a format: which keys there are and of which type, because many values belong to the machine.
    let plain = cli.output(&["inspect", &one]).stdout;
    let plain: serde_json::Value = serde_json::from_slice(&plain).expect("JSON");
    let shapes = ["", "/State", "/Config", "/HostConfig", "/NetworkSettings"].map(|part| {
        let part = plain[0].pointer(part).expect("a part of it");
        Normal::shape(part).to_string()
    });
    said.push(("inspect".into(), (shapes.join("\n"), String::new(), Some(0))));
    let mut say = |words: &[&str]| {
        let shown = cli.normal.text(&words.join(" "));
        let result = cli.run(words);
        said.push((shown, result));
    };
    say(&["rm", &one]);
    say(&["pause", &one]);
    say(&["unpause", &one]);
    say(&["stop", "-t", "1", &one]);
    say(&["stop", "-t", "1", &one]);
    say(&["ps", "-a", "--format", "{{.Names}} {{.Status}}", "--filter", &filter]);
    say(&["rename", &one, &two]);
    say(&["wait", &two]);
    say(&["start", &two]);
    say(&["restart", "-t", "0", &two]);
    say(&["kill", &two]);
    say(&["logs", "leakcheck-nobody"]);
    say(&["inspect", "leakcheck-nobody"]);
    say(&["stop", "leakcheck-nobody"]);
    say(&[
        "images",
        "--filter",
        &filter,
        "--format",
        "{{.Repository}}:{{.Tag}} {{.ID}}",
    ]);
    say(&[
        "events",
        "--since",
        "1",
        "--until",
        &now(),
        "--filter",
        &filter,
        "--filter",
        "type=container",
        "--format",
        "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}",
    ]);
    said.push(("events, live".into(), live_events(&cli, &filter, &two)));
    let mut say = |words: &[&str]| {
        let shown = cli.normal.text(&words.join(" "));
        let result = cli.run(words);
        said.push((shown, result));
    };
    say(&["rm", &two]);
    say(&["rm", "-f", "leakcheck-nobody"]);
    say(&["rmi", &image]);
    said
}

/// The output of `docker events` during a start and a kill.
fn live_events(cli: &Cli, filter: &str, container: &str) -> Said {
    use std::io::{BufRead as _, BufReader};
    let format = "{{.Action}} {{.Actor.Attributes.name}}";
    let words = [
        "events",
        "--filter",
        filter,
        "--filter",
        "type=container",
        "--format",
        format,
    ];
    let mut following = Command::new("docker")
        .args(["-H", &cli.host])
        .args(words)
        .env_remove("DOCKER_CONTEXT")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the docker CLI runs");
    let lines = BufReader::new(following.stdout.take().expect("a pipe")).lines();
    let (sender, receiver) = std::sync::mpsc::channel();
    let reading = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    // It listens when it shows a rename to and fro; who came too early is not heard.
    let other = format!("{container}-heard");
    let heard = (0..600).any(|_| {
        cli.run(&["rename", container, &other]);
        cli.run(&["rename", &other, container]);
        receiver.recv_timeout(Duration::from_millis(100)).is_ok()
    });
    assert!(heard, "no event is shown");
    cli.run(&["start", container]);
    cli.run(&["kill", container]);
    let mut shown = Vec::new();
    while !shown.iter().any(|line: &String| line.starts_with("die")) {
        let line = receiver.recv_timeout(PATIENCE).expect("an event");
        if !line.starts_with("rename") {
            shown.push(cli.normal.text(&line));
        }
    }
    let _ = following.kill();
    let _ = following.wait();
    drop(receiver);
    reading.join().expect("no panic");
    (shown.join("\n"), String::new(), Some(0))
}

/// A time after everything that has happened, as `--until` takes it.
fn now() -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

#[test]
fn the_cli_shows_the_same_of_both_engines() {
    if !is_installed() {
        return;
    }
    let simulated = Simulated::start();
    let found = story(&simulated.socket);
    let followed = found
        .iter()
        .find(|(title, _)| title.starts_with("logs -f"))
        .map(|(_, said)| said.clone());
    assert_eq!(followed, Some(("first\nthird".into(), "second".into(), Some(0))));
    let Some(socket) = real() else { return };
    let expected = story(&socket);
    let different: Vec<String> = expected
        .iter()
        .zip(&found)
        .filter(|((title, one), (_, two))| one != two && !is_the_end_of_it(title, one, two))
        .map(|((title, one), (_, two))| format!("docker {title}\n  Docker: {one:?}\n  found:  {two:?}"))
        .collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Docker remembers the last 256 events, everybody's on the machine: the oldest of ours may be forgotten, the last not.
fn is_the_end_of_it(title: &str, known: &Said, all: &Said) -> bool {
    title.starts_with("events ")
        && !known.0.is_empty()
        && all.0.ends_with(&known.0)
        && (&known.1, known.2) == (&all.1, all.2)
}
