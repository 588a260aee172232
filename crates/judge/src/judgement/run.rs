//! The run as a findings: events that decide the verdict without a limit.

use std::borrow::Cow;

use leakcheck_model::facts::FaultSpan;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};

use super::context::JudgementContext;
use super::judged_part::JudgedPart;
use crate::series::usual_spacing;
use crate::sparse::MIN_SAMPLES;

/// Maximum share of the planned samples that may be missing.
const MAX_MISSING_SHARE: f64 = 0.05;

/// Findings about the run itself.
pub(super) struct RunFindings {
    /// Warnings that do not change the verdict.
    pub(super) warnings: Vec<Reason>,
    /// Verdicts to combine with those of the limits.
    pub(super) parts: Vec<Verdict>,
    /// Reasons for these verdicts.
    pub(super) reasons: Vec<Reason>,
    /// A verdict that overrides all limits, because the run did not measure the intended target.
    pub(super) overriding_verdict: Option<Verdict>,
}

/// Judges the run apart from its limits.
pub(super) fn judge(context: &JudgementContext) -> RunFindings {
    let record = context.record;
    let mut findings = RunFindings {
        warnings: record.facts.warnings.clone(),
        parts: Vec::new(),
        reasons: Vec::new(),
        overriding_verdict: None,
    };
    let facts = &record.facts;
    for reason in &facts.impairments {
        findings.add(severity(reason.code), reason.clone());
    }
    if let Some((at, status)) = &facts.died {
        findings.add(
            Verdict::Fail,
            Reason::new(
                ReasonCode::TargetDied,
                format!("the target ended by itself after {at:.0} s: {status}"),
            ),
        );
    }
    if let Some(message) = &facts.restarted {
        findings.add(
            Verdict::Invalid,
            Reason::new(ReasonCode::TargetRestarted, message.clone()),
        );
    }
    if record.limits.is_empty() {
        findings.add(
            Verdict::Invalid,
            Reason::new(ReasonCode::NoLimits, "no limit was given, so nothing was judged"),
        );
    }
    if facts.interrupted {
        findings.add(
            Verdict::Inconclusive,
            Reason::new(
                ReasonCode::Interrupted,
                "the run was interrupted; this is what was measured until then",
            ),
        );
    } else if record.plan.is_some() && !facts.finished {
        let message =
            "the run did not come to its end (leakcheck itself was ended); this is what was measured until then";
        findings.add(Verdict::Inconclusive, Reason::new(ReasonCode::Interrupted, message));
    }
    faults(&facts.faults, &mut findings);
    if facts.died.is_none() {
        samples(context, &mut findings);
    }
    findings
}

impl RunFindings {
    fn add(&mut self, verdict: Verdict, reason: Reason) {
        use ReasonCode::{ClockJumped, EngineLost, EngineUnreachable, StaleBuild, TargetRestarted};
        if matches!(
            reason.code,
            TargetRestarted | ClockJumped | EngineLost | EngineUnreachable | StaleBuild
        ) {
            self.overriding_verdict = Some(verdict);
        }
        self.parts.push(verdict);
        self.reasons.push(reason);
    }
}

/// Returns the verdict for an impairment that the runner recorded.
fn severity(code: ReasonCode) -> Verdict {
    match code {
        ReasonCode::TargetDied | ReasonCode::TargetNotReady => Verdict::Fail,
        _ => Verdict::Invalid,
    }
}

/// Factor on the usual spacing from which a spacing is a gap in a table without a plan.
const GAP_FACTOR: f64 = 3.0;

/// Finds gaps in a table without a plan by its own spacing. A few checkpoints have no usual spacing, and never pass.
fn gaps(judged: &JudgedPart, t: &[f64], findings: &mut RunFindings) {
    let t = if judged.rows.len() == t.len() {
        Cow::Borrowed(t)
    } else {
        judged.rows.iter().map(|&row| t[row]).collect()
    };
    let Some(usual) = usual_spacing(&t) else {
        return;
    };
    let spacings = || t.windows(2).map(|pair| (pair[0], pair[1] - pair[0]));
    if judged.rows.len() < MIN_SAMPLES || usual <= 0.0 {
        return;
    }
    let missing_s: f64 = spacings()
        .map(|(_, s)| s)
        .filter(|s| *s > GAP_FACTOR * usual)
        .map(|s| s - usual)
        .sum();
    let share = missing_s / (judged.to_s - judged.from_s);
    if share <= MAX_MISSING_SHARE {
        return;
    }
    let longest = spacings().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
    let message = format!(
        "{:.0} % of the time has no samples, 5 % may have none: a sample comes every {} s, and none from {:.0} s to {:.0} s",
        share * 100.0,
        leakcheck_model::format::number(usual),
        longest.0,
        longest.0 + longest.1
    );
    findings.add(Verdict::Invalid, Reason::new(ReasonCode::SamplesMissed, message));
}

/// Finds faults that hit nothing. If none hit anything, the run tested nothing.
fn faults(faults: &[FaultSpan], findings: &mut RunFindings) {
    let idle: Vec<_> = faults.iter().filter(|fault| fault.hits == Some(0)).collect();
    if idle.is_empty() {
        return;
    }
    if faults.iter().all(|fault| fault.hits.is_none_or(|times| times == 0)) {
        let message = "no fault hit anything: the target sent nothing through the fault proxy that they apply to (a target gets the \
                       proxy's address from DOCKER_HOST and `{engine}`)";
        findings.add(Verdict::Invalid, Reason::new(ReasonCode::LoadNotDelivered, message));
        return;
    }
    findings.warnings.extend(idle.into_iter().map(|fault| {
        let message = format!(
            "fault {} hit nothing, so it had no effect: {}",
            fault.index + 1,
            fault.what
        );
        Reason::new(ReasonCode::LoadNotDelivered, message)
    }));
}

/// Finds missing samples and a clock that does not run forward.
fn samples(context: &JudgementContext, findings: &mut RunFindings) {
    let JudgementContext { record, judged, .. } = context;
    let t = &record.samples.t_s;
    if t.windows(2).any(|pair| pair[1] <= pair[0]) {
        findings.add(
            Verdict::Invalid,
            Reason::new(ReasonCode::ClockJumped, "the time of the samples does not increase"),
        );
    }
    let Some(plan) = &record.plan else {
        gaps(judged, t, findings);
        return;
    };
    if judged.rows.is_empty() {
        if !findings.reasons.is_empty() {
            return;
        }
        findings.add(
            Verdict::Invalid,
            Reason::new(ReasonCode::TooShort, "the run ended before anything was measured"),
        );
        return;
    }
    let planned = (judged.to_s - judged.from_s) / plan.sample_every_s + 1.0;
    let missing = planned - judged.rows.len() as f64;
    // A single missing sample is 5 % of a short run and hides nothing that its neighbours do not show.
    if missing > MAX_MISSING_SHARE * planned && missing > 1.5 {
        let message = format!(
            "{:.0} % of the samples are missing; 5 % may be",
            100.0 * missing / planned
        );
        findings.add(Verdict::Invalid, Reason::new(ReasonCode::SamplesMissed, message));
    }
}

#[cfg(test)]
mod tests;
