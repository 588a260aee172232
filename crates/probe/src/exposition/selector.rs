//! Which series a metric is made of.

use leakcheck_model::scenario::{Aggregate, SeriesSelector};

use super::line::{self, Line};

/// A series by its name, the labels it must have, and how several become one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The series' full name, `_total`, `_count` and the like included.
    pub series: String,
    /// Other names that it has, in other versions of what exposes it; the first that is there counts.
    pub others: Vec<String>,
    /// Labels that it must have, with these values.
    pub labels: Vec<(String, String)>,
    /// How several matching series become one number.
    pub aggregate: Aggregate,
}

impl Selector {
    /// Every series of this name, added up.
    #[must_use]
    pub fn of(series: &str) -> Self {
        Self {
            series: series.into(),
            others: Vec::new(),
            labels: Vec::new(),
            aggregate: Aggregate::Sum,
        }
    }

    /// Which of its names this line has, counted from 0, if it has the labels too.
    pub(super) fn matches(&self, line: &Line<'_>) -> Option<usize> {
        let mut names = std::iter::once(&self.series).chain(&self.others);
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
            others: series.aliases.clone(),
            labels: series.labels.clone().into_iter().collect(),
            aggregate: series.aggregate,
        }
    }
}
