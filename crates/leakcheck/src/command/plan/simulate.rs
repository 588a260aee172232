//! The judge on simulated runs with the expected noise.
//!
//! Formulas give a bound for any statistic. The judge needs more data, by an amount that depends on length, noise and rotation
//! together, so it is simulated. The same scenario always gives the same figures.

use leakcheck_judge::power::{ErrorRates, standard_error_per_min};
use leakcheck_judge::{Analysis, Outcome, Series, TestSpec, assess};

use super::noise::ExpectedNoise;

/// Simulated runs for each figure. If all of sixty prove a leak, at least 95 % of other runs prove it (0.95⁶⁰ = 4.6 %).
const RUNS: u64 = 60;

/// Sound runs that need not pass: nine of ten must.
const MAX_UNDECIDED: u64 = RUNS / 10;

/// Longest simulated measurement, in seconds: half a working day.
pub(super) const LONGEST_S: f64 = 4.0 * 3600.0;

/// Ratio of successive lengths.
const LENGTH_STEP: f64 = 1.2;

/// Largest number of doublings of a leak: a thousand times the bound.
const DOUBLINGS: u32 = 10;

/// Halvings of an interval: a sixteenth of it is near enough.
const HALVINGS: u32 = 4;

/// One limit on the growth of one metric under a schedule.
#[derive(Clone, Debug)]
pub(super) struct Simulation {
    /// Allowed growth per minute.
    pub(super) limit_per_min: f64,
    /// Noise of the metric.
    pub(super) noise: ExpectedNoise,
    /// Seconds between samples.
    pub(super) every_s: f64,
    /// Smallest step of the metric.
    pub(super) quantum: f64,
    /// Seconds between rotations of a stream, if it rotates.
    pub(super) period_s: Option<f64>,
    /// Number of growth limits that are judged together.
    pub(super) metrics: usize,
    /// The kind of the final analysis.
    pub(super) analysis: Analysis,
}

