//! Which series a metric is made of.

use leakcheck_model::scenario::{Aggregate, Metric};

use super::line::{self, Line};

/// A series by its name, the labels it must have, and how several become one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The series' full name, `_total`, `_count` and the like included.
    pub series: String,
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
            labels: Vec::new(),
            aggregate: Aggregate::Sum,
        }
    }

    /// What a scenario's metric asks for, if it is read from /metrics.
    #[must_use]
    pub fn from_metric(metric: &Metric) -> Option<Self> {
        Some(Self {
            series: metric.metrics.clone()?,
            labels: metric.labels.iter().map(|(n, v)| (n.clone(), v.clone())).collect(),
            aggregate: metric.aggregate,
        })
    }

    pub(super) fn matches(&self, line: &Line<'_>) -> bool {
        line::means(line.name, self.series.as_bytes())
            && self.labels.iter().all(|(name, value)| {
                line::labels(line.labels)
                    .flatten()
                    .any(|(n, v)| line::means(n, name.as_bytes()) && line::means(v, value.as_bytes()))
            })
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
