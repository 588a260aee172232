//! What is context of a series: the limit, the plan of the run and what is known about it.

/// How often the series is looked at, which decides how much error one analysis may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Analysis {
    /// A single analysis at the end of the run.
    #[default]
    Single,
    /// One of several looks during the run: a analysis may say `fail`, never `pass`, and spends its share of the error.
    Interim,
    /// The last of several looks: it may say `pass`, and spends no more than the others. The end of a run that is extended if it
    /// is undecided is one of two such looks.
    Last,
}

/// The spec put to [`crate::assess`].
#[derive(Debug, Clone, PartialEq)]
pub struct TestSpec {
    /// Allowed growth, units per minute (per rotation for [`crate::assess_per_rotation`]).
    pub limit_per_min: f64,
    /// Seconds between rotations, if the harness drives them.
    pub rotation_period_s: Option<f64>,
    /// Rotations of each container that were counted so far, if they were: what was planned need not have happened.
    pub rotations_counted: Option<f64>,
    /// Smallest possible change of the value: 1 for counts, the page for resident memory.
    pub quantum: f64,
    /// Planned length of the measurement, seconds. Nothing passes before it.
    pub planned_s: f64,
    /// Length after which nothing is extended any more, seconds.
    pub max_s: f64,
    /// Number of metrics judged side by side: each gets its share of the error.
    pub metrics: usize,
    /// Which analysis this is.
    pub analysis: Analysis,
    /// Number of containers at each sample, whose effect is taken out; must be as long as the series.
    pub covariate: Option<Vec<f64>>,
    /// How much the value may swing within a rotation, if known: lets a analysis decide before four rotations.
    pub allowed_swing: Option<f64>,
}

impl TestSpec {
    /// A single look at a series of counts that was planned to take `planned_s` seconds.
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

    /// The same spec with a rotation every `period_s` seconds.
    #[must_use]
    pub fn rotating_every(mut self, period_s: f64) -> Self {
        self.rotation_period_s = Some(period_s);
        self
    }

    /// Error that a `fail` may spend when `minutes` have been measured, shared among the metrics: 0.2 % a minute up to 3 %
    /// for a single analysis, 0.1 % a minute up to 2 % for a analysis among several, a minute's at least [alpha spending, Lan & DeMets
    /// 1983].
    #[must_use]
    pub fn alpha_fail(&self, minutes: f64) -> f64 {
        let spent = match self.analysis {
            Analysis::Single => (0.002 * minutes.max(1.0)).min(0.03),
            Analysis::Interim | Analysis::Last => (0.001 * minutes.max(1.0)).min(0.02),
        };
        spent / self.metrics.max(1) as f64
    }

    /// What makes the spec unanswerable, if anything.
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

/// Error that a `pass` may spend when `minutes` have been measured, also the posterior left above the interval [two one-sided tests:
/// Schuirmann 1987]: 0.2 % a minute, as that of a `fail`, from 3 % up to 4 %. A short run rests more on what was assumed of the noise:
/// at 4 %, 0.11 % of leaks of twice the limit passed in ten minutes under noise that nothing was tuned on; 0.1 % is the goal.
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
        // A analysis that comes sooner spends a minute's error.
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
    fn an_impossible_question_is_named() {
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
