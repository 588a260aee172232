//! Growth of the engine's own process beside the target's.
//!
//! The engine holds the other end of each stream, so it grows with a target that leaks streams. An engine that grows
//! while the target does not leaks by itself or for another client.

use std::collections::BTreeMap;

use leakcheck_model::Record;
use leakcheck_model::result::MetricResult;

/// Minimum net growth that is reported. Connections, timers and ending containers cause less.
const MIN_GROWTH: f64 = 10.0;

/// Maximum growth of the engine per unit of the target's that the target explains. Per followed log, dockerd has
/// three to six descriptors and some ten goroutines.
const MAX_RATIO: f64 = 30.0;

/// Minimum ratio of the robust growth rate to the endpoint rate. A step has a ratio near 0.
const MIN_RATE_RATIO: f64 = 0.5;

/// Pairs of metrics that are compared: the engine's, the target's, and their names in sentences.
const PAIRS: [(&str, &str, &str, &str); 3] = [
    ("engine_fds", "fds", "file descriptors", "file descriptors"),
    ("engine_goroutines", "tasks", "goroutines", "tasks"),
    ("engine_threads", "threads", "threads", "threads"),
];

/// Returns a sentence for each metric of the engine that grew.
pub(super) fn sentences(record: &Record, metrics: &BTreeMap<String, MetricResult>) -> Vec<String> {
    let engine = record.facts.engine.as_ref();
    let engine_name = match engine.and_then(|e| e.program.as_ref().zip(e.pid)) {
        Some((program, pid)) => format!("{program} (the engine, pid {pid})"),
        None => "the engine".to_owned(),
    };
    let sentences = PAIRS.iter().filter_map(|(of_engine, of_target, what, of_what)| {
        let engines = metrics.get(*of_engine)?;
        let (net_of_engine, rate) = (net(engines)?, engines.growth_per_min?.estimate);
        // No verdict depends on it, so certainty is not needed, but a single step is not growth.
        if net_of_engine < MIN_GROWTH || rate < MIN_RATE_RATIO * engines.endpoint_per_min? {
            return None;
        }
        // Without samples of the target, nothing is reported about its growth.
        let targets = net(metrics.get(*of_target)?)?;
        Some(if net_of_engine <= MAX_RATIO * targets {
            let each = net_of_engine / targets;
            format!("{engine_name} grew too, by {net_of_engine:.0} {what}: {each:.2} for each of the target's {targets:.0} {of_what}")
        } else {
            let targets = targets.max(0.0);
            format!(
                "{engine_name} grew by {net_of_engine:.0} {what}, {rate:.1} a minute, and the target by {targets:.0} {of_what}: that growth is \
                 the engine's own or another client's, not the target's"
            )
        })
    });
    sentences.collect()
}

/// Returns the growth of a metric from its first to its last value.
fn net(metric: &MetricResult) -> Option<f64> {
    Some(metric.last? - metric.baseline?)
}

#[cfg(test)]
mod tests {
    use leakcheck_model::event::EngineFacts;
    use leakcheck_model::result::Growth;
    use leakcheck_model::{Facts, Samples};

    use super::*;

    /// Returns the sentences for an engine and a target whose descriptors grew in two minutes.
    fn sentences_for(engine: f64, target: f64) -> Vec<String> {
        sentences_at(engine, target, 1.0)
    }

    /// Returns the sentences for a given ratio of the robust rate to the endpoint rate.
    fn sentences_at(engine: f64, target: f64, ramp: f64) -> Vec<String> {
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
            sentences_for(312.0, 0.0),
            [
                "dockerd (the engine, pid 731) grew by 312 file descriptors, 156.0 a minute, and the target by 0 file \
                 descriptors: that growth is the engine's own or another client's, not the target's"
            ]
        );
    }

    #[test]
    fn an_engine_that_grows_with_the_target_holds_its_other_ends() {
        assert_eq!(
            sentences_for(936.0, 312.0),
            [
                "dockerd (the engine, pid 731) grew too, by 936 file descriptors: 3.00 for each of the target's 312 file \
              descriptors"
            ]
        );
    }

    #[test]
    fn an_engine_that_does_not_grow_is_not_mentioned() {
        assert_eq!(sentences_for(0.0, 312.0), [""; 0]);
        assert_eq!(sentences_for(9.0, 0.0), [""; 0]);
        assert_eq!(sentences_for(10.0, 0.0).len(), 1);
    }

    #[test]
    fn an_engine_that_rose_once_is_not_mentioned() {
        assert_eq!(sentences_at(312.0, 0.0, 0.0), [""; 0]);
        assert_eq!(sentences_at(312.0, 0.0, 0.49), [""; 0]);
        assert_eq!(sentences_at(312.0, 0.0, 0.5).len(), 1);
    }
}
