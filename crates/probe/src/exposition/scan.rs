//! A scan of a body, line by line, for all selectors at once.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::line;
use super::selector::Selector;

/// The length limit of a line; longer ones count as unread. Real series have no 64 KiB of labels.
pub const MAX_LINE_BYTES: usize = 64 << 10;

/// The number of series above which a scrape has no values: a sum over a part would be wrong.
pub const MAX_SERIES: usize = 100_000;

/// A scanner for a set of selectors. Each body is read independently of the one before.
#[derive(Debug)]
pub struct Scan {
    selectors: Vec<Selector>,
    /// The index of the name by which each selector was matched so far.
    ranks: Vec<usize>,
    /// Hashes of the matching series of this body, to leave out repeated ones.
    seen: HashSet<u64>,
}

/// The values of one body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scanned {
    /// A value for each selector, in their order; `None` if no series with a finite value matches.
    pub values: Vec<Option<f64>>,
    /// The number of sample lines that were read.
    pub series: usize,
    /// The number of lines that are not in the format, or too long.
    pub unread: usize,
    /// The number of series with the name and labels of an earlier one. The first one counts.
    pub repeated: usize,
    /// The number of wanted series whose value is NaN or infinite. They have no value.
    pub not_finite: usize,
    /// `true` if there were more than [`MAX_SERIES`]. There are no values then.
    pub too_many: bool,
}

impl Scan {
    /// Creates a scanner for these selectors.
    #[must_use]
    pub fn new(selectors: Vec<Selector>) -> Self {
        Self {
            ranks: vec![usize::MAX; selectors.len()],
            selectors,
            seen: HashSet::new(),
        }
    }

    /// Returns the number of selectors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.selectors.len()
    }

    /// Returns `true` if there is no selector.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.selectors.is_empty()
    }

    /// Scans one body.
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
            if text.len() > MAX_LINE_BYTES {
                scanned.unread += 1;
                continue;
            }
            let Some(line) = line::parse(text) else {
                // A blank line is ignored.
                scanned.unread += usize::from(!text.trim_ascii().is_empty());
                continue;
            };
            scanned.series += 1;
            if scanned.series > MAX_SERIES {
                scanned.values.fill(None);
                scanned.too_many = true;
                return scanned;
            }
            self.add(&line, &mut scanned);
        }
        scanned
    }

    fn add(&mut self, line: &line::Line<'_>, scanned: &mut Scanned) {
        let mut is_new = None;
        for (i, selector) in self.selectors.iter().enumerate() {
            let Some(rank) = selector.matches(line) else { continue };
            if !*is_new.get_or_insert_with(|| self.seen.insert(series_hash(line))) {
                scanned.repeated += 1;
                return;
            }
            // A series with an earlier name replaces one with a later name.
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

/// Hashes name and labels of a series, independently of their order. A collision happens in about 2^-30 of the scrapes of
/// 100 000 series.
fn series_hash(line: &line::Line<'_>) -> u64 {
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

/// Returns the lines without their newlines.
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
    fn the_first_existing_name_of_several_counts_in_any_order() {
        let either = Selector {
            aliases: vec!["old_name".into(), "oldest".into()],
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
    fn the_count_of_a_histogram_is_an_ordinary_series() {
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
    fn an_absent_series_and_a_nan_have_no_value() {
        let scanned = scan(&[Selector::of("streams"), Selector::of("temperature")], BODY);
        assert_eq!(scanned.values, [None, None]);
        assert_eq!(scanned.not_finite, 1);
    }

    #[test]
    fn the_order_of_labels_does_not_matter() {
        let scanned = scan(
            &[Selector::of("a")],
            "a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1\na{x=\"2\",y=\"1\"} 1\n",
        );
        assert_eq!((scanned.values[0], scanned.repeated), (Some(2.0), 1));
    }

    #[test]
    fn too_many_series_make_every_value_unknown() {
        use std::fmt::Write as _;
        let mut body = String::from("tasks 1\n");
        for i in 0..MAX_SERIES {
            let _ = writeln!(body, "bomb{{i=\"{i}\"}} 1");
        }
        let scanned = scan(&[Selector::of("tasks")], &body);
        assert!(scanned.too_many);
        assert_eq!(scanned.values, [None]);
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_and_counted() {
        let body = format!("a{{x=\"{}\"}} 1\na 2\n", "y".repeat(MAX_LINE_BYTES));
        let scanned = scan(&[Selector::of("a")], &body);
        assert_eq!((scanned.values[0], scanned.unread), (Some(2.0), 1));
    }
}
