//! The series of a metric.

use leakcheck_model::scenario::{Aggregate, SeriesSelector};

use super::line::{self, Line};

/// A selector of series by name and labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The full name, with suffixes such as `_total` and `_count`.
    pub series: String,
    /// Names of the same series in other versions of the program; the first that exists is used.
    pub aliases: Vec<String>,
    /// The labels that it must have, with their values.
    pub labels: Vec<(String, String)>,
    /// The way in which several matching series become one number.
    pub aggregate: Aggregate,
}

impl Selector {
    /// Selects every series with this name, added up.
    #[must_use]
    pub fn of(series: &str) -> Self {
        Self {
            series: series.into(),
            aliases: Vec::new(),
            labels: Vec::new(),
            aggregate: Aggregate::Sum,
        }
    }

    /// Returns the index of the name that a line has, if it has the labels too.
    pub(super) fn matches(&self, line: &Line<'_>) -> Option<usize> {
        let mut names = std::iter::once(&self.series).chain(&self.aliases);
        let rank = names.position(|name| line::means(line.name, name.as_bytes()))?;
        let has_labels = self.labels.iter().all(|(name, value)| {
            line::labels(line.labels)
                .flatten()
                .any(|(n, v)| line::means(n, name.as_bytes()) && line::means(v, value.as_bytes()))
        });
        has_labels.then_some(rank)
    }

    pub(super) fn combine(&self, so_far: Option<f64>, value: f64) -> f64 {
        match (self.aggregate, so_far) {
            (Aggregate::Count, so_far) => so_far.unwrap_or(0.0) + 1.0,
            (_, None) => value,
            (Aggregate::Sum, Some(sum)) => sum + value,
            (Aggregate::Max, Some(max)) => max.max(value),
            (Aggregate::Min, Some(min)) => min.min(value),
        }
    }
}

impl From<&SeriesSelector> for Selector {
    fn from(series: &SeriesSelector) -> Self {
        Self {
            series: series.name.clone(),
            aliases: series.aliases.clone(),
            labels: series.labels.clone().into_iter().collect(),
            aggregate: series.aggregate,
        }
    }
}
