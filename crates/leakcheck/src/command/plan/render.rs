//! The prediction as text.

use super::duration::round_up;
use super::forecast::Forecast;
use super::prediction::Prediction;

/// Renders the prediction.
pub(super) fn text(prediction: &Prediction) -> String {
    let mut text = format!("{}\n", prediction.scenario.name);
    let mut row = |name: &str, what: String| text.push_str(&format!("  {name:<10} {what}\n"));
    let schedule = &prediction.scenario.schedule;
    row(
        "takes",
        format!(
            "about {}, {} of them measured; at most {}",
            prediction.length.least, schedule.measure, prediction.length.most
        ),
    );
    match &prediction.rotations {
        Some(r) => row(
            "rotations",
            format!("{:.0} of each stream, {:.0} in all", r.per_stream, r.expected),
        ),
        None => row("rotations", "none: the scenario has no rotate_every".to_owned()),
    }
    if schedule.early_stop {
        row("early end", interim_times(&prediction.interim_s));
    }
    for forecast in &prediction.forecasts {
        text.push('\n');
        text.push_str(&limit(forecast));
    }
    if prediction.forecasts.is_empty() {
        text.push_str("\n  no limit on growth; the other limits do not depend on the length\n");
    }
    for hint in &prediction.hints {
        text.push_str(&format!("\n  hint: {hint}\n"));
    }
    text
}

fn interim_times(times_s: &[f64]) -> String {
    if times_s.is_empty() {
        return "too short to end early because of growth".to_owned();
    }
    let shown: Vec<String> = times_s.iter().take(6).map(|s| round_up(*s).to_string()).collect();
    let more = if times_s.len() > 6 { ", …" } else { "" };
    format!("possible at {}{more}, if a failure is certain", shown.join(", "))
}

/// Renders the forecast for one limit.
fn limit(forecast: &Forecast) -> String {
    let rate = |per_min: f64| {
        let per_rotation = forecast.per_rotation(per_min).map_or(String::new(), |r| {
            format!(" ({} per rotation)", forecast.unit.format(r))
        });
        format!("{}/min{per_rotation}", forecast.unit.format(per_min))
    };
    let verdict = match (forecast.is_decidable(), forecast.passed, forecast.proven) {
        (true, ..) => "can be decided",
        (_, Some(_), Some(_)) => "a sound target passes, but only a large leak fails",
        (_, None, Some(_)) => "only a large leak is decided; a sound target stays undecided",
        _ => "cannot be decided",
    };
    let condition = match (forecast.is_decidable(), forecast.noise.measured) {
        (false, false) => ", if the noise is as assumed",
        _ => "",
    };
    let mut text = format!("  {}: {}   {verdict}{condition}\n", forecast.metric, forecast.rule);
    let mut row = |name: &str, what: String| text.push_str(&format!("    {name:<22} {what}\n"));
    for obstacle in &forecast.obstacles {
        row("problem", obstacle.clone());
    }
    row(
        "proves a leak of",
        match forecast.proven {
            Some(proven) => format!(
                "{} or more (theoretical bound: {})",
                rate(proven),
                rate(forecast.bound_proven)
            ),
            None => format!("none (theoretical bound: {})", rate(forecast.bound_proven)),
        },
    );
    row(
        "passes a growth of",
        match forecast.passed {
            Some(passed) => format!("{} or less", rate(passed)),
            None if forecast.bound_passed < 0.0 => "none: the noise is too large for this length".to_owned(),
            None => "none: a sound target would mostly stay undecided".to_owned(),
        },
    );
    row(
        "detects a late leak of",
        format!(
            "{} or more that begins in the last eighth (theoretical bound)",
            rate(forecast.late)
        ),
    );
    let noise = forecast.noise;
    row(
        "noise",
        format!(
            "{}: standard deviation {}, correlation time {:.0} s",
            if noise.measured { "measured" } else { "assumed" },
            forecast.unit.format(noise.sd(1.0)),
            noise.tau_s
        ),
    );
    if let (false, Some(shortest)) = (forecast.is_decidable(), forecast.shortest_s) {
        let constant = forecast.shortest_if_constant_s.filter(|constant| *constant < shortest);
        let constant = constant.map_or(String::new(), |s| {
            format!(
                "; {} if the metric is constant (`--noise-of RUN_DIR` measures the noise)",
                round_up(s)
            )
        });
        row(
            "is decided in",
            format!("{} of measuring{constant}", round_up(shortest)),
        );
    }
    text
}
