//! The judge rehearsed: generated runs with the expected noise, put to the very judge that will judge the run.
//!
//! Formulas tell what no judge can beat; how far this one stays behind (it will not take a warm-up for a leak) depends on
//! length, noise and rotation together, and is quickest found by trying. The same plan always gives the same figures.

use leakcheck_judge::power::{ErrorRates, standard_error_per_min};
use leakcheck_judge::{Analysis, Outcome, Series, TestSpec, assess};

use super::noise::Noise;

/// Generated runs for each figure. A leak that is planned as provable must be proven in 95 % of other runs: all of sixty are proven
/// of one that is found in 95 % with a chance of 0.95⁶⁰ = 4.6 %.
const RUNS: u64 = 60;

/// Of those, how many sound ones may come out otherwise than `pass`: nine of ten must pass.
const UNDECIDED: u64 = RUNS / 10;

/// Longest measurement that is rehearsed, seconds: half a working day.
pub(super) const LONGEST_S: f64 = 4.0 * 3600.0;

/// Between two lengths that are tried.
const LONGER: f64 = 1.2;

/// Doublings of a leak before it is called hopeless: a thousand times what a perfect judge would need.
const DOUBLINGS: u32 = 10;

/// Halvings of the interval in which a figure lies: a sixteenth of it is near enough.
const HALVINGS: u32 = 4;

/// One limit on the growth of one metric under a schedule.
#[derive(Clone, Debug)]
pub(super) struct Rehearsal {
    /// Allowed growth per minute.
    pub(super) limit_per_min: f64,
    /// Noise of the metric.
    pub(super) noise: Noise,
    /// Between samples.
    pub(super) every_s: f64,
    /// Smallest step of the metric.
    pub(super) quantum: f64,
    /// Between rotations of a stream, if there are any.
    pub(super) period_s: Option<f64>,
    /// Growth limits judged side by side.
    pub(super) metrics: usize,
    /// Which look the end of the run is.
    pub(super) analysis: Analysis,
}

impl Rehearsal {
    /// Smallest growth per minute that a measurement of `length_s` calls `fail` every time; `None` if none is.
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

    /// Largest growth per minute that a measurement of `length_s` calls `pass` nine times of ten; `None` if not even 0 is.
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

    /// Shortest measurement that calls no growth `pass` nine times of ten and twice the limit `fail` every time; `None` if that
    /// takes longer than [`LONGEST_S`].
    pub(super) fn shortest_s(&self) -> Option<f64> {
        // Not from the bound that no judge beats: it takes noise for what a metric that stands still owes to its rounding.
        let mut length_s = (16.0 * self.every_s).max(self.period_s.unwrap_or(0.0) * 6.0);
        while length_s <= LONGEST_S {
            if self.decides(length_s) {
                return Some(length_s);
            }
            length_s *= LONGER;
        }
        None
    }

