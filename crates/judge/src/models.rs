//! The candidate models of a series.
//!
//! Each contains a straight line and adds a step, a changepoint, a warm-up, or two of them. Sixty blocks have about
//! 2300 models, few enough to fit every one.

use crate::blocks::Blocks;

/// Longest time constant that is always considered, seconds. Slower warm-ups need a longer run (T ≥ 3 τ).
pub(crate) const WARM_UP_MAX_S: f64 = 163.0;

/// Shortest time constant, and the ratio of neighbours. Sixty blocks do not resolve finer steps.
const WARM_UP_MIN_S: f64 = 8.0;
const WARM_UP_RATIO: f64 = 1.14;

/// Only every third warm-up is combined with a step: neighbours differ less than neighbouring steps do.
const WARM_UP_STRIDE: usize = 3;

/// The addition to a straight line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Model {
    /// A straight line alone.
    Linear,
    /// A lasting change of level.
    Step {
        /// Position of its first block.
        at: usize,
    },
    /// A change of slope.
    Changepoint {
        /// Position in [`ModelSet::changepoints`].
        changepoint: usize,
    },
    /// An exponential approach to a level.
    WarmUp {
        /// Position in [`ModelSet::warm_ups`].
        warm_up: usize,
    },
    /// Two lasting changes of level.
    TwoSteps {
        /// Position of the first block of the first step.
        first: usize,
        /// Position of the first block of the second step.
        second: usize,
    },
    /// A lasting change of level and an exponential approach.
    StepAndWarmUp {
        /// Position of its first block.
        at: usize,
        /// Position in [`ModelSet::warm_ups`].
        warm_up: usize,
    },
}

/// The kinds of models, which all have the same prior probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModelKind {
    /// A straight line.
    Linear,
    /// One change of level.
    Step,
    /// A change of slope.
    Changepoint,
    /// An exponential approach to a level.
    WarmUp,
    /// Two changes of level.
    TwoSteps,
    /// A change of level and an exponential approach.
    StepAndWarmUp,
}

impl ModelKind {
    /// All kinds, by number.
    pub(crate) const ALL: [Self; 6] = [
        Self::Linear,
        Self::Step,
        Self::Changepoint,
        Self::WarmUp,
        Self::TwoSteps,
        Self::StepAndWarmUp,
    ];
}

impl Model {
    /// Returns the kind of the model.
    #[must_use]
    pub(crate) fn kind(self) -> ModelKind {
        match self {
            Self::Linear => ModelKind::Linear,
            Self::Step { .. } => ModelKind::Step,
            Self::Changepoint { .. } => ModelKind::Changepoint,
            Self::WarmUp { .. } => ModelKind::WarmUp,
            Self::TwoSteps { .. } => ModelKind::TwoSteps,
            Self::StepAndWarmUp { .. } => ModelKind::StepAndWarmUp,
        }
    }

    /// Returns the number of columns added to the line.
    #[must_use]
    pub(crate) fn columns(self) -> usize {
        match self {
            Self::Linear => 0,
            Self::Step { .. } | Self::Changepoint { .. } | Self::WarmUp { .. } => 1,
            Self::TwoSteps { .. } | Self::StepAndWarmUp { .. } => 2,
        }
    }
}

/// A change of slope.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Changepoint {
    /// Grid position of the first block with the new slope.
    pub(crate) edge: usize,
    /// Time of the change as a share of the blocks' length.
    pub(crate) share: f64,
    /// (x − x_c)₊ at each block.
    pub(crate) column: Vec<f64>,
}

/// An exponential approach to a level.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WarmUp {
    /// Time constant, seconds.
    pub(crate) time_constant_s: f64,
    /// exp(−t/τ) at each block.
    pub(crate) column: Vec<f64>,
    /// Slope at the end, over the whole regressor: −T/τ exp(−T/τ).
    pub(crate) slope_at_the_end: f64,
}

/// The columns of all models of a series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelSet {
    /// Number of blocks. A step may begin at any but the first.
    pub(crate) blocks: usize,
    /// The regressor x of growth at each block, from 0 to 1.
    pub(crate) line: Vec<f64>,
    /// Levels: a column of ones, then one column per further part of a rotation.
    pub(crate) levels: Vec<Vec<f64>>,
    /// Changepoints.
    pub(crate) changepoints: Vec<Changepoint>,
    /// Warm-ups.
    pub(crate) warm_ups: Vec<WarmUp>,
}

