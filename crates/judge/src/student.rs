//! Student's t distribution with integer degrees of freedom.
//!
//! Integer degrees of freedom have a finite sum [Abramowitz & Stegun 1964, 26.7.3 and 26.7.4], so no gamma function
//! is needed.

use std::f64::consts::FRAC_2_PI;

/// Size below which a term changes no digit of a sum of at most 1.
const NEGLIGIBLE: f64 = 1e-17;

/// Returns the probability that a t variable with `dof` degrees of freedom is below `t`, to about 1e-15. NaN for
/// `dof` = 0.
#[must_use]
pub(crate) fn cdf(t: f64, dof: u32) -> f64 {
    if dof == 0 || t.is_nan() {
        return f64::NAN;
    }
    if t.is_infinite() {
        return if t > 0.0 { 1.0 } else { 0.0 };
    }
    let nu = f64::from(dof);
    let root = (nu + t * t).sqrt();
    let sine = t / root;
    let cosine = nu.sqrt() / root;
    let cosine2 = cosine * cosine;
    // A = P(|T| < t) for t > 0; odd in t as written.
    let within = if dof.is_multiple_of(2) {
        sine * chain(cosine2, 1, dof / 2)
    } else {
        let theta = t.atan2(nu.sqrt());
        FRAC_2_PI * (theta + sine * cosine * chain(cosine2, 2, dof / 2))
    };
    (0.5 + 0.5 * within).clamp(0.0, 1.0)
}

/// 1 + a₁c² + a₁a₂c⁴ + …, `terms` terms, aₖ = (2k − 1)/(2k) from first = 1, or 2k/(2k + 1) from first = 2.
fn chain(cosine2: f64, first: usize, terms: u32) -> f64 {
    let known = if first == 1 { &FROM_ONE } else { &FROM_TWO };
    if let Some(coefficients) = known.get(..terms as usize) {
        return polynomial(cosine2, coefficients);
    }
    let mut sum = 0.0;
    let mut term = 1.0;
    let mut numerator = first as f64;
    for _ in 0..terms {
        sum += term;
        term *= cosine2 * numerator / (numerator + 1.0);
        if term < NEGLIGIBLE {
            break;
        }
        numerator += 2.0;
    }
    sum
}

/// Evaluates Σ cₖ xᵏ as four parallel sums, which the compiler vectorises. Most of the time of a judgement is spent
/// here.
fn polynomial(x: f64, coefficients: &[f64]) -> f64 {
    let x2 = x * x;
    let x4 = x2 * x2;
    let (whole, rest) = coefficients.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (sum, c) in sums.iter_mut().zip(rest) {
        *sum = *c;
    }
    for four in whole.iter().rev() {
        for (sum, c) in sums.iter_mut().zip(four) {
            *sum = *sum * x4 + c;
        }
    }
    (sums[0] + x * sums[1]) + x2 * (sums[2] + x * sums[3])
}

/// The coefficients 1, a₁, a₁a₂, … for more degrees of freedom than a judgement has.
static FROM_ONE: [f64; 64] = coefficients(1);
static FROM_TWO: [f64; 64] = coefficients(2);

const fn coefficients(first: usize) -> [f64; 64] {
    let mut all = [1.0; 64];
    let mut k = 1;
    while k < all.len() {
        let numerator = (first + 2 * (k - 1)) as f64;
        all[k] = all[k - 1] * numerator / (numerator + 1.0);
        k += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ContinuousCDF, StudentsT};

    #[test]
    fn one_degree_of_freedom_is_cauchy() {
        // By hand: 1/2 + atan(1)/π = 3/4.
        assert!((cdf(1.0, 1) - 0.75).abs() < 1e-15);
    }

    #[test]
    fn two_degrees_of_freedom_by_hand() {
        // 1/2 + t / (2 √(2 + t²)) at t = 1: 1/2 + 1/(2√3).
        assert!((cdf(1.0, 2) - (0.5 + 0.5 / 3f64.sqrt())).abs() < 1e-15);
    }

    #[test]
    fn it_agrees_with_an_independent_implementation() {
        // 129 and more are beyond the table.
        for dof in (1..=64).chain(125..=140) {
            let oracle = StudentsT::new(0.0, 1.0, f64::from(dof)).unwrap();
            for step in -80..=80 {
                let t = f64::from(step) / 10.0;
                assert!((cdf(t, dof) - oracle.cdf(t)).abs() < 1e-9, "t = {t}, dof = {dof}");
            }
        }
    }

    #[test]
    fn infinity_and_nothing_are_the_ends() {
        assert_eq!((cdf(f64::INFINITY, 3), cdf(f64::NEG_INFINITY, 3)), (1.0, 0.0));
        assert!(cdf(f64::NAN, 3).is_nan() && cdf(0.0, 0).is_nan());
    }
}
