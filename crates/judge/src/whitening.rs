//! Whitening: the transformation of correlated errors into independent ones.

/// A whitening transformation of AR(1) errors with correlation φ per block: z₁ = √(1−φ²) y₁, zᵢ = (yᵢ − φᵍ yᵢ₋₁)
/// √((1−φ²)/(1−φ²ᵍ)) for a gap of g blocks [Prais & Winsten 1954].
#[derive(Debug, Clone)]
pub(crate) struct Whitening {
    /// √(1−φ²), then √((1−φ²)/(1−φ²ᵍ)) of each later block.
    scale: Vec<f64>,
    /// 0, then φᵍ of each later block.
    decay: Vec<f64>,
    /// ln of the transformation's determinant: J(φ) of the likelihood.
    pub(crate) log_jacobian: f64,
}

impl Whitening {
    /// Creates the transformation for blocks at increasing grid positions and a correlation 0 ≤ `phi` < 1 of
    /// neighbours.
    #[must_use]
    pub(crate) fn new(phi: f64, index: &[usize]) -> Self {
        let variance = 1.0 - phi * phi;
        let mut scale = Vec::with_capacity(index.len());
        let mut decay = Vec::with_capacity(index.len());
        let mut log_jacobian = 0.0;
        for i in 0..index.len() {
            let (keep, square) = if i == 0 {
                (0.0, variance)
            } else {
                let keep = phi.powf((index[i] - index[i - 1]) as f64);
                (keep, variance / (1.0 - keep * keep))
            };
            decay.push(keep);
            scale.push(square.sqrt());
            log_jacobian += 0.5 * square.ln();
        }
        Self {
            scale,
            decay,
            log_jacobian,
        }
    }

    /// Returns the transformed column.
    #[must_use]
    pub(crate) fn apply(&self, column: &[f64]) -> Vec<f64> {
        let mut out = Vec::new();
        self.apply_into(column, &mut out);
        out
    }

    /// Transforms a column into `out`, which is overwritten.
    pub(crate) fn apply_into(&self, column: &[f64], out: &mut Vec<f64>) {
        out.clear();
        let before = std::iter::once(&0.0).chain(column);
        let factors = self.scale.iter().zip(&self.decay);
        out.extend(
            column
                .iter()
                .zip(before)
                .zip(factors)
                .map(|((value, before), (scale, decay))| (value - decay * before) * scale),
        );
    }

    /// Returns the value at block `i` of a transformed step that begins at block `i`.
    #[must_use]
    pub(crate) fn step_edge(&self, i: usize) -> f64 {
        self.scale[i]
    }

    /// Returns the value at block `i` of a transformed step that begins before block `i`.
    #[must_use]
    pub(crate) fn step_plateau(&self, i: usize) -> f64 {
        (1.0 - self.decay[i]) * self.scale[i]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand_with_half_correlation_and_a_gap() {
        // φ = 1/2, blocks 0, 1, 3: √(3/4)·4 = 2√3; (6 − 2)·1 = 4; g = 2: (5 − 6/4)·√((3/4)/(15/16)) = 3.5·√0.8.
        let whitening = Whitening::new(0.5, &[0, 1, 3]);
        let z = whitening.apply(&[4.0, 6.0, 5.0]);
        assert!((z[0] - 2.0 * 3f64.sqrt()).abs() < 1e-12);
        assert!((z[1] - 4.0).abs() < 1e-12);
        assert!((z[2] - 3.5 * 0.8f64.sqrt()).abs() < 1e-12);
        assert!((whitening.log_jacobian - 0.5 * (0.75f64.ln() + 0.8f64.ln())).abs() < 1e-12);
    }

    #[test]
    fn no_correlation_changes_nothing() {
        let whitening = Whitening::new(0.0, &[0, 1, 5]);
        assert_eq!(whitening.apply(&[4.0, 6.0, 5.0]), [4.0, 6.0, 5.0]);
        assert_eq!(whitening.log_jacobian, 0.0);
    }

    #[test]
    fn a_step_in_closed_form_is_the_step_transformed() {
        let whitening = Whitening::new(0.7, &[0, 1, 3, 4]);
        let z = whitening.apply(&[0.0, 1.0, 1.0, 1.0]);
        assert_eq!(z[0], 0.0);
        assert!((z[1] - whitening.step_edge(1)).abs() < 1e-15);
        assert!((z[2] - whitening.step_plateau(2)).abs() < 1e-15);
        assert!((z[3] - whitening.step_plateau(3)).abs() < 1e-15);
    }
}
