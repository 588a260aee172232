//! Projection of all columns onto the complement of levels and line, at one correlation time.
//!
//! What remains of each model is a system of at most two unknowns. Most columns are steps, which running sums project
//! without writing them out. Two thousand models therefore cost a millisecond.

use crate::models::ModelSet;
use crate::whitening::Whitening;

/// Remaining share of its square below which a column is a combination of the base columns.
const COLLINEAR: f64 = 1e-9;

/// A column that a model adds, after projection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProjectedColumn {
    /// Components along the base columns, which are removed.
    pub(crate) along: Vec<f64>,
    /// Square of the remainder; 0 if only rounding remains.
    pub(crate) square: f64,
    /// Product of the remainder with the remainder of the values.
    pub(crate) with_value: f64,
    /// Growth added by one unit of the coefficient, including the change of the line's slope.
    pub(crate) lever: f64,
}

/// Everything that the models share at one correlation time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Projection {
    /// The orthonormal base: levels and, last, the line.
    base: Vec<Vec<f64>>,
    /// ln of the determinant of levels and line.
    pub(crate) log_determinant: f64,
    /// 1 / (square of the line after projection onto the complement of the levels).
    pub(crate) line_variance: f64,
    /// Growth of the line alone.
    pub(crate) line_growth: f64,
    /// Square of the remainder of the values.
    pub(crate) value_square: f64,
    /// The steps, one at each block but the first.
    pub(crate) steps: Vec<ProjectedColumn>,
    /// The changepoints.
    pub(crate) changepoints: Vec<ProjectedColumn>,
    /// The warm-ups.
    pub(crate) warm_ups: Vec<ProjectedColumn>,
    /// The steps' components again, by base column, for the innermost loop.
    steps_along: Vec<Vec<f64>>,
    /// Product of two steps before projection, by the later step.
    step_pairs: Vec<f64>,
}

