//! Fits compared with least squares by hand.

use super::solve::SolvedModel;
use super::*;
use crate::projection::ProjectedColumn;

fn blocks(value: Vec<f64>) -> Blocks {
    Blocks::whole(1000.0, 1, value)
}

fn fitted(value: Vec<f64>, quantum: f64) -> Vec<Fit> {
    let blocks = blocks(value);
    fit_all(&blocks, &ModelSet::new(&blocks, blocks.shares()), quantum)
}

fn noisy(n: usize, shape: impl Fn(usize) -> f64) -> Vec<f64> {
    (0..n)
        .map(|i| shape(i) + [0.3, -0.2, 0.1, -0.4, 0.2, 0.4, -0.1, -0.3, 0.0][(i * i + 3 * i) % 9])
        .collect()
}

fn best(fits: &[Fit]) -> Fit {
    *fits
        .iter()
        .max_by(|a, b| a.log_weight.total_cmp(&b.log_weight))
        .unwrap()
}

#[test]
fn a_line_has_the_error_of_least_squares_by_hand() {
    // 12 values, φ = 0: slope b over x = (i + ½)/12, s² = RSS/10 with RSS + 12/12 for rounding, Σ(x − x̄)² = 143/144.
    let value = noisy(12, |i| 0.5 * i as f64);
    let fits = fitted(value.clone(), 1.0);
    let line = fits
        .iter()
        .find(|f| f.model == Model::Linear && f.correlation == 0)
        .unwrap();
    let mean = value.iter().sum::<f64>() / 12.0;
    let x = |i: usize| (i as f64 + 0.5) / 12.0 - 0.5;
    let slope = value.iter().enumerate().map(|(i, v)| x(i) * (v - mean)).sum::<f64>() / (143.0 / 144.0);
    let rss: f64 = value
        .iter()
        .enumerate()
        .map(|(i, v)| (v - mean - slope * x(i)).powi(2))
        .sum::<f64>()
        + 1.0;
    assert!((line.growth - slope).abs() < 1e-9);
    assert!((line.standard_error - (rss / 10.0 / (143.0 / 144.0)).sqrt()).abs() < 1e-9);
    assert!((line.variance - rss / 10.0).abs() < 1e-9);
    assert_eq!(line.dof, 10);
}

#[test]
fn a_step_is_worth_its_likelihood_less_half_a_logarithm_and_its_share() {
    // Without correlation the weights of line and step differ by −(n − 3)/2 ln(RSS ratio) − ½ ln n − ln(n − 1).
    let value = noisy(20, |i| if i >= 12 { 1.5 } else { 0.0 });
    let fits = fitted(value.clone(), 0.0);
    let of = |model| fits.iter().find(|f| f.model == model && f.correlation == 0).unwrap();
    let (line, step) = (of(Model::Linear), of(Model::Step { at: 12 }));
    let rss = |f: &Fit| f.variance * f64::from(f.dof);
    let expected = -8.5 * (rss(step) / rss(line)).ln() - 0.5 * 20f64.ln() - 19f64.ln();
    assert!((step.log_weight - line.log_weight - expected).abs() < 1e-9);
    assert!((step.added[0] - 1.5).abs() < 0.5);
    assert_eq!((line.dof, step.dof), (18, 17));
}

#[test]
fn correlation_times_that_a_block_forgets_are_one_with_the_weight_of_all() {
    // Blocks of 1000 s leave less than a thousandth at all but the last two correlation times; blocks of 10 s at
    // none but the first.
    let weights = |width_s: f64| {
        let mut blocks = blocks(noisy(30, |_| 0.0));
        blocks.grid.width_s = width_s;
        fit_all(&blocks, &ModelSet::new(&blocks, blocks.shares()), 0.1)
    };
    let ramp = |fits: &[Fit], correlation: usize| {
        let same = |f: &&Fit| f.model == Model::Linear && f.correlation == correlation;
        fits.iter().find(same).copied()
    };
    let long = weights(1000.0);
    assert_eq!((1..8).find_map(|correlation| ramp(&long, correlation)), None);
    assert!(ramp(&long, 8).is_some() && ramp(&long, 9).is_some());
    let short = weights(10.0);
    assert!(ramp(&short, 1).is_some());
    let (of_eight, of_one) = (ramp(&long, 0).unwrap(), ramp(&short, 0).unwrap());
    assert!((of_eight.log_weight - of_one.log_weight - 8f64.ln()).abs() < 1e-9);
    assert_eq!(of_eight.growth, of_one.growth);
}

