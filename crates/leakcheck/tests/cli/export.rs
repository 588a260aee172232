//! `leakcheck export`: the formats, as their help describes them.

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{output, stdout};

#[test]
fn the_help_describes_the_json_format() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().display().to_string();
    for (file, text) in [
        (
            "scenario.toml",
            "name = \"a\"\n[target]\nkind = \"pid\"\npid = 1\n[limits]\nfds = \"max < 9\"\n",
        ),
        ("samples.csv", "t_s,phase,fds\n0,measure,4\n1,measure,5\n"),
        ("events.jsonl", ""),
    ] {
        std::fs::write(folder.path().join(file), text).expect("written");
    }
    let help = stdout(&["export", "--help"]);
    assert!(help.contains("An array with an object for each sample"), "{help}");
    let exported: Value = serde_json::from_str(&stdout(&["export", &path, "--format", "json"])).expect("JSON");
    let samples = exported.as_array().expect("an array");
    assert_eq!(samples.len(), 2);
    assert_eq!((&samples[1]["t_s"], &samples[1]["fds"]), (&1.0.into(), &5.0.into()));
    let wrong = output(&["export", &path, "--format", "yaml"]);
    assert_eq!(wrong.status.code(), Some(2));
}
