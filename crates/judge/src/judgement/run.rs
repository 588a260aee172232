//! The run as a whole: what happened that no limit asks for and that decides all the same.

use leakcheck_model::Record;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};

use super::Judged;

/// Share of the planned samples that may be missing (JUDGE.md, gate A).
const GAPS: f64 = 0.05;

/// What the run itself says.
pub(super) struct Whole {
    /// Verdicts to be weighed with those of the limits.
    pub(super) parts: Vec<Verdict>,
    /// Why.
    pub(super) reasons: Vec<Reason>,
    /// A verdict that no limit can change, because what was measured is not what was asked.
    pub(super) contaminated: Option<Verdict>,
}

/// Judges the run apart from its limits.
pub(super) fn judge(record: &Record) -> Whole {
    let mut whole = Whole {
        parts: Vec::new(),
        reasons: Vec::new(),
        contaminated: None,
    };
    let facts = &record.facts;
    for reason in &facts.impairments {
        whole.say(weight(reason.code), reason.clone());
    }
    if let Some((at, status)) = &facts.died {
        whole.say(
            Verdict::Fail,
            Reason::new(
                ReasonCode::TargetDied,
                format!("the target ended by itself after {at:.0} s: {status}"),
            ),
        );
    }
    if let Some(message) = &facts.restarted {
        whole.say(
            Verdict::Invalid,
            Reason::new(ReasonCode::TargetRestarted, message.clone()),
        );
    }
    if record.limits.is_empty() {
        whole.say(
            Verdict::Invalid,
            Reason::new(ReasonCode::NoLimits, "no limit was given, so nothing was judged"),
        );
    }
    if facts.interrupted {
        whole.say(
            Verdict::Inconclusive,
            Reason::new(
                ReasonCode::Interrupted,
                "the run was interrupted; this is what was measured until then",
            ),
        );
    } else if record.plan.is_some() && !facts.finished {
        let message =
            "the run did not come to its end (leakcheck itself was ended); this is what was measured until then";
        whole.say(Verdict::Inconclusive, Reason::new(ReasonCode::Interrupted, message));
    }
    if facts.died.is_none() {
        samples(record, &mut whole);
    }
    whole
}

impl Whole {
    fn say(&mut self, verdict: Verdict, reason: Reason) {
        use ReasonCode::{ClockJumped, EngineLost, EngineUnreachable, StaleBuild, TargetRestarted};
        if matches!(
            reason.code,
            TargetRestarted | ClockJumped | EngineLost | EngineUnreachable | StaleBuild
        ) {
            self.contaminated = Some(verdict);
        }
        self.parts.push(verdict);
        self.reasons.push(reason);
    }
}

/// What an impairment that the runner saw comes to.
fn weight(code: ReasonCode) -> Verdict {
    match code {
        ReasonCode::TargetDied | ReasonCode::TargetNotReady => Verdict::Fail,
        _ => Verdict::Invalid,
    }
}

/// Gaps in the samples, and a clock that does not run forward.
fn samples(record: &Record, whole: &mut Whole) {
    let t = &record.samples.t_s;
    if t.windows(2).any(|pair| pair[1] <= pair[0]) {
        whole.say(
            Verdict::Invalid,
            Reason::new(ReasonCode::ClockJumped, "the time of the samples does not increase"),
        );
    }
    let judged = Judged::of(record);
    let Some(plan) = &record.plan else { return };
    if judged.rows.is_empty() {
        if !whole.reasons.is_empty() {
            return;
        }
        whole.say(
            Verdict::Invalid,
            Reason::new(ReasonCode::TooShort, "the run ended before anything was measured"),
        );
        return;
    }
    let planned = (judged.to_s - judged.from_s) / plan.sample_every_s + 1.0;
    let missing = 1.0 - judged.rows.len() as f64 / planned;
    if missing > GAPS {
        let message = format!("{:.0} % of the samples are missing; 5 % may be", missing * 100.0);
        whole.say(Verdict::Invalid, Reason::new(ReasonCode::SamplesMissed, message));
    }
}