impl ModelSet {
    /// Creates the columns for blocks with the regressor `line`, one number from 0 to 1 per block.
    #[must_use]
    pub(crate) fn new(blocks: &Blocks, line: Vec<f64>) -> Self {
        Self {
            blocks: blocks.index.len(),
            levels: levels(blocks),
            changepoints: changepoints(blocks, &line),
            warm_ups: warm_ups(blocks),
            line,
        }
    }

    /// Returns the warm-ups that are combined with steps.
    pub(crate) fn warm_ups_with_steps(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.warm_ups.len()).step_by(WARM_UP_STRIDE)
    }
}

fn levels(blocks: &Blocks) -> Vec<Vec<f64>> {
    let parts = blocks.grid.parts;
    let mut levels = vec![vec![1.0; blocks.index.len()]];
    for part in 1..parts {
        let column: Vec<f64> = blocks
            .index
            .iter()
            .map(|i| if i % parts == part { 1.0 } else { 0.0 })
            .collect();
        levels.push(column);
    }
    levels
}

/// Returns the number of blocks needed after a changepoint: four, and a fifteenth of the run. With fewer, noise of
/// the last blocks would look like an onset.
pub(crate) fn blocks_after_changepoint(count: usize) -> usize {
    4.max(count / 15)
}

fn changepoints(blocks: &Blocks, line: &[f64]) -> Vec<Changepoint> {
    let count = blocks.grid.count;
    let last = count.saturating_sub(blocks_after_changepoint(count));
    let mut changepoints = Vec::new();
    for edge in 3..last {
        let at = blocks.index.partition_point(|&i| i < edge);
        if at == 0 || at == line.len() {
            continue;
        }
        let place = edge_between(blocks, line, at, edge);
        let column = line.iter().map(|x| (x - place).max(0.0)).collect();
        changepoints.push(Changepoint {
            edge,
            share: edge as f64 / count as f64,
            column,
        });
    }
    changepoints
}

/// Interpolates the regressor at the edge of a block.
fn edge_between(blocks: &Blocks, line: &[f64], at: usize, edge: usize) -> f64 {
    let (before, after) = (blocks.index[at - 1] as f64 + 0.5, blocks.index[at] as f64 + 0.5);
    line[at - 1] + (line[at] - line[at - 1]) * (edge as f64 - before) / (after - before)
}

