//! The solution of every model at one correlation time.

use crate::models::{Model, ModelSet};
use crate::projection::{ProjectedColumn, Projection};
use crate::whitening::Whitening;

/// Independent share of two added columns below which they are collinear.
const COLLINEAR: f64 = 1e-9;

/// A model solved at one correlation time, before it is weighted.
pub(super) struct SolvedModel {
    pub(super) model: Model,
    /// Sum of squares that the added columns explain beyond the line.
    pub(super) explained: f64,
    /// Determinant of the added columns; not positive if they are collinear.
    pub(super) determinant: f64,
    pub(super) growth: f64,
    pub(super) growth_variance: f64,
    pub(super) added: [f64; 2],
}

impl SolvedModel {
    fn line(projection: &Projection) -> Self {
        Self {
            model: Model::Linear,
            explained: 0.0,
            determinant: 1.0,
            growth: projection.line_growth,
            growth_variance: projection.line_variance,
            added: [0.0; 2],
        }
    }

    #[inline]
    fn one(projection: &Projection, model: Model, column: &ProjectedColumn) -> Self {
        let inverse = 1.0 / column.square;
        let coefficient = column.with_value * inverse;
        Self {
            model,
            explained: coefficient * column.with_value,
            determinant: column.square,
            growth: projection.line_growth + coefficient * column.lever,
            growth_variance: projection.line_variance + column.lever * column.lever * inverse,
            added: [coefficient, 0.0],
        }
    }

    #[inline]
    pub(super) fn two(projection: &Projection, model: Model, [a, b]: [&ProjectedColumn; 2], product: f64) -> Self {
        let squares = a.square * b.square;
        let determinant = squares - product * product;
        let determinant = if determinant > COLLINEAR * squares {
            determinant
        } else {
            0.0
        };
        let inverse = 1.0 / determinant;
        let first = (b.square * a.with_value - product * b.with_value) * inverse;
        let second = (a.square * b.with_value - product * a.with_value) * inverse;
        let lever_square =
            b.square * a.lever * a.lever - 2.0 * product * a.lever * b.lever + a.square * b.lever * b.lever;
        Self {
            model,
            explained: first * a.with_value + second * b.with_value,
            determinant,
            growth: projection.line_growth + first * a.lever + second * b.lever,
            growth_variance: projection.line_variance + lever_square * inverse,
            added: [first, second],
        }
    }
}

/// Solves every model and calls `visit` with each, always in the same order.
pub(super) fn solve(
    projection: &Projection,
    model_set: &ModelSet,
    whitening: &Whitening,
    mut visit: impl FnMut(&SolvedModel),
) {
    visit(&SolvedModel::line(projection));
    for (i, step) in projection.steps.iter().enumerate() {
        visit(&SolvedModel::one(projection, Model::Step { at: i + 1 }, step));
    }
    for (changepoint, column) in projection.changepoints.iter().enumerate() {
        visit(&SolvedModel::one(
            projection,
            Model::Changepoint { changepoint },
            column,
        ));
    }
    for (warm_up, column) in projection.warm_ups.iter().enumerate() {
        visit(&SolvedModel::one(projection, Model::WarmUp { warm_up }, column));
    }
    let steps = &projection.steps;
    let mut products = vec![0.0; steps.len()];
    for first in 0..steps.len() {
        projection.step_products(first, &mut products);
        for second in first + 1..steps.len() {
            let model = Model::TwoSteps {
                first: first + 1,
                second: second + 1,
            };
            visit(&SolvedModel::two(
                projection,
                model,
                [&steps[first], &steps[second]],
                products[second],
            ));
        }
    }
    for warm_up in model_set.warm_ups_with_steps() {
        let column = &projection.warm_ups[warm_up];
        let products = projection.steps_with(whitening, &model_set.warm_ups[warm_up].column, column);
        for (i, (step, product)) in steps.iter().zip(products).enumerate() {
            let model = Model::StepAndWarmUp { at: i + 1, warm_up };
            visit(&SolvedModel::two(projection, model, [step, column], product));
        }
    }
}
