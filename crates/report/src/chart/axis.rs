//! Ticks of the axes: positions and labels.

use leakcheck_model::Unit;
use leakcheck_model::format::clock;

/// Usual steps of a time axis, in seconds.
const TIME_STEPS: [f64; 20] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0,
    43_200.0, 86_400.0, 172_800.0, 604_800.0,
];

/// A tick of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Its position, in the unit of the axis.
    pub at: f64,
    /// Its label.
    pub label: String,
}

/// Returns at most `max` ticks between two times: `0`, `30 s`, `1 min`, `1:30`, `2 min`, `1 h`.
#[must_use]
pub fn time_ticks(from_s: f64, to_s: f64, max: usize) -> Vec<Tick> {
    let span = to_s - from_s;
    let step = TIME_STEPS
        .into_iter()
        .find(|step| span / step <= max as f64 - 1.0)
        .unwrap_or(span.max(1.0));
    steps(from_s, to_s, step)
        .map(|at| Tick {
            at,
            label: time_label(at),
        })
        .collect()
}

/// Formats a round time in few letters.
fn time_label(at: f64) -> String {
    let whole = |unit: f64| (at / unit).fract() == 0.0;
    if at == 0.0 {
        "0".into()
    } else if at.abs() < 60.0 {
        format!("{at} s")
    } else if whole(3600.0) {
        format!("{} h", at / 3600.0)
    } else if at.abs() < 3600.0 && whole(60.0) {
        format!("{} min", at / 60.0)
    } else if at.abs() >= 3600.0 && whole(60.0) {
        let text = clock(at);
        format!("{} h", text.strip_suffix(":00").unwrap_or(&text))
    } else {
        clock(at)
    }
}

/// A value axis: ticks, and the unit of their labels (`MiB`, or nothing).
#[derive(Clone, Debug, PartialEq)]
pub struct ValueAxis {
    /// The ticks, at positions in the unit of the metric.
    pub ticks: Vec<Tick>,
    /// The unit of the labels.
    pub unit: &'static str,
}

/// Returns about `about` ticks between two values, at round numbers in the scale of the unit. Counts have no fractions.
#[must_use]
pub fn value_axis(from: f64, to: f64, unit: Unit, about: usize, whole: bool) -> ValueAxis {
    let (symbol, size) = unit.scale(from.abs().max(to.abs()));
    let rough = (to - from) / size / about as f64;
    let mut step = round_step(rough, !(whole && symbol.is_empty()) || rough > 2.5);
    if whole && symbol.is_empty() {
        step = step.max(1.0);
    }
    let decimals = if step >= 1.0 {
        0
    } else {
        (-step.log10()).ceil().max(0.0) as usize
    };
    // 2.5 and 0.25 need one more.
    let quarter = (step * 10f64.powi(decimals as i32)).fract().abs() > 1e-6;
    let decimals = decimals + usize::from(quarter);
    let ticks = steps(from / size, to / size, step)
        .map(|at| Tick {
            at: at * size,
            label: grouped(&format!("{at:.decimals$}")),
        })
        .collect();
    ValueAxis { ticks, unit: symbol }
}

/// Rounds up to 1, 2, 2.5 (if halves are allowed) or 5 times a power of ten.
fn round_step(rough: f64, halves: bool) -> f64 {
    if !(rough.is_finite() && rough > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .filter(|m| halves || *m != 2.5)
        .map(|m| m * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(power * 10.0)
}

/// Returns the multiples of `step` from `from` to `to`, both included.
fn steps(from: f64, to: f64, step: f64) -> impl Iterator<Item = f64> {
    let slack = step * 1e-9;
    let first = ((from - slack) / step).ceil() as i64;
    let last = ((to + slack) / step).floor() as i64;
    (first..=last.min(first.saturating_add(100))).map(move |i| i as f64 * step)
}

/// Separates thousands, from five digits on.
fn grouped(text: &str) -> String {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(w, f)| (w, Some(f)));
    if whole.len() < 5 {
        return if text.trim_start_matches(['-', '0', '.']).is_empty() {
            text.trim_start_matches('-').into()
        } else {
            text.into()
        };
    }
    let mut out = String::from(sign);
    for (i, digit) in whole.char_indices() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|t| t.label.as_str()).collect()
    }

    #[test]
    fn time_ticks_are_at_round_times() {
        assert_eq!(
            labels(&time_ticks(0.0, 130.0, 8)),
            ["0", "30 s", "1 min", "1:30", "2 min"]
        );
        assert_eq!(labels(&time_ticks(0.0, 45.0, 8)), ["0", "10 s", "20 s", "30 s", "40 s"]);
        assert_eq!(
            labels(&time_ticks(0.0, 7200.0, 8)),
            ["0", "30 min", "1 h", "1:30 h", "2 h"]
        );
        assert_eq!(labels(&time_ticks(0.0, 1800.0, 8))[1], "5 min");
        assert_eq!(labels(&time_ticks(-8.0, 20.0, 8))[0], "-5 s");
    }

    #[test]
    fn value_ticks_are_round_in_the_shown_unit() {
        let axis = value_axis(117.0, 133.0, Unit::Count, 5, true);
        assert_eq!(labels(&axis.ticks), ["120", "125", "130"]);
        let mib = 1024.0 * 1024.0;
        let axis = value_axis(9.9 * mib, 12.1 * mib, Unit::Bytes, 5, false);
        assert_eq!(
            (labels(&axis.ticks), axis.unit),
            (vec!["10.0", "10.5", "11.0", "11.5", "12.0"], "MiB")
        );
        let axis = value_axis(0.0, 2.0, Unit::Count, 6, true);
        assert_eq!(labels(&axis.ticks), ["0", "1", "2"], "there is no half a task");
        assert_eq!(
            labels(&value_axis(0.0, 25_000.0, Unit::Count, 3, true).ticks),
            ["0", "10,000", "20,000"]
        );
    }

    #[test]
    fn an_empty_range_still_has_an_axis() {
        assert!(!value_axis(5.0, 5.0, Unit::Count, 5, true).ticks.is_empty());
        assert!(!time_ticks(0.0, 0.0, 8).is_empty());
    }
}
