//! What a schedule can say of one growth limit: the bound that no judge beats, and what the judge did in rehearsals.

use leakcheck_judge::power::{
    ErrorRates, largest_excludable_per_min, smallest_late_leak_per_min, smallest_provable_per_min,
};
use leakcheck_judge::whole_rotations;
use leakcheck_model::Scenario;
use leakcheck_model::limit::{Bound, Statistic};
use leakcheck_model::MetricInfo;
use serde_json::{Value, json};

use super::noise::{EarlierRun, Noise};
use super::rehearse::Rehearsal;

/// Whole rotations of a stream without which nothing passes (JUDGE.md, J).
pub(super) const ROTATIONS_TO_PASS: f64 = 6.0;

/// A late leak is one that begins in the last eighth of the run, as the report says it too.
const LATE: f64 = 1.0 / 8.0;

/// The outlook of one limit.
pub(super) struct Outlook {
    pub(super) metric: String,
    /// As written.
    pub(super) rule: String,
    /// `B` or empty.
    pub(super) unit: &'static str,
    pub(super) limit_per_min: f64,
    pub(super) noise: Noise,
    /// Smallest growth per minute that any judge could prove.
    pub(super) bound_proven: f64,
    /// Largest growth per minute that any judge could pass; negative if none.
    pub(super) bound_passed: f64,
    /// Smallest growth per minute that the judge proved in rehearsals.
    pub(super) proven: Option<f64>,
    /// Largest growth per minute that the judge passed in rehearsals.
    pub(super) passed: Option<f64>,
    /// Smallest growth per minute that is seen if it begins in the last eighth.
    pub(super) late: f64,
    /// Rotations a minute of all streams together.
    pub(super) rotations_per_min: Option<f64>,
    /// Whether the schedule tells no growth from twice the limit.
    decides: bool,
    /// Shortest measurement that does, seconds.
    pub(super) shortest_s: Option<f64>,
    /// Shortest measurement that a target passes whose metric stands still; absent where the noise was measured.
    pub(super) shortest_if_still_s: Option<f64>,
    /// What stands in the way.
    pub(super) obstacles: Vec<String>,
}

/// The outlook of each growth limit of a scenario.
pub(super) fn of(scenario: &Scenario, earlier: Option<&EarlierRun>) -> Vec<Outlook> {
    growth_limits(scenario)
        .into_iter()
        .map(|limit| one(scenario, earlier, limit))
        .collect()
}

/// The growth limits that nothing can pass, because the schedule is too short for them even with its extension and for a target
/// that stands still; and what length would do, seconds.
pub(super) fn never_passed(scenario: &Scenario) -> Vec<(String, Option<f64>)> {
    let length_s = scenario.schedule.measure.as_secs() + scenario.schedule.extend.as_secs();
    growth_limits(scenario)
        .into_iter()
        .map(|limit| {
            (
                format!("{}: {}", limit.metric, limit.rule),
                limit.rehearsal(scenario, Noise::NONE),
            )
        })
        .filter(|(_, rehearsal)| !rehearsal.lets_stillness_pass(length_s))
        .map(|(rule, rehearsal)| (rule, rehearsal.shortest_for_stillness_s()))
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
    fn rehearsal(&self, scenario: &Scenario, noise: Noise) -> Rehearsal {
        Rehearsal {
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
            // Per rotation and per minute are the same question in other units.
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

fn one(scenario: &Scenario, earlier: Option<&EarlierRun>, limit: GrowthLimit) -> Outlook {
    let length_s = scenario.schedule.measure.as_secs();
    let every_s = scenario.schedule.sample_every.as_secs();
    let limit_per_min = limit.per_min;
    let noise = Noise::of(earlier, scenario.target.kind, &limit.metric, &limit.info, every_s);
    let rehearsal = limit.rehearsal(scenario, noise);
    let errors = ErrorRates::default();
    let decides = rehearsal.decides(length_s);
    Outlook {
        bound_proven: smallest_provable_per_min(limit_per_min, noise.s0, length_s, errors),
        bound_passed: largest_excludable_per_min(limit_per_min, noise.s0, length_s, errors),
        proven: rehearsal.smallest_proven(length_s),
        passed: rehearsal.largest_passed(length_s),
        late: smallest_late_leak_per_min(limit_per_min, noise.s0, LATE * length_s, errors),
        rotations_per_min: scenario.plan().rotations_per_s.map(|r| r * 60.0),
        decides,
        shortest_s: if decides {
            Some(length_s)
        } else {
            rehearsal.shortest_s()
        },
        shortest_if_still_s: (!decides && !noise.measured)
            .then(|| rehearsal.shortest_if_still_s())
            .flatten(),
        obstacles: obstacles(scenario)
            .into_iter()
            .chain(escapes(&rehearsal, length_s))
            .collect(),
        metric: limit.metric,
        rule: limit.rule,
        unit: limit.info.unit.symbol(),
        limit_per_min,
        noise,
    }
}

/// What makes a limit undecidable whatever the noise.
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
            "a sample every {every_s} s shows the rotation as a wave of {apparent_period_s:.0} s, which looks like growth or hides it"
        ));
    }
    found
}

/// A measurement so short that a leak does not show is worse than none.
fn escapes(rehearsal: &Rehearsal, length_s: f64) -> Option<String> {
    let (escaped, of) = rehearsal.escape(length_s);
    (escaped > 0).then(|| format!("too short: a leak of twice the limit passed in {escaped} of {of} rehearsals"))
}

impl Outlook {
    /// Whether the schedule decides the limit as written: a sound target passes, one that leaks twice the limit fails.
    pub(super) fn is_decidable(&self) -> bool {
        self.decides && self.obstacles.is_empty()
    }

    /// A growth per minute as growth for each rotation.
    pub(super) fn per_rotation(&self, per_min: f64) -> Option<f64> {
        self.rotations_per_min.filter(|r| *r > 0.0).map(|r| per_min / r)
    }

    /// For scripts. What is not known is absent.
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
        put("/rehearsed", "shortest_pass_if_still_s", self.shortest_if_still_s);
        value
    }
}
