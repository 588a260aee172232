//! A Docker engine of the test's own: private data folder, private socket, and nobody else's containers. It may be stopped,
//! restarted and frozen.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cage::{is_required, say_skipped, until};
use crate::daemon::signal;

pub(crate) struct PrivateEngine {
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl PrivateEngine {
    /// Starts one; `None`, said aloud, where that is not possible (no dockerd, or not root).
    pub(crate) fn start() -> Option<Self> {
        let root = Command::new("id")
            .arg("-u")
            .output()
            .is_ok_and(|output| output.stdout == b"0\n");
        let there = Command::new("dockerd").arg("--version").output().is_ok();
        if !root || !there {
            // An engine that one may use is enough for all other tests; root is not asked of anyone.
            assert!(
                !root || !is_required(),
                "LEAKCHECK_REQUIRE_DOCKER is set, and there is no dockerd"
            );
            say_skipped("a private engine needs dockerd and root");
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

    /// Starts its process. Containers survive that of an earlier one (live restore).
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

    /// Ends its process; containers live on.
    pub(crate) fn down(&mut self) {
        if let Some(mut process) = self.process.take() {
            signal(process.id(), "TERM");
            let began = Instant::now();
            while process.try_wait().unwrap().is_none() {
                if began.elapsed() > Duration::from_secs(60) {
                    // Its containers live on; it is only this process that hangs.
                    process.kill().unwrap();
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Open file descriptors of its process.
    pub(crate) fn fds(&self) -> usize {
        let id = self.process.as_ref().unwrap().id();
        std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
    }

    /// Stops its process until what this returns is dropped, however the test goes on: whatever asks a frozen engine hangs.
    pub(crate) fn freeze(&self) -> Frozen {
        let id = self.process.as_ref().unwrap().id();
        signal(id, "STOP");
        Frozen(id)
    }
}

/// An engine's process that was stopped.
pub(crate) struct Frozen(u32);

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(self.0, "CONT");
    }
}

impl Drop for PrivateEngine {
    fn drop(&mut self) {
        if self.process.is_some() {
            // Whatever the test did, it must be able to end.
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
