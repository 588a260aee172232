//! What the documents tell their reader to type: it is there, and what costs little is typed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::leakcheck;
use crate::stand::{LEAKCHECK, root, said};

/// The documents, with their text.
fn documents() -> Vec<(String, String)> {
    let mut files = vec![root().join("README.md"), root().join("examples/README.md")];
    let docs = std::fs::read_dir(root().join("docs")).expect("docs").flatten();
    files.extend(
        docs.map(|f| f.path())
            .filter(|p| p.extension().is_some_and(|e| e == "md")),
    );
    let read = |path: &Path| std::fs::read_to_string(path).expect("readable");
    files
        .iter()
        .map(|path| (path.display().to_string(), read(path)))
        .collect()
}

/// The fenced blocks of a language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("```{language}\n");
    let begun = text.split(fence.as_str()).skip(1);
    begun.filter_map(|rest| rest.split("```").next()).collect()
}

/// Every `leakcheck …` that is told to be typed, as its words: in blocks of shell, and in backticks.
fn commands(text: &str) -> Vec<Vec<String>> {
    let lines = blocks(text, "sh").into_iter().flat_map(str::lines);
    let inline = text.split('`').skip(1).step_by(2).filter(|code| !code.contains('\n'));
    let typed = lines
        .chain(inline)
        .map(|line| line.split(" #").next().unwrap_or_default());
    let typed = typed.flat_map(|line| line.split("&&").flat_map(|part| part.split(" | ")));
    typed
        .filter_map(|part| {
            let part = part.trim().trim_start_matches("LEAK=1 ");
            let part = part
                .strip_prefix("cargo run --release -- ")
                .or_else(|| part.strip_prefix("leakcheck "))?;
            let words: Vec<String> = part.split_whitespace().map(str::to_owned).collect();
            (!words.is_empty()).then_some(words)
        })
        .collect()
}

#[test]
fn every_command_and_option_in_the_documents_is_one() {
    let mut seen = 0;
    for (file, text) in documents() {
        for words in commands(&text) {
            let name = words[0].trim_end_matches([',', ';', '.']);
            // `leakcheck run|watch` and the like name several.
            for name in name.split(['|', '\\']).filter(|n| !n.is_empty() && !n.starts_with('-')) {
                let help = leakcheck(&[name, "--help"]);
                assert!(help.status.success(), "{file}: leakcheck {name}: {}", said(&help));
                let help = String::from_utf8(help.stdout).expect("text");
                let own = words.iter().take_while(|w| *w != "--").filter(|w| w.starts_with("--"));
                for option in own {
                    let end = option[2..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
                    let option = end.map_or(option.as_str(), |end| &option[..end + 2]);
                    assert!(help.contains(option), "{file}: leakcheck {name} has no {option}");
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn every_scenario_and_file_that_a_command_in_the_readme_reads_is_there() {
    for (file, text) in documents() {
        for words in commands(&text) {
            for word in words
                .iter()
                .filter(|w| w.starts_with("scenarios/") && w.ends_with(".toml"))
            {
                assert!(root().join(word).is_file(), "{file}: {word}");
            }
        }
    }
}

#[test]
fn the_targets_of_the_readme_are_right() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("readable");
    let folder = TempDir::new().expect("scratch");
    let file = folder.path().join("leakcheck.toml");
    let blocks = blocks(&readme, "toml");
    assert!(blocks.len() >= 2, "{blocks:?}");
    let with_load = format!(
        "name = \"a\"\n[[load]]\nname = \"n\"\ncontainers = 1\n{}\n[limits]\ntasks = \"growth_per_min < 2\"\n",
        blocks[0]
    );
    let with_traffic = format!(
        "name = \"a\"\n[target]\nkind = \"command\"\ncommand = [\"./my-daemon\", \"{{port}}\"]\n{}\n[limits]\nfds = \"growth_per_min < 2\"\n",
        blocks[1]
    );
    for text in [with_load, with_traffic] {
        std::fs::write(&file, &text).expect("written");
        let checked = leakcheck(&["check", &file.display().to_string()]);
        assert!(checked.status.success(), "{text}\n{}", said(&checked));
    }
}

/// Runs a line as its reader types it, in a folder with a daemon of theirs.
fn typed(folder: &Path, line: &str) -> Output {
    let path = Path::new(LEAKCHECK).parent().expect("a folder").display().to_string();
    let path = format!("{path}:{}", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("timeout");
    command
        .args(["120", "bash", "-c", line])
        .current_dir(folder)
        .env("PATH", path);
    command
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .stdin(Stdio::null());
    command.output().expect("bash starts")
}

#[test]
fn what_the_readme_says_of_a_daemon_of_your_own_can_be_typed() {
    let folder = TempDir::new().expect("scratch");
    let daemon = folder.path().join("my-daemon");
    std::fs::write(&daemon, "#!/bin/sh\nexec sleep 300\n").expect("written");
    std::fs::set_permissions(&daemon, std::fs::Permissions::from_mode(0o755)).expect("may run");
    let readme = std::fs::read_to_string(root().join("README.md")).expect("readable");
    let watch = readme.lines().find(|l| l.starts_with("leakcheck watch --duration 2m"));
    // Two seconds instead of two minutes: too short to be sure, and that is its answer.
    let watched = typed(
        folder.path(),
        &watch.expect("it stands there").replace("2m", "2s --extend 0s"),
    );
    assert!(matches!(watched.status.code(), Some(0 | 125)), "{}", said(&watched));
    let reports = folder.path().join("reports/watch-my-daemon");
    let run = std::fs::read_dir(reports)
        .expect("a run")
        .flatten()
        .next()
        .expect("a run")
        .path();
    let run = run.display();
    // And what the table of commands says of a run's folder and of a scenario
    for line in [
        format!("leakcheck judge {run}; [ $? -ne 2 ]"),
        format!("cp -r {run} {run}-again && {{ leakcheck compare {run} {run}-again; [ $? -ne 2 ]; }}"),
        format!("leakcheck report {run}"),
        format!("leakcheck export {run} --format openmetrics | tail -n 1 | grep -qx '# EOF'"),
        format!("leakcheck export {run} --format csv | head -n 1 | grep -q '^t_s,phase,'"),
        "leakcheck init my-daemon.toml && leakcheck check my-daemon.toml && leakcheck plan my-daemon.toml".to_owned(),
        "leakcheck schema | head -n 1 | grep -qx '{'".to_owned(),
        "leakcheck completions fish > leakcheck.fish && leakcheck man --dir man && test -s man/leakcheck.1".to_owned(),
        "leakcheck noise --lines-per-second max --lines 3 | grep -c '^lc1 ' | grep -qx 4".to_owned(),
    ] {
        let output = typed(folder.path(), &line);
        assert!(output.status.success(), "{line}: {}", said(&output));
    }
}
