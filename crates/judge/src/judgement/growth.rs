//! Limits on growth per minute and per rotation.

use leakcheck_model::limit::{Bound, Limit};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};

use super::context::JudgementContext;
use super::limit_result::invalid;
use crate::assessment::{Assessment, Code, Outcome};

/// Judges a limit such as `growth_per_min < 2`.
pub(super) fn per_minute(context: &JudgementContext, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let Some(bound) = ceiling(rule) else {
        return not_a_ceiling(result, rule);
    };
    match context.per_minute(metric, bound) {
        Ok(assessment) => with_assessment(result, &assessment, "growth per minute", bound),
        Err(reason) => invalid(result, reason),
    }
}

/// Judges a limit such as `per_rotation < 0.5`, with rotations as the abscissa.
pub(super) fn per_rotation(context: &JudgementContext, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let Some(bound) = ceiling(rule) else {
        return not_a_ceiling(result, rule);
    };
    match context.per_rotation(metric, bound) {
        Ok(assessment) => with_assessment(result, &assessment, "growth per rotation", bound),
        Err(reason) => invalid(result, reason),
    }
}

pub(super) fn ceiling(rule: &Limit) -> Option<f64> {
    match rule.bound {
        Bound::Number(bound) if rule.comparison.is_ceiling() && bound > 0.0 => Some(bound),
        _ => None,
    }
}

pub(super) fn not_a_ceiling(result: LimitResult, rule: &Limit) -> LimitResult {
    let message = format!(
        "`{rule}`: growth is judged against a positive ceiling, such as `{} < 2`",
        rule.statistic.name()
    );
    let metric = result.metric.clone();
    invalid(result, Reason::of(ReasonCode::NotComputable, metric, message))
}

fn with_assessment(result: LimitResult, assessment: &Assessment, what: &str, limit: f64) -> LimitResult {
    let outcome = match assessment.outcome {
        Outcome::Pass => Verdict::Pass,
        Outcome::Fail => Verdict::Fail,
        Outcome::Inconclusive => Verdict::Inconclusive,
        Outcome::Invalid => Verdict::Invalid,
    };
    let growth = assessment.growth.as_ref();
    let unit = result.unit();
    let figures = growth.map_or(String::new(), |g| {
        format!(
            " ({what} {}, between {} and {}; the limit is {})",
            unit.format(g.estimate),
            unit.format(g.low),
            unit.format(g.high),
            unit.format(limit)
        )
    });
    let reason = (outcome != Verdict::Pass).then(|| {
        let message = format!("{}{figures}", assessment.reason.sentence);
        let code = match (outcome, assessment.reason.code) {
            (Verdict::Invalid, Code::TooFewRotations) => ReasonCode::TooFewRotations,
            (_, other) => reason_code(other),
        };
        Reason::of(code, result.metric.clone(), message)
    });
    LimitResult {
        measured: growth.map(|g| g.estimate),
        low: growth.map(|g| g.low),
        high: growth.map(|g| g.high),
        outcome,
        reason,
        ..result
    }
}

fn reason_code(code: Code) -> ReasonCode {
    match code {
        Code::WithinLimit | Code::LimitExceeded | Code::ConsecutiveRises => ReasonCode::LimitExceeded,
        Code::StraddlesLimit | Code::StillFalling => ReasonCode::Straddles,
        Code::GrowthStopped => ReasonCode::GrowthStopped,
        Code::TooShort | Code::TooFewRotations | Code::TooFewSamples => ReasonCode::TooShort,
        Code::Aliased => ReasonCode::Aliased,
        Code::NoData => ReasonCode::MetricAbsent,
        Code::InvalidSpec => ReasonCode::NotComputable,
    }
}

/// Turns a pass into an inconclusive result, because a fall hides a rise.
pub(super) fn no_baseline(judged: LimitResult, metric: &str) -> LimitResult {
    let message = format!("`{metric}` is still falling: this is no baseline yet, and a leak beside it would be hidden");
    LimitResult {
        outcome: Verdict::Inconclusive,
        reason: Some(Reason::of(ReasonCode::Straddles, metric, message)),
        ..judged
    }
}

#[cfg(test)]
mod tests;
