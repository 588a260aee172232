//! Block medians: a series reduced to some sixty values.
//!
//! The grid decides what the statistics can resolve. Where rotations are known and resolved, blocks are whole
//! rotations or equal parts of them, and one level per part removes the mean sawtooth. Otherwise, blocks are
//! sixtieths of the run.

use crate::median::median_of;
use crate::series::Series;

/// Maximum number of blocks: a change point every half minute of a half-hour run, and few enough to try all pairs.
pub(crate) const BLOCKS_MAX: usize = 60;

/// Whole rotations needed to distinguish them from steps.
pub(crate) const ROTATIONS_MIN: usize = 4;

/// Maximum number of parts of a rotation. An onset needs four blocks, which are then at most two minutes of four
/// rotations of 300 s.
const PARTS_MAX: usize = 12;

/// A grid with fewer blocks is refined if there are enough samples.
const BLOCKS_FEW: usize = 16;

/// A block is missing if despiking leaves a smaller share of its samples.
const KEPT_SHARE_MIN: f64 = 0.2;

/// The division of a run into `count` blocks of `width_s`. The last block ends half a spacing after the last sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Grid {
    /// Width of a block, seconds.
    pub(crate) width_s: f64,
    /// Number of blocks; the incomplete head of the run is dropped.
    pub(crate) count: usize,
    /// Blocks per rotation, each with its own level; 1 without a cycle.
    pub(crate) parts: usize,
}

/// Returns the number of whole rotations of `period_s` in `length_s`, both in seconds.
///
/// A partial rotation does not count, because chance decides how much of it falls into the run. A small tolerance
/// undoes rounding.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::whole_rotations;
///
/// assert_eq!(whole_rotations(100.0, 30.0), 3);
/// assert_eq!(whole_rotations(90.0, 30.0), 3);
/// ```
#[must_use]
pub fn whole_rotations(length_s: f64, period_s: f64) -> usize {
    (length_s / period_s + 1e-6) as usize
}

impl Grid {
    /// Chooses the grid for a run of `length_s` sampled every `spacing_s`, with a rotation every `period_s` if known.
    #[must_use]
    pub(crate) fn new(length_s: f64, spacing_s: f64, period_s: Option<f64>) -> Self {
        if let Some(period_s) = period_s {
            let rotations = whole_rotations(length_s, period_s);
            if rotations >= ROTATIONS_MIN && spacing_s <= period_s / 4.0 {
                return Self::of_rotations(rotations, period_s, spacing_s);
            }
        }
        let width_s = spacing_s.max(length_s / BLOCKS_MAX as f64);
        Self {
            width_s,
            count: ((length_s / width_s + 1e-6) as usize).min(BLOCKS_MAX),
            parts: 1,
        }
    }

    fn of_rotations(rotations: usize, period_s: f64, spacing_s: f64) -> Self {
        let wanted = (BLOCKS_MAX / rotations).max(if rotations <= 40 { 2 } else { 1 });
        let resolved = ((period_s / (3.0 * spacing_s)) as usize).max(1);
        // With few short rotations, parts of a sample or two are better than a handful of blocks.
        let parts = PARTS_MAX.min(wanted).min(resolved).max(BLOCKS_FEW.div_ceil(rotations));
        if parts > 1 {
            return Self {
                width_s: period_s / parts as f64,
                count: rotations * parts,
                parts,
            };
        }
        let together = rotations.div_ceil(BLOCKS_MAX);
        Self {
            width_s: period_s * together as f64,
            count: rotations / together,
            parts: 1,
        }
    }
}

/// The block medians of a series on a grid, without empty blocks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Blocks {
    /// The division of the run.
    pub(crate) grid: Grid,
    /// Start of the first block, seconds.
    pub(crate) begin_s: f64,
    /// Grid position of each block, from 0, increasing.
    pub(crate) index: Vec<usize>,
    /// Median of each block.
    pub(crate) value: Vec<f64>,
}

