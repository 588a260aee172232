//! Growth limits: per minute, per rotation, net, and FASE's endpoint rate.

use leakcheck_model::limit::{Bound, Limit};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};
use leakcheck_model::{Phase, Record};

use super::Judged;
use super::limit::{amount, compared, invalid, number, unit};
use crate::budget::{budget, net_growth};
use crate::{Answer, Code, Look, Outcome, Question, Series, assess, assess_per_rotation, endpoint};

/// The effect of a container is learnt from differences of 15 s means (JUDGE.md, C); fewer than ten teach nothing.
const COVARIATE_S: f64 = 150.0;

/// The judged values of a metric.
pub(super) fn series(record: &Record, metric: &str) -> Result<Series, Reason> {
    let (t, v): (Vec<f64>, Vec<f64>) = record.samples.series(metric, Phase::is_judged).unzip();
    Series::new(t, v).map_err(|error| Reason::of(ReasonCode::ClockJumped, metric, format!("`{metric}`: {error}")))
}

/// What is asked of a metric's growth.
pub(super) fn question(record: &Record, metric: &str, bound: f64, look: Look) -> Question {
    let judged = Judged::of(record);
    let (planned, max) = record
        .plan
        .as_ref()
        .map_or((judged.length_s(), judged.length_s()), |p| (p.measure_s, p.max_s));
    // The last tick of a phase may be left out or come a little early: the plan is kept to within two samples.
    let slack = 2.0 * judged.every_s;
    Question {
        limit_per_min: bound,
        rotation_period_s: record.rotation_period_s,
        quantum: record.metrics.get(metric).map_or(1.0, |m| m.quantum),
        planned_s: planned - slack,
        max_s: max - slack,
        metrics: growing_limits(record),
        look,
        covariate: containers(record, metric),
        allowed_swing: None,
    }
}

/// Growth limits of a run share its error.
fn growing_limits(record: &Record) -> usize {
    use leakcheck_model::limit::Statistic::{GrowthPerMin, PerRotation};
    record
        .limits
        .iter()
        .filter(|(_, rule)| matches!(rule.statistic, GrowthPerMin | PerRotation))
        .count()
        .max(1)
}

/// The number of containers at each sample of the metric, if it changed during the judged part (churn).
fn containers(record: &Record, metric: &str) -> Option<Vec<f64>> {
    let (column, containers) = (record.samples.column(metric)?, record.samples.column("containers")?);
    let judged = Judged::of(record);
    if judged.length_s() < COVARIATE_S {
        return None;
    }
    let wanted = judged.rows.iter().filter(|&&i| column[i].is_some());
    let all: Vec<f64> = wanted.map(|&i| containers[i]).collect::<Option<_>>()?;
    let first = *all.first()?;
    all.iter().any(|n| (n - first).abs() > 0.5).then_some(all)
}

/// `growth_per_min < N`.
pub(super) fn per_minute(record: &Record, metric: &str, rule: &Limit, look: Look, result: LimitResult) -> LimitResult {
    let Some(bound) = ceiling(rule) else {
        return not_a_ceiling(result, rule);
    };
    let series = match series(record, metric) {
        Ok(series) => series,
        Err(reason) => return invalid(result, reason),
    };
    let answer = assess(&series, &question(record, metric, bound, look));
    answered(result, &answer, "growth per minute")
}

/// `per_rotation < N`: the same with the rotations so far as the abscissa.
pub(super) fn per_rotation(
    record: &Record,
    metric: &str,
    rule: &Limit,
    look: Look,
    result: LimitResult,
) -> LimitResult {
    let Some(bound) = ceiling(rule) else {
        return not_a_ceiling(result, rule);
    };
    let series = match series(record, metric) {
        Ok(series) => series,
        Err(reason) => return invalid(result, reason),
    };
    let Some(rotations) = rotations(record, metric) else {
        let message = "there is no `rotations` metric in the same samples to count rotations by";
        return invalid(result, Reason::of(ReasonCode::NotComputable, metric, message));
    };
    let answer = assess_per_rotation(&series, &rotations, &question(record, metric, bound, look));
    answered(result, &answer, "growth per rotation")
}

/// Rotations so far, at each sample of the metric.
pub(super) fn rotations(record: &Record, metric: &str) -> Option<Vec<f64>> {
    let (column, rotations) = (record.samples.column(metric)?, record.samples.column("rotations")?);
    let judged = Judged::of(record);
    let counted = super::counter::unwrapped(judged.rows.iter().map(|&i| rotations[i]));
    let pairs = judged.rows.iter().zip(counted).filter(|&(&i, _)| column[i].is_some());
    rotations
        .iter()
        .any(Option::is_some)
        .then(|| pairs.map(|(_, r)| r).collect())
}

