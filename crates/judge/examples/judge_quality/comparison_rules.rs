//! Common rules, applied to the same traces for comparison.

use statrs::distribution::{ContinuousCDF, Normal};

/// Returns the least-squares slope of equally spaced values, per spacing.
pub(crate) fn least_squares(values: &[f64]) -> f64 {
    let centre = (values.len() as f64 - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let (mut cross, mut square) = (0.0, 0.0);
    for (i, value) in values.iter().enumerate() {
        let x = i as f64 - centre;
        cross += x * (value - mean);
        square += x * x;
    }
    cross / square
}

/// Returns the median of the slopes between all pairs, per spacing [Theil 1950; Sen 1968].
pub(crate) fn theil_sen(values: &[f64]) -> f64 {
    let mut slopes: Vec<f64> = (0..values.len())
        .flat_map(|i| (i + 1..values.len()).map(move |j| (values[j] - values[i]) / (j - i) as f64))
        .collect();
    median(&mut slopes)
}

fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        upper
    } else {
        (below.iter().copied().fold(f64::NEG_INFINITY, f64::max) + upper) / 2.0
    }
}

/// Returns the one-sided p-value of a rising trend [Mann 1945, Kendall 1975]. The variance is corrected for
/// autocorrelation of the ranks about the Sen slope [Hamed & Rao 1998].
pub(crate) fn mann_kendall_p(values: &[f64], slope: f64) -> f64 {
    let n = values.len() as f64;
    let mut s = 0.0;
    for i in 0..values.len() {
        for j in i + 1..values.len() {
            s += (values[j] - values[i])
                .partial_cmp(&0.0)
                .map_or(0.0, |order| f64::from(order as i8));
        }
    }
    let mut variance = n * (n - 1.0) * (2.0 * n + 5.0) / 18.0;
    for tie in ties(values) {
        variance -= tie * (tie - 1.0) * (2.0 * tie + 5.0) / 18.0;
    }
    if variance <= 0.0 {
        return 1.0;
    }
    variance *= correction(values, slope).max(0.1);
    let z = if s > 0.0 { (s - 1.0) / variance.sqrt() } else { 0.0 };
    1.0 - Normal::standard().cdf(z)
}

fn ties(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|a, b| a == b).map(|group| group.len() as f64).collect()
}

/// n/n* = 1 + 2/(n(n−1)(n−2)) Σ (n−k)(n−k−1)(n−k−2) ρ(k) over the significant rank autocorrelations.
fn correction(values: &[f64], slope: f64) -> f64 {
    let detrended: Vec<f64> = values.iter().enumerate().map(|(i, v)| v - slope * i as f64).collect();
    let mut order: Vec<usize> = (0..detrended.len()).collect();
    order.sort_by(|a, b| detrended[*a].total_cmp(&detrended[*b]));
    let mut rank = vec![0.0; detrended.len()];
    for (r, i) in order.into_iter().enumerate() {
        rank[i] = r as f64;
    }
    let n = rank.len() as f64;
    let mean = (n - 1.0) / 2.0;
    let square: f64 = rank.iter().map(|r| (r - mean).powi(2)).sum();
    let mut sum = 0.0;
    for lag in 1..rank.len().saturating_sub(2) {
        let rho = rank
            .iter()
            .zip(&rank[lag..])
            .map(|(a, b)| (a - mean) * (b - mean))
            .sum::<f64>()
            / square;
        if rho.abs() > 1.96 / n.sqrt() {
            let k = n - lag as f64;
            sum += k * (k - 1.0) * (k - 2.0) * rho;
        }
    }
    1.0 + 2.0 / (n * (n - 1.0) * (n - 2.0)) * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_by_hand() {
        // 1 3 2 4: Σ(x−1½)(y−2½)/5 = 4/5; pair slopes 2, ½, 1, −1, ½, 2: median ¾.
        assert!((least_squares(&[1.0, 3.0, 2.0, 4.0]) - 0.8).abs() < 1e-12);
        assert!((theil_sen(&[1.0, 3.0, 2.0, 4.0]) - 0.75).abs() < 1e-12);
    }

    #[test]
    fn a_constant_is_no_trend() {
        assert_eq!(mann_kendall_p(&[5.0; 20], 0.0), 1.0);
    }
}
