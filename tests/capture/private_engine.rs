//! A private Docker engine with its own data folder and socket. It may be stopped, restarted and frozen.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::daemon::signal;
use crate::harness::{is_required, print_skipped, until};

pub(crate) struct PrivateEngine {
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl PrivateEngine {
    /// Starts an engine. Without dockerd or root, prints a message and returns `None`.
    pub(crate) fn start() -> Option<Self> {
        let root = Command::new("id")
            .arg("-u")
            .output()
            .is_ok_and(|output| output.stdout == b"0\n");
        let there = Command::new("dockerd").arg("--version").output().is_ok();
        if !root || !there {
            // Root is not required.
            assert!(
                !root || !is_required(),
                "LEAKCHECK_REQUIRE_DOCKER is set, and there is no dockerd"
            );
            print_skipped("a private engine needs dockerd and root");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("daemon.json"), "{}").unwrap();
        let mut engine = Self { folder, process: None };
        engine.up();
        Some(engine)
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.path("s").display())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the process. Containers of an earlier one survive (live restore).
    pub(crate) fn up(&mut self) {
        let log = std::fs::File::create(self.path("log")).unwrap();
        let mut command = Command::new("dockerd");
        for (option, name) in [
            ("--data-root", "data"),
            ("--exec-root", "x"),
            ("--pidfile", "pid"),
            ("--config-file", "daemon.json"),
        ] {
            command.arg(option).arg(self.path(name));
        }
        let options = [
            "--bridge",
            "none",
            "--iptables=false",
            "--ip-forward=false",
            "--ip-masq=false",
        ];
        command
            .args(options)
            .args(["--storage-driver", "vfs", "--live-restore", "--host", &self.host()]);
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        until("the private engine answers", || {
            let answer = Command::new("timeout")
                .args(["10", "docker", "--host", &self.host(), "version"])
                .output();
            answer.is_ok_and(|output| output.status.success())
        });
    }

    /// Stops the process. Containers survive.
    pub(crate) fn down(&mut self) {
        if let Some(mut process) = self.process.take() {
            signal(process.id(), "TERM");
            let start = Instant::now();
            while process.try_wait().unwrap().is_none() {
                if start.elapsed() > Duration::from_secs(60) {
                    // The process hangs; its containers survive.
                    process.kill().unwrap();
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Returns the number of open file descriptors of the process.
    pub(crate) fn fds(&self) -> usize {
        let id = self.process.as_ref().unwrap().id();
        std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
    }

    /// Freezes the process until the guard is dropped.
    pub(crate) fn freeze(&self) -> Frozen {
        let id = self.process.as_ref().unwrap().id();
        signal(id, "STOP");
        Frozen(id)
    }
}

/// A guard of a frozen process.
pub(crate) struct Frozen(u32);

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(self.0, "CONT");
    }
}

impl Drop for PrivateEngine {
    fn drop(&mut self) {
        if self.process.is_some() {
            // A failure here must not hide that of the test.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                self.down();
            }));
        }
        // With live restore its containerd outlives it, and it leaves its data folder mounted onto itself.
        if let Ok(pid) = std::fs::read_to_string(self.path("x/containerd/containerd.pid")) {
            let _ = Command::new("kill").arg(pid.trim()).status();
        }
        for _ in 0..50 {
            let unmounted = Command::new("umount")
                .arg(self.path("data"))
                .stderr(Stdio::null())
                .status();
            if unmounted.is_ok_and(|status| status.success()) {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
