//! Everything that the judge may know: the samples, the facts and the question.

use std::collections::BTreeMap;

use crate::facts::Facts;
use crate::limit::Limit;
use crate::samples::Samples;
use crate::scenario::Scenario;

/// What kind of numbers a metric has.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricInfo {
    /// `proc`, `metrics`, `log`, `csv`.
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
    /// Seconds between samples.
    pub sample_every_s: f64,
    /// Seconds between checkpoints.
    pub checkpoint_every_s: f64,
    /// Containers in all.
    pub containers: u64,
    /// Rotations a second of the whole set, if the target rotates.
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
        let metrics = scenario
            .all_metrics()
            .into_iter()
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
        let mut plan = scenario.plan();
        if let Some(measured_s) = facts.ended_after_s {
            plan.end_at(measured_s);
        }
        Self {
            name: scenario.name.clone(),
            limits: scenario.all_limits(),
            metrics,
            samples,
            facts,
            plan: Some(plan),
            rotation_period_s: scenario.rotation_period_s(),
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
        let metrics = samples.names.iter().map(|n| (n.clone(), info.clone())).collect();
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
