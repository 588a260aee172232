//! A body read once, line by line, for all selectors.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::line;
use super::selector::Selector;

/// Longest line that is read; longer ones count as unread. A series with 64 KiB of labels is a bomb, not a metric.
pub const LINE_BYTES: usize = 64 << 10;

/// Most series that are read. A scrape beyond it gives no values: a sum over a part would be a wrong number.
pub const SERIES: usize = 100_000;

/// Reads bodies for these selectors; keeps no memory of one body for the next.
#[derive(Debug)]
pub struct Scan {
    selectors: Vec<Selector>,
    /// By which of its names each selector was matched so far.
    ranks: Vec<usize>,
    /// Which matching series were seen, to leave out repeated ones; kept to use its memory again.
    seen: HashSet<u64>,
}

/// What one body held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scanned {
    /// One value for each selector, in their order; `None` if no series matches, or none with a finite value.
    pub values: Vec<Option<f64>>,
    /// Sample lines that were read.
    pub series: usize,
    /// Lines that are not in the format, or too long.
    pub unread: usize,
    /// Series of the same name and labels as an earlier one; the first counts.
    pub repeated: usize,
    /// Wanted series whose value was NaN or infinite, and so no value.
    pub not_finite: usize,
    /// There were more than [`SERIES`]; then there are no values.
    pub too_many: bool,
}

impl Scan {
    /// For these selectors.
    #[must_use]
    pub fn new(selectors: Vec<Selector>) -> Self {
        Self {
            ranks: vec![usize::MAX; selectors.len()],
            selectors,
            seen: HashSet::new(),
        }
    }

    /// How many selectors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.selectors.len()
    }

    /// Whether nothing is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.selectors.is_empty()
    }

    /// Reads one body.
    pub fn read(&mut self, body: &[u8]) -> Scanned {
        self.seen.clear();
        self.ranks.fill(usize::MAX);
        let mut scanned = Scanned {
            values: vec![None; self.selectors.len()],
            ..Scanned::default()
        };
        for text in lines(body) {
            if text.first().is_none_or(|b| *b == b'#') {
                continue;
            }
            if text.len() > LINE_BYTES {
                scanned.unread += 1;
                continue;
            }
            let Some(line) = line::parse(text) else {
                // A line of blanks is no line.
                scanned.unread += usize::from(!text.trim_ascii().is_empty());
                continue;
            };
            scanned.series += 1;
            if scanned.series > SERIES {
                scanned.values.fill(None);
                scanned.too_many = true;
                return scanned;
            }
            self.take(&line, &mut scanned);
        }
        scanned
    }

    fn take(&mut self, line: &line::Line<'_>, scanned: &mut Scanned) {
        let mut is_new = None;
        for (i, selector) in self.selectors.iter().enumerate() {
            let Some(rank) = selector.matches(line) else { continue };
            if !*is_new.get_or_insert_with(|| self.seen.insert(identity(line))) {
                scanned.repeated += 1;
                return;
            }
            // A series under a later name is forgotten when one under an earlier name comes.
            if rank > self.ranks[i] {
                continue;
            }
            if rank < self.ranks[i] {
                self.ranks[i] = rank;
                scanned.values[i] = None;
            }
            if line.value.is_finite() {
                scanned.values[i] = Some(selector.combine(scanned.values[i], line.value));
            } else {
                scanned.not_finite += 1;
            }
        }
    }
}

/// A number for a series' name and labels, whatever their order. Two series share one by chance in about 2^-30 of
/// scrapes of 100 000 series.
fn identity(line: &line::Line<'_>) -> u64 {
    let hash = |a: &[u8], b: &[u8]| {
        let mut hasher = DefaultHasher::new();
        (a, b).hash(&mut hasher);
        hasher.finish()
    };
    line::labels(line.labels)
        .flatten()
        .fold(hash(line.name, b""), |sum, (name, value)| {
            sum.wrapping_add(hash(name, value))
        })
}

