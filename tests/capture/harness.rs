//! The containers of a test. Everything carries the label of the test's run and is removed by it, however the test ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A run of one test on one engine.
pub(crate) struct Harness {
    host: Option<String>,
    pub(crate) run: String,
    image: String,
    pub(crate) folder: tempfile::TempDir,
}

impl Harness {
    /// Uses the default engine. If there is none, prints a message and returns `None`.
    pub(crate) fn open(test: &str) -> Option<Self> {
        let answers = docker(None, &["version", "--format", "{{.Server.Version}}"]);
        if !answers.is_ok_and(|output| output.status.success()) {
            assert!(
                !is_required(),
                "LEAKCHECK_REQUIRE_DOCKER is set, and no Docker engine answers"
            );
            print_skipped(&format!("{test}: no Docker engine answers"));
            return None;
        }
        Some(Self::on(None, test))
    }

    /// Uses the engine at `host`.
    pub(crate) fn on(host: Option<String>, test: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let run = format!(
            "capture-{test}-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let image = format!("{run}:1").to_lowercase();
        let harness = Self {
            host,
            run,
            image,
            folder: tempfile::tempdir().unwrap(),
        };
        harness.make_image();
        let keeper = harness.keeper();
        // Without this label it would have the image's, and be followed.
        let label = format!("leakcheck.run={keeper}");
        let alone = ["run", "-d", "--network", "none", "--name", &keeper, "--label", &label];
        harness.docker(&[&alone[..], &[&harness.image, "idle"]].concat());
        harness
    }

    /// Returns the name of the container whose network all others share. With networks of their own, containers that end
    /// together may deadlock the network controller of Engine 20.10 (moby issue 46661).
    fn keeper(&self) -> String {
        format!("{}-keeper", self.run)
    }

    fn make_image(&self) {
        let log_writer = log_writer();
        let mut tar = Command::new("tar")
            .args(["-cf", "-", "-C"])
            .arg(log_writer.parent().unwrap())
            .arg("log_writer")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let label = format!("LABEL leakcheck.run={}", self.run);
        let import = [
            "import",
            "-c",
            r#"ENTRYPOINT ["/log_writer"]"#,
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

    /// Runs the Docker CLI and returns its output.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let output = docker(self.host.as_deref(), arguments).unwrap();
        assert!(
            output.status.success(),
            "docker {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Starts a container that writes lines; `options` go to `docker run`. Returns its name.
    pub(crate) fn start_writer(&self, name: &str, options: &[&str], speech: &[&str]) -> String {
        let (name, label) = (format!("{}-{name}", self.run), format!("leakcheck.run={}", self.run));
        let network = format!("container:{}", self.keeper());
        let mut arguments = vec!["run", "-d", "--network", &network, "--name", &name, "--label", &label];
        // The engine must not drop lines, whatever its default is.
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
    pub(crate) fn start_writers(&self, name: &str, count: usize, speech: &[&str]) -> Vec<String> {
        let numbers: Vec<usize> = (0..count).collect();
        side_by_side(&numbers, |number| {
            self.start_writer(&format!("{name}{number}"), &[], speech)
        })
    }

    /// Kills all containers of this run, if any runs.
    pub(crate) fn kill_writers(&self) {
        let running = self.docker(&["ps", "-q", "--filter", &format!("label=leakcheck.run={}", self.run)]);
        let ids: Vec<&str> = running.split_whitespace().collect();
        side_by_side(&ids, |id| {
            // A container that has ended cannot be killed.
            let _ = docker(self.host.as_deref(), &["kill", id]);
        });
    }

    /// Returns the numbers of lines in the engine's log of a container: standard output and standard error.
    pub(crate) fn logged_lines(&self, name: &str) -> [usize; 2] {
        self.kept(name).map(|text| text.lines().count())
    }

    /// Returns the numbers in the lines of the engine's log of a container: standard output and standard error.
    pub(crate) fn logged_numbers(&self, name: &str) -> [Vec<usize>; 2] {
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

impl Drop for Harness {
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

/// Calls `work` with each of `things`, some at a time.
pub(crate) fn side_by_side<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    const THREADS: usize = 8;
    let share = things.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = things
            .chunks(share)
            .map(|some| scope.spawn(move || some.iter().map(work).collect::<Vec<R>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Returns `true` if a missing engine is a failure.
pub(crate) fn is_required() -> bool {
    std::env::var_os("LEAKCHECK_REQUIRE_DOCKER").is_some()
}

/// Prints that a test is skipped. The test runner would hide the output of a passed test, so this writes directly.
pub(crate) fn print_skipped(why: &str) {
    use std::io::Write as _;
    // A closed standard error is not a failure.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// Returns a command of the Docker CLI that is killed after two minutes, in case the engine hangs.
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

/// Returns the executable of the log writer, compiled once per process.
fn log_writer() -> &'static Path {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| {
        // Test processes may run in parallel: each compiles its own file and renames it to the common name.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (own, path) = (
            folder.join(format!("log_writer-{}", std::process::id())),
            folder.join("log_writer"),
        );
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("capture/log_writer.rs");
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

/// Waits until `condition` holds, with a deadline for a loaded machine.
pub(crate) fn until(what: &str, condition: impl FnMut() -> bool) {
    until_deadline(what, Duration::from_secs(60), condition);
}

/// Waits until `condition` holds, or fails at `deadline`.
pub(crate) fn until_deadline(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the number in a line of the log writer, `S0 17 abc…`.
pub(crate) fn number_of(line: &str) -> usize {
    line.split(' ').nth(1).unwrap().parse().unwrap()
}
