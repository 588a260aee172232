//! The noise of a metric: measured in an earlier run, or assumed.

use std::path::Path;

use leakcheck_judge::power::long_run_variance;
use leakcheck_judge::{Series, TestSpec, assess};
use leakcheck_model::MetricInfo;
use leakcheck_model::scenario::TargetKind;
use leakcheck_model::{Phase, Record};

use crate::failure::Failure;
use crate::run_folder;

/// Assumed noise of a kind of target: standard deviation and correlation time in seconds.
struct Assumed {
    counts: (f64, f64),
    memory: (f64, f64),
}

/// The capture daemon with a rotation each second, measured in eight runs of 90 s: at most 0.5 descriptors, 330 KiB and 7 s.
/// Twice the descriptors are assumed.
const CAPTURE: Assumed = Assumed {
    counts: (1.0, 0.0),
    memory: (256.0 * 1024.0, 7.0),
};

/// A quiet daemon of which nothing is known.
const OTHERS: Assumed = Assumed {
    counts: (2.0, 10.0),
    memory: (256.0 * 1024.0, 30.0),
};

/// Noise of one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ExpectedNoise {
    /// Long-run variance, units² · seconds.
    pub(super) s0: f64,
    /// Correlation time, seconds.
    pub(super) tau_s: f64,
    /// Measured, not assumed.
    pub(super) measured: bool,
}

impl ExpectedNoise {
    /// A constant metric.
    pub(super) const NONE: Self = Self {
        s0: 0.0,
        tau_s: 0.0,
        measured: false,
    };

    /// The noise of the earlier run if it has this metric, else an assumption.
    pub(super) fn expected(
        earlier: Option<&EarlierRun>,
        target: TargetKind,
        metric: &str,
        info: &MetricInfo,
        every_s: f64,
    ) -> Self {
        if let Some(measured) = earlier.and_then(|run| run.noise(metric)) {
            return measured;
        }
        let assumed = if target == TargetKind::Capture { CAPTURE } else { OTHERS };
        let (sd, tau_s) = if info.unit == leakcheck_model::Unit::Bytes {
            assumed.memory
        } else {
            assumed.counts
        };
        Self {
            s0: long_run_variance(sd, tau_s, every_s),
            tau_s,
            measured: false,
        }
    }

    /// The standard deviation of samples every `every_s`.
    pub(super) fn sd(self, every_s: f64) -> f64 {
        (self.s0 / long_run_variance(1.0, self.tau_s, every_s)).sqrt()
    }
}

/// A run whose samples show the noise of each metric.
pub(super) struct EarlierRun(Record);

impl EarlierRun {
    /// Reads a run's folder.
    ///
    /// # Errors
    /// If the folder is not a run, or has no samples of a measurement.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let record = run_folder::record(path)?;
        if record.samples.rows(Phase::is_judged).next().is_none() {
            return Err(Failure::usage(format!(
                "{} has no samples of a measurement, so its noise is unknown",
                path.display()
            )));
        }
        Ok(Self(record))
    }

    /// The noise that the judge estimates beside the growth.
    fn noise(&self, metric: &str) -> Option<ExpectedNoise> {
        let (t, v): (Vec<f64>, Vec<f64>) = self.0.samples.series(metric, Phase::is_judged).unzip();
        let series = Series::new(t, v).ok()?;
        let mut spec = TestSpec::at_most(1.0, series.length_s());
        spec.rotation_period_s = self.0.rotation_period_s;
        spec.quantum = self.0.metrics.get(metric).map_or(1.0, |m| m.quantum);
        let noise = assess(&series, &spec).noise?;
        Some(ExpectedNoise {
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
    fn the_standard_deviation_follows_from_the_long_run_variance() {
        let info = leakcheck_model::scenario::Metric::proc(leakcheck_model::scenario::ProcMetric::Fds).info();
        for (target, sd) in [(TargetKind::Capture, 1.0), (TargetKind::Command, 2.0)] {
            let noise = ExpectedNoise::expected(None, target, "fds", &info, 1.0);
            assert!(!noise.measured);
            assert!((noise.sd(1.0) - sd).abs() < 1e-9, "{noise:?}");
        }
    }
}