impl Blocks {
    /// Computes the medians of the kept samples.
    #[must_use]
    pub(crate) fn new(series: &Series, kept: &[bool], grid: Grid) -> Self {
        let end_s = series.t_s().last().copied().unwrap_or(0.0) + series.spacing_s() / 2.0;
        let begin_s = end_s - grid.width_s * grid.count as f64;
        let mut blocks = Self {
            grid,
            begin_s,
            index: Vec::with_capacity(grid.count),
            value: Vec::with_capacity(grid.count),
        };
        let mut taken = Vec::new();
        let mut from = series.t_s().partition_point(|&t| t < begin_s);
        for index in 0..grid.count {
            // Counted from the end, so that rounding never loses the newest sample.
            let edge_s = end_s - grid.width_s * (grid.count - 1 - index) as f64;
            let to = from + series.t_s()[from..].partition_point(|&t| t < edge_s);
            taken.clear();
            taken.extend((from..to).filter(|&i| kept[i]).map(|i| series.value()[i]));
            if taken.len() as f64 >= KEPT_SHARE_MIN * (to - from) as f64
                && let Some(median) = median_of(&mut taken)
            {
                blocks.index.push(index);
                blocks.value.push(median);
            }
            from = to;
        }
        blocks
    }

    /// Centre of the block at a grid position, as a share of the length.
    #[must_use]
    pub(crate) fn share(&self, index: usize) -> f64 {
        (index as f64 + 0.5) / self.grid.count as f64
    }

    /// Centres of all blocks, as shares of the length.
    #[must_use]
    pub(crate) fn shares(&self) -> Vec<f64> {
        self.index.iter().map(|&index| self.share(index)).collect()
    }

    /// Length of the missing blocks at the end of the run, seconds.
    #[must_use]
    pub(crate) fn missing_at_the_end_s(&self) -> f64 {
        let seen = self.index.last().map_or(0, |last| last + 1);
        self.grid.width_s * (self.grid.count - seen) as f64
    }

    /// Length of the grid, seconds.
    #[must_use]
    pub(crate) fn length_s(&self) -> f64 {
        self.grid.width_s * self.grid.count as f64
    }

    /// Start of the block at a grid position, seconds.
    #[must_use]
    pub(crate) fn edge_s(&self, index: usize) -> f64 {
        self.begin_s + self.grid.width_s * index as f64
    }
}

