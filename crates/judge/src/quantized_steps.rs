//! Rises of one or two quanta, which a short run cannot distinguish from a leak.
//!
//! No fit shows this: counts rise in whole quanta, so a leak with time for two of them equals two steps. A leak that
//! began too late to move the value does not show at all.

use crate::blocks::Blocks;
use crate::fit::Fit;
use crate::models::{Model, ModelSet};

/// Quanta that the limit must allow over the run for steps to be separable from growth. A model explains up to two
/// rises as steps. A leak of twice the limit from seven tenths on moves six tenths of this number. That must exceed
/// two by as much again, because noise may hide half.
const MIN_SEPARABLE_ALLOWANCE: f64 = 8.0;

/// Number of last blocks in which a leak looks like steps, because no changepoint is that late.
const LATE_BLOCKS: usize = 3;

/// Share of a run in which a leak that begins there must still show for a pass.
const MIN_VISIBLE_SHARE: f64 = 0.3;

/// Size of the leak that a pass must exclude, in limits.
const LEAK_IN_LIMITS: f64 = 2.0;

/// Returns the growth that the limit allows over the whole regressor, in quanta; infinite without a quantum. `scale`
/// converts growth over the regressor to growth per minute or rotation.
#[must_use]
pub(crate) fn allowance(limit: f64, scale: f64, quantum: f64) -> f64 {
    limit / (scale * quantum)
}

/// True if the run is long enough to distinguish steps from growth.
#[must_use]
pub(crate) fn steps_are_separable(allowance: f64) -> bool {
    allowance >= MIN_SEPARABLE_ALLOWANCE
}

/// True if a leak of twice the limit would have moved the value by a quantum in the last three tenths of the run.
#[must_use]
pub(crate) fn late_leak_is_visible(allowance: f64) -> bool {
    LEAK_IN_LIMITS * MIN_VISIBLE_SHARE * allowance >= 1.0
}

/// Returns the factor by which the run must be longer for a late leak to show.
#[must_use]
pub(crate) fn required_length_factor(allowance: f64) -> f64 {
    1.0 / (LEAK_IN_LIMITS * MIN_VISIBLE_SHARE * allowance)
}

/// Returns the position of the first block from which steps are never separable from growth.
#[must_use]
pub(crate) fn first_late_block(blocks: &Blocks) -> usize {
    let since = blocks.grid.count.saturating_sub(LATE_BLOCKS);
    blocks.index.partition_point(|&index| index < since)
}

/// Returns the growth that a model gains if rises from block `since` on count as growth.
///
/// A step of s at position x of the regressor becomes a staircase from there, or from seven tenths if it came later.
/// Over the whole regressor, it grows by s / (1 − x).
#[must_use]
pub(crate) fn added_growth(fit: &Fit, model_set: &ModelSet, since: usize) -> f64 {
    let left = |at: usize| (1.0 - model_set.line[at]).max(MIN_VISIBLE_SHARE);
    let rise = |size: f64, at: usize| if at < since { 0.0 } else { size.max(0.0) / left(at) };
    let [first, second] = fit.added;
    match fit.model {
        Model::Step { at } | Model::StepAndWarmUp { at, .. } => rise(first, at),
        Model::TwoSteps { first: a, second: b } => rise(first, a) + rise(second, b),
        Model::Linear | Model::Changepoint { .. } | Model::WarmUp { .. } => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks() -> Blocks {
        Blocks::whole(1.0, 1, vec![0.0; 30])
    }

    fn model_set() -> ModelSet {
        let blocks = blocks();
        ModelSet::new(&blocks, blocks.shares())
    }

    fn fit(model: Model, added: [f64; 2]) -> Fit {
        Fit {
            model,
            log_weight: 0.0,
            growth: 1.0,
            standard_error: 0.5,
            dof: 20,
            added,
            variance: 1.0,
            correlation: 0,
        }
    }

    fn growth(model: Model, added: [f64; 2]) -> f64 {
        let fit = fit(model, added);
        fit.growth + added_growth(&fit, &model_set(), 0)
    }

    #[test]
    fn half_a_minute_at_ten_a_minute_allows_five_quanta() {
        // Growth over 30 s is growth per minute over 2; two minutes at 1 a minute allow 2 of 1 and half of 4.
        assert_eq!(allowance(10.0, 2.0, 1.0), 5.0);
        assert_eq!(allowance(1.0, 0.5, 4.0), 0.5);
        assert_eq!(allowance(1.0, 0.5, 0.0), f64::INFINITY);
        assert!(steps_are_separable(8.0) && !steps_are_separable(7.99));
    }

    #[test]
    fn a_late_leak_is_seen_when_it_moved_one_quantum() {
        // Six tenths of what is allowed: 1 at 5/3.
        assert!(late_leak_is_visible(1.667) && !late_leak_is_visible(1.666));
        assert!((required_length_factor(1.0) - 1.0 / 0.6).abs() < 1e-12);
        assert!((required_length_factor(2.0) - 1.0 / 1.2).abs() < 1e-12);
    }

    #[test]
    fn a_step_up_is_a_staircase_that_began_with_it() {
        // Block 15 of 30 lies at 31/60, so 29/60 remain.
        let half = growth(Model::Step { at: 15 }, [2.0, 0.0]);
        assert!((half - (1.0 + 2.0 * 60.0 / 29.0)).abs() < 1e-12, "{half}");
        let warm = growth(Model::StepAndWarmUp { at: 15, warm_up: 0 }, [2.0, 5.0]);
        assert!((warm - half).abs() < 1e-12, "{warm}");
        // A step in the last three tenths counts from seven tenths on.
        let late = growth(Model::Step { at: 29 }, [2.0, 0.0]);
        assert!((late - (1.0 + 2.0 / 0.3)).abs() < 1e-12, "{late}");
    }

    #[test]
    fn two_steps_add_up_and_steps_down_do_not_count() {
        let two = |added| growth(Model::TwoSteps { first: 15, second: 29 }, added);
        assert!((two([2.0, 3.0]) - (1.0 + 2.0 * 60.0 / 29.0 + 3.0 / 0.3)).abs() < 1e-12);
        assert!((two([2.0, -3.0]) - (1.0 + 2.0 * 60.0 / 29.0)).abs() < 1e-12);
        assert_eq!(growth(Model::Step { at: 15 }, [-2.0, 0.0]), 1.0);
    }

    #[test]
    fn only_what_rose_since_then_is_counted() {
        let fit = fit(Model::TwoSteps { first: 15, second: 27 }, [2.0, 3.0]);
        assert_eq!(first_late_block(&blocks()), 27);
        assert!((added_growth(&fit, &model_set(), 27) - 3.0 / 0.3).abs() < 1e-12);
        assert_eq!(added_growth(&fit, &model_set(), 28), 0.0);
        // The grid position counts, not the number of blocks before it.
        let gap = Blocks {
            index: (0..20).chain(28..30).collect(),
            value: vec![0.0; 22],
            ..blocks()
        };
        assert_eq!(first_late_block(&gap), 20);
    }

    #[test]
    fn what_is_no_step_is_left_alone() {
        for model in [
            Model::Linear,
            Model::Changepoint { changepoint: 3 },
            Model::WarmUp { warm_up: 0 },
        ] {
            assert_eq!(growth(model, [2.0, 2.0]), 1.0);
        }
    }
}
