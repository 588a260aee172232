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
            let required = std::env::var("LEAKCHECK_REQUIRE_DOCKER").is_ok_and(|value| value == "1");
            assert!(!required, "LEAKCHECK_REQUIRE_DOCKER=1, and no Docker engine answers");
            eprintln!("SKIPPED: no Docker engine answers");
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
        cage
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
        let mut arguments = vec!["run", "-d", "--network", "none", "--name", &name, "--label", &label];
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

    /// Kills all containers of this run, if any runs.
    pub(crate) fn silence(&self) {
        let running = self.docker(&["ps", "-q", "--filter", &format!("label=leakcheck.run={}", self.run)]);
        let ids: Vec<&str> = running.split_whitespace().collect();
        if !ids.is_empty() {
            let _ = docker(self.host.as_deref(), &[&["kill"], &ids[..]].concat());
        }
    }

    /// What the engine itself has of a container's output: lines of standard output and standard error.
    pub(crate) fn lines_kept(&self, name: &str) -> [usize; 2] {
        let output = docker(self.host.as_deref(), &["logs", name]).unwrap();
        [&output.stdout, &output.stderr].map(|text| text.iter().filter(|byte| **byte == b'\n').count())
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
        let Ok(left) = docker(self.host.as_deref(), &["ps", "-aq", "--filter", &filter]) else {
            return;
        };
        let left = String::from_utf8_lossy(&left.stdout).into_owned();
        let ids: Vec<&str> = left.split_whitespace().collect();
        if !ids.is_empty() {
            let _ = docker(self.host.as_deref(), &[&["rm", "-f"], &ids[..]].concat());
        }
        let _ = docker(self.host.as_deref(), &["rmi", "-f", &self.image]);
    }
}

fn command(host: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
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
            .args(["--edition", "2024", "-O", "-C", "target-feature=+crt-static", "-o"])
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
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(60), "never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
