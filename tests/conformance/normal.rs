//! Answers made comparable: names, ids, times and sizes are replaced, what cannot be the same is left out.

use regex_lite::Regex;
use serde_json::{Map, Value, json};

/// Fields that depend on the machine, its storage or its kernel, not on the API.
const LEFT_OUT: [&str; 12] = [
    "Driver",
    "GraphDriver",
    "Pid",
    "SandboxKey",
    "CgroupnsMode",
    "DockerVersion",
    "RootFS",
    "Runtime",
    "SpaceReclaimed",
    "AppArmorProfile",
    "OomKillDisable",
    "Architecture",
];
/// Moments and sizes.
const NUMBERS: [&str; 5] = ["Created", "time", "timeNano", "Size", "VirtualSize"];

/// Replaces what differs from run to run.
pub(crate) struct Normal {
    patterns: Vec<(Regex, &'static str)>,
}

impl Normal {
    /// `prefix` begins every name of this run.
    pub(crate) fn new(prefix: &str) -> Self {
        let patterns = [
            (prefix, "NAME"),
            (r"\b[0-9a-f]{64}\b", "ID"),
            // Where an engine keeps its things is its own affair.
            (r"(/[\w.-]+)+/containers/ID/", "/ROOT/containers/ID/"),
            (r"\b[0-9a-f]{12}\b", "SHORT-ID"),
            (r"\b[1-9]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
            (r"\b(Less than a second|\d+ seconds?)\b", "SOME TIME"),
        ];
        let patterns = patterns.map(|(pattern, name)| (Regex::new(pattern).expect("a pattern"), name));
        Self {
            patterns: patterns.into(),
        }
    }

    pub(crate) fn text(&self, text: &str) -> String {
        self.patterns.iter().fold(text.to_owned(), |text, (pattern, name)| {
            pattern.replace_all(&text, *name).into_owned()
        })
    }

    pub(crate) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => json!(self.text(&text)),
            Value::Array(values) => values.into_iter().map(|value| self.value(value)).collect(),
            Value::Object(map) => self.object(map),
            other => other,
        }
    }

    fn object(&self, map: Map<String, Value>) -> Value {
        let kept = map.into_iter().filter(|(key, _)| !LEFT_OUT.contains(&key.as_str()));
        let kept = kept.map(|(key, value)| {
            let value = match value {
                Value::Number(_) if NUMBERS.contains(&key.as_str()) => json!("NUMBER"),
                // Go writes an empty list now as null and now as []; clients take both.
                Value::Array(list) if list.is_empty() => Value::Null,
                value => self.value(value),
            };
            (self.text(&key), value)
        });
        Value::Object(kept.collect())
    }

    /// Only which keys there are and of which type.
    pub(crate) fn shape(value: &Value) -> Value {
        let type_of = |value: &Value| match value {
            Value::Null | Value::Array(_) => "list",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "text",
            Value::Object(_) => "object",
        };
        let map = value.as_object().into_iter().flatten();
        Value::Object(map.map(|(key, value)| (key.clone(), json!(type_of(value)))).collect())
    }
}
