//! Containers of a test, and their end: everything is labelled with the test's own run and removed by that label, however
//! the test ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A run of one test on one engine.
pub(crate) struct Cage {
    host: Option<String>,
    pub(crate) run: String,
    image: String,
    pub(crate) folder: tempfile::TempDir,
}

impl Cage {
    /// On the engine at hand; `None`, said aloud, where there is none.
    pub(crate) fn open(test: &str) -> Option<Self> {
        let answers = docker(None, &["version", "--format", "{{.Server.Version}}"]);
        if !answers.is_ok_and(|output| output.status.success()) {
            assert!(
                !is_required(),
                "LEAKCHECK_REQUIRE_DOCKER is set, and no Docker engine answers"
            );
            say_skipped(&format!("{test}: no Docker engine answers"));
            return None;
        }
        Some(Self::on(None, test))
    }

    /// On the engine at `host`.
    pub(crate) fn on(host: Option<String>, test: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let run = format!(
            "capture-{test}-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let image = format!("{run}:1").to_lowercase();
        let cage = Self {
            host,
            run,
            image,
            folder: tempfile::tempdir().unwrap(),
        };
        cage.make_image();
        let keeper = cage.keeper();
        // The image's label would put it among those that the test follows.
        let label = format!("leakcheck.run={keeper}");
        let alone = ["run", "-d", "--network", "none", "--name", &keeper, "--label", &label];
        cage.docker(&[&alone[..], &[&cage.image, "idle"]].concat());
        cage
    }

    /// A container whose network all others share, because each network of its own is a chance of a deadlock in Engine 20.10's network
    /// controller when containers end together (moby issue 46661): then no container starts or ends on that engine any more.
    fn keeper(&self) -> String {
        format!("{}-keeper", self.run)
    }

    fn make_image(&self) {
        let speaker = speaker();
        let mut tar = Command::new("tar")
            .args(["-cf", "-", "-C"])
            .arg(speaker.parent().unwrap())
            .arg("speaker")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let label = format!("LABEL leakcheck.run={}", self.run);
        let import = [
            "import",
            "-c",
            r#"ENTRYPOINT ["/speaker"]"#,
            "-c",
            &label,
            "-",
            &self.image,
        ];
        let done = command(self.host.as_deref(), &import)
            .stdin(tar.stdout.take().unwrap())
            .output()
            .unwrap();
        tar.wait().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Runs the engine's own command line and returns what it says.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let output = docker(self.host.as_deref(), arguments).unwrap();
        assert!(
            output.status.success(),
            "docker {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Starts a container that speaks; `options` go to `docker run`. Returns its name.
    pub(crate) fn speak(&self, name: &str, options: &[&str], speech: &[&str]) -> String {
        let (name, label) = (format!("{}-{name}", self.run), format!("leakcheck.run={}", self.run));
        let network = format!("container:{}", self.keeper());
        let mut arguments = vec!["run", "-d", "--network", &network, "--name", &name, "--label", &label];
        // Whatever the engine's default is, it must not drop lines that the test counts.
        if !options.contains(&"--log-driver") {
            arguments.extend(["--log-driver", "json-file", "--log-opt", "max-size=1g"]);
        }
        arguments.extend(options);
        arguments.push(&self.image);
        arguments.extend(speech);
        self.docker(&arguments);
        name
    }

    /// Starts `count` containers that speak alike, a few at a time. Returns their names.
    pub(crate) fn speak_all(&self, name: &str, count: usize, speech: &[&str]) -> Vec<String> {
        let numbers: Vec<usize> = (0..count).collect();
        side_by_side(&numbers, |number| self.speak(&format!("{name}{number}"), &[], speech))
    }

    /// Kills all containers of this run, if any runs.
    pub(crate) fn silence(&self) {
        let running = self.docker(&["ps", "-q", "--filter", &format!("label=leakcheck.run={}", self.run)]);
        let ids: Vec<&str> = running.split_whitespace().collect();
        side_by_side(&ids, |id| {
            // One that ended by itself meanwhile cannot be killed, and need not be.
            let _ = docker(self.host.as_deref(), &["kill", id]);
        });
    }

    /// How many lines of standard output and of standard error the engine itself has of a container.
    pub(crate) fn lines_kept(&self, name: &str) -> [usize; 2] {
        self.kept(name).map(|text| text.lines().count())
    }

    /// The numbers of the lines that the engine itself has of a speaker, on standard output and on standard error.
    pub(crate) fn numbers_kept(&self, name: &str) -> [Vec<usize>; 2] {
        self.kept(name).map(|text| text.lines().map(number_of).collect())
    }

    fn kept(&self, name: &str) -> [String; 2] {
        let output = docker(self.host.as_deref(), &["logs", name]).unwrap();
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned())
    }

    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    pub(crate) fn output(&self) -> PathBuf {
        self.folder.path().join("out")
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        let filter = format!("label=leakcheck.run={}", self.run);
        let left = docker(self.host.as_deref(), &["ps", "-aq", "--filter", &filter]);
        let left = left.map_or_else(
            |_| String::new(),
            |left| String::from_utf8_lossy(&left.stdout).into_owned(),
        );
        let ids: Vec<&str> = left.split_whitespace().collect();
        side_by_side(&ids, |id| {
            let _ = docker(self.host.as_deref(), &["rm", "-f", id]);
        });
        let _ = docker(self.host.as_deref(), &["rm", "-f", &self.keeper()]);
        let _ = docker(self.host.as_deref(), &["rmi", "-f", &self.image]);
    }
}

/// Does the same with each of `things`, some at a time: an engine waits for the kernel more than it works.
pub(crate) fn side_by_side<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    const HANDS: usize = 8;
    let share = things.len().div_ceil(HANDS).max(1);
    std::thread::scope(|scope| {
        let work = &work;
        let hands: Vec<_> = things
            .chunks(share)
            .map(|some| scope.spawn(move || some.iter().map(work).collect::<Vec<R>>()))
            .collect();
        hands.into_iter().flat_map(|hand| hand.join().unwrap()).collect()
    })
}

/// True where a missing engine is a failure and no reason to skip.
pub(crate) fn is_required() -> bool {
    std::env::var_os("LEAKCHECK_REQUIRE_DOCKER").is_some()
}

/// Says it past the harness, which keeps what a test that passed has printed.
pub(crate) fn say_skipped(why: &str) {
    use std::io::Write as _;
    // Standard error may be closed; that is no reason to fail.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// The engine's command line, ended after two minutes: an engine that hangs must not hold the tests for ever.
fn command(host: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "120", "docker"]);
    if let Some(host) = host {
        command.args(["--host", host]);
    }
    command.args(arguments);
    command
}

