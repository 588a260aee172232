//! Which series an exposition has at all, and which of them only go up: for a first look at a target that nobody described.

use std::collections::{BTreeMap, BTreeSet};

use super::line;
use super::scan::{LINE_BYTES, SERIES};

/// The series of a body by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// All of them.
    pub all: BTreeSet<String>,
    /// Those that only go up.
    pub counters: BTreeSet<String>,
}

/// The names of the series in a body; of at most the first 100 000 series, and as many lines that declare a type.
#[must_use]
pub fn names(body: &str) -> Names {
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut all = BTreeSet::new();
    let mut series = 0;
    for text in body.lines().filter(|l| l.len() <= LINE_BYTES) {
        if let Some(declared) = text.strip_prefix("# TYPE ") {
            if let Some((name, kind)) = declared.trim().rsplit_once([' ', '\t'])
                && types.len() < SERIES
            {
                types.insert(name.trim().trim_matches('"'), kind);
            }
        } else if !text.starts_with('#') && series < SERIES {
            series += 1;
            all.extend(line::parse(text.as_bytes()).map(|line| String::from_utf8_lossy(line.name).into_owned()));
        }
    }
    let counters = all.iter().filter(|name| is_counter(name, &types)).cloned().collect();
    Names { all, counters }
}

/// By the declared type of its family, whose name OpenMetrics gives without the suffix; by its suffix where none is declared
/// (prom-client has gauges that end in `_total`, so the suffix alone is a guess).
fn is_counter(name: &str, types: &BTreeMap<&str, &str>) -> bool {
    const OF_DISTRIBUTIONS: [&str; 3] = ["_bucket", "_count", "_sum"];
    let counts = |kind: &&str| matches!(*kind, "histogram" | "summary");
    if let Some(kind) = types.get(name) {
        // The quantiles of a summary have its own name, and are levels.
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
    fn each_series_is_named_once_and_what_is_no_series_not_at_all() {
        let body = "# TYPE go_goroutines gauge\ngo_goroutines 7\nhits{path=\"/a\"} 1\nhits{path=\"/b\"} 2\n<html>\n\n";
        assert_eq!(
            names(body).all.into_iter().collect::<Vec<_>>(),
            ["go_goroutines", "hits"]
        );
        assert!(names("").all.is_empty());
    }

    #[test]
    fn what_only_goes_up_is_told_by_its_type_and_guessed_only_without_one() {
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