fn ceiling(rule: &Limit) -> Option<f64> {
    match rule.bound {
        Bound::Number(bound) if rule.comparison.is_ceiling() && bound > 0.0 => Some(bound),
        _ => None,
    }
}

fn not_a_ceiling(result: LimitResult, rule: &Limit) -> LimitResult {
    let message = format!(
        "`{rule}`: growth is judged against a positive ceiling, such as `{} < 2`",
        rule.statistic.name()
    );
    let metric = result.metric.clone();
    invalid(result, Reason::of(ReasonCode::NotComputable, metric, message))
}

fn answered(result: LimitResult, answer: &Answer, what: &str) -> LimitResult {
    let outcome = match answer.outcome {
        Outcome::Pass => Verdict::Pass,
        Outcome::Fail => Verdict::Fail,
        Outcome::Inconclusive => Verdict::Inconclusive,
        Outcome::Invalid => Verdict::Invalid,
    };
    let growth = answer.growth.as_ref();
    let unit = unit(&result.rule);
    let figures = growth.map_or(String::new(), |g| {
        format!(
            " ({what} {}, between {} and {})",
            amount(g.estimate, unit),
            amount(g.low, unit),
            amount(g.high, unit)
        )
    });
    let reason = (outcome != Verdict::Pass).then(|| {
        let message = format!("{}{figures}", answer.reason.sentence);
        Reason::of(code(answer.reason.code), result.metric.clone(), message)
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

fn code(code: Code) -> ReasonCode {
    match code {
        Code::WithinLimit | Code::LimitExceeded | Code::RisesInARow => ReasonCode::LimitExceeded,
        Code::StraddlesLimit | Code::StillFalling => ReasonCode::Straddles,
        Code::GrowthStopped => ReasonCode::GrowthStopped,
        Code::TooShort | Code::TooFewRotations | Code::TooFewSamples => ReasonCode::TooShort,
        Code::Aliased => ReasonCode::Aliased,
        Code::NoData => ReasonCode::MetricAbsent,
        Code::BadQuestion => ReasonCode::NotComputable,
    }
}

/// `endpoint_per_min < N`: FASE's rate, for comparison with its tables.
pub(super) fn endpoint(record: &Record, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let rate = series(record, metric).map(|s| endpoint::of(&s));
    match (rate, rule.bound) {
        (Ok(Some(rate)), Bound::Number(bound)) => compared(
            result,
            rule,
            rate,
            bound,
            ReasonCode::LimitExceeded,
            &format!("`{metric}` per minute from first to last sample"),
        ),
        (Err(reason), _) => invalid(result, reason),
        _ => invalid(
            result,
            Reason::of(ReasonCode::TooShort, metric, "one sample has no rate"),
        ),
    }
}

/// `growth < N`: net growth, robust at both ends. A level that rose once and stayed is over budget, not a leak.
pub(super) fn net(record: &Record, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let Some(bound) = ceiling(rule) else {
        return not_a_ceiling(result, rule);
    };
    let series = match series(record, metric) {
        Ok(series) => series,
        Err(reason) => return invalid(result, reason),
    };
    let Some(net) = net_growth(&series) else {
        return invalid(
            result,
            Reason::of(ReasonCode::TooShort, metric, "too few samples for a net growth"),
        );
    };
    let judged = compared(
        result,
        rule,
        net,
        bound,
        ReasonCode::LimitExceeded,
        &format!("net growth of `{metric}`"),
    );
    let minutes = Judged::of(record).length_s() / 60.0;
    if judged.outcome == Verdict::Pass || minutes <= 0.0 {
        return judged;
    }
    // Over the budget: a leak if it still grows, else a level that rose once.
    let growing = assess(&series, &question(record, metric, bound / minutes, Look::Final)).growing;
    if budget(&series, bound, growing).is_some_and(|b| b.outcome == Outcome::Inconclusive) {
        let message = format!(
            "`{metric}` rose by {} and stays there: more than the budget of {}, but not a leak",
            number(net),
            number(bound)
        );
        let reason = Some(Reason::of(ReasonCode::OverBudget, metric, message));
        return LimitResult {
            outcome: Verdict::Inconclusive,
            reason,
            ..judged
        };
    }
    judged
}
