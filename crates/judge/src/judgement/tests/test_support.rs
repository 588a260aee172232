//! A builder of records for tests: one sample per second, with metrics given as functions of time.
//!
//! The judged part begins at 0 s. Ten seconds without load precede it, fifteen seconds of drain follow it.

use leakcheck_model::{Facts, Phase, Record, Samples};
use leakcheck_model::{MetricInfo, RunPlan, Unit};

const IDLE_S: u32 = 10;
const LAUNCH_S: u32 = 5;
const DRAIN_S: u32 = 15;

/// A builder of a record.
pub(in crate::judgement) struct RunBuilder(Record);

impl RunBuilder {
    /// Starts a finished run of `seconds`, without interim analyses or extension.
    pub(in crate::judgement) fn run(seconds: u32, containers: u64) -> Self {
        let before = IDLE_S + LAUNCH_S;
        let mut samples = Samples::new(Vec::new());
        for i in 0..=before + seconds + DRAIN_S {
            samples.t_s.push(f64::from(i) - f64::from(before));
            samples.phase.push(match i {
                i if i < IDLE_S => Phase::Idle,
                i if i < before => Phase::Launch,
                i if i <= before + seconds => Phase::Measure,
                _ => Phase::Drain,
            });
        }
        let mut record = Record::from_table("run".into(), samples, Vec::new(), None);
        record.facts = Facts {
            finished: true,
            ready: true,
            ..Facts::default()
        };
        record.plan = Some(RunPlan {
            measure_s: f64::from(seconds),
            max_s: f64::from(seconds),
            early_stop: false,
            sample_every_s: 1.0,
            checkpoint_every_s: 30.0,
            containers,
            rotations_per_s: None,
            lines_checked: false,
        });
        let phases = record.samples.phase.clone();
        let running: Vec<Option<f64>> = phases
            .iter()
            .map(|phase| Some(if phase.is_judged() { containers as f64 } else { 0.0 }))
            .collect();
        Self(record).column("containers", running)
    }

    fn column(mut self, name: &str, values: Vec<Option<f64>>) -> Self {
        self.0.samples.names.push(name.into());
        self.0.samples.columns.push(values);
        self
    }

    /// Adds a count, as a function of the time in the judged part.
    pub(in crate::judgement) fn metric(mut self, name: &str, value: impl Fn(f64) -> Option<f64>) -> Self {
        let info = MetricInfo {
            source: "metrics".into(),
            counter: false,
            quantum: 1.0,
            unit: Unit::Count,
            moves_with_load: false,
        };
        self.0.metrics.insert(name.into(), info);
        let values = self.0.samples.t_s.iter().map(|t| value(*t)).collect();
        self.column(name, values)
    }

    pub(in crate::judgement) fn limit(mut self, metric: &str, rule: &str) -> Self {
        self.0
            .limits
            .push((metric.into(), rule.parse().expect("a rule of the test")));
        self
    }

    pub(in crate::judgement) fn rotating_every(self, period_s: f64) -> Self {
        self.with(|record| {
            record.rotation_period_s = Some(period_s);
            let plan = record.plan.as_mut().expect("a run has a plan");
            plan.rotations_per_s = (plan.containers > 0).then(|| plan.containers as f64 / period_s);
        })
    }

    /// Removes all samples after `last_s` of the judged part.
    pub(in crate::judgement) fn cut_at(self, last_s: f64) -> Self {
        self.with(|record| {
            let kept = record.samples.t_s.partition_point(|t| *t <= last_s);
            record.samples.t_s.truncate(kept);
            record.samples.phase.truncate(kept);
            record.samples.columns.iter_mut().for_each(|c| c.truncate(kept));
        })
    }

    /// Removes a phase.
    pub(in crate::judgement) fn without(self, phase: Phase) -> Self {
        self.with(|record| {
            let kept: Vec<bool> = record.samples.phase.iter().map(|p| *p != phase).collect();
            keep(record, &kept);
        })
    }

    /// Removes the samples at some seconds.
    pub(in crate::judgement) fn without_seconds(self, missed: impl Fn(f64) -> bool) -> Self {
        self.with(|record| {
            let kept: Vec<bool> = record.samples.t_s.iter().map(|t| !missed(*t)).collect();
            keep(record, &kept);
        })
    }

    pub(in crate::judgement) fn with(mut self, change: impl FnOnce(&mut Record)) -> Self {
        change(&mut self.0);
        self
    }

    pub(in crate::judgement) fn record(self) -> Record {
        self.0
    }
}

/// Returns noise from -3 to 3 that is the same in every run.
pub(in crate::judgement) fn noise(t: f64) -> f64 {
    (t.abs() * 7919.0 % 7.0).floor() - 3.0
}

fn keep(record: &mut Record, kept: &[bool]) {
    let mut kept = kept.iter().cycle();
    let mut is_kept = || *kept.next().expect("it cycles");
    record.samples.t_s.retain(|_| is_kept());
    record.samples.phase.retain(|_| is_kept());
    record.samples.columns.iter_mut().for_each(|c| c.retain(|_| is_kept()));
}
