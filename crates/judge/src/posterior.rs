//! The posterior distribution of the growth: a mixture over models of Student t distributions.

mod component;

use crate::fit::{CORRELATION_TIMES_S, Fit};
use crate::models::{Model, ModelKind, ModelSet};
use component::{ComponentIndex, MixtureComponent, scaled_t_cdf};

/// Position in the run from which a changepoint with less growth counts as a late stop of growth.
const LATE_POSITION: f64 = 0.5;

/// Share of the growth that steps must reverse for a model to describe a sawtooth.
const REVERSAL_SHARE: f64 = 0.5;

/// Share of the limit by which a warm-up may still fall at the end. Its time constant is not known well enough to
/// show a leak beside a steeper fall.
const UNFINISHED_SHARE: f64 = 0.5;

/// Posterior probability of the lightest components, which are omitted; far below any error that is spent.
const MAX_OMITTED: f64 = 1e-6;

/// Relative precision of the odds at a quantile, far finer than that of the models.
const PRECISION: f64 = 1e-4;

/// The posterior of one correlation time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Correlation {
    /// Posterior probability.
    pub(crate) weight: f64,
    /// Mean variance of the independent errors.
    pub(crate) variance: f64,
}

/// The posterior distribution of the growth.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Posterior {
    components: Vec<MixtureComponent>,
    /// Log weight of the best model, and the sum of the weights relative to it.
    best: f64,
    total: f64,
    stopped: f64,
    warm_up_unfinished: f64,
    by_kind: [f64; 6],
    map_models: [Option<Fit>; 6],
    correlations: [Correlation; CORRELATION_TIMES_S.len()],
}

impl Posterior {
    /// Weighs fits, with growth in units of `scale`.
    ///
    /// Models in which growth decreased late and is now below `limit` are set aside, because a mixture must not
    /// average over a stop of growth.
    #[must_use]
    pub(crate) fn new(fits: &[Fit], model_set: &ModelSet, scale: f64, limit: f64) -> Self {
        let best = fits.iter().map(|fit| fit.log_weight).fold(f64::NEG_INFINITY, f64::max);
        let mut posterior = Self {
            best,
            ..Self::default()
        };
        let (mut kept, mut stopped) = (0.0, 0.0);
        let mut index = ComponentIndex::default();
        for fit in fits {
            let weight = (fit.log_weight - best).exp();
            let fit = fit.scaled(scale);
            if stops_late(&fit, model_set, limit) {
                stopped += weight;
                continue;
            }
            kept += weight;
            if leaves_warm_up_unfinished(&fit, model_set, scale, limit) {
                posterior.warm_up_unfinished += weight;
            }
            posterior.accumulate(&fit, weight);
            if steps_reverse_growth(&fit, scale) {
                // A sawtooth does not grow, but a leak beside two pools that shrank does: half the weight for either.
                index.add(&mut posterior.components, &fit, weight / 2.0);
                index.add(&mut posterior.components, &Fit { growth: 0.0, ..fit }, weight / 2.0);
            } else {
                index.add(&mut posterior.components, &fit, weight);
            }
        }
        posterior.normalize(kept);
        posterior.stopped = if kept + stopped > 0.0 {
            stopped / (kept + stopped)
        } else {
            0.0
        };
        posterior
    }

    fn accumulate(&mut self, fit: &Fit, weight: f64) {
        let kind = fit.model.kind() as usize;
        self.by_kind[kind] += weight;
        if self.map_models[kind].is_none_or(|map_model| fit.log_weight > map_model.log_weight) {
            self.map_models[kind] = Some(*fit);
        }
        self.correlations[fit.correlation].weight += weight;
        self.correlations[fit.correlation].variance += weight * fit.variance;
    }

    /// Turns sums into shares and means.
    fn normalize(&mut self, total: f64) {
        self.total = total;
        self.components
            .iter_mut()
            .for_each(|component| component.normalize(total));
        self.components.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let mut sum = 0.0;
        let enough = self.components.iter().position(|component| {
            sum += component.weight;
            sum >= 1.0 - MAX_OMITTED
        });
        self.components
            .truncate(enough.map_or(self.components.len(), |last| last + 1));
        self.components.iter_mut().for_each(|component| component.weight /= sum);
        self.by_kind.iter_mut().for_each(|weight| *weight /= total);
        self.warm_up_unfinished /= total;
        for correlation in self.correlations.iter_mut().filter(|c| c.weight > 0.0) {
            correlation.variance /= correlation.weight;
            correlation.weight /= total;
        }
    }

