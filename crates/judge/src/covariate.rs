//! Regression on the number of containers.
//!
//! Churn changes every count of a healthy target. With the number of containers as a covariate, only the growth
//! remains. After sampling each second, this is the largest single gain.

use crate::series::Series;

/// Width of the blocks whose changes are compared, seconds. It is longer than the start of a container and short
/// compared with churn.
const BLOCK_S: f64 = 15.0;

/// Removes the effect of `containers` (one number per sample) from a series, and returns the effect per container.
///
/// The effect is β = cov(Δy, ΔN) / var(ΔN) over changes between block means [regression on first differences: Granger
/// & Newbold 1974]. A common trend does not bias differences, and a steep leak does not bias them about their means.
/// The series is unchanged if the number is constant or the lengths differ.
#[must_use]
pub(crate) fn remove_effect(series: &Series, containers: &[f64]) -> (Series, f64) {
    let (Some(&first), true) = (containers.first(), containers.len() == series.len()) else {
        return (series.clone(), 0.0);
    };
    let blocks = block_means(series, containers);
    let changes: Vec<(f64, f64)> = blocks
        .windows(2)
        .map(|pair| (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1))
        .collect();
    let (value_mean, number_mean) = mean(&changes);
    let (mut cross, mut square) = (0.0, 0.0);
    for (value, number) in changes {
        cross += (value - value_mean) * (number - number_mean);
        square += (number - number_mean) * (number - number_mean);
    }
    let effect = cross / square;
    if !effect.is_finite() {
        return (series.clone(), 0.0);
    }
    let value: Vec<f64> = series
        .value()
        .iter()
        .zip(containers)
        .map(|(v, n)| v - effect * (n - first))
        .collect();
    if value.iter().all(|v| v.is_finite()) {
        (series.with_values(value), effect)
    } else {
        (series.clone(), 0.0)
    }
}

fn mean(pairs: &[(f64, f64)]) -> (f64, f64) {
    let n = pairs.len().max(1) as f64;
    let (first, second) = pairs
        .iter()
        .fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
    (first / n, second / n)
}

/// Returns the mean value and the mean number of containers of each block.
fn block_means(series: &Series, containers: &[f64]) -> Vec<(f64, f64)> {
    let mut means = Vec::new();
    let (t, v) = (series.t_s(), series.value());
    let mut first = 0;
    while first < t.len() {
        let end_s = t[first] + BLOCK_S;
        let last = (first + t[first..].partition_point(|&s| s < end_s)).max(first + 1);
        let n = (last - first) as f64;
        means.push((
            v[first..last].iter().sum::<f64>() / n,
            containers[first..last].iter().sum::<f64>() / n,
        ));
        first = last;
    }
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_tasks_a_container_are_found_and_taken_out() {
        // Three blocks of 15 samples: 10, 12 and 13 containers, 5 tasks each, and 30 more each block.
        let containers: Vec<f64> = (0..45).map(|i| [10.0, 12.0, 13.0][i / 15]).collect();
        let value = containers
            .iter()
            .enumerate()
            .map(|(i, n)| 100.0 + 5.0 * n + 30.0 * (i / 15) as f64)
            .collect();
        let series = Series::new((0..45).map(f64::from).collect(), value).unwrap();
        let (cleared, effect) = remove_effect(&series, &containers);
        assert_eq!(effect, 5.0);
        assert_eq!(
            (cleared.value()[0], cleared.value()[15], cleared.value()[44]),
            (150.0, 180.0, 210.0)
        );
    }

    #[test]
    fn a_number_that_never_moves_changes_nothing() {
        let series = Series::new(vec![0.0, 20.0, 40.0], vec![1.0, 2.0, 3.0]).unwrap();
        assert_eq!(remove_effect(&series, &[7.0; 3]), (series.clone(), 0.0));
        assert_eq!(remove_effect(&series, &[7.0; 2]), (series.clone(), 0.0));
        assert_eq!(remove_effect(&Series::default(), &[]), (Series::default(), 0.0));
    }

    #[test]
    fn blocks_are_fifteen_seconds_long() {
        let series = Series::new(vec![0.0, 14.9, 15.0, 29.9, 30.0], vec![1.0, 3.0, 5.0, 7.0, 9.0]).unwrap();
        let means = block_means(&series, &[1.0, 1.0, 2.0, 4.0, 5.0]);
        assert_eq!(means, [(2.0, 1.0), (6.0, 3.0), (9.0, 5.0)]);
    }

    #[test]
    fn changes_are_taken_about_their_means() {
        // Blocks of one sample: changes of the value 5, 1, 3 and of the containers 4, 0, 5. About their means 3 and 3:
        // cross 2·1 + 2·3 + 0·2 = 8, square 1 + 9 + 4 = 14.
        let series = Series::new(vec![0.0, 20.0, 40.0, 60.0], vec![10.0, 15.0, 16.0, 19.0]).unwrap();
        let (cleared, effect) = remove_effect(&series, &[2.0, 6.0, 6.0, 11.0]);
        assert!((effect - 8.0 / 14.0).abs() < 1e-12, "{effect}");
        assert!((cleared.value()[3] - (19.0 - 9.0 * 8.0 / 14.0)).abs() < 1e-12);
    }

    #[test]
    fn the_mean_of_pairs_by_hand() {
        assert_eq!(mean(&[(1.0, 10.0), (2.0, 30.0), (6.0, 50.0)]), (3.0, 30.0));
        assert_eq!(mean(&[]), (0.0, 0.0));
    }

    #[test]
    fn samples_far_apart_are_blocks_of_their_own() {
        let series = Series::new(vec![0.0, 100.0, 1e18, 2e18], vec![1.0, 3.0, 5.0, 7.0]).unwrap();
        assert_eq!(
            block_means(&series, &[1.0, 2.0, 3.0, 4.0]),
            [(1.0, 1.0), (3.0, 2.0), (5.0, 3.0), (7.0, 4.0)]
        );
    }
}
