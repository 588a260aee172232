//! The names of all series of an exposition, and of those that only increase, for discovery.

use std::collections::{BTreeMap, BTreeSet};

use super::line;
use super::scan::{MAX_LINE_BYTES, MAX_SERIES};

/// The names of the series of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// All names.
    pub all: BTreeSet<String>,
    /// The names of series that only increase.
    pub counters: BTreeSet<String>,
}

/// Returns the names of the first 100 000 series of a body. Only as many type declarations are read.
#[must_use]
pub fn names(body: &str) -> Names {
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut all = BTreeSet::new();
    let mut series = 0;
    for text in body.lines().filter(|l| l.len() <= MAX_LINE_BYTES) {
        if let Some(declared) = text.strip_prefix("# TYPE ") {
            if let Some((name, kind)) = declared.trim().rsplit_once([' ', '\t'])
                && types.len() < MAX_SERIES
            {
                types.insert(name.trim().trim_matches('"'), kind);
            }
        } else if !text.starts_with('#') && series < MAX_SERIES {
            series += 1;
            all.extend(line::parse(text.as_bytes()).map(|line| String::from_utf8_lossy(line.name).into_owned()));
        }
    }
    let counters = all.iter().filter(|name| is_counter(name, &types)).cloned().collect();
    Names { all, counters }
}

/// Returns `true` for a counter, by the declared type (OpenMetrics declares the name without its suffix), else by the suffix.
/// The suffix alone is a guess: prom-client has gauges that end in `_total`.
fn is_counter(name: &str, types: &BTreeMap<&str, &str>) -> bool {
    const OF_DISTRIBUTIONS: [&str; 3] = ["_bucket", "_count", "_sum"];
    let counts = |kind: &&str| matches!(*kind, "histogram" | "summary");
    if let Some(kind) = types.get(name) {
        // The quantiles of a summary have its own name and are no counters.
        return *kind == "counter";
    }
    if let Some(family) = name.strip_suffix("_total") {
        return types
            .get(family)
            .is_none_or(|kind| matches!(*kind, "counter" | "unknown" | "untyped"));
    }
    let mut families = OF_DISTRIBUTIONS.iter().filter_map(|suffix| name.strip_suffix(suffix));
    families.any(|family| types.get(family).is_some_and(counts))
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn each_series_is_named_once_and_other_lines_are_not() {
        let body = "# TYPE go_goroutines gauge\ngo_goroutines 7\nhits{path=\"/a\"} 1\nhits{path=\"/b\"} 2\n<html>\n\n";
        assert_eq!(
            names(body).all.into_iter().collect::<Vec<_>>(),
            ["go_goroutines", "hits"]
        );
        assert!(names("").all.is_empty());
    }

    #[test]
    fn counters_are_known_by_their_type_and_guessed_only_without_one() {
        let body = "# TYPE jobs counter\njobs_total 3\n# TYPE seen counter\nseen 4\n# TYPE handles_total gauge\nhandles_total 5\n\
            # TYPE wait histogram\nwait_bucket{le=\"+Inf\"} 3\nwait_sum 1.5\nwait_count 3\n\
            # TYPE pause summary\npause{quantile=\"0.5\"} 1\npause_count 9\nbare_total 1\nbare 1\nlone_count 2\n\
            # TYPE \"my.jobs\" counter\n{\"my.jobs\"} 1\n# TYPE\n# TYPE x\n";
        let counters: Vec<String> = names(body).counters.into_iter().collect();
        let expected = [
            "bare_total",
            "jobs_total",
            "my.jobs",
            "pause_count",
            "seen",
            "wait_bucket",
            "wait_count",
            "wait_sum",
        ];
        assert_eq!(counters, expected);
    }
}
