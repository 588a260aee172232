//! `result.json` from a record and its judgement.

use leakcheck_model::Record;
use leakcheck_model::result::{EngineResult, RunResult, SCHEMA};

use super::Judgement;

/// The exit code of a run that was interrupted (contract).
const INTERRUPTED: u8 = 130;

/// Puts together what a run leaves for scripts.
#[must_use]
pub fn sum_up(record: &Record, judgement: Judgement) -> RunResult {
    let facts = &record.facts;
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
        attribution: facts.attribution.clone(),
        self_cost: facts.self_cost.clone(),
        command: facts.command.clone(),
    }
}
