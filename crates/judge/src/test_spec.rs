//! The specification of a test: limit, schedule and known properties of a series.

/// The position of an analysis in the schedule, which determines the error that it may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Analysis {
    /// A single analysis at the end of the run.
    #[default]
    Single,
    /// An interim analysis during the run: it may fail, never pass, and spends its share of the error.
    Interim,
    /// The last of several analyses: it may pass, and spends as much error as the others. The end of a run that may
    /// be extended is one, too.
    Last,
}

/// The specification of a test by [`crate::assess`].
///
/// # Examples
///
/// ```
/// use leakcheck_judge::{Analysis, TestSpec};
///
/// let spec = TestSpec {
///     analysis: Analysis::Interim,
///     ..TestSpec::at_most(2.0, 1800.0).rotating_every(60.0)
/// };
/// // An interim analysis after ten minutes may spend 1 % of error.
/// assert_eq!(spec.alpha_fail(10.0), 0.01);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TestSpec {
    /// Allowed growth, units per minute (per rotation for [`crate::assess_per_rotation`]).
    pub limit_per_min: f64,
    /// Seconds between rotations, if they are scheduled.
    pub rotation_period_s: Option<f64>,
    /// Rotations per container so far, if they were counted. Not every scheduled rotation happens.
    pub rotations_counted: Option<f64>,
    /// Smallest possible change of the value: 1 for counts, the page size for resident memory.
    pub quantum: f64,
    /// Planned length of the measurement, seconds. Nothing passes before it.
    pub planned_s: f64,
    /// Maximum length of the measurement with its extension, seconds.
    pub max_s: f64,
    /// Number of metrics tested together, which share the error.
    pub metrics: usize,
    /// The position of this analysis in the schedule.
    pub analysis: Analysis,
    /// Number of containers at each sample, whose effect is removed. It must be as long as the series.
    pub covariate: Option<Vec<f64>>,
    /// Known maximum swing within a rotation. With it, an analysis may fail before four rotations.
    pub allowed_swing: Option<f64>,
}

impl TestSpec {
    /// Specifies a single analysis of a series of counts, planned to take `planned_s` seconds.
    ///
    /// # Examples
    ///
    /// ```
    /// use leakcheck_judge::{Analysis, TestSpec};
    ///
    /// let spec = TestSpec::at_most(2.0, 1800.0);
    /// assert_eq!((spec.limit_per_min, spec.quantum, spec.analysis), (2.0, 1.0, Analysis::Single));
    /// ```
    #[must_use]
    pub fn at_most(limit_per_min: f64, planned_s: f64) -> Self {
        Self {
            limit_per_min,
            rotation_period_s: None,
            rotations_counted: None,
            quantum: 1.0,
            planned_s,
            max_s: planned_s,
            metrics: 1,
            analysis: Analysis::Single,
            covariate: None,
            allowed_swing: None,
        }
    }

    /// Sets a rotation every `period_s` seconds.
    ///
    /// # Examples
    ///
    /// ```
    /// use leakcheck_judge::TestSpec;
    ///
    /// assert_eq!(TestSpec::at_most(2.0, 1800.0).rotating_every(60.0).rotation_period_s, Some(60.0));
    /// ```
    #[must_use]
    pub fn rotating_every(mut self, period_s: f64) -> Self {
        self.rotation_period_s = Some(period_s);
        self
    }

    /// Returns the error probability that a `fail` may spend after `minutes`, shared among the metrics [alpha
    /// spending, Lan & DeMets 1983].
    ///
    /// A single analysis may spend 0.2 % per minute up to 3 %, one of several 0.1 % per minute up to 2 %. Both may
    /// spend at least that of one minute.
    ///
    /// # Examples
    ///
    /// ```
    /// use leakcheck_judge::TestSpec;
    ///
    /// let spec = TestSpec::at_most(2.0, 1800.0);
    /// assert_eq!(spec.alpha_fail(10.0), 0.02);
    /// assert_eq!(spec.alpha_fail(30.0), 0.03);
    /// ```
    #[must_use]
    pub fn alpha_fail(&self, minutes: f64) -> f64 {
        let spent = match self.analysis {
            Analysis::Single => (0.002 * minutes.max(1.0)).min(0.03),
            Analysis::Interim | Analysis::Last => (0.001 * minutes.max(1.0)).min(0.02),
        };
        spent / self.metrics.max(1) as f64
    }