    /// True if nothing could be fitted, or if all models describe a late stop of growth.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.components.is_empty()
    }

    /// Probability that growth decreased in the second half of the run and is now below the limit.
    #[must_use]
    pub(crate) fn stopped(&self) -> f64 {
        self.stopped
    }

    /// Probability that the value still falls from its warm-up at the end of the run.
    pub(crate) fn warm_up_unfinished(&self) -> f64 {
        self.warm_up_unfinished
    }

    /// Probability of each kind of model, in the order of [`ModelKind::ALL`].
    #[must_use]
    pub(crate) fn by_kind(&self) -> [f64; 6] {
        self.by_kind
    }

    /// Returns the maximum a posteriori (MAP) model of a kind.
    #[must_use]
    pub(crate) fn map_model(&self, kind: ModelKind) -> Option<&Fit> {
        self.map_models[kind as usize].as_ref()
    }

    /// Probability of each correlation time, in the order of [`CORRELATION_TIMES_S`].
    pub(crate) fn correlations(&self) -> &[Correlation] {
        &self.correlations
    }

    /// Probability that growth is below `growth`.
    #[must_use]
    pub(crate) fn cdf(&self, growth: f64) -> f64 {
        self.components
            .iter()
            .map(|component| component.weight * component.cdf(growth))
            .sum()
    }

    /// Probability that growth is below `growth` if `more` is added to the growth of each model, over the whole
    /// regressor.
    ///
    /// `fits` and `scale` must be those that the posterior was built from.
    pub(crate) fn cdf_with_added_growth(
        &self,
        growth: f64,
        fits: &[Fit],
        scale: f64,
        more: impl Fn(&Fit) -> f64,
    ) -> f64 {
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
            share * (model_cdf(&changed, scale, growth) - model_cdf(fit, scale, growth))
        });
        self.cdf(growth) + changed.sum::<f64>()
    }

    /// Returns the quantiles of several probabilities; NaN outside (0, 1) or for an empty posterior. Each search
    /// starts from the points that the others evaluated.
    pub(crate) fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [f64; N] {
        let (mean, spread) = self.mean_and_spread();
        if !spread.is_finite() {
            return [f64::NAN; N];
        }
        let spread = spread.max(f64::MIN_POSITIVE);
        let mut points = vec![self.point(mean - spread), self.point(mean + spread)];
        shares.map(|p| {
            if p > 0.0 && p < 1.0 {
                self.solve(&mut points, spread, log_odds(p))
            } else {
                f64::NAN
            }
        })
    }

    fn point(&self, growth: f64) -> (f64, f64) {
        (growth, log_odds(self.cdf(growth)))
    }

    /// Returns the mean and the standard deviation of the mixture.
    fn mean_and_spread(&self) -> (f64, f64) {
        let mean: f64 = self
            .components
            .iter()
            .map(|component| component.weight * component.growth)
            .sum();
        let square: f64 = self
            .components
            .iter()
            .map(|component| component.weight * ((component.growth - mean).powi(2) + component.standard_error.powi(2)))
            .sum();
        if self.components.is_empty() {
            (f64::NAN, f64::NAN)
        } else {
            (mean, square.sqrt())
        }
    }

    /// Finds the growth with the `wanted` log odds, by regula falsi between the nearest known points [Illinois:
    /// Dowell & Jarratt 1971]. Log odds are nearly linear where probabilities are not.
    fn solve(&self, points: &mut Vec<(f64, f64)>, spread: f64, wanted: f64) -> f64 {
        let mut width = spread;
        while points[0].1 > wanted && width < 1e300 {
            points.insert(0, self.point(points[0].0 - width));
            width *= 2.0;
        }
        width = spread;
        while points[points.len() - 1].1 < wanted && width < 1e300 {
            points.push(self.point(points[points.len() - 1].0 + width));
            width *= 2.0;
        }
        let mut above = points
            .partition_point(|(_, odds)| *odds < wanted)
            .clamp(1, points.len() - 1);
        let ((mut low, at_low), (mut high, at_high)) = (points[above - 1], points[above]);
        let (mut at_low, mut at_high) = (at_low - wanted, at_high - wanted);
        let mut kept = 0;
        for round in 0..200 {
            // Every fourth step bisects, because the mixture may be flat between its components.
            let middle = if round % 4 == 3 || at_high - at_low <= 0.0 {
                low + (high - low) / 2.0
            } else {
                (low - at_low * (high - low) / (at_high - at_low)).clamp(low, high)
            };
            let point = self.point(middle);
            let at_middle = point.1 - wanted;
            points.insert(above, point);
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

/// Returns ln(p / (1 − p)), finite at 0 and 1.
fn log_odds(p: f64) -> f64 {
    let p = p.clamp(1e-15, 1.0 - 1e-15);
    (p / (1.0 - p)).ln()
}

/// Returns the probability that growth is below `growth` under one model.
fn model_cdf(fit: &Fit, scale: f64, growth: f64) -> f64 {
    let fit = fit.scaled(scale);
    let below = |of: f64| scaled_t_cdf(growth - of, fit.standard_error, fit.dof);
    if steps_reverse_growth(&fit, scale) {
        (below(fit.growth) + below(0.0)) / 2.0
    } else {
        below(fit.growth)
    }
}

/// True if the steps reverse at least half of the growth, as the teeth of a sawtooth do. A burst that came and went
/// does not. `scale` converts a step to growth over the run.
fn steps_reverse_growth(fit: &Fit, scale: f64) -> bool {
    let [first, second] = fit.added;
    let steps = match fit.model {
        Model::Step { .. } | Model::StepAndWarmUp { .. } => first,
        Model::TwoSteps { .. } => first + second,
        Model::Linear | Model::Changepoint { .. } | Model::WarmUp { .. } => 0.0,
    };
    fit.growth > 0.0 && steps * scale <= -REVERSAL_SHARE * fit.growth
}

fn leaves_warm_up_unfinished(fit: &Fit, model_set: &ModelSet, scale: f64, limit: f64) -> bool {
    let (warm_up, size) = match fit.model {
        Model::WarmUp { warm_up } => (warm_up, fit.added[0]),
        Model::StepAndWarmUp { warm_up, .. } => (warm_up, fit.added[1]),
        _ => return false,
    };
    size * model_set.warm_ups[warm_up].slope_at_the_end * scale < -UNFINISHED_SHARE * limit
}

fn stops_late(fit: &Fit, model_set: &ModelSet, limit: f64) -> bool {
    let Model::Changepoint { changepoint } = fit.model else {
        return false;
    };
    model_set.changepoints[changepoint].share > LATE_POSITION && fit.added[0] < 0.0 && fit.growth < limit
}

#[cfg(test)]
mod tests;
