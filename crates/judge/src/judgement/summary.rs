//! The content of `result.json`.

use leakcheck_model::Record;
use leakcheck_model::result::{EngineResult, RunResult, SCHEMA};

use super::judge::Judgement;

/// Exit code of an interrupted run.
const INTERRUPTED: u8 = 130;

/// Combines a record and its judgement into the result of a run.
///
/// # Examples
///
/// ```
/// use leakcheck_judge::{judge, summarize};
/// use leakcheck_model::{Phase, Record, Samples};
///
/// let mut samples = Samples::new(vec!["fds".into()]);
/// for second in 0..1800 {
///     samples.t_s.push(f64::from(second));
///     samples.phase.push(Phase::Measure);
///     samples.columns[0].push(Some(100.0 + f64::from(second / 6)));
/// }
/// let limits = vec![("fds".to_owned(), "growth_per_min < 2".parse()?)];
/// let record = Record::from_table("table".into(), samples, limits, None);
/// let result = summarize(&record, judge(&record));
/// assert_eq!((result.scenario.as_str(), result.exit_code), ("table", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn summarize(record: &Record, judgement: Judgement) -> RunResult {
    let facts = &record.facts;
    let mut attribution = facts.attribution.clone();
    if !judgement.engine_grew.is_empty() {
        let sentences = &mut attribution.get_or_insert_default().sentences;
        sentences.extend(judgement.engine_grew);
    }
    let t = &record.samples.t_s;
    let duration_s = t
        .last()
        .zip(t.first())
        .map_or(0.0, |(last, first)| ((last - first) * 1000.0).round() / 1000.0);
    RunResult {
        schema: SCHEMA,
        run_id: facts.run_id.clone().unwrap_or_else(|| record.name.clone()),
        scenario: record.name.clone(),
        verdict: judgement.verdict,
        exit_code: if facts.interrupted {
            INTERRUPTED
        } else {
            judgement.verdict.exit_code()
        },
        reasons: judgement.reasons,
        warnings: judgement.warnings,
        started_at: facts.started_at.clone(),
        duration_s,
        stopped_early: facts.saved_s.is_some(),
        saved_s: facts.saved_s,
        engine: facts.engine.as_ref().map(EngineResult::from),
        containers: record.plan.as_ref().map(|p| p.containers),
        expected_rotations: judgement.expected_rotations,
        target: facts.target.clone(),
        metrics: judgement.metrics,
        limits: judgement.limits,
        checkpoints: judgement.checkpoints,
        lines: facts.lines.clone(),
        attribution,
        origins: facts.origins.iter().flat_map(|o| o.origins.clone()).collect(),
        self_cost: facts.self_cost.clone(),
        command: facts.command.clone(),
    }
}

#[cfg(test)]
mod tests {
    use leakcheck_model::event::Attribution;
    use leakcheck_model::verdict::Verdict;

    use super::*;
    use crate::judgement::judge::judge as judged;
    use crate::judgement::tests::test_support::RunBuilder;

    fn summed(change: impl FnOnce(&mut Record)) -> RunResult {
        let builder = RunBuilder::run(60, 5)
            .metric("fds", |_| Some(40.0))
            .limit("fds", "max < 100");
        let record = builder.with(change).record();
        summarize(&record, judged(&record))
    }

    #[test]
    fn a_summary_has_the_exit_code_of_its_verdict() {
        let sound = summed(|_| {});
        assert_eq!((sound.verdict, sound.exit_code), (Verdict::Pass, 0));
        assert_eq!((sound.run_id.as_str(), sound.scenario.as_str()), ("run", "run"));
        // From -15 s to 75 s.
        assert_eq!((sound.duration_s, sound.containers), (90.0, Some(5)));
        assert!(!sound.stopped_early && sound.saved_s.is_none() && sound.attribution.is_none());
        assert_eq!(summed(|r| r.facts.run_id = Some("x1".into())).run_id, "x1");
        assert_eq!(
            summed(|r| r.samples = leakcheck_model::Samples::default()).duration_s,
            0.0
        );
    }

    #[test]
    fn an_interruption_has_its_own_exit_code_and_an_early_stop_reports_the_time_saved() {
        assert_eq!(summed(|r| r.facts.interrupted = true).exit_code, 130);
        let early = summed(|r| r.facts.saved_s = Some(240.0));
        assert!(early.stopped_early);
        assert_eq!(early.saved_s, Some(240.0));
    }

    #[test]
    fn growth_of_the_engine_is_reported_beside_the_attribution() {
        let record = RunBuilder::run(60, 5).record();
        let judgement = Judgement {
            engine_grew: vec!["the engine grew".into()],
            ..judged(&record)
        };
        let sentences = |record: &Record| {
            summarize(record, judgement.clone())
                .attribution
                .expect("present")
                .sentences
        };
        assert_eq!(sentences(&record), ["the engine grew"]);
        let mut known = record;
        known.facts.attribution = Some(Attribution {
            sentences: vec!["+9 sockets".into()],
            ..Attribution::default()
        });
        assert_eq!(sentences(&known), ["+9 sockets", "the engine grew"]);
    }
}