#[cfg(test)]
impl Blocks {
    /// Creates blocks from 0 s on, none of which is missing.
    pub(crate) fn whole(width_s: f64, parts: usize, value: Vec<f64>) -> Self {
        let count = value.len();
        Self {
            grid: Grid { width_s, count, parts },
            begin_s: 0.0,
            index: (0..count).collect(),
            value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each_second(n: usize) -> Series {
        Series::new((0..n).map(|i| i as f64).collect(), (0..n).map(|i| i as f64).collect()).unwrap()
    }

    #[test]
    fn without_rotations_a_run_is_cut_into_sixty() {
        assert_eq!(
            Grid::new(1800.0, 1.0, None),
            Grid {
                width_s: 30.0,
                count: 60,
                parts: 1
            }
        );
        assert_eq!(
            Grid::new(1920.0, 120.0, None),
            Grid {
                width_s: 120.0,
                count: 16,
                parts: 1
            }
        );
    }

    #[test]
    fn rotations_are_cut_into_equal_parts() {
        assert_eq!(
            Grid::new(1801.0, 1.0, Some(60.0)),
            Grid {
                width_s: 30.0,
                count: 60,
                parts: 2
            }
        );
        assert_eq!(
            Grid::new(1801.0, 1.0, Some(300.0)),
            Grid {
                width_s: 30.0,
                count: 60,
                parts: 10
            }
        );
        // Four rotations of 300 s: an onset needs four blocks of 25 s.
        assert_eq!(
            Grid::new(1201.0, 1.0, Some(300.0)),
            Grid {
                width_s: 25.0,
                count: 48,
                parts: 12
            }
        );
        assert_eq!(
            Grid::new(601.0, 1.0, Some(60.0)),
            Grid {
                width_s: 10.0,
                count: 60,
                parts: 6
            }
        );
        // 40 rotations still get two parts each, 41 do not.
        assert_eq!(
            Grid::new(1800.0, 1.0, Some(45.0)),
            Grid {
                width_s: 22.5,
                count: 80,
                parts: 2
            }
        );
        assert_eq!(
            Grid::new(1845.0, 1.0, Some(45.0)),
            Grid {
                width_s: 45.0,
                count: 41,
                parts: 1
            }
        );
    }

    #[test]
    fn many_rotations_share_a_block() {
        assert_eq!(
            Grid::new(3600.0, 1.0, Some(30.0)),
            Grid {
                width_s: 60.0,
                count: 60,
                parts: 1
            }
        );
        assert_eq!(
            Grid::new(1860.0, 1.0, Some(30.0)),
            Grid {
                width_s: 60.0,
                count: 31,
                parts: 1
            }
        );
    }

    #[test]
    fn few_rotations_or_few_samples_leave_the_plain_grid() {
        assert_eq!(Grid::new(1199.0, 1.0, Some(300.0)).parts, 1);
        assert_eq!(Grid::new(1200.0, 1.0, Some(300.0)).parts, 12);
        assert_eq!(Grid::new(1920.0, 76.0, Some(300.0)).parts, 1);
        assert_eq!(Grid::new(1920.0, 75.0, Some(300.0)).parts, 3);
    }

    #[test]
    fn a_short_run_of_short_rotations_keeps_enough_blocks() {
        assert_eq!(
            Grid::new(60.0, 1.0, Some(5.0)),
            Grid {
                width_s: 2.5,
                count: 24,
                parts: 2
            }
        );
        assert_eq!(
            Grid::new(60.0, 1.0, Some(4.0)),
            Grid {
                width_s: 2.0,
                count: 30,
                parts: 2
            }
        );
    }

    #[test]
    fn blocks_end_with_the_last_sample_and_drop_the_head() {
        let series = each_second(11);
        let blocks = Blocks::new(
            &series,
            &[true; 11],
            Grid {
                width_s: 5.0,
                count: 2,
                parts: 1,
            },
        );
        // Samples 1 to 5 and 6 to 10; sample 0 is the incomplete head.
        assert_eq!(blocks.value, [3.0, 8.0]);
        assert_eq!(blocks.index, [0, 1]);
        assert_eq!(blocks.begin_s, 0.5);
        assert_eq!(blocks.edge_s(1), 5.5);
        assert_eq!(blocks.length_s(), 10.0);
        assert_eq!(blocks.share(1), 0.75);
    }

    #[test]
    fn a_block_of_which_little_is_left_is_missing() {
        let series = each_second(20);
        let grid = Grid {
            width_s: 10.0,
            count: 2,
            parts: 1,
        };
        let mut kept = [true; 20];
        kept[..8].fill(false);
        assert_eq!(Blocks::new(&series, &kept, grid).value, [8.5, 14.5]);
        kept[8] = false;
        let blocks = Blocks::new(&series, &kept, grid);
        assert_eq!(
            (blocks.index.as_slice(), blocks.value.as_slice()),
            (&[1][..], &[14.5][..])
        );
        assert_eq!(blocks.missing_at_the_end_s(), 0.0);
    }

    #[test]
    fn missing_blocks_at_the_end_are_reported() {
        let series = each_second(20);
        let grid = Grid {
            width_s: 10.0,
            count: 2,
            parts: 1,
        };
        let mut kept = [true; 20];
        kept[11..].fill(false);
        assert_eq!(Blocks::new(&series, &kept, grid).missing_at_the_end_s(), 10.0);
        assert_eq!(Blocks::new(&series, &[false; 20], grid).missing_at_the_end_s(), 20.0);
    }

    #[test]
    fn a_part_of_a_rotation_has_three_samples_where_blocks_are_enough() {
        // A sample each 5 s: four parts of a minute; five rotations are twenty blocks.
        let grid = |length_s: f64| Grid::new(length_s, 5.0, Some(60.0));
        assert_eq!(
            (grid(300.0).count, grid(300.0).parts, grid(300.0).width_s),
            (20, 4, 15.0)
        );
        assert_eq!((grid(240.0).count, grid(240.0).parts), (16, 4));
        assert_eq!((grid(1200.0).count, grid(1200.0).parts), (60, 3));
        // A sample each 15 s: one part, but five rotations would be too few blocks.
        let rare = |length_s: f64| Grid::new(length_s, 15.0, Some(60.0));
        assert_eq!((rare(300.0).count, rare(300.0).parts), (20, 4));
        assert_eq!((rare(480.0).count, rare(480.0).parts), (16, 2));
        assert_eq!((rare(1200.0).count, rare(1200.0).parts), (20, 1));
    }
}
