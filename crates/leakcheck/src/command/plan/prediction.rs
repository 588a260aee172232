//! The prediction for a scenario: duration, rotations, a forecast for each growth limit, and hints.

use leakcheck_judge::interim_analysis::interim_times_s;
use leakcheck_judge::whole_rotations;
use leakcheck_model::{HumanDuration, Scenario};
use serde_json::json;

use super::super::hints::drained_unknown;
use super::duration::round_up;
use super::forecast::{self, Forecast, ROTATIONS_TO_PASS};
use super::noise::EarlierRun;
use super::simulate::LONGEST_S;

/// The prediction for a run.
pub(super) struct Prediction {
    pub(super) scenario: Scenario,
    pub(super) length: Length,
    pub(super) rotations: Option<Rotations>,
    /// Times of interim analyses that may end the run early.
    pub(super) interim_s: Vec<f64>,
    pub(super) forecasts: Vec<Forecast>,
    pub(super) hints: Vec<String>,
}

/// Duration of a run.
pub(super) struct Length {
    pub(super) least: HumanDuration,
    /// Duration if the baseline settles late and the run is extended.
    pub(super) most: HumanDuration,
}

/// Rotations in the judged part.
pub(super) struct Rotations {
    pub(super) per_stream: f64,
    pub(super) expected: f64,
    period_s: f64,
}

impl Prediction {
    /// Predicts a run of `scenario`, with the noise of an earlier run if there is one.
    pub(super) fn new(scenario: Scenario, earlier: Option<&EarlierRun>) -> Self {
        let forecasts = forecast::all(&scenario, earlier);
        let measure_s = scenario.schedule.measure.as_secs();
        let period = scenario.rotation_period_s();
        Self {
            length: length(&scenario),
            rotations: period.map(|period_s| {
                let per_stream = whole_rotations(measure_s, period_s) as f64;
                Rotations {
                    per_stream,
                    expected: scenario.containers() as f64 * per_stream,
                    period_s,
                }
            }),
            interim_s: if scenario.schedule.early_stop {
                interim_times_s(measure_s, period)
            } else {
                Vec::new()
            },
            hints: hints(&scenario, &forecasts),
            forecasts,
            scenario,
        }
    }

    /// The prediction as JSON.
    pub(super) fn as_json(&self) -> serde_json::Value {
        let mut value = json!({
            "schema": 1,
            "scenario": self.scenario.name,
            "takes_s": { "least": self.length.least.as_secs(), "most": self.length.most.as_secs() },
            "measure_s": self.scenario.schedule.measure.as_secs(),
            "looks_s": self.interim_s,
            "decidable": self.forecasts.iter().all(Forecast::is_decidable),
            "limits": self.forecasts.iter().map(Forecast::as_json).collect::<Vec<_>>(),
            "hints": self.hints,
        });
        if let (Some(rotations), Some(object)) = (&self.rotations, value.as_object_mut()) {
            let rotations = json!({
                "every_s": rotations.period_s,
                "per_stream": rotations.per_stream,
                "expected": rotations.expected,
            });
            object.insert("rotations".into(), rotations);
        }
        value
    }
}

/// Launch and removal take about 0.15 s a container on two cores. The warm-up may take twice its time.
fn length(scenario: &Scenario) -> Length {
    let schedule = &scenario.schedule;
    let launch = if scenario.load.is_empty() {
        HumanDuration::seconds(1)
    } else {
        HumanDuration::seconds(3 + scenario.containers() / 5)
    };
    let drain = if scenario.has_load() {
        schedule.drain
    } else {
        HumanDuration::ZERO
    };
    let least = launch.0 + schedule.warm_up.0 + schedule.measure.0 + drain.0;
    Length {
        least: HumanDuration(least),
        most: HumanDuration(least + schedule.warm_up.0 + schedule.extend.0),
    }
}

/// Proposals for a better schedule.
fn hints(scenario: &Scenario, forecasts: &[Forecast]) -> Vec<String> {
    let mut hints = Vec::new();
    let undecided: Vec<&Forecast> = forecasts.iter().filter(|f| !f.is_decidable()).collect();
    let longest = undecided.iter().filter_map(|f| f.shortest_s).fold(0.0, f64::max);
    if longest > 0.0 {
        hints.push(format!(
            "measure = \"{}\" would decide the limits as written, in simulations with this noise",
            round_up(longest)
        ));
    }
    for forecast in undecided.iter().filter(|f| f.shortest_s.is_none()) {
        hints.push(format!(
            "`{}: {}` is not decided within {}: raise the limit, or reduce the noise of the metric",
            forecast.metric,
            forecast.rule,
            round_up(LONGEST_S)
        ));
    }
    hints.extend(drained_unknown(scenario));
    hints.extend(faster_rotation(scenario, !undecided.is_empty()));
    hints
}

/// The hint to rotate faster: a leak per rotation is then found sooner.
fn faster_rotation(scenario: &Scenario, undecided: bool) -> Option<String> {
    /// Rotations of a stream above which more of them add little.
    const MANY: f64 = 20.0;
    let period = scenario.rotation_period_s()?;
    let measure = scenario.schedule.measure.as_secs();
    // Four samples a rotation show its sawtooth.
    let fastest = (4.0 * scenario.schedule.sample_every.as_secs()).max(measure / MANY);
    if fastest >= period / 1.5 || (!undecided && measure / period >= 2.0 * ROTATIONS_TO_PASS) {
        return None;
    }
    Some(format!(
        "rotate faster: with rotate_every = \"{}\" instead of {}, a leak at each rotation grows {:.0} times as fast and is proven sooner",
        round_up(fastest),
        round_up(period),
        (period / fastest).floor()
    ))
}
