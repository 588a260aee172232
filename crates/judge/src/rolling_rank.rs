//! The n-th smallest value of consecutive windows.
//!
//! A long series has a hundred thousand windows, and neighbours share most of their samples. Counting the samples
//! that entered and left shows whether a recent result still holds, at a fraction of the cost of a selection. The
//! result is exact either way.

use std::ops::Range;

/// Number of neighbouring values that are tried before a new selection.
const MAX_NEIGHBOURS: usize = 3;

/// The n-th smallest value of consecutive windows of one series.
#[derive(Debug, Clone)]
pub(crate) struct RollingRank {
    window: Range<usize>,
    /// The last two results: with few distinct values, the result alternates between two.
    last: [Candidate; 2],
}

/// A value with the numbers of window values below it and not above it.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    value: f64,
    below: usize,
    not_above: usize,
}

impl Candidate {
    fn of(value: f64, window: &[f64]) -> Self {
        Self {
            value,
            below: count(window, |v| v < value),
            not_above: count(window, |v| v <= value),
        }
    }

    /// Updates the counts for the values that entered and left.
    fn moved(self, entered: &[f64], left: &[f64]) -> Self {
        let (entered, left) = (Self::of(self.value, entered), Self::of(self.value, left));
        Self {
            below: self.below + entered.below - left.below,
            not_above: self.not_above + entered.not_above - left.not_above,
            ..self
        }
    }

    fn is_at(&self, rank: usize) -> bool {
        self.below <= rank && rank < self.not_above
    }

    /// Returns the next window value towards a rank, if there is one.
    fn towards(self, rank: usize, window: &[f64]) -> Option<Self> {
        let (value, least, most) = (self.value, f64::NEG_INFINITY, f64::INFINITY);
        let next = if rank < self.below {
            window
                .iter()
                .fold(least, |next, &v| if v < value && v > next { v } else { next })
        } else {
            window
                .iter()
                .fold(most, |next, &v| if v > value && v < next { v } else { next })
        };
        next.is_finite().then(|| Self::of(next, window))
    }
}

impl RollingRank {
    /// Creates a state without results.
    pub(crate) const fn new() -> Self {
        let nothing = Candidate {
            value: f64::NAN,
            below: 0,
            not_above: 0,
        };
        Self {
            window: 0..0,
            last: [nothing; 2],
        }
    }

    /// Returns the value of `rank` (from 0) in a window of `values`.
    ///
    /// The values must be finite and the same in each call, and the window larger than `rank`. `scratch` may be
    /// overwritten.
    pub(crate) fn of(&mut self, values: &[f64], window: Range<usize>, rank: usize, scratch: &mut Vec<f64>) -> f64 {
        self.move_to(values, window);
        if self.last[1].is_at(rank) {
            self.last.swap(0, 1);
        }
        if !self.last[0].is_at(rank) {
            let found = self.search(&values[self.window.clone()], rank, scratch);
            self.last = [found, self.last[0]];
        }
        self.last[0].value
    }

    fn move_to(&mut self, values: &[f64], window: Range<usize>) {
        let before = std::mem::replace(&mut self.window, window.clone());
        let is_forward = before.start <= window.start && before.end <= window.end;
        self.last = if is_forward && window.start <= before.end {
            let (entered, left) = (&values[before.end..window.end], &values[before.start..window.start]);
            self.last.map(|candidate| candidate.moved(entered, left))
        } else {
            self.last
                .map(|candidate| Candidate::of(candidate.value, &values[window.clone()]))
        };
    }

    fn search(&self, window: &[f64], rank: usize, scratch: &mut Vec<f64>) -> Candidate {
        let mut candidate = self.last[0];
        for _ in 0..MAX_NEIGHBOURS {
            match candidate.towards(rank, window) {
                Some(next) if next.is_at(rank) => return next,
                Some(next) => candidate = next,
                None => break,
            }
        }
        scratch.clear();
        scratch.extend_from_slice(window);
        Candidate::of(*scratch.select_nth_unstable_by(rank, f64::total_cmp).1, window)
    }
}

/// Counts the values with a property. A sum compiles to vector instructions.
pub(crate) fn count(values: &[f64], holds: impl Fn(f64) -> bool) -> usize {
    values.iter().map(|&v| usize::from(holds(v))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_window_has_its_own_result_whatever_the_last_one_was() {
        let mut random = 4711_u32;
        let mut next = |steps: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from((random >> 8) % steps)
        };
        // Segments with few values, with many, and at other levels.
        let values: Vec<f64> = (0..4000)
            .map(|i| (i / 700) as f64 * 1000.0 + next([1, 3, 8, 10_000][i / 100 % 4]))
            .collect();
        let mut rank = RollingRank::new();
        let mut scratch = Vec::new();
        let mut begin = 0;
        for turn in 0..2000 {
            // Windows move forward by a few samples, and sometimes far away or back.
            begin = match turn % 50 {
                0 => next(3900) as usize,
                _ => (begin + next(8) as usize).min(3900),
            };
            let window = begin..begin + 1 + next(60) as usize;
            let at = (turn / 40) % window.len();
            let mut ordered = values[window.clone()].to_vec();
            ordered.sort_by(f64::total_cmp);
            assert_eq!(rank.of(&values, window, at, &mut scratch), ordered[at], "turn {turn}");
        }
    }
}
