//! Everything that the judge may know: the samples, the facts and the question.

use std::collections::BTreeMap;

use crate::event::Event;
use crate::facts::Facts;
use crate::limit::Limit;
use crate::samples::Samples;
use crate::scenario::{Metric, ROTATIONS_MIN, Scenario};

/// What kind of numbers a metric has.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricInfo {
    /// `proc`, `engine`, `metrics`, `log`, `csv`.
    pub source: String,
    /// Whether it only goes up, and a fall is a restart from zero.
    pub counter: bool,
    /// The step between neighbouring values: 1 for counts, 4096 for memory.
    pub quantum: f64,
    /// `B` for bytes; empty for counts.
    pub unit: &'static str,
    /// Whether load is known to move it, so that a value frozen while the load came is a broken instrument.
    pub moves_with_load: bool,
}

/// One run, as the judge sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The scenario's name, or the file's.
    pub name: String,
    /// What is asked: metric and rule, in the scenario's order.
    pub limits: Vec<(String, Limit)>,
    /// Each metric.
    pub metrics: BTreeMap<String, MetricInfo>,
    /// The table.
    pub samples: Samples,
    /// What else is known.
    pub facts: Facts,
    /// What was planned; `None` for a table from elsewhere.
    pub plan: Option<Plan>,
    /// Seconds between rotations of one stream, if the harness drives them or the user said so.
    pub rotation_period_s: Option<f64>,
}

/// What the schedule promised.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Length of the judged part, seconds.
    pub measure_s: f64,
    /// Longest the judged part may become, seconds.
    pub max_s: f64,
    /// Whether a certain fail ends the run: then it is looked at on the way.
    pub early_stop: bool,
    /// Seconds between samples.
    pub sample_every_s: f64,
    /// Seconds between checkpoints.
    pub checkpoint_every_s: f64,
    /// Containers in all.
    pub containers: u64,
    /// Rotations a second of the whole set, if the target rotates and there is a set.
    pub rotations_per_s: Option<f64>,
    /// Whether lines can be checked.
    pub lines_checked: bool,
}

impl Plan {
    /// The same plan for a judged part that the user ended after `measured_s`.
    pub fn end_at(&mut self, measured_s: f64) {
        self.measure_s = self.measure_s.min(measured_s);
        self.max_s = self.max_s.min(measured_s).max(self.measure_s);
    }
}

impl Record {
    /// A run of a scenario, from its samples and facts.
    #[must_use]
    pub fn of_run(scenario: &Scenario, samples: Samples, facts: Facts) -> Self {
        let limited = |name: &str| scenario.limits.contains_key(name);
        // What could be sampled of the engine is known only then: a count that it does not show is no metric of this run.
        // And a run that was made before the least of the rotations was read has no such metric.
        let is_there = |name: &str, metric: &Metric| {
            let always = metric.engine.is_none() && name != ROTATIONS_MIN;
            always || limited(name) || samples.column(name).is_some()
        };
        let metrics = scenario
            .all_metrics()
            .into_iter()
            .filter(|(name, metric)| is_there(name, metric))
            .map(|(name, metric)| {
                let moves_with_load = scenario.target.moves_with_load(&name);
                (
                    name,
                    MetricInfo {
                        moves_with_load,
                        ..metric.info()
                    },
                )
            })
            .collect();
        let mut record = Self {
            name: scenario.name.clone(),
            limits: scenario.all_limits(),
            metrics,
            samples,
            facts,
            plan: Some(scenario.plan()),
            rotation_period_s: scenario.rotation_period_s(),
        };
        record.end_as_measured();
        record
    }

    /// Takes in one more event.
    pub fn apply(&mut self, event: &Event) {
        self.facts.apply(event);
        self.end_as_measured();
    }

    /// Where the user ended the measuring, the plan ends too.
    fn end_as_measured(&mut self) {
        if let (Some(plan), Some(measured_s)) = (&mut self.plan, self.facts.ended_after_s) {
            plan.end_at(measured_s);
        }
    }

    /// A table from elsewhere with limits from the command line.
    #[must_use]
    pub fn of_table(
        name: String,
        samples: Samples,
        limits: Vec<(String, Limit)>,
        rotation_period_s: Option<f64>,
    ) -> Self {
        let info = MetricInfo {
            source: "csv".into(),
            counter: false,
            quantum: 1.0,
            unit: "",
            moves_with_load: false,
        };
        let metrics = samples
            .names
            .iter()
            .zip(&samples.columns)
            .map(|(name, column)| {
                let quantum = quantum_of(column);
                (
                    name.clone(),
                    MetricInfo {
                        quantum,
                        ..info.clone()
                    },
                )
            })
            .collect();
        Self {
            name,
            limits,
            metrics,
            samples,
            facts: Facts::default(),
            plan: None,
            rotation_period_s,
        }
    }
}

/// The page of memory: values in bytes move by it.
const PAGE: f64 = 4096.0;

/// Digits after the point beyond which a fraction is a measurement and no count of anything.
const DIGITS_MOST: i32 = 6;

/// The step between neighbouring values of a column, as far as its values tell: a page if all changes are whole pages, 1 if all are
/// whole numbers, else the last decimal that any of them has.
#[must_use]
pub fn quantum_of(column: &[Option<f64>]) -> f64 {
    let seen = || column.iter().flatten();
    let first = seen().next().copied().unwrap_or(0.0);
    if seen().all(|v| (v - first) % PAGE == 0.0) && seen().any(|v| v != &first) {
        return PAGE;
    }
    let (mut digits, mut scale) = (0, 1.0);
    for value in seen() {
        while digits < DIGITS_MOST && !is_whole(value * scale) {
            digits += 1;
            scale = 10f64.powi(digits);
        }
    }
    10f64.powi(-digits)
}

/// Whole but for rounding.
fn is_whole(x: f64) -> bool {
    is_integer(x) || (x - x.round()).abs() <= 1e-9 * x.abs().max(1.0)
}

/// Whether a number is whole; nearly all are told by an `i64`, at a tenth of the cost of cutting the fraction off.
#[must_use]
pub fn is_integer(x: f64) -> bool {
    x as i64 as f64 == x || x.fract() == 0.0
}

#[cfg(test)]
mod tests {
    use super::{is_integer, quantum_of};

    #[test]
    fn the_step_of_a_column_is_told_by_its_values() {
        let of = |values: &[f64]| quantum_of(&values.iter().copied().map(Some).collect::<Vec<_>>());
        assert_eq!(of(&[55.0, 56.0, 55.0]), 1.0);
        assert_eq!(of(&[0.5, 1.25, 3.0]), 0.01);
        assert_eq!(of(&[0.1, 0.2, 0.3]), 0.1);
        assert_eq!(of(&[1.0 / 3.0, 0.5]), 1e-6);
        assert_eq!(of(&[409_600.0, 413_696.0]), 4096.0);
        assert_eq!(of(&[0.1 + 0.2, 0.5]), 0.1);
        assert_eq!(of(&[5.0, 6.0, 1e300]), 1.0);
        // What never moves tells nothing.
        assert_eq!(of(&[4096.0, 4096.0]), 1.0);
        assert_eq!(quantum_of(&[None]), 1.0);
    }

    #[test]
    fn a_whole_number_is_one_whatever_its_size() {
        assert!(
            [0.0, -0.0, -7.0, 2f64.powi(53), -1e19, 1e300]
                .into_iter()
                .all(is_integer)
        );
        assert!(
            ![0.5, -1e-300, 4503599627370495.5, f64::NAN, f64::INFINITY]
                .into_iter()
                .any(is_integer)
        );
    }
}
