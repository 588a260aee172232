//! Which series an exposition has at all: their names, for a first look at a target that nobody described.

use std::collections::BTreeSet;

use super::line;
use super::scan::{LINE_BYTES, SERIES};

/// The names of the series in a body; of at most the first 100 000 lines.
#[must_use]
pub fn names(body: &str) -> BTreeSet<String> {
    let samples = body
        .lines()
        .take(SERIES)
        .filter(|l| !l.starts_with('#') && l.len() <= LINE_BYTES);
    samples
        .filter_map(|text| line::parse(text.as_bytes()))
        .map(|line| String::from_utf8_lossy(line.name).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn each_series_is_named_once_and_what_is_no_series_not_at_all() {
        let body = "# TYPE go_goroutines gauge\ngo_goroutines 7\nhits{path=\"/a\"} 1\nhits{path=\"/b\"} 2\n<html>\n\n";
        assert_eq!(names(body).into_iter().collect::<Vec<_>>(), ["go_goroutines", "hits"]);
        assert!(names("").is_empty());
    }
}