/// The lines without their newlines.
fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    memchr::memchr_iter(b'\n', body)
        .chain(std::iter::once(body.len()))
        .map(move |end| {
            let line = &body[from..end];
            from = end + 1;
            line
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakcheck_model::scenario::Aggregate;

    const BODY: &str = "# HELP rotations How often.\n# TYPE rotations counter\nrotations_total{c=\"a\"} 3\n\
        rotations_total{c=\"b\"} 4 # {trace=\"x\"} 1\nrotations_total{c=\"b\"} 99\ntasks 17\ntemperature NaN\nwhat is this\n\n# EOF";

    fn scan(selectors: &[Selector], body: &str) -> Scanned {
        Scan::new(selectors.to_vec()).read(body.as_bytes())
    }

    #[test]
    fn several_series_become_one_number_and_a_repeated_one_counts_once() {
        let with = |aggregate| Selector {
            aggregate,
            ..Selector::of("rotations_total")
        };
        let only_b = Selector {
            labels: vec![("c".into(), "b".into())],
            ..Selector::of("rotations_total")
        };
        let wanted = [
            with(Aggregate::Sum),
            with(Aggregate::Max),
            with(Aggregate::Min),
            with(Aggregate::Count),
            only_b,
        ];
        let scanned = scan(&wanted, BODY);
        assert_eq!(scanned.values, [Some(7.0), Some(4.0), Some(3.0), Some(2.0), Some(4.0)]);
        assert_eq!((scanned.series, scanned.unread, scanned.repeated), (5, 1, 1));
    }

    #[test]
    fn of_several_names_the_first_that_is_there_counts_wherever_it_stands() {
        let either = Selector {
            others: vec!["old_name".into(), "oldest".into()],
            ..Selector::of("new_name")
        };
        let value = |body: &str| scan(std::slice::from_ref(&either), body).values[0];
        assert_eq!(value("old_name 3\noldest 9\n"), Some(3.0));
        assert_eq!(
            value("old_name 3\nnew_name 5\nnew_name{a=\"b\"} 1\nold_name{a=\"b\"} 4\n"),
            Some(6.0)
        );
        assert_eq!(value("old_name 3\nnew_name NaN\n"), None);
        assert_eq!(value("other 1\n"), None);
    }

    #[test]
    fn the_count_of_a_histogram_is_a_series_like_any_other() {
        let body = "# TYPE wait_seconds histogram\nwait_seconds_bucket{pool=\"a\",le=\"0.1\"} 3\n\
            wait_seconds_bucket{pool=\"a\",le=\"+Inf\"} 5\nwait_seconds_sum{pool=\"a\"} 1.5\n\
            wait_seconds_count{pool=\"a\"} 5\nwait_seconds_count{pool=\"b\"} 7\n";
        let labelled = |series: &str, labels: &[(&str, &str)]| Selector {
            labels: labels.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
            ..Selector::of(series)
        };
        let wanted = [
            Selector::of("wait_seconds_count"),
            labelled("wait_seconds_count", &[("pool", "b")]),
            labelled("wait_seconds_bucket", &[("le", "+Inf"), ("pool", "a")]),
        ];
        assert_eq!(scan(&wanted, body).values, [Some(12.0), Some(7.0), Some(5.0)]);
    }

    #[test]
    fn an_absent_series_and_a_nan_are_no_value_and_never_zero() {
        let scanned = scan(&[Selector::of("streams"), Selector::of("temperature")], BODY);
        assert_eq!(scanned.values, [None, None]);
        assert_eq!(scanned.not_finite, 1);
    }

    #[test]
    fn a_series_is_the_same_in_whatever_order_its_labels_stand() {
        let scanned = scan(
            &[Selector::of("a")],
            "a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1\na{x=\"2\",y=\"1\"} 1\n",
        );
        assert_eq!((scanned.values[0], scanned.repeated), (Some(2.0), 1));
    }

    #[test]
    fn a_series_too_many_makes_every_value_unknown() {
        use std::fmt::Write as _;
        let mut body = String::from("tasks 1\n");
        for i in 0..SERIES {
            let _ = writeln!(body, "bomb{{i=\"{i}\"}} 1");
        }
        let scanned = scan(&[Selector::of("tasks")], &body);
        assert!(scanned.too_many);
        assert_eq!(scanned.values, [None]);
    }

    #[test]
    fn a_line_of_endless_labels_is_left_out_and_counted() {
        let body = format!("a{{x=\"{}\"}} 1\na 2\n", "y".repeat(LINE_BYTES));
        let scanned = scan(&[Selector::of("a")], &body);
        assert_eq!((scanned.values[0], scanned.unread), (Some(2.0), 1));
    }
}
