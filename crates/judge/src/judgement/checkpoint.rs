//! The FASE table: values and endpoint rates at each checkpoint of the judged part.

use std::collections::BTreeMap;

use leakcheck_model::Record;
use leakcheck_model::result::Checkpoint;

use super::Judged;
use crate::endpoint;

/// A row for each checkpoint, the first of which is the baseline.
pub(super) fn table(record: &Record) -> Vec<Checkpoint> {
    let Some(every) = record.plan.as_ref().map(|p| p.checkpoint_every_s) else {
        return Vec::new();
    };
    let judged = Judged::of(record);
    let t = &record.samples.t_s;
    let mut due = judged.from_s;
    let mut rows = Vec::new();
    for &row in &judged.rows {
        // A tick may come a little before its time.
        let last = Some(&row) == judged.rows.last();
        if t[row] + judged.every_s / 2.0 >= due || last {
            rows.push(row);
            while due <= t[row] + judged.every_s / 2.0 {
                due += every;
            }
        }
    }
    rows.into_iter().map(|row| checkpoint(record, &judged, row)).collect()
}

fn checkpoint(record: &Record, judged: &Judged, row: usize) -> Checkpoint {
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
