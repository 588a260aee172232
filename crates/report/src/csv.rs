//! Writes `samples.csv`: `t_s,phase,METRIC…`, one row per sample. A missing value is an empty cell.
//!
//! Each number is the shortest text that reads back to the same bits (`Display` of `f64`).

use std::io::Write as _;

use leakcheck_model::{Sample, Samples};

/// Name of the column of seconds.
pub const TIME: &str = "t_s";
/// Name of the column of phases.
pub const PHASE: &str = "phase";

/// Returns the first line, with its newline.
#[must_use]
pub fn header(names: &[String]) -> Vec<u8> {
    let mut line = format!("{TIME},{PHASE}").into_bytes();
    for name in names {
        line.push(b',');
        if name.contains([',', '"', '\n', '\r']) {
            line.push(b'"');
            line.extend_from_slice(name.replace('"', "\"\"").as_bytes());
            line.push(b'"');
        } else {
            line.extend_from_slice(name.as_bytes());
        }
    }
    line.push(b'\n');
    line
}

/// Appends one row with its newline to `line`.
pub fn push_row(line: &mut Vec<u8>, sample: &Sample) {
    push_start(line, sample.t_s, sample.phase.name());
    for value in &sample.values {
        push_value(line, *value);
    }
    line.push(b'\n');
}

/// Renders the whole table.
#[must_use]
pub fn table(samples: &Samples) -> Vec<u8> {
    let mut out = header(&samples.names);
    for row in 0..samples.len() {
        push_start(&mut out, samples.t_s[row], samples.phase[row].name());
        for column in &samples.columns {
            push_value(&mut out, column[row]);
        }
        out.push(b'\n');
    }
    out
}

fn push_start(line: &mut Vec<u8>, t_s: f64, phase: &str) {
    // Writing to a Vec cannot fail.
    let _ = write!(line, "{t_s},{phase}");
}

fn push_value(line: &mut Vec<u8>, value: Option<f64>) {
    line.push(b',');
    if let Some(value) = value.filter(|v| v.is_finite()) {
        let _ = write!(line, "{value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakcheck_model::Phase;

    #[test]
    fn a_missing_value_is_an_empty_cell_and_never_zero() {
        let mut samples = Samples::new(vec!["fds".into(), "odd,name".into()]);
        samples.push(&Sample {
            t_s: 0.5,
            phase: Phase::WarmUp,
            values: vec![None, Some(0.1)],
        });
        samples.push(&Sample {
            t_s: 1.0,
            phase: Phase::Measure,
            values: vec![Some(12.0), Some(f64::NAN)],
        });
        let text = String::from_utf8(table(&samples)).expect("text");
        assert_eq!(text, "t_s,phase,fds,\"odd,name\"\n0.5,warm-up,,0.1\n1,measure,12,\n");
    }
}
