//! What is believed about the growth: a mixture over explanations, each a Student t.
//!
//! Apart from the fits, because from here on only shares of belief count.

use crate::explain::{Candidates, Explanation, Kind};
use crate::fit::{CORRELATION_TIMES_S, Fit};
use crate::student;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Places after which a kink says about the run that growth stopped, rather than that it has been over for long.
const LATE_SHARE: f64 = 0.5;

/// Share of its growth that steps down must take back for an explanation to be a sawtooth's.
const FALLS_BACK: f64 = 0.5;

/// A value still settles if what is left of its warm-up falls at the end by more than this share of the limit: its time constant is
/// not known so well that a leak beside it would show.
const SETTLES: f64 = 0.5;

/// Explanations whose growth differs by less than this many standard errors are heaped: their mean and spread are kept, so that
/// the belief changes only in the third order.
const HEAP_WIDTH: f64 = 0.25;

/// Bits of a standard error that two explanations of one heap share: sign, exponent and 3 bits, an eighth part of it.
const HEAP_BITS: u32 = 64 - 15;

/// Heaps are kept, heaviest first, until this much of the belief is left out: far below any error that is spent.
const LEFT_OUT: f64 = 1e-6;

/// A quantile is found when the odds of the belief below it are right to this part: far below what the explanations are worth.
const PRECISION: f64 = 1e-4;

/// Explanations that say much the same.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Heap {
    weight: f64,
    /// Growth of the first explanation taken, from which sums are counted: differences keep their digits.
    origin: f64,
    growth: f64,
    standard_error: f64,
    dof: u32,
}

/// The belief in one correlation time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Correlation {
    /// Share of the belief.
    pub(crate) weight: f64,
    /// Mean variance of the independent errors.
    pub(crate) variance: f64,
}

/// What is believed about the growth.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Belief {
    heaps: Vec<Heap>,
    /// Log weight of the best explanation, against which all are weighed, and the sum of all weights that were kept.
    best: f64,
    total: f64,
    stopped: f64,
    settling: f64,
    by_kind: [f64; 6],
    leaders: [Option<Fit>; 6],
    correlations: [Correlation; CORRELATION_TIMES_S.len()],
}

impl Belief {
    /// Weighs fits, with growth in units of `scale`. Explanations in which growth changed downwards late and is now below `limit`
    /// are set aside: whether growth stopped is not for a mixture to average.
    #[must_use]
    pub(crate) fn new(fits: &[Fit], candidates: &Candidates, scale: f64, limit: f64) -> Self {
        let best = fits.iter().map(|fit| fit.log_weight).fold(f64::NEG_INFINITY, f64::max);
        let mut belief = Self {
            best,
            ..Self::default()
        };
        let (mut kept, mut stopped) = (0.0, 0.0);
        let mut heaping = Heaping::default();
        for fit in fits {
            let weight = (fit.log_weight - best).exp();
            let fit = fit.scaled(scale);
            if is_late_stop(&fit, candidates, limit) {
                stopped += weight;
                continue;
            }
            kept += weight;
            if still_settles(&fit, candidates, scale, limit) {
                belief.settling += weight;
            }
            belief.note(&fit, weight);
            if falls_back(&fit, scale) {
                // A sawtooth does not grow; a leak beside two pools that shrank does: half the belief for either.
                heaping.take(&mut belief.heaps, &fit, weight / 2.0);
                heaping.take(&mut belief.heaps, &Fit { growth: 0.0, ..fit }, weight / 2.0);
            } else {
                heaping.take(&mut belief.heaps, &fit, weight);
            }
        }
        belief.close(kept);
        belief.stopped = if kept + stopped > 0.0 {
            stopped / (kept + stopped)
        } else {
            0.0
        };
        belief
    }

    fn note(&mut self, fit: &Fit, weight: f64) {
        let kind = fit.explanation.kind() as usize;
        self.by_kind[kind] += weight;
        if self.leaders[kind].is_none_or(|leader| fit.log_weight > leader.log_weight) {
            self.leaders[kind] = Some(*fit);
        }
        self.correlations[fit.correlation].weight += weight;
        self.correlations[fit.correlation].variance += weight * fit.variance;
    }

    /// Makes shares and means of the sums.
    fn close(&mut self, total: f64) {
        self.total = total;
        self.heaps.iter_mut().for_each(|heap| heap.close(total));
        self.heaps.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let mut sum = 0.0;
        let enough = self.heaps.iter().position(|heap| {
            sum += heap.weight;
            sum >= 1.0 - LEFT_OUT
        });
        self.heaps.truncate(enough.map_or(self.heaps.len(), |last| last + 1));
        self.heaps.iter_mut().for_each(|heap| heap.weight /= sum);
        self.by_kind.iter_mut().for_each(|weight| *weight /= total);
        self.settling /= total;
        for correlation in self.correlations.iter_mut().filter(|c| c.weight > 0.0) {
            correlation.variance /= correlation.weight;
            correlation.weight /= total;
        }
    }

