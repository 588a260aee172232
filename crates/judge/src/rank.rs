//! The n-th smallest value of one window after the other.
//!
//! Apart, because a long series has a hundred thousand windows and neighbours have most of their samples in common: counting
//! whether the last answer (or one of its neighbours) still holds is a tenth of the cost of a selection. The answer is exact
//! either way.

/// How many neighbouring values are tried before the window is selected anew: counts move by a step or two.
const NEIGHBOURS: usize = 3;

/// The n-th smallest value, window by window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rank {
    last: f64,
}

impl Rank {
    /// Nothing is known yet.
    pub(crate) const fn new() -> Self {
        Self { last: f64::NAN }
    }

    /// The value of `rank` (from 0) among `values`, which must be finite and more than `rank`; `scratch` is overwritten if needed.
    pub(crate) fn of(&mut self, values: &[f64], rank: usize, scratch: &mut Vec<f64>) -> f64 {
        let mut guess = self.last;
        for _ in 0..=NEIGHBOURS {
            let (below, not_above) = (count(values, |v| v < guess), count(values, |v| v <= guess));
            if below <= rank && rank < not_above {
                self.last = guess;
                return guess;
            }
            let neighbour = if rank < below {
                values
                    .iter()
                    .fold(f64::NEG_INFINITY, |most, &v| if v < guess { most.max(v) } else { most })
            } else {
                values
                    .iter()
                    .fold(f64::INFINITY, |least, &v| if v > guess { least.min(v) } else { least })
            };
            if !neighbour.is_finite() {
                break;
            }
            guess = neighbour;
        }
        scratch.clear();
        scratch.extend_from_slice(values);
        self.last = *scratch.select_nth_unstable_by(rank, f64::total_cmp).1;
        self.last
    }
}

/// Written as a sum, which becomes vector instructions.
pub(crate) fn count(values: &[f64], holds: impl Fn(f64) -> bool) -> usize {
    values.iter().map(|&v| usize::from(holds(v))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_window_has_its_own_answer_whatever_the_last_one_was() {
        let mut random = 4711_u32;
        let mut next = |steps: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from((random >> 8) % steps)
        };
        let mut rank = Rank::new();
        let mut scratch = Vec::new();
        for window in 0..500 {
            // Now a handful of values, now many, now elsewhere.
            let steps = [1, 3, 8, 10_000][window % 4];
            let level = (window / 100) as f64 * 1000.0;
            let values: Vec<f64> = (0..1 + window % 37).map(|_| level + next(steps)).collect();
            let at = window % values.len();
            let mut ordered = values.clone();
            ordered.sort_by(f64::total_cmp);
            assert_eq!(rank.of(&values, at, &mut scratch), ordered[at], "window {window}");
        }
    }
}
