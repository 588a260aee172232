//! A Go daemon with net/http/pprof: the leak is attributed to a function.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{result, watched};
use crate::harness::stderr;

/// Starts a goroutine that never ends five times a second, and prints the address that it serves.
const DAEMON: &str = r##"package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"runtime"
	"time"
)

func waitsForEver() { select {} }

func main() {
	http.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE go_goroutines gauge\ngo_goroutines %d\n", runtime.NumGoroutine())
	})
	go func() {
		for range time.Tick(200 * time.Millisecond) {
			go waitsForEver()
		}
	}()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	panic(http.Serve(listener, nil))
}
"##;

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn leaked_goroutines_are_attributed_to_their_function() {
    // Given a Go program that leaks
    let folder = TempDir::new().expect("a scratch folder");
    std::fs::write(folder.path().join("main.go"), DAEMON).expect("written");
    std::fs::write(folder.path().join("go.mod"), "module daemon\n").expect("written");
    let built = Command::new("go")
        .args(["build", "-o", "daemon", "."])
        .current_dir(folder.path())
        .output();
    let Ok(built) = built else {
        return crate::skip::skip_without_tool("`go` is not installed");
    };
    assert!(built.status.success(), "{}", stderr(&built));
    let daemon = Command::new(folder.path().join("daemon"))
        .stdout(Stdio::piped())
        .spawn();
    let mut daemon = Daemon(daemon.expect("it starts"));
    let mut address = String::new();
    let first_line = daemon
        .0
        .stdout
        .take()
        .map(|out| BufReader::new(out).read_line(&mut address));
    assert!(
        matches!(first_line, Some(Ok(_))) && address.starts_with("127.0.0.1:"),
        "{address}"
    );
    // When it is watched
    let pid = daemon.0.id().to_string();
    let limit = "tasks: growth_per_min < 20";
    let arguments = ["--pid", &pid, "--duration", "30s", "--limit", limit, "--json"];
    let output = watched(folder.path(), &arguments);
    // Then the attribution names the function
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let sentences = &result(&output)["attribution"]["sentences"];
    let named = sentences.as_array().is_some_and(|all| {
        all.iter().any(|one| {
            one.as_str()
                .is_some_and(|one| one.contains("tasks: ") && one.contains("main.waitsForEver"))
        })
    });
    assert!(named, "{sentences}");
}