    /// Returns the defect that makes the specification invalid, if any.
    pub(crate) fn defect(&self, samples: usize) -> Option<&'static str> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !positive(self.limit_per_min) {
            return Some("the limit must be a positive number");
        }
        if !(self.quantum.is_finite() && self.quantum >= 0.0) {
            return Some("the quantum must be a number, not negative");
        }
        if self.rotation_period_s.is_some_and(|p| !positive(p)) {
            return Some("the rotation period must be a positive number");
        }
        if self.planned_s.is_nan() || self.max_s.is_nan() {
            return Some("the planned length must be a number");
        }
        match &self.covariate {
            Some(n) if n.len() != samples => Some("the number of containers must be known at each sample"),
            Some(n) if n.iter().any(|x| !x.is_finite()) => Some("the number of containers must be finite"),
            _ => None,
        }
    }
}

/// Returns the error probability that a `pass` may spend after `minutes` [two one-sided tests: Schuirmann 1987].
///
/// It is 0.2 % per minute, from 3 % up to 4 %. At 4 %, 0.11 % of leaks of twice the limit passed in ten minutes under
/// held-out noise; the goal is 0.1 %.
pub(crate) fn beta_pass(minutes: f64) -> f64 {
    (0.002 * minutes).clamp(0.03, 0.04)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_pass_grows_from_a_quarter_of_an_hour_on() {
        assert_eq!(
            [1.0, 15.0, 17.0, 20.0, 60.0].map(beta_pass),
            [0.03, 0.03, 0.034, 0.04, 0.04]
        );
    }

    #[test]
    fn the_error_grows_with_the_run_and_is_capped() {
        let spec = TestSpec::at_most(2.0, 600.0);
        assert_eq!(spec.alpha_fail(3.0), 0.006);
        assert_eq!(spec.alpha_fail(10.0), 0.02);
        assert_eq!(spec.alpha_fail(30.0), 0.03);
        // An analysis in the first minute spends the error of one minute.
        assert_eq!(spec.alpha_fail(0.5), 0.002);
        assert_eq!(spec.alpha_fail(-1.0), 0.002);
        let early = TestSpec {
            analysis: Analysis::Interim,
            ..spec
        };
        assert_eq!(early.alpha_fail(2.0), 0.002);
        assert_eq!(early.alpha_fail(60.0), 0.02);
        assert_eq!(early.alpha_fail(0.5), 0.001);
        for minutes in [0.5, 5.0, 60.0] {
            let last = TestSpec {
                analysis: Analysis::Last,
                ..early.clone()
            };
            assert_eq!(last.alpha_fail(minutes), early.alpha_fail(minutes));
        }
    }

    #[test]
    fn metrics_share_the_error() {
        let spec = TestSpec {
            metrics: 4,
            ..TestSpec::at_most(2.0, 600.0)
        };
        assert_eq!(spec.alpha_fail(30.0), 0.0075);
        let none = TestSpec { metrics: 0, ..spec };
        assert_eq!(none.alpha_fail(30.0), 0.03);
    }

    #[test]
    fn an_invalid_specification_names_its_defect() {
        let sound = TestSpec::at_most(2.0, 60.0);
        assert_eq!(sound.defect(5), None);
        for limit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(
                TestSpec {
                    limit_per_min: limit,
                    ..sound.clone()
                }
                .defect(5)
                .is_some()
            );
        }
        assert!(
            TestSpec {
                quantum: -1.0,
                ..sound.clone()
            }
            .defect(5)
            .is_some()
        );
        assert!(
            TestSpec {
                quantum: f64::INFINITY,
                ..sound.clone()
            }
            .defect(5)
            .is_some()
        );
        assert_eq!(
            TestSpec {
                quantum: 0.0,
                ..sound.clone()
            }
            .defect(5),
            None
        );
        assert!(sound.clone().rotating_every(0.0).defect(5).is_some());
        assert_eq!(sound.clone().rotating_every(5.0).defect(5), None);
        assert!(
            TestSpec {
                planned_s: f64::NAN,
                ..sound.clone()
            }
            .defect(5)
            .is_some()
        );
        assert!(
            TestSpec {
                max_s: f64::NAN,
                ..sound.clone()
            }
            .defect(5)
            .is_some()
        );
        assert!(
            TestSpec {
                covariate: Some(vec![1.0; 4]),
                ..sound.clone()
            }
            .defect(5)
            .is_some()
        );
        assert!(
            TestSpec {
                covariate: Some(vec![f64::NAN; 5]),
                ..sound.clone()
            }
            .defect(5)
            .is_some()
        );
        assert_eq!(
            TestSpec {
                covariate: Some(vec![1.0; 5]),
                ..sound
            }
            .defect(5),
            None
        );
    }
}
