//! The forecast for a growth limit: a theoretical bound, and the judge's result on simulated runs.

use leakcheck_judge::power::{
    ErrorRates, largest_excludable_per_min, smallest_late_leak_per_min, smallest_provable_per_min,
};
use leakcheck_judge::whole_rotations;
use leakcheck_model::limit::{Bound, Statistic};
use leakcheck_model::{MetricInfo, Scenario, Unit};
use serde_json::{Value, json};

use super::noise::{EarlierRun, ExpectedNoise};
use super::simulate::Simulation;

/// Whole rotations of a stream that the judge needs for a pass.
pub(super) const ROTATIONS_TO_PASS: f64 = 6.0;

/// The part of a run, at its end, in which a new leak is called late.
const LATE: f64 = 1.0 / 8.0;

/// The forecast for one limit.
pub(crate) struct Forecast {
    pub(super) metric: String,
    /// The limit as written.
    pub(super) rule: String,
    pub(super) unit: Unit,
    pub(super) limit_per_min: f64,
    pub(super) noise: ExpectedNoise,
    /// Smallest growth per minute that any statistic could prove.
    pub(super) bound_proven: f64,
    /// Largest growth per minute that any statistic could pass; negative if none.
    pub(super) bound_passed: f64,
    /// Smallest growth per minute that the judge proved in simulations.
    pub(super) proven: Option<f64>,
    /// Largest growth per minute that the judge passed in simulations.
    pub(super) passed: Option<f64>,
    /// Smallest growth per minute that is detected if it begins in the last eighth.
    pub(super) late: f64,
    /// Rotations per minute of all streams together.
    pub(super) rotations_per_min: Option<f64>,
    /// The schedule is long enough to tell no growth from twice the limit.
    decides: bool,
    /// Shortest measurement that is, in seconds.
    pub(super) shortest_s: Option<f64>,
    /// Shortest measurement in which a constant metric passes, in seconds. Absent if the noise was measured.
    pub(super) shortest_if_constant_s: Option<f64>,
    /// Reasons why the limit cannot be decided.
    pub(super) obstacles: Vec<String>,
}

/// Returns a forecast for each growth limit of a scenario.
pub(super) fn all(scenario: &Scenario, earlier: Option<&EarlierRun>) -> Vec<Forecast> {
    growth_limits(scenario)
        .into_iter()
        .map(|limit| one(scenario, earlier, limit))
        .collect()
}

/// Returns the growth limits that cannot pass even for a constant metric, because the schedule with its extension is too short,
/// each with a sufficient length in seconds.
pub(crate) fn impossible_limits(scenario: &Scenario) -> Vec<(String, Option<f64>)> {
    let length_s = scenario.schedule.measure.as_secs() + scenario.schedule.extend.as_secs();
    growth_limits(scenario)
        .into_iter()
        .map(|limit| {
            (
                format!("{}: {}", limit.metric, limit.rule),
                limit.simulation(scenario, ExpectedNoise::NONE),
            )
        })
        .filter(|(_, simulation)| !simulation.passes_constant(length_s))
        .map(|(rule, simulation)| (rule, simulation.shortest_tried_if_constant_s()))
        .collect()
}

/// A limit on growth.
struct GrowthLimit {
    metric: String,
    rule: String,
    info: MetricInfo,
    per_min: f64,
    /// Growth limits judged side by side.
    metrics: usize,
}

impl GrowthLimit {
    fn simulation(&self, scenario: &Scenario, noise: ExpectedNoise) -> Simulation {
        Simulation {
            limit_per_min: self.per_min,
            noise,
            every_s: scenario.schedule.sample_every.as_secs(),
            quantum: self.info.quantum,
            period_s: scenario.rotation_period_s(),
            metrics: self.metrics,
            analysis: leakcheck_judge::final_analysis(&scenario.plan(), scenario.rotation_period_s()),
        }
    }
}

fn growth_limits(scenario: &Scenario) -> Vec<GrowthLimit> {
    let known = scenario.all_metrics();
    let growing: Vec<_> = scenario
        .all_limits()
        .into_iter()
        .filter(|(_, l)| l.statistic.is_growth())
        .collect();
    let metrics = growing.len();
    growing
        .into_iter()
        .filter_map(|(metric, limit)| {
            let info = known.get(&metric)?.info();
            let Bound::Number(bound) = limit.bound else { return None };
            // Per rotation and per minute differ only in the unit.
            let per_min = match limit.statistic {
                Statistic::PerRotation => bound * scenario.plan().rotations_per_s? * 60.0,
                _ => bound,
            };
            (per_min > 0.0).then_some(GrowthLimit {
                metric,
                rule: limit.text,
                info,
                per_min,
                metrics,
            })
        })
        .collect()
}

