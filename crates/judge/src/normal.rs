//! The standard normal distribution, for power calculations with known noise.

/// Returns the probability that a standard normal variable is below `z`, to about 1e-13 [series and continued
/// fraction of erf and erfc: Abramowitz & Stegun 1964, 7.1.6 and 7.1.14].
#[must_use]
pub(crate) fn cdf(z: f64) -> f64 {
    if z.is_nan() {
        return f64::NAN;
    }
    let x = z.abs() / std::f64::consts::SQRT_2;
    let upper = if x < 2.0 {
        0.5 - 0.5 * erf_series(x)
    } else {
        0.5 * erfc_fraction(x)
    };
    if z > 0.0 { 1.0 - upper } else { upper }
}

fn erf_series(x: f64) -> f64 {
    // 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)); 60 terms are far more than x < 2 needs.
    let mut term = x;
    let mut sum = x;
    for n in 1..60 {
        term *= 2.0 * x * x / (2.0 * f64::from(n) + 1.0);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

fn erfc_fraction(x: f64) -> f64 {
    // √π e^(x²) erfc(x) = 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …)))), evaluated from the tail.
    let tail = (1..=80).rev().fold(x, |inner, k| x + f64::from(k) / 2.0 / inner);
    (-x * x).exp() / (std::f64::consts::PI.sqrt() * tail)
}

/// Returns the quantile of a probability; ±∞ at 0 and 1, NaN outside [0, 1].
#[must_use]
pub(crate) fn quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return if p == 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    // Beyond 39 the density underflows; 70 halvings of 80 leave less than 1e-19.
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..70 {
        let middle = (low + high) / 2.0;
        if cdf(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabulated_values() {
        assert!((quantile(0.99) - 2.326_347_874).abs() < 1e-8);
        assert!((quantile(0.01) + 2.326_347_874).abs() < 1e-8);
        assert!((quantile(0.95) - 1.644_853_627).abs() < 1e-8);
        assert!((cdf(1.959_963_985) - 0.975).abs() < 1e-9);
        assert!((cdf(-4.0) - 3.167_124_183e-5).abs() < 1e-13);
        assert!((cdf(0.0) - 0.5).abs() < 1e-15);
        assert!((cdf(2.828_427) - 0.997_661).abs() < 1e-5);
    }

    #[test]
    fn both_branches_meet_where_they_change() {
        let meeting = 2.0 * std::f64::consts::SQRT_2;
        assert!((cdf(meeting - 1e-12) - cdf(meeting + 1e-12)).abs() < 1e-12);
    }

    #[test]
    fn the_ends_are_infinite_and_nonsense_is_not_a_number() {
        assert_eq!(quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(quantile(1.0), f64::INFINITY);
        assert!(quantile(-0.1).is_nan());
        assert!(cdf(f64::NAN).is_nan());
    }

    #[test]
    fn a_half_lies_below_zero() {
        assert_eq!(cdf(0.0), 0.5);
        assert!(quantile(0.5).abs() < 1e-15);
    }
}