impl Simulation {
    /// Smallest growth per minute that always fails in a measurement of `length_s`.
    pub(super) fn smallest_proven(&self, length_s: f64) -> Option<f64> {
        let least = ErrorRates::default().distance() * standard_error_per_min(self.noise.s0, length_s);
        let fails = |excess: f64| self.comes_out(Outcome::Fail, self.limit_per_min + excess, length_s);
        let mut above = (0..=DOUBLINGS).map(|k| least * f64::from(1 << k)).find(|e| fails(*e))?;
        let mut below = above / 2.0;
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(below, above);
            if fails(middle) {
                above = middle;
            } else {
                below = middle;
            }
        }
        Some(self.limit_per_min + above)
    }

    /// Largest growth per minute that passes in nine of ten measurements of `length_s`; `None` if not even 0 does.
    pub(super) fn largest_passed(&self, length_s: f64) -> Option<f64> {
        let passes = |rate: f64| self.comes_out(Outcome::Pass, rate, length_s);
        if !passes(0.0) {
            return None;
        }
        let (mut below, mut above) = (0.0, self.limit_per_min);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(below, above);
            if passes(middle) {
                below = middle;
            } else {
                above = middle;
            }
        }
        Some(below)
    }

    /// Shortest measurement in which no growth passes nine times of ten and twice the limit always fails; `None` if it is longer
    /// than [`LONGEST_S`].
    pub(super) fn shortest_s(&self) -> Option<f64> {
        // The search does not start at the bound, which is too long for a constant metric with rounding noise.
        let mut length_s = (16.0 * self.every_s).max(self.period_s.unwrap_or(0.0) * 6.0);
        while length_s <= LONGEST_S {
            if self.decides(length_s) {
                return Some(length_s);
            }
            length_s *= LENGTH_STEP;
        }
        None
    }

    /// Shortest measurement in which a constant metric passes, which is the least that any target needs.
    pub(super) fn shortest_if_constant_s(&self) -> Option<f64> {
        let noise = ExpectedNoise { s0: 0.0, ..self.noise };
        let constant = Self { noise, ..self.clone() };
        let mut above = constant.shortest_tried_if_constant_s()?;
        let mut below = above / LENGTH_STEP;
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(below, above);
            if constant.passes_constant(middle) {
                above = middle;
            } else {
                below = middle;
            }
        }
        Some(above)
    }

    /// Returns whether a measurement of `length_s` tells no growth from twice the limit.
    pub(super) fn decides(&self, length_s: f64) -> bool {
        self.comes_out(Outcome::Pass, 0.0, length_s)
            && self.comes_out(Outcome::Fail, 2.0 * self.limit_per_min, length_s)
    }

    /// Returns whether a metric without growth passes after `length_s`. One run suffices without noise.
    pub(super) fn passes_constant(&self, length_s: f64) -> bool {
        self.outcome(0, 0.0, length_s) == Outcome::Pass
    }

    /// Shortest of the tried measurements in which it does; `None` if it is longer than [`LONGEST_S`].
    pub(super) fn shortest_tried_if_constant_s(&self) -> Option<f64> {
        let first = 16.0 * self.every_s;
        std::iter::successors(Some(first), |length_s| Some(length_s * LENGTH_STEP))
            .take_while(|length_s| *length_s <= LONGEST_S)
            .find(|length_s| self.passes_constant(*length_s))
    }

    /// Number of simulated runs with a leak of twice the limit that pass after `length_s`, and number of all.
    pub(super) fn missed(&self, length_s: f64) -> (u64, u64) {
        let passes = |run: &u64| self.outcome(*run, 2.0 * self.limit_per_min, length_s) == Outcome::Pass;
        ((0..RUNS).filter(passes).count() as u64, RUNS)
    }

    /// Returns whether enough simulated runs have this outcome.
    fn comes_out(&self, wanted: Outcome, per_min: f64, length_s: f64) -> bool {
        let exceptions = if wanted == Outcome::Pass { MAX_UNDECIDED } else { 0 };
        let mut otherwise = 0;
        for run in 0..RUNS {
            otherwise += u64::from(self.outcome(run, per_min, length_s) != wanted);
            if otherwise > exceptions {
                return false;
            }
        }
        true
    }

    fn outcome(&self, run: u64, per_min: f64, length_s: f64) -> Outcome {
        let planned_s = length_s - 2.0 * self.every_s;
        let spec = TestSpec {
            limit_per_min: self.limit_per_min,
            rotation_period_s: self.period_s,
            quantum: self.quantum,
            metrics: self.metrics,
            analysis: self.analysis,
            ..TestSpec::at_most(self.limit_per_min, planned_s)
        };
        match self.series(run, per_min, length_s) {
            Some(series) => assess(&series, &spec).outcome,
            None => Outcome::Invalid,
        }
    }

    /// A simulated run: a level, linear growth, and autocorrelated noise, in steps of the quantum.
    fn series(&self, run: u64, per_min: f64, length_s: f64) -> Option<Series> {
        let mut draw = Random::new(run);
        let sd = self.noise.sd(self.every_s);
        let kept = if self.noise.tau_s > 0.0 {
            (-self.every_s / self.noise.tau_s).exp()
        } else {
            0.0
        };
        let new = sd * (1.0 - kept * kept).sqrt();
        let level = 1000.0 * self.quantum.max(sd);
        let mut noise = sd * draw.normal();
        let (mut t_s, mut value) = (Vec::new(), Vec::new());
        let mut t = 0.0;
        while t < length_s {
            let plain = level + noise + per_min / 60.0 * t;
            t_s.push(t);
            value.push((plain / self.quantum).round() * self.quantum);
            noise = kept * noise + new * draw.normal();
            t += self.every_s;
        }
        Series::new(t_s, value).ok()
    }
}