fn one(scenario: &Scenario, earlier: Option<&EarlierRun>, limit: GrowthLimit) -> Forecast {
    let length_s = scenario.schedule.measure.as_secs();
    let every_s = scenario.schedule.sample_every.as_secs();
    let limit_per_min = limit.per_min;
    let noise = ExpectedNoise::expected(earlier, scenario.target.kind, &limit.metric, &limit.info, every_s);
    let simulation = limit.simulation(scenario, noise);
    let errors = ErrorRates::default();
    let decides = simulation.decides(length_s);
    Forecast {
        bound_proven: smallest_provable_per_min(limit_per_min, noise.s0, length_s, errors),
        bound_passed: largest_excludable_per_min(limit_per_min, noise.s0, length_s, errors),
        proven: simulation.smallest_proven(length_s),
        passed: simulation.largest_passed(length_s),
        late: smallest_late_leak_per_min(limit_per_min, noise.s0, LATE * length_s, errors),
        rotations_per_min: scenario.plan().rotations_per_s.map(|r| r * 60.0),
        decides,
        shortest_s: if decides {
            Some(length_s)
        } else {
            simulation.shortest_s()
        },
        shortest_if_constant_s: (!decides && !noise.measured)
            .then(|| simulation.shortest_if_constant_s())
            .flatten(),
        obstacles: obstacles(scenario)
            .into_iter()
            .chain(missed_leaks(&simulation, length_s))
            .collect(),
        metric: limit.metric,
        rule: limit.rule,
        unit: limit.info.unit,
        limit_per_min,
        noise,
    }
}

/// Reasons why a limit cannot be decided whatever the noise.
fn obstacles(scenario: &Scenario) -> Vec<String> {
    let mut found = Vec::new();
    let length_s = scenario.schedule.measure.as_secs();
    let every_s = scenario.schedule.sample_every.as_secs();
    let Some(period_s) = scenario.rotation_period_s() else {
        return found;
    };
    let rotations = whole_rotations(length_s, period_s) as f64;
    if rotations < ROTATIONS_TO_PASS {
        found.push(format!(
            "{rotations:.0} whole rotations of a stream: {ROTATIONS_TO_PASS:.0} are needed to pass, 4 to fail"
        ));
    }
    if let leakcheck_judge::aliasing::Sampling::Aliased { apparent_period_s } =
        leakcheck_judge::aliasing::sampling(period_s, every_s, length_s)
    {
        found.push(format!(
            "a sample every {every_s} s aliases the rotation to a wave of {apparent_period_s:.0} s, which looks like growth or hides it"
        ));
    }
    found
}

/// The reason if simulated leaks of twice the limit passed.
fn missed_leaks(simulation: &Simulation, length_s: f64) -> Option<String> {
    let (missed, of) = simulation.missed(length_s);
    (missed > 0).then(|| format!("too short: a leak of twice the limit passed in {missed} of {of} simulations"))
}

impl Forecast {
    /// Returns whether a sound target passes and a leak of twice the limit fails.
    pub(super) fn is_decidable(&self) -> bool {
        self.decides && self.obstacles.is_empty()
    }

    /// Converts growth per minute to growth per rotation.
    pub(super) fn per_rotation(&self, per_min: f64) -> Option<f64> {
        self.rotations_per_min.filter(|r| *r > 0.0).map(|r| per_min / r)
    }

    /// The forecast as JSON, without unknown values.
    pub(super) fn as_json(&self) -> Value {
        let mut value = json!({
            "metric": self.metric,
            "rule": self.rule,
            "limit_per_min": self.limit_per_min,
            "decidable": self.is_decidable(),
            "obstacles": self.obstacles,
            "noise": {
                "source": if self.noise.measured { "measured" } else { "assumed" },
                "s0": self.noise.s0,
                "tau_s": self.noise.tau_s,
            },
            "bound": { "smallest_proven_per_min": self.bound_proven, "smallest_late_leak_per_min": self.late },
            "rehearsed": {},
        });
        let mut put = |pointer: &str, key: &str, figure: Option<f64>| {
            let object = value.pointer_mut(pointer).and_then(Value::as_object_mut);
            if let (Some(object), Some(figure)) = (object, figure) {
                object.insert(key.to_owned(), json!(figure));
            }
        };
        let passable = Some(self.bound_passed).filter(|b| *b >= 0.0);
        put("/bound", "largest_passed_per_min", passable);
        put(
            "/bound",
            "smallest_proven_per_rotation",
            self.per_rotation(self.bound_proven),
        );
        put("/rehearsed", "smallest_proven_per_min", self.proven);
        let per_rotation = self.proven.and_then(|p| self.per_rotation(p));
        put("/rehearsed", "smallest_proven_per_rotation", per_rotation);
        put("/rehearsed", "largest_passed_per_min", self.passed);
        put("/rehearsed", "shortest_measure_s", self.shortest_s);
        put("/rehearsed", "shortest_pass_if_still_s", self.shortest_if_constant_s);
        value
    }
}