/// The dot product as four parallel sums, which the compiler vectorises.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let mut sums = [0.0; 4];
    for (a, b) in a.iter().zip(b) {
        for (sum, (x, y)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += x * y;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// Returns the product of `column` with a step at each block but the first, by running sums from the end.
fn step_products_with(whitening: &Whitening, column: &[f64]) -> Vec<f64> {
    let mut products = vec![0.0; column.len().saturating_sub(1)];
    let mut later = 0.0;
    for at in (1..column.len()).rev() {
        products[at - 1] = whitening.step_edge(at) * column[at] + later;
        later += whitening.step_plateau(at) * column[at];
    }
    products
}

impl Projection {
    /// Projects models and values (one per block). `None` if the base columns are not independent.
    #[must_use]
    pub(crate) fn new(model_set: &ModelSet, whitening: &Whitening, value: &[f64]) -> Option<Self> {
        let (base, log_determinant, line_square) = orthonormal(model_set, whitening)?;
        let line_norm = line_square.sqrt();
        let mut left = whitening.apply(value);
        let along_line = base.last().map_or(0.0, |line| dot(line, &left));
        for column in base.iter().chain(&base) {
            let share = dot(column, &left);
            left.iter_mut().zip(column).for_each(|(l, c)| *l -= share * c);
        }
        let mut projection = Self {
            log_determinant,
            line_variance: 1.0 / line_square,
            line_growth: along_line / line_norm,
            value_square: dot(&left, &left),
            steps: Vec::new(),
            changepoints: Vec::new(),
            warm_ups: Vec::new(),
            steps_along: base
                .iter()
                .map(|column| step_products_with(whitening, column))
                .collect(),
            step_pairs: step_pairs(whitening, value.len()),
            base,
        };
        projection.steps = projection.project_steps(whitening, &left, line_norm);
        let mut white = Vec::new();
        let mut project = |column: &[f64], own: f64| {
            whitening.apply_into(column, &mut white);
            let along: Vec<f64> = projection.base.iter().map(|b| dot(b, &white)).collect();
            added(along, dot(&white, &white), dot(&white, &left), own, line_norm)
        };
        // A changepoint changes the slope at the end, a warm-up does not.
        let changepoints = model_set
            .changepoints
            .iter()
            .map(|changepoint| project(&changepoint.column, 1.0))
            .collect();
        let warm_ups = model_set
            .warm_ups
            .iter()
            .map(|warm_up| project(&warm_up.column, 0.0))
            .collect();
        projection.changepoints = changepoints;
        projection.warm_ups = warm_ups;
        Some(projection)
    }

    fn project_steps(&self, whitening: &Whitening, left: &[f64], line_norm: f64) -> Vec<ProjectedColumn> {
        let with_value = step_products_with(whitening, left);
        let mut later = 0.0;
        let mut steps: Vec<ProjectedColumn> = Vec::with_capacity(with_value.len());
        for at in (1..left.len()).rev() {
            let (edge, plateau) = (whitening.step_edge(at), whitening.step_plateau(at));
            let along = self.steps_along.iter().map(|products| products[at - 1]).collect();
            steps.push(added(along, edge * edge + later, with_value[at - 1], 0.0, line_norm));
            later += plateau * plateau;
        }
        steps.reverse();
        steps
    }

    /// Writes the product of step `first` with each later step, after projection, at the position of the later step.
    pub(crate) fn step_products(&self, first: usize, products: &mut [f64]) {
        let later = first + 1..self.step_pairs.len();
        let products = &mut products[later.clone()];
        products.copy_from_slice(&self.step_pairs[later.clone()]);
        for (along, column) in self.steps[first].along.iter().zip(&self.steps_along) {
            for (product, component) in products.iter_mut().zip(&column[later.clone()]) {
                *product -= along * component;
            }
        }
    }

    /// Returns the product of each step with a column, after projection. `added` is the projection of that column.
    #[must_use]
    pub(crate) fn steps_with(&self, whitening: &Whitening, column: &[f64], added: &ProjectedColumn) -> Vec<f64> {
        let mut products = step_products_with(whitening, &whitening.apply(column));
        for (along, components) in added.along.iter().zip(&self.steps_along) {
            for (product, component) in products.iter_mut().zip(components) {
                *product -= along * component;
            }
        }
        products
    }
}

/// Orthonormalises levels and line in order. Returns the base, ln of its determinant, and the remaining square of the
/// line.
fn orthonormal(model_set: &ModelSet, whitening: &Whitening) -> Option<(Vec<Vec<f64>>, f64, f64)> {
    let mut base: Vec<Vec<f64>> = Vec::with_capacity(model_set.levels.len() + 1);
    let (mut log_determinant, mut square) = (0.0, 0.0);
    for raw in model_set.levels.iter().chain(std::iter::once(&model_set.line)) {
        let mut column = whitening.apply(raw);
        let before = dot(&column, &column);
        // Two passes are enough for orthogonality to rounding [Giraud, Langou & Rozložník 2005].
        for _ in 0..2 {
            for known in &base {
                let share = dot(known, &column);
                column.iter_mut().zip(known).for_each(|(c, k)| *c -= share * k);
            }
        }
        square = dot(&column, &column);
        if square.is_nan() || square <= COLLINEAR * before {
            return None;
        }
        log_determinant += square.ln();
        let norm = square.sqrt();
        column.iter_mut().for_each(|c| *c /= norm);
        base.push(column);
    }
    Some((base, log_determinant, square))
}

/// Returns the product of two steps, by the later one at block b: (1 − φᵍ) s_b² + Σ over later blocks of ((1 − φᵍ)
/// s)². The earlier step is constant there and does not matter.
fn step_pairs(whitening: &Whitening, blocks: usize) -> Vec<f64> {
    let mut pairs = vec![0.0; blocks.saturating_sub(1)];
    let mut later = 0.0;
    for at in (1..blocks).rev() {
        let plateau = whitening.step_plateau(at);
        pairs[at - 1] = whitening.step_edge(at) * plateau + later;
        later += plateau * plateau;
    }
    pairs
}

/// Returns the remainder of a column: its square and its product with the remainder of the values.
fn added(along: Vec<f64>, whole: f64, with_value: f64, own: f64, line_norm: f64) -> ProjectedColumn {
    let square = whole - dot(&along, &along);
    let lever = own - along.last().copied().unwrap_or(0.0) / line_norm;
    let square = if square > COLLINEAR * whole { square } else { 0.0 };
    ProjectedColumn {
        along,
        square,
        with_value,
        lever,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::{Blocks, Grid};

    /// Projects an explicit column by brute force.
    fn left_of(base: &[Vec<f64>], mut column: Vec<f64>) -> Vec<f64> {
        for known in base {
            let share = dot(known, &column);
            column.iter_mut().zip(known).for_each(|(c, k)| *c -= share * k);
        }
        column
    }

    #[test]
    fn running_sums_give_what_columns_written_down_give() {
        let index: Vec<usize> = (0..24).filter(|i| *i != 7 && *i != 8).collect();
        let grid = Grid {
            width_s: 5.0,
            count: 24,
            parts: 3,
        };
        let value: Vec<f64> = index.iter().map(|&i| ((i * i) % 13) as f64 + 0.3 * i as f64).collect();
        let blocks = Blocks {
            grid,
            begin_s: 0.0,
            value: value.clone(),
            index: index.clone(),
        };
        let model_set = ModelSet::new(&blocks, blocks.shares());
        for phi in [0.0, 0.6, 0.95] {
            let whitening = Whitening::new(phi, &index);
            let projection = Projection::new(&model_set, &whitening, &value).unwrap();
            let step = |at: usize| -> Vec<f64> {
                let raw: Vec<f64> = (0..index.len()).map(|i| if i >= at { 1.0 } else { 0.0 }).collect();
                left_of(&projection.base, whitening.apply(&raw))
            };
            let left = left_of(&projection.base, whitening.apply(&value));
            assert!((dot(&left, &left) - projection.value_square).abs() < 1e-9);
            let mut products = vec![0.0; index.len() - 1];
            for first in 0..index.len() - 1 {
                projection.step_products(first, &mut products);
                let column = step(first + 1);
                assert!((dot(&column, &column) - projection.steps[first].square).abs() < 1e-9);
                assert!((dot(&column, &left) - projection.steps[first].with_value).abs() < 1e-9);
                for (second, product) in products.iter().enumerate().skip(first + 1) {
                    assert!((dot(&column, &step(second + 1)) - product).abs() < 1e-9);
                }
            }
            let warm_up = &model_set.warm_ups[2].column;
            let with_steps = projection.steps_with(&whitening, warm_up, &projection.warm_ups[2]);
            let warm_left = left_of(&projection.base, whitening.apply(warm_up));
            for at in 1..index.len() {
                assert!((dot(&step(at), &warm_left) - with_steps[at - 1]).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn the_line_alone_is_least_squares_by_hand() {
        // Values 1 3 2 4 over x = 1/8 3/8 5/8 7/8: slope Σ(x−½)(y−2½)/Σ(x−½)² = 1/(5/16) = 3.2.
        let blocks = Blocks::whole(1.0, 1, vec![1.0, 3.0, 2.0, 4.0]);
        let model_set = ModelSet::new(&blocks, blocks.shares());
        let projection = Projection::new(&model_set, &Whitening::new(0.0, &blocks.index), &blocks.value).unwrap();
        assert!((projection.line_growth - 3.2).abs() < 1e-12);
        assert!((projection.line_variance - 16.0 / 5.0).abs() < 1e-12);
        // Σ(y−2½)² = 5, of which the line explains 3.2² · 5/16 = 3.2.
        assert!((projection.value_square - 1.8).abs() < 1e-12);
        // |X'X| = 4 · 5/16.
        assert!((projection.log_determinant - 1.25f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn a_level_without_blocks_cannot_be_fitted() {
        let grid = Grid {
            width_s: 1.0,
            count: 8,
            parts: 2,
        };
        let blocks = Blocks {
            grid,
            begin_s: 0.0,
            index: vec![0, 2, 4, 6],
            value: vec![1.0, 3.0, 2.0, 4.0],
        };
        let model_set = ModelSet::new(&blocks, blocks.shares());
        assert_eq!(
            Projection::new(&model_set, &Whitening::new(0.0, &blocks.index), &blocks.value),
            None
        );
    }

    #[test]
    fn what_is_left_of_a_column_must_be_more_than_a_billionth_of_it() {
        // 100 less 100 − 5e-8, and less 100 − 2e-7.
        let left = |rest: f64| added(vec![(100.0_f64 - rest).sqrt()], 100.0, 1.0, 0.0, 1.0).square;
        assert_eq!(left(5e-8), 0.0);
        assert!((left(2e-7) - 2e-7).abs() < 1e-10);
    }

    #[test]
    fn a_line_that_hardly_moves_is_no_line() {
        let blocks = Blocks::whole(5.0, 1, vec![0.0; 10]);
        // About 100, by a millionth and by a thousandth of it: 1e-12 and 1e-6 of the square.
        let has_line = |by: f64| {
            let line = (0..10).map(|i| 100.0 * (1.0 + by * f64::from(i) / 10.0)).collect();
            orthonormal(&ModelSet::new(&blocks, line), &Whitening::new(0.0, &blocks.index)).is_some()
        };
        assert!(has_line(1e-3) && !has_line(1e-6));
    }
}