#[test]
fn each_shape_is_fitted_best_by_its_own_kind() {
    assert_eq!(best(&fitted(noisy(60, |i| 2.0 * i as f64), 0.1)).model, Model::Linear);
    assert_eq!(
        best(&fitted(noisy(60, |i| if i >= 20 { 30.0 } else { 0.0 }), 0.1)).model,
        Model::Step { at: 20 }
    );
    let late = best(&fitted(noisy(60, |i| (i as f64 - 30.0).max(0.0)), 0.1));
    assert!(matches!(late.model, Model::Changepoint { .. }));
    // One per block at the end: 60 over the line.
    assert!((late.growth - 60.0).abs() < 2.0, "{}", late.growth);
    let two = |i: usize| {
        if i >= 40 {
            70.0
        } else if i >= 20 {
            30.0
        } else {
            0.0
        }
    };
    let two = best(&fitted(noisy(60, two), 0.1));
    assert_eq!(two.model, Model::TwoSteps { first: 20, second: 40 });
    assert!((two.added[0] - 30.0).abs() < 1.0 && (two.added[1] - 40.0).abs() < 1.0);
    // τ = 3 blocks of 1000 s is beyond 163 s and within a sixth of 60 000 s.
    let warm = best(&fitted(noisy(60, |i| -50.0 * (-(i as f64) / 3.0).exp()), 0.1));
    assert!(matches!(warm.model, Model::WarmUp { .. }), "{warm:?}");
    let both = |i: usize| -50.0 * (-(i as f64) / 3.0).exp() + if i >= 40 { 20.0 } else { 0.0 };
    let both = best(&fitted(noisy(60, both), 0.1));
    assert!(matches!(both.model, Model::StepAndWarmUp { at: 40, .. }), "{both:?}");
}

#[test]
fn rounding_keeps_a_constant_finite() {
    let fits = fitted(vec![7.0; 20], 1.0);
    assert!(!fits.is_empty());
    assert!(fits.iter().all(|f| f.growth.abs() < 1e-9 && f.standard_error > 0.0));
}

#[test]
fn slow_noise_is_taken_for_slow() {
    // A random walk over blocks one second wide: the best correlation time is far from 0.
    let (mut at, mut random) = (0.0, 12_345_u32);
    let walk: Vec<f64> = (0..60)
        .map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            at += f64::from(random >> 16) / 65_536.0 * 10.0 - 5.0;
            at
        })
        .collect();
    let blocks = Blocks::whole(1.0, 1, walk);
    let fits = fit_all(&blocks, &ModelSet::new(&blocks, blocks.shares()), 1.0);
    assert!(CORRELATION_TIMES_S[best(&fits).correlation] > 0.0);
}

#[test]
fn too_few_blocks_fit_nothing() {
    assert!(fitted(vec![1.0, 2.0], 1.0).is_empty());
    assert!(fitted(Vec::new(), 1.0).is_empty());
}

/// Returns coefficients, the sum of squared residuals and the determinant of XᵀX, by Gauss–Jordan elimination.
fn least_squares(columns: &[Vec<f64>], value: &[f64]) -> (Vec<f64>, f64, f64) {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let mut rows: Vec<Vec<f64>> = columns
        .iter()
        .map(|a| columns.iter().map(|b| dot(a, b)).chain([dot(a, value)]).collect())
        .collect();
    let mut determinant = 1.0;
    for pivot in 0..rows.len() {
        determinant *= rows[pivot][pivot];
        let known: Vec<f64> = rows[pivot].iter().map(|x| x / rows[pivot][pivot]).collect();
        for (i, row) in rows.iter_mut().enumerate() {
            let times = if i == pivot { 0.0 } else { row[pivot] };
            row.iter_mut().zip(&known).for_each(|(x, k)| *x -= times * k);
        }
        rows[pivot] = known;
    }
    let coefficients: Vec<f64> = rows.iter().map(|row| row[columns.len()]).collect();
    let fitted = |i: usize| columns.iter().zip(&coefficients).map(|(c, b)| c[i] * b).sum::<f64>();
    let left = value.iter().enumerate().map(|(i, v)| (v - fitted(i)).powi(2)).sum();
    (coefficients, left, determinant)
}

