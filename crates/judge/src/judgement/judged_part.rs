//! The judged part of a record: the rows that the limits apply to.

use leakcheck_model::{Phase, Record};

/// The judged rows of a record, with their times and spacing.
pub(super) struct JudgedPart {
    /// Indices of the rows.
    pub(super) rows: Vec<usize>,
    /// Time of the first row, seconds.
    pub(super) from_s: f64,
    /// Time of the last row, seconds.
    pub(super) to_s: f64,
    /// Seconds between rows: as planned, or the mean spacing of a table without a plan.
    pub(super) every_s: f64,
}

impl JudgedPart {
    /// Finds the judged rows of `record`.
    pub(super) fn of(record: &Record) -> Self {
        let rows: Vec<usize> = record.samples.rows(Phase::is_judged).collect();
        let t = &record.samples.t_s;
        let at = |i: Option<&usize>| i.map_or(0.0, |&i| t[i]);
        let (from_s, to_s) = (at(rows.first()), at(rows.last()));
        let every_s = match &record.plan {
            Some(plan) => plan.sample_every_s,
            None if rows.len() > 1 => (to_s - from_s) / (rows.len() - 1) as f64,
            None => 0.0,
        };
        Self {
            rows,
            from_s,
            to_s,
            every_s,
        }
    }

    /// Returns the length in seconds. Each sample represents the time to the next one.
    pub(super) fn length_s(&self) -> f64 {
        if self.rows.is_empty() {
            0.0
        } else {
            self.to_s - self.from_s + self.every_s
        }
    }
}

/// Returns the values of a metric in the judged part.
pub(super) fn values(record: &Record, metric: &str) -> Vec<f64> {
    let series = record.samples.series(metric, Phase::is_judged);
    series.map(|(_, v)| v).collect()
}

#[cfg(test)]
mod tests {
    use leakcheck_model::Samples;

    use super::*;

    #[test]
    fn the_length_of_a_table_follows_from_its_rows() {
        let of = |times: &[f64]| {
            let mut samples = Samples::new(Vec::new());
            samples.t_s = times.to_vec();
            samples.phase = vec![Phase::Measure; times.len()];
            let judged = JudgedPart::of(&Record::from_table("t".into(), samples, Vec::new(), None));
            (judged.every_s, judged.length_s())
        };
        // Three rows over 30 s: a mean spacing of 15 s, and each row represents the time to the next.
        assert_eq!(of(&[100.0, 110.0, 130.0]), (15.0, 45.0));
        assert_eq!(of(&[100.0]), (0.0, 0.0));
        assert_eq!(of(&[]), (0.0, 0.0));
    }
}
