//! The components of the mixture.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::fit::Fit;
use crate::student;

/// Width of a mixture component, in standard errors. Models that differ by less are merged. Mean and spread are kept,
/// so the posterior changes only in the third order.
const COMPONENT_WIDTH: f64 = 0.25;

/// Bits of a standard error that the models of a component share: sign, exponent and 3 bits, which is to an eighth.
const COMPONENT_BITS: u32 = 64 - 15;

/// A component of the mixture: models with nearly the same growth and standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MixtureComponent {
    pub(super) weight: f64,
    /// Growth of the first model. Sums are relative to it, which keeps their digits.
    origin: f64,
    pub(super) growth: f64,
    pub(super) standard_error: f64,
    dof: u32,
}

/// The index of the mixture components by key.
#[derive(Default)]
pub(super) struct ComponentIndex {
    positions: HashMap<(u64, i64), usize, BuildHasherDefault<KeyHasher>>,
    last: Option<((u64, i64), usize)>,
}

/// A multiplicative hasher [Knuth 1973, 6.4]. Keys are not chosen by an adversary, and each series has ten thousand.
#[derive(Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_i64(&mut self, number: i64) {
        self.write_u64(number as u64);
    }
}

impl ComponentIndex {
    /// Adds a model to its component. Components keep the order of their first model, so sums are the same in every
    /// run. Neighbouring models often share a component, which saves the look-up.
    pub(super) fn add(&mut self, components: &mut Vec<MixtureComponent>, fit: &Fit, weight: f64) {
        let key = component_key(fit);
        let position = match self.last {
            Some((same, position)) if same == key => position,
            _ => *self.positions.entry(key).or_insert(components.len()),
        };
        self.last = Some((key, position));
        if position == components.len() {
            components.push(MixtureComponent {
                weight: 0.0,
                origin: fit.growth,
                growth: 0.0,
                standard_error: 0.0,
                dof: fit.dof,
            });
        }
        components[position].add(fit, weight);
    }
}

impl MixtureComponent {
    /// Adds first and second moments.
    fn add(&mut self, fit: &Fit, weight: f64) {
        let offset = fit.growth - self.origin;
        self.weight += weight;
        self.growth += weight * offset;
        self.standard_error += weight * (offset * offset + fit.standard_error * fit.standard_error);
    }

    pub(super) fn normalize(&mut self, total: f64) {
        let offset = self.growth / self.weight;
        self.standard_error = (self.standard_error / self.weight - offset * offset).max(0.0).sqrt();
        self.growth = self.origin + offset;
        self.weight /= total;
    }

    pub(super) fn cdf(&self, growth: f64) -> f64 {
        scaled_t_cdf(growth - self.growth, self.standard_error, self.dof)
    }
}

pub(super) fn scaled_t_cdf(offset: f64, standard_error: f64, dof: u32) -> f64 {
    if standard_error > 0.0 {
        return student::cdf(offset / standard_error, dof);
    }
    if offset < 0.0 { 0.0 } else { 1.0 }
}

/// Returns the key that models of one component share.
fn component_key(fit: &Fit) -> (u64, i64) {
    let width = f64::from_bits(fit.standard_error.to_bits() >> COMPONENT_BITS << COMPONENT_BITS) * COMPONENT_WIDTH;
    let steps = fit.growth / width;
    // Rounds down faster than `floor`. The cast saturates, so the correction must as well.
    let whole = steps as i64;
    (
        fit.standard_error.to_bits() >> COMPONENT_BITS,
        whole.saturating_sub(i64::from(whole as f64 > steps)),
    )
}
