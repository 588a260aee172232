//! `result.json`, and samples as JSON for other tools.

use leakcheck_model::{RunResult, Samples};
use serde_json::{Map, Value};

/// Renders `result.json`: indented, with a newline at the end.
///
/// # Errors
/// If the result cannot be serialized, which its types do not allow.
pub fn result(result: &RunResult) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(result).map(|text| text + "\n")
}

/// Renders the samples as an array of objects, one per row: `[{"fds":12.0,"phase":"measure","t_s":0.0},…]`. A missing value
/// has no key.
///
/// # Errors
/// If a row cannot be serialized, which finite numbers do not cause.
pub fn samples(samples: &Samples) -> Result<String, serde_json::Error> {
    let mut out = String::from("[");
    for row in 0..samples.len() {
        let mut object = Map::new();
        object.insert("t_s".into(), Value::from(samples.t_s[row]));
        object.insert("phase".into(), Value::from(samples.phase[row].name()));
        for (name, column) in samples.names.iter().zip(&samples.columns) {
            if let Some(value) = column[row].filter(|v| v.is_finite()) {
                object.insert(name.clone(), Value::from(value));
            }
        }
        out.push_str(if row == 0 { "\n" } else { ",\n" });
        out.push_str(&serde_json::to_string(&object)?);
    }
    out.push_str("\n]\n");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakcheck_model::{Phase, Sample};

    #[test]
    fn a_row_without_a_value_lacks_its_key() {
        let mut table = Samples::new(vec!["fds".into()]);
        for (t_s, value) in [(0.0, Some(12.0)), (1.0, None)] {
            table.push(&Sample {
                t_s,
                phase: Phase::Measure,
                values: vec![value],
            });
        }
        let text = samples(&table).expect("serializes");
        let rows: Vec<Map<String, Value>> = serde_json::from_str(&text).expect("reads back");
        assert_eq!(rows[0]["fds"], 12.0);
        assert!(!rows[1].contains_key("fds"));
    }
}
