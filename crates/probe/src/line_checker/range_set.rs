//! A set of the numbers 1, 2, 3, …, kept as ranges.

use std::collections::BTreeMap;

/// A set of numbers: fast for ascending ones, correct in any order.
#[derive(Clone, Debug, Default)]
pub(super) struct RangeSet {
    /// Last numbers of the ranges by their first. They neither overlap nor touch, except that `last` may touch one.
    ranges: BTreeMap<u64, u64>,
    /// The highest range; (0, 0) while there is none, as numbers begin with 1.
    last: (u64, u64),
    count: u64,
}

impl RangeSet {
    /// Adds a number. Returns `false` if the set has it already, and for 0, which is no line number.
    pub(super) fn insert(&mut self, n: u64) -> bool {
        let (first, last) = self.last;
        if n == 0 || (n >= first && n <= last) {
            return false;
        }
        if n > last {
            if n == last + 1 && last > 0 {
                self.last.1 = n;
            } else {
                if last > 0 {
                    self.ranges.insert(first, last);
                }
                self.last = (n, n);
            }
        } else if !self.insert_below(n) {
            return false;
        }
        self.count += 1;
        true
    }

    /// Adds a number below the last range.
    fn insert_below(&mut self, n: u64) -> bool {
        let below = self.ranges.range(..=n).next_back().map(|(f, l)| (*f, *l));
        if below.is_some_and(|(_, l)| l >= n) {
            return false;
        }
        let mut range = (n, n);
        if let Some((f, l)) = below
            && l + 1 == n
        {
            self.ranges.remove(&f);
            range.0 = f;
        }
        if let Some(l) = self.ranges.remove(&(n + 1)) {
            range.1 = l;
        }
        if range.1 + 1 == self.last.0 {
            self.last.0 = range.0;
        } else {
            self.ranges.insert(range.0, range.1);
        }
        true
    }

    /// Returns the number of elements.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// Returns the highest number, or 0.
    pub(super) fn highest(&self) -> u64 {
        self.last.1
    }

    /// Returns the ranges between 1 and `to` that are missing: first and last number.
    pub(super) fn missing(&self, to: u64) -> impl Iterator<Item = (u64, u64)> {
        let last = (self.last.1 > 0).then_some(self.last);
        let all = self
            .ranges
            .iter()
            .map(|(f, l)| (*f, *l))
            .chain(last)
            .chain(std::iter::once((to + 1, to + 1)));
        let mut next = 1;
        all.filter_map(move |(first, last)| {
            let gap = (next, first.min(to + 1) - 1);
            next = next.max(last + 1);
            (gap.0 <= gap.1).then_some(gap)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_set(numbers in proptest::collection::vec(1u64..40, 0..80), to in 0u64..45) {
            let mut set = RangeSet::default();
            let mut plain = BTreeSet::new();
            for n in &numbers {
                prop_assert_eq!(set.insert(*n), plain.insert(*n));
            }
            prop_assert_eq!(set.len(), plain.len() as u64);
            prop_assert_eq!(set.highest(), plain.last().copied().unwrap_or(0));
            let missing: Vec<u64> = set.missing(to).flat_map(|(f, l)| f..=l).collect();
            let expected: Vec<u64> = (1..=to).filter(|n| !plain.contains(n)).collect();
            prop_assert_eq!(missing, expected);
        }
    }

    #[test]
    fn numbers_in_order_with_a_gap_are_two_ranges() {
        let mut set = RangeSet::default();
        for n in (1..=1000).filter(|n| *n != 500) {
            assert!(set.insert(n));
        }
        assert_eq!(set.ranges.len(), 1);
        assert_eq!(set.missing(1000).collect::<Vec<_>>(), [(500, 500)]);
    }
}
