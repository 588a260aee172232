//! Every model fitted at every correlation time, with its weight.
//!
//! The errors have a restricted likelihood [Cheang & Reinsel 2000], BIC penalises the number of added columns [Kass &
//! Raftery 1995], and each kind of model has the same prior probability, divided among its members [Hoeting et al.
//! 1999].

mod solve;

use crate::blocks::Blocks;
use crate::models::{Model, ModelSet};
use crate::projection::Projection;
use crate::whitening::Whitening;
use solve::solve;

/// Correlation times that are tried, seconds: from none to the slowest churn assumed.
pub(crate) const CORRELATION_TIMES_S: [f64; 10] = [0.0, 3.0, 8.0, 15.0, 25.0, 40.0, 70.0, 120.0, 200.0, 300.0];

/// Correlation from block to block below which errors count as independent. All correlation times that short are
/// fitted once.
const MIN_CORRELATION: f64 = 1e-3;

/// Log factor below the best fit from which fits are negligible: all of them together weigh less than 1e-4.
const NEGLIGIBLE_LOG: f64 = 20.0;

/// One model fitted at one correlation time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fit {
    /// The model.
    pub(crate) model: Model,
    /// Log weight, up to a constant common to all fits of a series.
    pub(crate) log_weight: f64,
    /// Growth at the end, over the whole regressor.
    pub(crate) growth: f64,
    /// Standard error of the growth.
    pub(crate) standard_error: f64,
    /// Degrees of freedom of the residuals.
    pub(crate) dof: u32,
    /// Coefficients of the added columns; 0 where there is none.
    pub(crate) added: [f64; 2],
    /// Variance of the independent errors.
    pub(crate) variance: f64,
    /// Position in [`CORRELATION_TIMES_S`].
    pub(crate) correlation: usize,
}

impl Fit {
    /// Returns the fit with its growth in units of `scale`.
    pub(crate) fn scaled(&self, scale: f64) -> Self {
        Self {
            growth: self.growth * scale,
            standard_error: self.standard_error * scale,
            ..*self
        }
    }
}

/// The log prior of each kind of model: its share per member, and −q/2 ln K for q added columns.
struct Prior {
    by_kind: [f64; 6],
}

impl Prior {
    fn new(model_set: &ModelSet) -> Self {
        let steps = model_set.blocks.saturating_sub(1) as f64;
        let (changepoints, warm_ups) = (model_set.changepoints.len() as f64, model_set.warm_ups.len() as f64);
        let strided = model_set.warm_ups_with_steps().count() as f64;
        let penalty = -0.5 * (model_set.blocks as f64).ln();
        let log = |members: f64, added: f64| penalty * added - members.ln();
        Self {
            by_kind: [
                0.0,
                log(steps, 1.0),
                log(changepoints, 1.0),
                log(warm_ups, 1.0),
                log(steps * (steps - 1.0) / 2.0, 2.0),
                log(steps * strided, 2.0),
            ],
        }
    }

    fn of(&self, model: Model) -> f64 {
        self.by_kind[model.kind() as usize]
    }
}

/// Fits all models and returns those whose weight is not negligible.
///
/// `quantum` is the smallest change of a value. Its rounding error keeps the variance of a constant series above 0.
#[must_use]
pub(crate) fn fit_all(blocks: &Blocks, model_set: &ModelSet, quantum: f64) -> Vec<Fit> {
    let n = model_set.blocks;
    let levels = model_set.levels.len();
    let mean = blocks.value.iter().sum::<f64>() / n.max(1) as f64;
    let value: Vec<f64> = blocks.value.iter().map(|v| v - mean).collect();
    let prior = Prior::new(model_set);
    let mut plain: Vec<f64> = Vec::new();
    let mut fits: Vec<Fit> = Vec::new();
    let mut best = f64::NEG_INFINITY;
    let left = CORRELATION_TIMES_S.map(|time_s| (-blocks.grid.width_s / time_s).exp());
    let independent = left.iter().filter(|phi| **phi < MIN_CORRELATION).count();
    for (correlation, phi) in left.into_iter().enumerate() {
        if (1..independent).contains(&correlation) {
            continue;
        }
        let log_times = if correlation == 0 {
            (independent as f64).ln()
        } else {
            0.0
        };
        let whitening = Whitening::new(phi, &blocks.index);
        let Some(projection) = Projection::new(model_set, &whitening, &value) else {
            continue;
        };
        let floor = n as f64 * quantum * quantum / 12.0 * (1.0 - phi) * (1.0 - phi);
        let mut number = 0;
        solve(&projection, model_set, &whitening, |solved| {
            let log_determinant = projection.log_determinant + solved.determinant.ln();
            if correlation == 0 {
                plain.push(log_determinant);
            }
            let uncorrelated = plain.get(number).copied().unwrap_or(f64::NAN);
            number += 1;
            let square = (projection.value_square - solved.explained).max(0.0) + floor;
            let log_weight = -0.5 * (n as f64 - levels as f64 - 2.0) * square.ln() + whitening.log_jacobian
                - 0.5 * (log_determinant - uncorrelated)
                + prior.of(solved.model)
                + log_times;
            // The condition also rejects NaN.
            if !(log_weight > best - NEGLIGIBLE_LOG && log_weight < f64::INFINITY && solved.determinant > 0.0) {
                return;
            }
            let Some(dof) = n
                .checked_sub(levels + 1 + solved.model.columns())
                .filter(|dof| *dof > 0)
            else {
                return;
            };
            best = best.max(log_weight);
            let variance = square / dof as f64;
            fits.push(Fit {
                model: solved.model,
                log_weight,
                growth: solved.growth,
                standard_error: (variance * solved.growth_variance).sqrt(),
                dof: dof as u32,
                added: solved.added,
                variance,
                correlation,
            });
        });
    }
    fits.retain(|fit| {
        fit.log_weight > best - NEGLIGIBLE_LOG && fit.growth.is_finite() && fit.standard_error.is_finite()
    });
    fits
}

#[cfg(test)]
mod tests;
