//! Whose leak: what the engine's own process did while the target was measured, in a sentence.
//!
//! An engine holds the other end of each stream, so it grows with a target that leaks streams; one that grows while the
//! target does not leaks by itself, or for another client of it.

use std::collections::BTreeMap;

use leakcheck_model::Record;
use leakcheck_model::result::MetricResult;

/// Net growth of an engine below this is its everyday life: a connection, a timer, a container that ends.
const EVERYDAY: f64 = 10.0;

/// Descriptors, goroutines or threads of an engine for each of the target's, above which they are more than the other ends
/// of what the target holds (dockerd has three to six descriptors and some ten goroutines for each log that is followed).
const OTHER_ENDS: f64 = 30.0;

/// Share of the plain rate, from first to last, that the robust one must have: a step has none of it.
const RAMP: f64 = 0.5;

/// What is compared: the engine's count, the target's, and what each is a count of.
const PAIRS: [(&str, &str, &str, &str); 3] = [
    ("engine_fds", "fds", "file descriptors", "file descriptors"),
    ("engine_goroutines", "tasks", "goroutines", "tasks"),
    ("engine_threads", "threads", "threads", "threads"),
];

/// A sentence for each count of the engine's that grew.
pub(super) fn sentences(record: &Record, metrics: &BTreeMap<String, MetricResult>) -> Vec<String> {
    let engine = record.facts.engine.as_ref();
    let who = match engine.and_then(|e| e.program.as_ref().zip(e.pid)) {
        Some((program, pid)) => format!("{program} (the engine, pid {pid})"),
        None => "the engine".to_owned(),
    };
    let outcome_of = PAIRS.iter().filter_map(|(of_engine, of_target, what, of_what)| {
        let engines = metrics.get(*of_engine)?;
        let (net_of_engine, rate) = (net(engines)?, engines.growth_per_min?.estimate);
        // No verdict hangs on it, so no certainty is context: but a level that rose once is not growth.
        if net_of_engine < EVERYDAY || rate < RAMP * engines.endpoint_per_min? {
            return None;
        }
        // That the target did not grow is said only of one that was seen.
        let targets = net(metrics.get(*of_target)?)?;
        Some(if net_of_engine <= OTHER_ENDS * targets {
            let each = net_of_engine / targets;
            format!("{who} grew too, by {net_of_engine:.0} {what}: {each:.2} for each of the target's {targets:.0} {of_what}")
        } else {
            let targets = targets.max(0.0);
            format!(
                "{who} grew by {net_of_engine:.0} {what}, {rate:.1} a minute, and the target by {targets:.0} {of_what}: that growth is \
                 the engine's own or another client's, not the target's"
            )
        })
    });
    outcome_of.collect()
}

/// By how much a metric grew from first to last.
fn net(metric: &MetricResult) -> Option<f64> {
    Some(metric.last? - metric.baseline?)
}

#[cfg(test)]
mod tests {
    use leakcheck_model::event::EngineFacts;
    use leakcheck_model::result::Growth;
    use leakcheck_model::{Facts, Samples};

    use super::*;

    /// What is said of an engine and a target whose descriptors grew by so much in two minutes.
    fn said(engine: f64, target: f64) -> Vec<String> {
        said_at(engine, target, 1.0)
    }

    /// The same where the robust rate of growth is that share of the plain one.
    fn said_at(engine: f64, target: f64, ramp: f64) -> Vec<String> {
        let mut record = Record::from_table("run".into(), Samples::default(), Vec::new(), None);
        record.facts = Facts {
            engine: Some(EngineFacts {
                program: Some("dockerd".into()),
                pid: Some(731),
                ..EngineFacts::default()
            }),
            ..Facts::default()
        };
        let grew = |by: f64| MetricResult {
            baseline: Some(40.0),
            last: Some(40.0 + by),
            endpoint_per_min: Some(by / 2.0),
            growth_per_min: Some(Growth {
                estimate: ramp * by / 2.0,
                low: by / 2.0 - 1.0,
                high: by / 2.0 + 1.0,
            }),
            ..MetricResult::default()
        };
        let metrics = BTreeMap::from([("engine_fds".into(), grew(engine)), ("fds".into(), grew(target))]);
        sentences(&record, &metrics)
    }

    #[test]
    fn an_engine_that_grows_alone_leaks_by_itself() {
        assert_eq!(
            said(312.0, 0.0),
            [
                "dockerd (the engine, pid 731) grew by 312 file descriptors, 156.0 a minute, and the target by 0 file \
                 descriptors: that growth is the engine's own or another client's, not the target's"
            ]
        );
    }

    #[test]
    fn an_engine_that_grows_with_the_target_holds_its_other_ends() {
        assert_eq!(
            said(936.0, 312.0),
            [
                "dockerd (the engine, pid 731) grew too, by 936 file descriptors: 3.00 for each of the target's 312 file \
              descriptors"
            ]
        );
    }

    #[test]
    fn an_engine_that_does_not_grow_is_not_spoken_of() {
        assert_eq!(said(0.0, 312.0), [""; 0]);
        assert_eq!(said(9.0, 0.0), [""; 0]);
        assert_eq!(said(10.0, 0.0).len(), 1);
    }

    #[test]
    fn an_engine_that_rose_once_is_not_spoken_of() {
        assert_eq!(said_at(312.0, 0.0, 0.0), [""; 0]);
        assert_eq!(said_at(312.0, 0.0, 0.49), [""; 0]);
        assert_eq!(said_at(312.0, 0.0, 0.5).len(), 1);
    }
}