    /// True if nothing could be fitted, or everything that could says that growth stopped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heaps.is_empty()
    }

    /// Belief that growth changed downwards in the second half of the run and is now below the limit, as a share of everything.
    #[must_use]
    pub fn stopped(&self) -> f64 {
        self.stopped
    }

    /// Belief that the value still comes down from its warm-up when the run ends.
    pub(crate) fn settling(&self) -> f64 {
        self.settling
    }

    /// Belief in each kind of explanation, in the order of [`Kind::ALL`].
    #[must_use]
    pub(crate) fn by_kind(&self) -> [f64; 6] {
        self.by_kind
    }

    /// The heaviest explanation of a kind.
    #[must_use]
    pub(crate) fn leader(&self, kind: Kind) -> Option<&Fit> {
        self.leaders[kind as usize].as_ref()
    }

    /// Belief in each correlation time, in the order of [`CORRELATION_TIMES_S`].
    pub(crate) fn correlations(&self) -> &[Correlation] {
        &self.correlations
    }

    /// Belief that growth is below `growth`.
    #[must_use]
    pub fn below(&self, growth: f64) -> f64 {
        self.heaps
            .iter()
            .map(|heap| heap.weight * heap.share_below(growth))
            .sum()
    }

    /// Belief that growth is below `growth` if it is `more` than some of the explanations say, over the line: the same fits and the
    /// same scale that this belief was made of.
    pub(crate) fn below_with(&self, growth: f64, fits: &[Fit], scale: f64, more: impl Fn(&Fit) -> f64) -> f64 {
        let changed = fits.iter().map(|fit| {
            let more = more(fit);
            if more == 0.0 {
                return 0.0;
            }
            let changed = Fit {
                growth: fit.growth + more,
                ..*fit
            };
            let share = (fit.log_weight - self.best).exp() / self.total;
            share * (share_below(&changed, scale, growth) - share_below(fit, scale, growth))
        });
        self.below(growth) + changed.sum::<f64>()
    }

    /// The growth below which a share `p` of the belief lies, 0 < p < 1. NaN if nothing is believed.
    #[must_use]
    pub fn quantile(&self, p: f64) -> f64 {
        self.quantiles([p])[0]
    }

    /// The same for several shares, each of which is looked for between what was met on the way to the others.
    pub(crate) fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [f64; N] {
        let (mean, spread) = self.mean_and_spread();
        if !spread.is_finite() {
            return [f64::NAN; N];
        }
        let spread = spread.max(f64::MIN_POSITIVE);
        let mut met = vec![self.point(mean - spread), self.point(mean + spread)];
        shares.map(|p| {
            if p > 0.0 && p < 1.0 {
                self.between(&mut met, spread, log_odds(p))
            } else {
                f64::NAN
            }
        })
    }

    fn point(&self, growth: f64) -> (f64, f64) {
        (growth, log_odds(self.below(growth)))
    }

    /// Mean of the growth, and the root of its mean squared deviation with the heaps' errors.
    fn mean_and_spread(&self) -> (f64, f64) {
        let mean: f64 = self.heaps.iter().map(|heap| heap.weight * heap.growth).sum();
        let square: f64 = self
            .heaps
            .iter()
            .map(|heap| heap.weight * ((heap.growth - mean).powi(2) + heap.standard_error.powi(2)))
            .sum();
        if self.heaps.is_empty() {
            (f64::NAN, f64::NAN)
        } else {
            (mean, square.sqrt())
        }
    }

    /// Where the log odds are as wanted: regula falsi between the nearest of the points that were met, in order, each kept end
    /// counting half [Illinois: Dowell & Jarratt 1971]. On log odds, which are nearly straight where shares are not.
    fn between(&self, met: &mut Vec<(f64, f64)>, spread: f64, wanted: f64) -> f64 {
        let mut width = spread;
        while met[0].1 > wanted && width < 1e300 {
            met.insert(0, self.point(met[0].0 - width));
            width *= 2.0;
        }
        width = spread;
        while met[met.len() - 1].1 < wanted && width < 1e300 {
            met.push(self.point(met[met.len() - 1].0 + width));
            width *= 2.0;
        }
        let mut above = met.partition_point(|(_, odds)| *odds < wanted).clamp(1, met.len() - 1);
        let ((mut low, at_low), (mut high, at_high)) = (met[above - 1], met[above]);
        let (mut at_low, mut at_high) = (at_low - wanted, at_high - wanted);
        let mut kept = 0;
        for round in 0..200 {
            // Every fourth round halves: the mixture may be flat between its heaps.
            let middle = if round % 4 == 3 || at_high - at_low <= 0.0 {
                low + (high - low) / 2.0
            } else {
                (low - at_low * (high - low) / (at_high - at_low)).clamp(low, high)
            };
            let point = self.point(middle);
            let at_middle = point.1 - wanted;
            met.insert(above, point);
            if at_middle.abs() < PRECISION || high - low <= 1e-12 * (low.abs() + high.abs()) {
                return middle;
            }
            if at_middle < 0.0 {
                (low, at_low) = (middle, at_middle);
                above += 1;
                if kept == 1 {
                    at_high /= 2.0;
                }
                kept = 1;
            } else {
                (high, at_high) = (middle, at_middle);
                if kept == -1 {
                    at_low /= 2.0;
                }
                kept = -1;
            }
        }
        low + (high - low) / 2.0
    }
}

