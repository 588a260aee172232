//! Renders the figures as JSON inside the page, for its script.

use serde_json::{Value, json};

use crate::figure::Figure;

/// Returns the data of all charts. What all figures share appears once.
pub(super) fn json(figures: &[Figure]) -> String {
    let Some(first) = figures.first() else {
        return "{}".into();
    };
    let value = json!({
        "span": [first.span_s.0, first.span_s.1],
        "phases": first.phases.iter().map(|p| json!({
            "name": p.phase.name(), "judged": p.phase.is_judged(), "from": p.from_s, "to": p.to_s,
        })).collect::<Vec<_>>(),
        "faults": first.faults.iter().map(|f| json!({
            "label": f.label, "what": f.description, "from": f.from_s, "to": f.to_s,
        })).collect::<Vec<_>>(),
        "rotations": first.rotations.iter().copied().map(milliseconds).collect::<Vec<_>>(),
        "figures": figures.iter().map(figure).collect::<Vec<_>>(),
    });
    in_script(&value.to_string())
}

fn figure(figure: &Figure) -> Value {
    let points = &figure.points;
    json!({
        "metric": figure.metric,
        "unit": figure.unit.symbol(),
        "counter": figure.counter,
        "t": points.iter().map(|p| milliseconds(p.t_s)).collect::<Vec<_>>(),
        "v": points.iter().map(|p| short(p.value)).collect::<Vec<_>>(),
        "breaks": points.iter().enumerate().filter(|(_, p)| p.breaks).map(|(i, _)| i).collect::<Vec<_>>(),
        "gaps": figure.gaps.iter().map(|g| [g.from_s, g.to_s]).collect::<Vec<_>>(),
        "checkpoints": figure.checkpoints,
        "baseline": figure.baseline,
        "limits": figure.limits.iter().map(|l| json!({ "rule": l.rule, "line": l.line })).collect::<Vec<_>>(),
        "growth": figure.growth.map(|g| json!({
            "from_s": g.from_s, "to_s": g.to_s, "from": g.from,
            "estimate": g.per_min.estimate, "low": g.per_min.low, "high": g.per_min.high,
        })),
    })
}

/// Rounds a time to milliseconds.
fn milliseconds(t_s: f64) -> Value {
    short((t_s * 1e3).round() / 1e3)
}

/// Returns a number without the `.0` of a whole one, because half of the bytes of a page are numbers.
fn short(value: f64) -> Value {
    // Whole numbers up to 2^53 are exact as integers.
    if value.fract() == 0.0 && value.abs() < 9e15 {
        #[expect(clippy::cast_possible_truncation, reason = "whole and small enough")]
        return Value::from(value as i64);
    }
    Value::from(value)
}

/// Escapes JSON so that it cannot end its script element or a line of the script.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_end_the_script() {
        assert_eq!(
            in_script("\"</script>&\u{2028}\""),
            "\"\\u003c/script\\u003e\\u0026\\u2028\""
        );
    }

    #[test]
    fn whole_numbers_are_short() {
        assert_eq!(short(67.0).to_string(), "67");
        assert_eq!(short(0.5).to_string(), "0.5");
        assert_eq!(milliseconds(1.000_49).to_string(), "1");
    }
}