/// Reproducible pseudo-random numbers: xorshift64* [Marsaglia 2003; Vigna 2016].
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // 2^64 divided by the golden ratio spreads small seeds.
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// A number between 0 and 1, both excluded.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept, which is all a double has")]
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        (drawn as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// A normal number with mean 0 and variance 1 [Box & Muller 1958].
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use leakcheck_judge::power::long_run_variance;

    use super::*;

    fn simulation() -> Simulation {
        Simulation {
            limit_per_min: 2.0,
            noise: ExpectedNoise {
                s0: long_run_variance(2.0, 10.0, 1.0),
                tau_s: 10.0,
                measured: false,
            },
            every_s: 1.0,
            quantum: 1.0,
            period_s: None,
            metrics: 1,
            analysis: Analysis::Last,
        }
    }

    #[test]
    fn random_numbers_are_normal_and_reproducible() {
        let mut draw = Random::new(7);
        let drawn: Vec<f64> = (0..20_000).map(|_| draw.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        assert_eq!(Random::new(7).normal().to_bits(), drawn[0].to_bits());
    }

    #[test]
    fn a_run_of_a_minute_decides_nothing_and_one_of_twenty_minutes_does() {
        assert!(!simulation().decides(60.0));
        assert!(simulation().decides(1200.0));
    }

    #[test]
    fn no_figure_beats_the_bound() {
        let proven = simulation()
            .smallest_proven(600.0)
            .expect("ten minutes prove something");
        let bound =
            leakcheck_judge::power::smallest_provable_per_min(2.0, simulation().noise.s0, 600.0, ErrorRates::default());
        assert!(proven >= bound, "{proven} beats {bound}");
        assert!(
            proven < 2.0 * 17.0,
            "{proven}: ten minutes prove seventeen times the limit"
        );
    }

    #[test]
    fn a_provable_leak_is_proven_in_other_runs() {
        // Noise as assumed for the capture daemon, and for other targets
        for (sd, tau_s, length_s, period_s) in [(1.0, 0.0, 120.0, 2.0), (2.0, 10.0, 600.0, 30.0)] {
            let simulation = Simulation {
                noise: ExpectedNoise {
                    s0: long_run_variance(sd, tau_s, 1.0),
                    tau_s,
                    measured: false,
                },
                period_s: Some(period_s),
                ..simulation()
            };
            let proven = simulation.smallest_proven(length_s).expect("something is proven");
            let others = RUNS..RUNS + 100;
            let fails = others.filter(|run| simulation.outcome(*run, proven, length_s) == Outcome::Fail);
            let share = fails.count();
            assert!(share >= 95, "{share} of 100 at {proven} in {length_s} s");
        }
    }

    #[test]
    fn a_constant_metric_passes_at_the_length_that_the_judge_asks_for() {
        let constant = Simulation {
            limit_per_min: 1.0,
            period_s: Some(1.0),
            ..simulation()
        };
        let judged = |seconds: u32| {
            let t: Vec<f64> = (0..seconds).map(f64::from).collect();
            let series = Series::new(t.clone(), vec![40.0; t.len()]).expect("in order");
            let spec = TestSpec::at_most(1.0, f64::from(seconds) - 2.0).rotating_every(1.0);
            assess(&series, &spec)
        };
        let hint = judged(60).reason.sentence;
        assert!(hint.contains("100 s are needed"), "{hint}");
        let planned = constant.shortest_if_constant_s().expect("within hours");
        // A hundred samples, the first at 0 s.
        assert!((99.0..=103.0).contains(&planned), "{planned}");
        assert_eq!(judged(103).outcome, Outcome::Pass);
        assert_eq!(judged(98).outcome, Outcome::Inconclusive);
        assert!(
            constant.shortest_s().is_some_and(|shortest| shortest > planned),
            "with noise it takes longer"
        );
    }

    #[test]
    fn without_six_rotations_nothing_passes() {
        let rotating = Simulation {
            period_s: Some(240.0),
            ..simulation()
        };
        assert_eq!(rotating.largest_passed(1200.0), None);
        assert!(simulation().largest_passed(1200.0).is_some_and(|rate| rate < 2.0));
    }
}
