//! The record of a run: all that a verdict is computed from.

use std::collections::BTreeMap;

use crate::event::Event;
use crate::facts::Facts;
use crate::limit::Limit;
use crate::metric::{MetricInfo, quantum_of};
use crate::run_plan::RunPlan;
use crate::samples::Samples;
use crate::scenario::{MetricSource, ROTATIONS_MIN, Scenario};
use crate::units::Unit;

/// One run: its samples, its folded events, and the limits to check.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The name of the scenario, or of the file for a table from elsewhere.
    pub name: String,
    /// Metrics with their limits, in the scenario's order.
    pub limits: Vec<(String, Limit)>,
    /// Properties of each metric.
    pub metrics: BTreeMap<String, MetricInfo>,
    /// The table of samples.
    pub samples: Samples,
    /// The folded events.
    pub facts: Facts,
    /// The plan of the run; `None` for a table from elsewhere.
    pub plan: Option<RunPlan>,
    /// Seconds between rotations of one stream, if known.
    pub rotation_period_s: Option<f64>,
}

impl Record {
    /// Builds the record of a scenario's run from its samples and facts.
    #[must_use]
    pub fn from_run(scenario: &Scenario, samples: Samples, facts: Facts) -> Self {
        // Counts of the engine's process depend on the engine, and older runs lack ROTATIONS_MIN: such a metric
        // belongs to the run only if it was sampled or has a limit.
        let is_optional =
            |name: &str, source: &MetricSource| matches!(source, MetricSource::Engine(_)) || name == ROTATIONS_MIN;
        let is_used = |name: &str| scenario.limits.contains_key(name) || samples.column(name).is_some();
        let metrics = scenario
            .all_metrics()
            .into_iter()
            .filter(|(name, metric)| !is_optional(name, &metric.source) || is_used(name))
            .map(|(name, metric)| {
                let info = MetricInfo {
                    moves_with_load: scenario.target.moves_with_load(&name),
                    ..metric.info()
                };
                (name, info)
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
        record.shorten_plan();
        record
    }

    /// Builds a record from a table of samples and limits from the command line.
    #[must_use]
    pub fn from_table(
        name: String,
        samples: Samples,
        limits: Vec<(String, Limit)>,
        rotation_period_s: Option<f64>,
    ) -> Self {
        let metrics = samples
            .names
            .iter()
            .zip(&samples.columns)
            .map(|(name, column)| {
                let info = MetricInfo {
                    source: "csv".into(),
                    counter: false,
                    quantum: quantum_of(column),
                    unit: Unit::Count,
                    moves_with_load: false,
                };
                (name.clone(), info)
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

    /// Adds one event.
    pub fn apply(&mut self, event: &Event) {
        self.facts.apply(event);
        self.shorten_plan();
    }

    /// Ends the plan where the user ended the measurement.
    fn shorten_plan(&mut self) {
        if let (Some(plan), Some(measured_s)) = (&mut self.plan, self.facts.ended_after_s) {
            plan.end_at(measured_s);
        }
    }
}