#[test]
fn each_fit_is_the_least_squares_of_its_columns_whitened() {
    // Blocks of 20 s, one of which is missing; the expected fits use explicit columns.
    let mut blocks = blocks(noisy(16, |i| 100.0 + 0.2 * i as f64 + if i > 8 { 0.5 } else { 0.0 }));
    blocks.grid.width_s = 20.0;
    blocks.index.remove(5);
    blocks.value.remove(5);
    let line = blocks.shares();
    let model_set = ModelSet::new(&blocks, line.clone());
    let quantum = 0.5;
    let fits = fit_all(&blocks, &model_set, quantum);
    let n = blocks.index.len();
    let step = |at: usize| -> Vec<f64> { (0..n).map(|i| f64::from(i >= at)).collect() };
    let whiten = |phi: f64, column: &[f64]| -> Vec<f64> {
        (0..n)
            .map(|i| match i.checked_sub(1) {
                None => column[0] * (1.0 - phi * phi).sqrt(),
                Some(before) => {
                    let keep = phi.powi((blocks.index[i] - blocks.index[before]) as i32);
                    (column[i] - keep * column[before]) * ((1.0 - phi * phi) / (1.0 - keep * keep)).sqrt()
                }
            })
            .collect()
    };
    let mut kinds = [0; 6];
    for fit in &fits {
        let phi = (-20.0 / CORRELATION_TIMES_S[fit.correlation]).exp();
        let added: Vec<Vec<f64>> = match fit.model {
            Model::Linear => vec![],
            Model::Step { at } => vec![step(at)],
            Model::Changepoint { changepoint } => vec![model_set.changepoints[changepoint].column.clone()],
            Model::WarmUp { warm_up } => vec![model_set.warm_ups[warm_up].column.clone()],
            Model::TwoSteps { first, second } => vec![step(first), step(second)],
            Model::StepAndWarmUp { at, warm_up } => {
                vec![step(at), model_set.warm_ups[warm_up].column.clone()]
            }
        };
        let least = |phi: f64, extra: &[Vec<f64>]| {
            let columns = [&[vec![1.0; n], line.clone()], extra].concat();
            let white: Vec<Vec<f64>> = columns.iter().map(|c| whiten(phi, c)).collect();
            least_squares(&white, &whiten(phi, &blocks.value))
        };
        let (coefficients, left, determinant) = least(phi, &added);
        let lever = match fit.model {
            Model::Changepoint { .. } => coefficients[2],
            _ => 0.0,
        };
        let close =
            |a: f64, b: f64, what: &str| assert!((a - b).abs() < 1e-6 * (1.0 + b.abs()), "{what}: {a} {b} {fit:?}");
        close(fit.growth, coefficients[1] + lever, "growth");
        for (seen, expected) in fit.added.iter().zip(&coefficients[2..]) {
            close(*seen, *expected, "added");
        }
        let square = left + n as f64 * (quantum * (1.0 - phi)).powi(2) / 12.0;
        let dof = n - 2 - added.len();
        close(fit.variance, square / dof as f64, "variance");
        // The error of the slope follows from the determinants with and without its column.
        if lever == 0.0 {
            let others = [&[vec![1.0; n]], added.as_slice()].concat();
            let white: Vec<Vec<f64>> = others.iter().map(|c| whiten(phi, c)).collect();
            let without = least_squares(&white, &whiten(phi, &blocks.value)).2;
            close(
                fit.standard_error,
                (fit.variance * without / determinant).sqrt(),
                "standard error",
            );
        }
        // Weights relative to the line's without correlation.
        let jacobian: f64 = (0..n)
            .map(|i| match i.checked_sub(1) {
                None => 0.5 * (1.0 - phi * phi).ln(),
                Some(before) => {
                    let keep = phi.powi((blocks.index[i] - blocks.index[before]) as i32);
                    0.5 * ((1.0 - phi * phi) / (1.0 - keep * keep)).ln()
                }
            })
            .sum();
        let weight = -0.5 * (n as f64 - 3.0) * square.ln() + jacobian
            - 0.5 * (determinant.ln() - least(0.0, &added).2.ln())
            + Prior::new(&model_set).of(fit.model);
        // A block of 20 s leaves less than a thousandth only without correlation, so ln 1 = 0 is added.
        close(fit.log_weight, weight, "weight");
        kinds[fit.model.kind() as usize] += 1;
    }
    assert!(kinds.iter().all(|fits| *fits > 0), "{kinds:?}");
}

#[test]
fn columns_equal_to_a_billionth_are_collinear() {
    let blocks = blocks(noisy(20, |_| 0.0));
    let model_set = ModelSet::new(&blocks, blocks.shares());
    let projection = Projection::new(&model_set, &Whitening::new(0.0, &blocks.index), &blocks.value).unwrap();
    let column = ProjectedColumn {
        along: Vec::new(),
        square: 100.0,
        with_value: 1.0,
        lever: 0.0,
    };
    // Squares 100 · 100: a billionth is 1e-5.
    let determinant = |rest: f64| {
        let product = (1e4_f64 - rest).sqrt();
        SolvedModel::two(
            &projection,
            Model::TwoSteps { first: 1, second: 2 },
            [&column, &column],
            product,
        )
        .determinant
    };
    assert_eq!(determinant(1e-6), 0.0);
    assert!((determinant(1e-4) - 1e-4).abs() < 1e-9);
}
