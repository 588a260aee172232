//! What is believed about the growth: a mixture over explanations, each a Student t.
//!
//! Apart from the fits, because from here on only shares of belief count.

use crate::explain::{Candidates, Explanation, Kind};
use crate::fit::Fit;
use crate::student;

/// Explanations are kept, heaviest first, until this much of the belief is left out: far below any error that is spent.
const LEFT_OUT: f64 = 1e-6;

/// Places after which a kink says about the run that growth stopped, rather than that it has been over for long.
const LATE_SHARE: f64 = 0.5;

/// One explanation's share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part {
    /// Share of the belief, all together 1.
    pub(crate) weight: f64,
    /// The fit it comes from; growth and standard error in the unit asked for.
    pub(crate) fit: Fit,
}

/// What is believed about the growth.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Belief {
    parts: Vec<Part>,
    stopped: f64,
}

impl Belief {
    /// Weighs fits, with growth in units of `scale`. Explanations in which growth changed downwards late and is now below `limit`
    /// are set aside: whether growth stopped is not for a mixture to average.
    #[must_use]
    pub(crate) fn new(fits: &[Fit], candidates: &Candidates, scale: f64, limit: f64) -> Self {
        let best = fits.iter().map(|fit| fit.log_weight).fold(f64::NEG_INFINITY, f64::max);
        let mut total = 0.0;
        let mut stopped = 0.0;
        let mut parts = Vec::with_capacity(fits.len());
        for fit in fits {
            let weight = (fit.log_weight - best).exp();
            total += weight;
            let scaled = Fit {
                growth: fit.growth * scale,
                standard_error: fit.standard_error * scale,
                ..*fit
            };
            if is_late_stop(&scaled, candidates, limit) {
                stopped += weight;
            } else {
                parts.push(Part { weight, fit: scaled });
            }
        }
        parts.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let whole: f64 = parts.iter().map(|part| part.weight).sum();
        let mut sum = 0.0;
        let enough = parts.iter().position(|part| {
            sum += part.weight;
            sum >= (1.0 - LEFT_OUT) * whole
        });
        parts.truncate(enough.map_or(0, |last| last + 1));
        parts.iter_mut().for_each(|part| part.weight /= sum);
        Self {
            parts,
            stopped: if total > 0.0 { stopped / total } else { 0.0 },
        }
    }

    /// True if nothing could be fitted, or everything that could says that growth stopped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The shares, heaviest first.
    #[must_use]
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Belief that growth changed downwards in the second half of the run and is now below the limit, as a share of everything.
    #[must_use]
    pub fn stopped(&self) -> f64 {
        self.stopped
    }

    /// Belief in each kind of explanation, in the order of [`Kind::ALL`].
    #[must_use]
    pub(crate) fn by_kind(&self) -> [f64; 6] {
        let mut shares = [0.0; 6];
        for part in &self.parts {
            shares[part.fit.explanation.kind() as usize] += part.weight;
        }
        shares
    }

    /// The heaviest explanation of the heaviest kind.
    #[must_use]
    pub(crate) fn dominant(&self) -> Option<&Part> {
        let shares = self.by_kind();
        let kind = Kind::ALL
            .into_iter()
            .max_by(|a, b| shares[*a as usize].total_cmp(&shares[*b as usize]))?;
        self.parts.iter().find(|part| part.fit.explanation.kind() == kind)
    }

    /// Belief that growth is below `growth`.
    #[must_use]
    pub fn below(&self, growth: f64) -> f64 {
        self.parts
            .iter()
            .map(|part| part.weight * share_below(&part.fit, growth))
            .sum()
    }

    /// The growth below which a share `p` of the belief lies, 0 < p < 1. NaN if nothing is believed.
    #[must_use]
    pub fn quantile(&self, p: f64) -> f64 {
        let reach = |sign: f64| {
            self.parts
                .iter()
                .map(move |part| part.fit.growth + sign * part.fit.standard_error)
        };
        let (mut low, mut high) = (
            reach(-1.0).fold(f64::INFINITY, f64::min),
            reach(1.0).fold(f64::NEG_INFINITY, f64::max),
        );
        if !(low <= high && p > 0.0 && p < 1.0) {
            return f64::NAN;
        }
        let mut width = (high - low).max(f64::MIN_POSITIVE);
        while self.below(low) > p && width < 1e300 {
            low -= width;
            width *= 2.0;
        }
        while self.below(high) < p && width < 1e300 {
            high += width;
            width *= 2.0;
        }
        self.between(low, high, p)
    }

    /// The quantile between two bounds: regula falsi, each kept end counting half [Illinois: Dowell & Jarratt 1971].
    fn between(&self, mut low: f64, mut high: f64, p: f64) -> f64 {
        let (mut at_low, mut at_high) = (self.below(low) - p, self.below(high) - p);
        let mut kept = 0;
        for round in 0..200 {
            // Every fourth round halves: the mixture may be flat between its heaps.
            let middle = if round % 4 == 3 || at_high - at_low <= 0.0 {
                low + (high - low) / 2.0
            } else {
                (low - at_low * (high - low) / (at_high - at_low)).clamp(low, high)
            };
            let at_middle = self.below(middle) - p;
            if at_middle.abs() < 1e-9 || high - low <= 1e-9 * (low.abs() + high.abs()) {
                return middle;
            }
            if at_middle < 0.0 {
                (low, at_low) = (middle, at_middle);
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

fn share_below(fit: &Fit, growth: f64) -> f64 {
    if fit.standard_error > 0.0 {
        return student::cdf((growth - fit.growth) / fit.standard_error, fit.dof);
    }
    if growth < fit.growth { 0.0 } else { 1.0 }
}

fn is_late_stop(fit: &Fit, candidates: &Candidates, limit: f64) -> bool {
    let Explanation::Kink { kink } = fit.explanation else {
        return false;
    };
    candidates.kinks[kink].share > LATE_SHARE && fit.added[0] < 0.0 && fit.growth < limit
}
