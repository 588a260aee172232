//! The table of checkpoints: values and endpoint rates in the judged part.

use std::collections::BTreeMap;

use leakcheck_model::Record;
use leakcheck_model::result::Checkpoint;

use super::judged_part::JudgedPart;
use crate::endpoint;

/// Maximum number of rows of a plain table that is itself a list of checkpoints.
const TABLE_ROWS: usize = 100;

/// Returns a row for each checkpoint, the first of which is the baseline.
pub(super) fn table(record: &Record, judged: &JudgedPart) -> Vec<Checkpoint> {
    let Some(every) = record.plan.as_ref().map(|p| p.checkpoint_every_s) else {
        // A small plain table is a list of checkpoints itself.
        let rows = if judged.rows.len() <= TABLE_ROWS {
            judged.rows.as_slice()
        } else {
            &[]
        };
        return rows.iter().map(|&row| checkpoint(record, judged, row)).collect();
    };
    let t = &record.samples.t_s;
    let mut due = judged.from_s;
    let mut rows = Vec::new();
    for &row in &judged.rows {
        // A tick may be a little early.
        let last = Some(&row) == judged.rows.last();
        if t[row] + judged.every_s / 2.0 >= due || last {
            rows.push(row);
            // Computed in one step: counting up would take forever after a jump of the clock.
            let passed = ((t[row] + judged.every_s / 2.0 - due) / every).floor() + 1.0;
            due += every * passed.max(0.0);
        }
    }
    rows.into_iter().map(|row| checkpoint(record, judged, row)).collect()
}

fn checkpoint(record: &Record, judged: &JudgedPart, row: usize) -> Checkpoint {
    let samples = &record.samples;
    let mut values = BTreeMap::new();
    let mut rates = BTreeMap::new();
    for (name, column) in samples.names.iter().zip(&samples.columns) {
        let Some(value) = column[row] else { continue };
        values.insert(name.clone(), value);
        let baseline = judged.rows.iter().find_map(|&i| column[i].map(|v| (samples.t_s[i], v)));
        let rate = baseline.and_then(|(t, v)| endpoint::per_min(v, value, (samples.t_s[row] - t) / 60.0));
        if let Some(rate) = rate {
            rates.insert(name.clone(), rate);
        }
    }
    Checkpoint {
        t_s: samples.t_s[row],
        phase: samples.phase[row],
        values,
        endpoint_per_min: rates,
    }
}

#[cfg(test)]
mod tests {
    use leakcheck_model::{Phase, Samples};

    use super::*;
    use crate::judgement::tests::test_support::RunBuilder;

    fn table(record: &Record) -> Vec<Checkpoint> {
        super::table(record, &JudgedPart::of(record))
    }

    #[test]
    fn checkpoints_come_when_due_and_at_the_end() {
        let builder = RunBuilder::run(75, 5).metric("fds", |t| (t != 30.0).then_some(100.0 + t));
        let rows = table(&builder.record());
        let times: Vec<f64> = rows.iter().map(|c| c.t_s).collect();
        assert_eq!(times, [0.0, 30.0, 60.0, 75.0]);
        assert!(rows.iter().all(|c| c.phase == Phase::Measure));
        // The baseline has no rate, and a missing sample has no value.
        assert_eq!(
            (rows[0].values["fds"], rows[0].endpoint_per_min.get("fds")),
            (100.0, None)
        );
        assert_eq!(
            (rows[1].values.get("fds"), rows[1].endpoint_per_min.get("fds")),
            (None, None)
        );
        assert_eq!((rows[2].values["fds"], rows[2].endpoint_per_min["fds"]), (160.0, 60.0));
        assert_eq!(rows[2].values["containers"], 5.0);
    }

    #[test]
    fn a_tick_a_little_before_its_time_is_the_checkpoint() {
        let builder = RunBuilder::run(75, 5).metric("fds", Some).with(|r| {
            let at = r.samples.t_s.iter().position(|t| *t == 30.0).expect("there");
            r.samples.t_s[at] = 29.6;
        });
        let times: Vec<f64> = table(&builder.record()).iter().map(|c| c.t_s).collect();
        assert_eq!(times, [0.0, 29.6, 60.0, 75.0]);
    }

    #[test]
    fn after_a_gap_the_next_is_due_at_its_old_time() {
        let builder = RunBuilder::run(100, 5)
            .metric("fds", Some)
            .without_seconds(|t| t > 25.0 && t < 65.0);
        let times: Vec<f64> = table(&builder.record()).iter().map(|c| c.t_s).collect();
        assert_eq!(times, [0.0, 65.0, 90.0, 100.0]);
    }

    #[test]
    fn a_small_table_is_one_of_checkpoints_and_a_long_one_is_not() {
        let of = |rows: usize| {
            let mut samples = Samples::new(vec!["tasks".into()]);
            for i in 0..rows {
                samples.t_s.push(480.0 * i as f64);
                samples.phase.push(Phase::Measure);
                samples.columns[0].push(Some(4147.0 - 86.0 * i as f64));
            }
            table(&Record::from_table("6b".into(), samples, Vec::new(), None))
        };
        assert_eq!(of(2)[1].endpoint_per_min["tasks"], -10.75);
        assert_eq!((of(100).len(), of(101).len()), (100, 0));
    }

    #[test]
    fn samples_rarer_than_checkpoints_are_each_one() {
        // Samples every 40 s, checkpoints every 30 s: the sample at 40 s is the checkpoint of 30 s, that at 80 s of
        // 60 s.
        let builder = RunBuilder::run(130, 5)
            .metric("fds", Some)
            .with(|r| r.plan.as_mut().expect("a plan").sample_every_s = 20.0)
            .without_seconds(|t| t >= 0.0 && t % 40.0 != 0.0 && t != 130.0);
        let times: Vec<f64> = table(&builder.record()).iter().map(|c| c.t_s).collect();
        assert_eq!(times, [0.0, 40.0, 80.0, 120.0, 130.0]);
        // A sample half a spacing early is the checkpoint, and the next one is due thirty seconds after its time.
        let early = RunBuilder::run(80, 5)
            .metric("fds", Some)
            .with(|r| r.plan.as_mut().expect("a plan").sample_every_s = 10.0)
            .without_seconds(|t| ![0.0, 25.0, 54.0, 56.0, 60.0, 75.0, 80.0].contains(&t));
        let times: Vec<f64> = table(&early.record()).iter().map(|c| c.t_s).collect();
        assert_eq!(times, [0.0, 25.0, 56.0, 80.0]);
    }

    #[test]
    fn a_clock_that_leaps_far_ahead_costs_no_time() {
        let leap = RunBuilder::run(75, 5).metric("fds", Some).with(|r| {
            let at = r.samples.t_s.iter().position(|t| *t == 40.0).expect("there");
            r.samples.t_s[at..].iter_mut().for_each(|t| *t += 1e15);
        });
        let times: Vec<f64> = table(&leap.record()).iter().map(|c| c.t_s).collect();
        // 1e15 is 10 s beyond a multiple of 30 s: the next is due at 1e15 + 50.
        assert_eq!(times, [0.0, 30.0, 1e15 + 40.0, 1e15 + 50.0, 1e15 + 75.0]);
    }

    #[test]
    fn rates_are_counted_from_the_first_value() {
        // No values before 20 s: 60 more in 60 s.
        let builder = RunBuilder::run(80, 5).metric("fds", |t| (t >= 20.0).then_some(100.0 + t));
        let rows = table(&builder.record());
        assert_eq!(rows.last().expect("a row").endpoint_per_min["fds"], 60.0);
    }
}