    /// Shortest measurement that calls a metric that stands still `pass`: the least that any target needs.
    pub(super) fn shortest_if_still_s(&self) -> Option<f64> {
        let noise = Noise { s0: 0.0, ..self.noise };
        let still = Self { noise, ..self.clone() };
        let mut above = still.shortest_for_stillness_s()?;
        let mut below = above / LONGER;
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(below, above);
            if still.lets_stillness_pass(middle) {
                above = middle;
            } else {
                below = middle;
            }
        }
        Some(above)
    }

    /// Whether a measurement of `length_s` tells no growth from twice the limit.
    pub(super) fn decides(&self, length_s: f64) -> bool {
        self.comes_out(Outcome::Pass, 0.0, length_s)
            && self.comes_out(Outcome::Fail, 2.0 * self.limit_per_min, length_s)
    }

    /// Whether a target that stands still passes after `length_s`. Without noise one run is like the other.
    pub(super) fn lets_stillness_pass(&self, length_s: f64) -> bool {
        self.outcome(0, 0.0, length_s) == Outcome::Pass
    }

    /// Shortest measurement in which it does, to within a step of those that are tried; `None` if that takes longer than
    /// [`LONGEST_S`].
    pub(super) fn shortest_for_stillness_s(&self) -> Option<f64> {
        let first = 16.0 * self.every_s;
        std::iter::successors(Some(first), |length_s| Some(length_s * LONGER))
            .take_while(|length_s| *length_s <= LONGEST_S)
            .find(|length_s| self.lets_stillness_pass(*length_s))
    }

    /// How many of [`RUNS`] generated runs that leak twice the limit a measurement of `length_s` calls `pass`.
    pub(super) fn escape(&self, length_s: f64) -> (u64, u64) {
        let passes = |run: &u64| self.outcome(*run, 2.0 * self.limit_per_min, length_s) == Outcome::Pass;
        ((0..RUNS).filter(passes).count() as u64, RUNS)
    }

    fn comes_out(&self, wanted: Outcome, per_min: f64, length_s: f64) -> bool {
        let exceptions = if wanted == Outcome::Pass { UNDECIDED } else { 0 };
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

    /// A generated run: a level, a straight leak, and noise that is forgotten with time, in steps of the quantum.
    fn series(&self, run: u64, per_min: f64, length_s: f64) -> Option<Series> {
        let mut draw = Draw::new(run);
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

/// Numbers that look random and are the same each time: xorshift64* [Marsaglia 2003; Vigna 2016].
struct Draw(u64);

impl Draw {
    fn new(seed: u64) -> Self {
        // Any odd constant spreads small seeds; this is 2^64 over the golden ratio.
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// Between 0 and 1, neither of them.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept, which is all a double has")]
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        (drawn as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Normal with mean 0 and variance 1 [Box & Muller 1958].
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use leakcheck_judge::power::long_run_variance;

    use super::*;

    fn rehearsal() -> Rehearsal {
        Rehearsal {
            limit_per_min: 2.0,
            noise: Noise {
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
    fn what_is_drawn_is_normal_and_the_same_each_time() {
        let mut draw = Draw::new(7);
        let drawn: Vec<f64> = (0..20_000).map(|_| draw.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|x| x * x).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        assert_eq!(Draw::new(7).normal().to_bits(), drawn[0].to_bits());
    }

    #[test]
    fn a_run_of_a_minute_decides_nothing_and_one_of_twenty_minutes_does() {
        assert!(!rehearsal().decides(60.0));
        assert!(rehearsal().decides(1200.0));
    }

    #[test]
    fn no_figure_beats_the_bound() {
        let proven = rehearsal().smallest_proven(600.0).expect("ten minutes prove something");
        let bound =
            leakcheck_judge::power::smallest_provable_per_min(2.0, rehearsal().noise.s0, 600.0, ErrorRates::default());
        assert!(proven >= bound, "{proven} beats {bound}");
        assert!(
            proven < 2.0 * 17.0,
            "{proven}: ten minutes prove seventeen times the limit"
        );
    }

    #[test]
    fn what_is_planned_as_provable_is_proven_in_runs_that_were_not_rehearsed() {
        // Noise as assumed of the capture core, and of others
        for (sd, tau_s, length_s, period_s) in [(1.0, 0.0, 120.0, 2.0), (2.0, 10.0, 600.0, 30.0)] {
            let rehearsal = Rehearsal {
                noise: Noise {
                    s0: long_run_variance(sd, tau_s, 1.0),
                    tau_s,
                    measured: false,
                },
                period_s: Some(period_s),
                ..rehearsal()
            };
            let proven = rehearsal.smallest_proven(length_s).expect("something is proven");
            let others = RUNS..RUNS + 100;
            let fails = others.filter(|run| rehearsal.outcome(*run, proven, length_s) == Outcome::Fail);
            let share = fails.count();
            assert!(share >= 95, "{share} of 100 at {proven} in {length_s} s");
        }
    }

    #[test]
    fn a_metric_that_stands_still_passes_as_soon_as_the_judge_says_it_would() {
        let still = Rehearsal {
            limit_per_min: 1.0,
            period_s: Some(1.0),
            ..rehearsal()
        };
        let judged = |seconds: u32| {
            let t: Vec<f64> = (0..seconds).map(f64::from).collect();
            let series = Series::new(t.clone(), vec![40.0; t.len()]).expect("in order");
            let spec = TestSpec::at_most(1.0, f64::from(seconds) - 2.0).rotating_every(1.0);
            assess(&series, &spec)
        };
        let hint = judged(60).reason.sentence;
        assert!(hint.contains("100 s are needed"), "{hint}");
        let planned = still.shortest_if_still_s().expect("within hours");
        // A hundred samples: the first is taken at once.
        assert!((99.0..=103.0).contains(&planned), "{planned}");
        assert_eq!(judged(103).outcome, Outcome::Pass);
        assert_eq!(judged(98).outcome, Outcome::Inconclusive);
        assert!(
            still.shortest_s().is_some_and(|shortest| shortest > planned),
            "noise takes longer"
        );
    }

    #[test]
    fn without_six_rotations_nothing_passes() {
        let rotating = Rehearsal {
            period_s: Some(240.0),
            ..rehearsal()
        };
        assert_eq!(rotating.largest_passed(1200.0), None);
        assert!(rehearsal().largest_passed(1200.0).is_some_and(|rate| rate < 2.0));
    }
}
