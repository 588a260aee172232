//! The simulated engine against the real one: the same exchanges, the same answers.
//!
//! The answers of Docker 20.10 are recorded in `recorded.json`, so that the comparison needs no Docker. Where one
//! answers (and speaks API 1.41), the recording is checked against it: `LEAKCHECK_RECORD=1` writes it anew.

#![expect(clippy::print_stderr, reason = "what is skipped is said out loud")]

mod cli;
mod client;
mod clients;
mod engines;
mod exchanges;
mod image;
mod more;
mod normal;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use engines::{Simulated, real};
use exchanges::Session;

/// A request, described, with its response.
type Answers = BTreeMap<String, Value>;

fn recorded_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("conformance/recorded.json")
}

fn recorded() -> Answers {
    let text = std::fs::read_to_string(recorded_path()).expect("the recording is part of the source");
    serde_json::from_str(&text).expect("the recording is JSON")
}

/// Every difference, in words: where it is, what Docker says, what was found.
fn differences(expected: &Answers, found: &Answers) -> Vec<String> {
    let mut all = Vec::new();
    let titles: std::collections::BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    for title in titles {
        let of = |answers: &Answers| answers.get(title).cloned().unwrap_or(Value::Null);
        compare(title, &of(expected), &of(found), &mut all);
    }
    all
}

fn compare(place: &str, expected: &Value, found: &Value, all: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(one), Value::Object(two)) => {
            let keys: std::collections::BTreeSet<&String> = one.keys().chain(two.keys()).collect();
            for key in keys {
                let of =
                    |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::from("(absent)"));
                compare(&format!("{place} › {key}"), &of(one), &of(two), all);
            }
        }
        (Value::Array(one), Value::Array(two)) if one.len() == two.len() => {
            for (index, (one, two)) in one.iter().zip(two).enumerate() {
                compare(&format!("{place} › {index}"), one, two, all);
            }
        }
        (one, two) if one != two => all.push(format!("{place}\n    Docker: {one}\n    found:  {two}")),
        _ => {}
    }
}

#[test]
fn the_simulated_engine_answers_as_docker_does() {
    let engine = Simulated::start();
    let found = Session::new(&engine.socket).run();
    let different = differences(&recorded(), &found);
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn the_recording_is_what_docker_answers() {
    let Some(socket) = real() else { return };
    let found = Session::new(&socket).run();
    if std::env::var_os("LEAKCHECK_RECORD").is_some() {
        let text = serde_json::to_string_pretty(&found).expect("JSON");
        std::fs::write(recorded_path(), text + "\n").expect("written");
        return;
    }
    let mut expected = recorded();
    forget_the_oldest_events(&mut expected, &found);
    let different = differences(&expected, &found);
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Docker remembers the last 256 events, everybody's on the machine: of ours as many are expected as it still knows, and
/// the last of them in any case.
fn forget_the_oldest_events(expected: &mut Answers, found: &Answers) {
    let title = "events of a container";
    let known = found.get(title).and_then(Value::as_array).map_or(0, Vec::len).max(1);
    if let Some(events) = expected.get_mut(title).and_then(Value::as_array_mut) {
        events.drain(..events.len().saturating_sub(known));
    }
}