/// ln(p / (1 − p)), finite at the ends.
fn log_odds(p: f64) -> f64 {
    let p = p.clamp(1e-15, 1.0 - 1e-15);
    (p / (1.0 - p)).ln()
}

/// Finds the heap of an explanation.
#[derive(Default)]
struct Heaping {
    place_of: HashMap<(u64, i64), usize, BuildHasherDefault<Mixed>>,
    last: Option<((u64, i64), usize)>,
}

/// Keys mixed by a multiplication [Knuth 1973, 6.4]: nobody chooses ours to collide, and there are ten thousand for each series.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_i64(&mut self, number: i64) {
        self.write_u64(number as u64);
    }
}

impl Heaping {
    /// Heaps stay in the order of their first explanation, so that sums are the same in every run. Neighbouring explanations
    /// often share one, which saves looking it up.
    fn take(&mut self, heaps: &mut Vec<Heap>, fit: &Fit, weight: f64) {
        let key = heap_key(fit);
        let place = match self.last {
            Some((same, place)) if same == key => place,
            _ => *self.place_of.entry(key).or_insert(heaps.len()),
        };
        self.last = Some((key, place));
        if place == heaps.len() {
            heaps.push(Heap {
                weight: 0.0,
                origin: fit.growth,
                growth: 0.0,
                standard_error: 0.0,
                dof: fit.dof,
            });
        }
        heaps[place].take(fit, weight);
    }
}

impl Heap {
    /// Sums first and second moments until the heap is closed.
    fn take(&mut self, fit: &Fit, weight: f64) {
        let beyond = fit.growth - self.origin;
        self.weight += weight;
        self.growth += weight * beyond;
        self.standard_error += weight * (beyond * beyond + fit.standard_error * fit.standard_error);
    }

    fn close(&mut self, total: f64) {
        let beyond = self.growth / self.weight;
        self.standard_error = (self.standard_error / self.weight - beyond * beyond).max(0.0).sqrt();
        self.growth = self.origin + beyond;
        self.weight /= total;
    }

    fn share_below(&self, growth: f64) -> f64 {
        student_below(growth - self.growth, self.standard_error, self.dof)
    }
}

fn student_below(beyond: f64, standard_error: f64, dof: u32) -> f64 {
    if standard_error > 0.0 {
        return student::cdf(beyond / standard_error, dof);
    }
    if beyond < 0.0 { 0.0 } else { 1.0 }
}

/// What one explanation adds to the belief, of a weight of one.
fn share_below(fit: &Fit, scale: f64, growth: f64) -> f64 {
    let fit = fit.scaled(scale);
    let below = |of: f64| student_below(growth - of, fit.standard_error, fit.dof);
    if falls_back(&fit, scale) {
        (below(fit.growth) + below(0.0)) / 2.0
    } else {
        below(fit.growth)
    }
}

/// Explanations with one key are heaped.
fn heap_key(fit: &Fit) -> (u64, i64) {
    let width = f64::from_bits(fit.standard_error.to_bits() >> HEAP_BITS << HEAP_BITS) * HEAP_WIDTH;
    let steps = fit.growth / width;
    // Rounds down faster than `floor`. The cast saturates, so the correction must as well.
    let whole = steps as i64;
    (
        fit.standard_error.to_bits() >> HEAP_BITS,
        whole.saturating_sub(i64::from(whole as f64 > steps)),
    )
}

/// True if steps take back, on balance, at least half of what the slope adds: a few teeth of a sawtooth look like that, a burst
/// that came and went does not. `scale` makes growth of a step over the run.
fn falls_back(fit: &Fit, scale: f64) -> bool {
    let [first, second] = fit.added;
    let steps = match fit.explanation {
        Explanation::Step { .. } | Explanation::StepAndWarmUp { .. } => first,
        Explanation::TwoSteps { .. } => first + second,
        Explanation::Ramp | Explanation::Kink { .. } | Explanation::WarmUp { .. } => 0.0,
    };
    fit.growth > 0.0 && steps * scale <= -FALLS_BACK * fit.growth
}

fn still_settles(fit: &Fit, candidates: &Candidates, scale: f64, limit: f64) -> bool {
    let (warm_up, size) = match fit.explanation {
        Explanation::WarmUp { warm_up } => (warm_up, fit.added[0]),
        Explanation::StepAndWarmUp { warm_up, .. } => (warm_up, fit.added[1]),
        _ => return false,
    };
    size * candidates.warm_ups[warm_up].slope_at_the_end * scale < -SETTLES * limit
}

fn is_late_stop(fit: &Fit, candidates: &Candidates, limit: f64) -> bool {
    let Explanation::Kink { kink } = fit.explanation else {
        return false;
    };
    candidates.kinks[kink].share > LATE_SHARE && fit.added[0] < 0.0 && fit.growth < limit
}

#[cfg(test)]
mod tests;
