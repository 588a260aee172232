//! How noisy a metric is: measured in an earlier run, or assumed.

use std::path::Path;

use leakcheck_judge::plan::long_run_variance;
use leakcheck_judge::{Question, Series, assess};
use leakcheck_model::record::MetricInfo;
use leakcheck_model::{Facts, Phase, Record};
use leakcheck_report::RunFolder;

use super::Failure;

/// Counts of a quiet daemon: standard deviation and seconds in which it is forgotten (JUDGE.md, first row of its table).
const COUNTS: (f64, f64) = (2.0, 10.0);

/// Memory: an allocator gives and takes by some dozens of pages.
const MEMORY: (f64, f64) = (256.0 * 1024.0, 30.0);

/// Noise of one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Noise {
    /// Long-run variance, units² · seconds.
    pub(super) s0: f64,
    /// Correlation time, seconds.
    pub(super) tau_s: f64,
    /// Whether it was measured, not assumed.
    pub(super) measured: bool,
}

impl Noise {
    /// The noise to plan with: of the earlier run if it has this metric, else assumed.
    pub(super) fn of(earlier: Option<&EarlierRun>, metric: &str, info: &MetricInfo, every_s: f64) -> Self {
        if let Some(measured) = earlier.and_then(|run| run.noise(metric)) {
            return measured;
        }
        let (sd, tau_s) = if info.unit == "B" { MEMORY } else { COUNTS };
        Self {
            s0: long_run_variance(sd, tau_s, every_s),
            tau_s,
            measured: false,
        }
    }

    /// The standard deviation that samples every `every_s` of this noise have.
    pub(super) fn sd(self, every_s: f64) -> f64 {
        (self.s0 / long_run_variance(1.0, self.tau_s, every_s)).sqrt()
    }
}

/// A run whose samples tell how noisy a metric is.
pub(super) struct EarlierRun(Record);

impl EarlierRun {
    /// Reads a run's folder.
    ///
    /// # Errors
    /// If it is none, or nothing was measured in it.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let folder = RunFolder::open(path).map_err(anyhow::Error::from)?;
        let (scenario, samples, events) = folder.read().map_err(anyhow::Error::from)?;
        let record = Record::of_run(&scenario, samples, Facts::from_events(&events));
        if record.samples.rows(Phase::is_judged).next().is_none() {
            return Err(Failure::usage(format!(
                "{} has no samples of a measurement, so its noise is not known",
                path.display()
            )));
        }
        Ok(Self(record))
    }

    /// What the judge found in the metric beside its growth.
    fn noise(&self, metric: &str) -> Option<Noise> {
        let (t, v): (Vec<f64>, Vec<f64>) = self.0.samples.series(metric, Phase::is_judged).unzip();
        let series = Series::new(t, v).ok()?;
        let mut question = Question::at_most(1.0, series.length_s());
        question.rotation_period_s = self.0.rotation_period_s;
        question.quantum = self.0.metrics.get(metric).map_or(1.0, |m| m.quantum);
        let noise = assess(&series, &question).noise?;
        Some(Noise {
            s0: noise.s0,
            tau_s: noise.tau_s,
            measured: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_deviation_is_found_again_in_the_long_run_variance() {
        let info = leakcheck_model::scenario::Metric::of_proc("fds").info();
        let noise = Noise::of(None, "fds", &info, 1.0);
        assert!(!noise.measured);
        assert!((noise.sd(1.0) - 2.0).abs() < 1e-9, "{noise:?}");
    }
}