fn docker(host: Option<&str>, arguments: &[&str]) -> std::io::Result<Output> {
    command(host, arguments).stdin(Stdio::null()).output()
}

/// The speaker's executable, compiled once for all tests of this process.
fn speaker() -> &'static Path {
    static SPEAKER: OnceLock<PathBuf> = OnceLock::new();
    SPEAKER.get_or_init(|| {
        // Tests may run in processes of their own side by side: each compiles its own, then all agree on one place.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (own, path) = (
            folder.join(format!("speaker-{}", std::process::id())),
            folder.join("speaker"),
        );
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_engine/speaker.rs");
        let compiled = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into()))
            .args(["--edition", "2024", "-O", "-C", "strip=symbols"])
            .args(["-C", "target-feature=+crt-static", "-o"])
            .arg(&own)
            .arg(source)
            .output()
            .unwrap();
        assert!(
            compiled.status.success(),
            "{}",
            String::from_utf8_lossy(&compiled.stderr)
        );
        std::fs::rename(&own, &path).unwrap();
        path
    })
}

/// Waits until `condition` holds; the deadline is far beyond what a loaded machine needs.
pub(crate) fn until(what: &str, condition: impl FnMut() -> bool) {
    until_at_last(what, Duration::from_secs(60), condition);
}

/// The same, with a deadline of its own for what takes long.
pub(crate) fn until_at_last(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The number of a speaker's line, `S0 17 abc…`.
pub(crate) fn number_of(line: &str) -> usize {
    line.split(' ').nth(1).unwrap().parse().unwrap()
}