fn warm_ups(blocks: &Blocks) -> Vec<WarmUp> {
    let length_s = blocks.length_s();
    let longest_s = WARM_UP_MAX_S.max(length_s / 6.0);
    let shortest_s = length_s / (2.0 * blocks.grid.count as f64);
    // Counted down from the longest, so that a huge run does not start at eight seconds.
    let steps_to = |s: f64| (s / WARM_UP_MIN_S).ln() / WARM_UP_RATIO.ln();
    let first = steps_to(shortest_s).ceil().max(0.0);
    let number = (steps_to(longest_s) - first).floor().clamp(-1.0, 63.0) as i32;
    (0..=number)
        .map(|j| {
            let time_constant_s = WARM_UP_MIN_S * WARM_UP_RATIO.powf(first + f64::from(j));
            let column = blocks
                .index
                .iter()
                .map(|&i| (-blocks.share(i) * length_s / time_constant_s).exp())
                .collect();
            let times = length_s / time_constant_s;
            WarmUp {
                time_constant_s,
                column,
                slope_at_the_end: -times * (-times).exp(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::Grid;

    fn sixty() -> Blocks {
        Blocks::whole(30.0, 2, vec![0.0; 60])
    }

    fn of(blocks: &Blocks) -> ModelSet {
        ModelSet::new(blocks, blocks.shares())
    }

    #[test]
    fn changepoints_leave_blocks_on_both_sides() {
        let model_set = of(&sixty());
        let edges: Vec<usize> = model_set.changepoints.iter().map(|k| k.edge).collect();
        assert_eq!((edges[0], *edges.last().unwrap(), edges.len()), (3, 55, 53));
        assert_eq!(model_set.changepoints[27].share, 0.5);
        // At half the run: 0 at the block before, half a block's share at the block after.
        assert_eq!(model_set.changepoints[27].column[29], 0.0);
        assert!((model_set.changepoints[27].column[30] - 0.5 / 60.0).abs() < 1e-12);
        assert!((model_set.changepoints[27].column[59] - (59.5 / 60.0 - 0.5)).abs() < 1e-12);
    }

    #[test]
    fn a_short_grid_leaves_four_blocks() {
        let blocks = Blocks::whole(120.0, 1, vec![0.0; 16]);
        assert_eq!(of(&blocks).changepoints.last().unwrap().edge, 11);
    }

    #[test]
    fn warm_ups_reach_from_half_a_block_to_a_sixth_of_the_run() {
        let model_set = of(&sixty());
        let times: Vec<f64> = model_set.warm_ups.iter().map(|w| w.time_constant_s).collect();
        assert!(times[0] >= 15.0 && times[0] < 15.0 * 1.14);
        assert!(*times.last().unwrap() <= 300.0 && *times.last().unwrap() > 300.0 / 1.14);
        assert!((times[1] / times[0] - 1.14).abs() < 1e-12);
        let first = &model_set.warm_ups[0];
        assert!((first.column[0] - (-15.0 / first.time_constant_s).exp()).abs() < 1e-12);
        assert_eq!(model_set.warm_ups_with_steps().take(3).collect::<Vec<_>>(), [0, 3, 6]);
    }

    #[test]
    fn a_short_run_considers_slow_warm_ups_too() {
        let model_set = of(&Blocks::whole(1.0, 1, vec![0.0; 60]));
        assert_eq!(model_set.warm_ups[0].time_constant_s, 8.0);
        assert!((model_set.warm_ups.last().unwrap().time_constant_s - 163.0).abs() < 163.0 * 0.14);
    }

    #[test]
    fn each_part_of_a_rotation_has_a_level() {
        let model_set = of(&sixty());
        assert_eq!(model_set.levels.len(), 2);
        assert_eq!(model_set.levels[1][..4], [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(model_set.levels[0][..4], [1.0; 4]);
    }

    #[test]
    fn an_edge_in_a_gap_is_interpolated() {
        let grid = Grid {
            width_s: 1.0,
            count: 20,
            parts: 1,
        };
        let index: Vec<usize> = (0..20).filter(|i| !(5..8).contains(i)).collect();
        let blocks = Blocks {
            grid,
            begin_s: 0.0,
            value: vec![0.0; index.len()],
            index,
        };
        let model_set = of(&blocks);
        let changepoint = model_set.changepoints.iter().find(|k| k.edge == 6).unwrap();
        // Edge 6 of 20 lies at 0.3; block 8, the first after the gap, at 0.425.
        assert!((changepoint.column[5] - 0.125).abs() < 1e-12);
        assert_eq!(changepoint.column[4], 0.0);
    }

    #[test]
    fn a_fifteenth_of_a_long_run_follows_a_changepoint() {
        assert_eq!([16, 60, 74, 75, 150].map(blocks_after_changepoint), [4, 4, 4, 5, 10]);
    }

    #[test]
    fn a_changepoint_lies_between_its_neighbours_where_the_line_bends() {
        // Rotations that accelerate: edge 10 lies half-way between 9.5² and 10.5².
        let blocks = sixty();
        let line: Vec<f64> = (0..60).map(|i| (f64::from(i) + 0.5).powi(2) / 3600.0).collect();
        let changepoint = &ModelSet::new(&blocks, line).changepoints[7];
        let place = (9.5_f64.powi(2) + 10.5_f64.powi(2)) / 2.0 / 3600.0;
        assert_eq!((changepoint.edge, changepoint.column[9]), (10, 0.0));
        assert!((changepoint.column[59] - (59.5_f64.powi(2) / 3600.0 - place)).abs() < 1e-12);
    }

    #[test]
    fn two_blocks_show_no_warm_up() {
        let blocks = Blocks::whole(5e5, 1, vec![0.0; 2]);
        assert!(of(&blocks).warm_ups.is_empty());
    }
}
