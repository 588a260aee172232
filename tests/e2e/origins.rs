//! The line of code that leaked, in real programs of five languages. Each leaks in its function `handle`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Engine, Harness, RunOutput, root};
use crate::skip::skip_without_tool;

fn source(name: &str) -> PathBuf {
    root()
        .join("tests/e2e/origins")
        .join(name)
        .canonicalize()
        .expect("a source file")
}

/// The number of the line that is marked as the leak.
fn leaking_line(source: &Path) -> u64 {
    let text = std::fs::read_to_string(source).expect("a source file");
    let line = text.lines().position(|line| line.contains("the leak"));
    line.expect("a marked line") as u64 + 1
}

/// Runs a program under a limit that it exceeds within seconds.
fn run(harness: &Harness, command: &[&str]) -> RunOutput {
    let words = serde_json::to_string(command).expect("JSON");
    let scenario = format!(
        "name = \"leak\"\n[target]\nkind = \"command\"\ncommand = {words}\n\
         [schedule]\nwarm_up = \"1s\"\nmeasure = \"10s\"\nsample_every = \"500ms\"\ndrain = \"0s\"\nextend = \"0s\"\n\
         [limits]\nfds = \"max < 100\"\n"
    );
    harness.run(&scenario, &[])
}

/// Runs a program, and checks that the leak is put down to `function` at the marked line of `source`, or at `line`.
fn assert_origin(command: &[&str], source: &Path, function: &str, line: Option<u64>) {
    let harness = Harness::on(Engine::Simulated).expect("a scratch folder");
    let run = run(&harness, command);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let origin = &run.result["origins"][0];
    let stack = origin["stack"].as_array().cloned().unwrap_or_default();
    let own = stack
        .iter()
        .find(|frame| frame["library"] != true && frame["line"].is_u64());
    let own = own.unwrap_or_else(|| panic!("no frame with a line: {origin:#}\n{}", run.stderr));
    let name = own["function"].as_str().unwrap_or_default();
    assert!(name.contains(function), "{origin:#}");
    assert_eq!(own["line"].as_u64(), line.or(Some(leaking_line(source))), "{origin:#}");
    let file = own["file"].as_str().unwrap_or_default();
    assert!(source.ends_with(file) || Path::new(file) == source, "{origin:#}");
    assert!(run.stderr.contains("origin:"), "{}", run.stderr);
}

/// Compiles a program, or skips the test if the compiler is missing.
fn compiled(harness: &Harness, compiler: &str, arguments: &[&str], source: &Path) -> Option<String> {
    let program = harness.folder.path().join("leak").display().to_string();
    let built = Command::new(compiler)
        .args(arguments)
        .args(["-o", &program])
        .arg(source)
        .env("GOFLAGS", "-mod=mod")
        .env("GOCACHE", harness.folder.path().join("go-cache"))
        .output();
    match built {
        Ok(output) if output.status.success() => Some(program),
        Ok(output) => panic!("{compiler}: {}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => {
            skip_without_tool(&format!("there is no `{compiler}`"));
            None
        }
    }
}

#[test]
fn a_leak_in_c_is_put_down_to_its_line() {
    let harness = Harness::on(Engine::Simulated).expect("a scratch folder");
    let source = source("leak.c");
    if let Some(program) = compiled(&harness, "cc", &["-O1", "-g"], &source) {
        assert_origin(&[&program], &source, "handle", None);
    }
}

#[test]
fn a_leak_in_rust_is_put_down_to_its_line() {
    let harness = Harness::on(Engine::Simulated).expect("a scratch folder");
    let source = source("leak.rs");
    let arguments = ["-O", "-C", "debuginfo=line-tables-only", "--edition", "2024"];
    if let Some(program) = compiled(&harness, "rustc", &arguments, &source) {
        assert_origin(&[&program], &source, "handle", None);
    }
}

#[test]
fn a_leak_in_go_is_put_down_to_its_line_also_without_symbols() {
    let harness = Harness::on(Engine::Simulated).expect("a scratch folder");
    let source = source("leak.go");
    for flags in ["", "-s -w"] {
        if let Some(program) = compiled(&harness, "go", &["build", "-ldflags", flags], &source) {
            assert_origin(&[&program], &source, "main.(*server).handle", None);
        }
    }
}

#[test]
fn a_leak_in_python_is_put_down_to_its_line() {
    let version = Command::new("python3").arg("--version").output();
    if !version.is_ok_and(|v| String::from_utf8_lossy(&v.stdout).starts_with("Python 3.11.")) {
        skip_without_tool("there is no Python 3.11, whose frames are known");
        return;
    }
    let source = source("leak.py");
    assert_origin(&["python3", &source.display().to_string()], &source, "handle", None);
}

#[test]
fn a_leak_in_node_is_put_down_to_its_function() {
    if Command::new("node").arg("--version").output().is_err() {
        skip_without_tool("there is no `node`");
        return;
    }
    let source = source("leak.js");
    // The perf map has the line of the function, not of the call.
    assert_origin(&["node", &source.display().to_string()], &source, "handle", Some(5));
    let here = std::fs::read_dir(".").expect("this folder").flatten();
    let logs: Vec<_> = here
        .filter(|e| e.file_name().to_string_lossy().ends_with("-v8.log"))
        .collect();
    assert!(logs.is_empty(), "left behind: {logs:?}");
}

#[test]
fn a_sound_program_has_no_origins() {
    let harness = Harness::on(Engine::Simulated).expect("a scratch folder");
    let output = run(&harness, &["sleep", "60"]);
    assert!(output.result["origins"].is_null(), "{}", output.stderr);
}
