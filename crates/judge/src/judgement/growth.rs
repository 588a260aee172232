//! Growth limits: per minute, per rotation, net, and FASE's endpoint rate.

use leakcheck_model::limit::{Bound, Limit};
use leakcheck_model::record::{is_integer, quantum_of};
use leakcheck_model::result::LimitResult;
use leakcheck_model::verdict::{Reason, ReasonCode, Verdict};
use leakcheck_model::{Phase, Record};

use super::Asked;
use super::limit::{amount, compared, invalid, number, unit};
use crate::budget::{budget, net_growth, risen_from_lowest};
use crate::{Answer, Code, Outcome, Question, Series, endpoint};

/// The effect of a container is learnt from differences of 15 s means (JUDGE.md, C); fewer than ten teach nothing.
const COVARIATE_S: f64 = 150.0;

/// The judged values of a metric.
pub(super) fn series(record: &Record, metric: &str) -> Result<Series, Reason> {
    let most = record.samples.len();
    let (mut t, mut v) = (Vec::with_capacity(most), Vec::with_capacity(most));
    for (t_s, value) in record.samples.series(metric, Phase::is_judged) {
        t.push(t_s);
        v.push(value);
    }
    Series::new(t, v).map_err(|error| Reason::of(ReasonCode::ClockJumped, metric, format!("`{metric}`: {error}")))
}

/// What is asked of a metric's growth.
pub(super) fn question(asked: &Asked, metric: &str, bound: f64) -> Question {
    let Asked {
        record, judged, look, ..
    } = asked;
    let (planned, max) = record
        .plan
        .as_ref()
        .map_or((judged.length_s(), judged.length_s()), |p| (p.measure_s, p.max_s));
    // The last tick of a phase may be left out or come a little early: the plan is kept to within two samples.
    let slack = 2.0 * judged.every_s;
    Question {
        limit_per_min: bound,
        rotation_period_s: record.rotation_period_s,
        rotations_counted: super::counter::rotations_of_each(asked),
        quantum: quantum(record, metric),
        planned_s: planned - slack,
        max_s: max - slack,
        metrics: growing_limits(record),
        look: *look,
        covariate: containers(asked, metric),
        allowed_swing: None,
    }
}

/// The step of a metric: as it is known, or as its values tell where they are no counts.
fn quantum(record: &Record, metric: &str) -> f64 {
    let info = record.metrics.get(metric);
    let known = info.map_or(1.0, |m| m.quantum);
    // That of a table from elsewhere is told by its values already.
    if info.is_some_and(|m| m.source == "csv") {
        return known;
    }
    let column = record.samples.column(metric).unwrap_or_default();
    if column.iter().flatten().all(|&v| is_integer(v)) {
        known
    } else {
        known.min(quantum_of(column))
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
fn containers(asked: &Asked, metric: &str) -> Option<Vec<f64>> {
    let Asked { record, judged, .. } = asked;
    let (column, containers) = (record.samples.column(metric)?, record.samples.column("containers")?);
    if judged.length_s() < COVARIATE_S {
        return None;
    }
    let wanted = judged.rows.iter().filter(|&&i| column[i].is_some());
    let all: Vec<f64> = wanted.map(|&i| containers[i]).collect::<Option<_>>()?;
    let first = *all.first()?;
    all.iter().any(|n| (n - first).abs() > 0.5).then_some(all)
}

/// `growth_per_min < N`.
pub(super) fn per_minute(asked: &Asked, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let Some(bound) = ceiling(rule) else {
        return not_a_ceiling(result, rule);
    };
    match asked.per_minute(metric, bound) {
        Ok(answer) => answered(result, &answer, "growth per minute", bound),
        Err(reason) => invalid(result, reason),
    }
}

/// `per_rotation < N`: the same with the rotations so far as the abscissa.
pub(super) fn per_rotation(asked: &Asked, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let Some(bound) = ceiling(rule) else {
        return not_a_ceiling(result, rule);
    };
    match asked.per_rotation(metric, bound) {
        Ok(answer) => answered(result, &answer, "growth per rotation", bound),
        Err(reason) => invalid(result, reason),
    }
}

/// Rotations so far, at each sample of the metric.
pub(super) fn rotations(asked: &Asked, metric: &str) -> Option<Vec<f64>> {
    let Asked { record, judged, .. } = asked;
    let (column, rotations) = (record.samples.column(metric)?, record.samples.column("rotations")?);
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

fn answered(result: LimitResult, answer: &Answer, what: &str, limit: f64) -> LimitResult {
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
            " ({what} {}, between {} and {}; the limit is {})",
            amount(g.estimate, unit),
            amount(g.low, unit),
            amount(g.high, unit),
            amount(limit, unit)
        )
    });
    let reason = (outcome != Verdict::Pass).then(|| {
        let message = format!("{}{figures}", answer.reason.sentence);
        let code = match (outcome, answer.reason.code) {
            (Verdict::Invalid, Code::TooFewRotations) => ReasonCode::TooFewRotations,
            (_, other) => code(other),
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
pub(super) fn endpoint(asked: &Asked, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let rate = asked.series(metric).map(|s| endpoint::of(&s));
    match (rate, rule.bound) {
        (Ok(Some(rate)), Bound::Number(bound)) => {
            let what = format!("`{metric}` per minute from first to last sample");
            let judged = compared(result, rule, rate, bound, ReasonCode::LimitExceeded, &what);
            let is_ceiling = rule.comparison.is_ceiling() && bound > 0.0;
            let falls = || rate < -bound || still_falls(asked, metric, bound);
            if judged.outcome == Verdict::Pass && is_ceiling && falls() {
                return no_baseline(judged, metric);
            }
            judged
        }
        (Err(reason), _) => invalid(result, reason),
        _ => invalid(
            result,
            Reason::of(ReasonCode::TooShort, metric, "one sample has no rate"),
        ),
    }
}

/// Whether the value still falls faster than the limit lets it rise.
fn still_falls(asked: &Asked, metric: &str, bound: f64) -> bool {
    let answer = asked.per_minute(metric, bound);
    answer.is_ok_and(|answer| answer.reason.code == Code::StillFalling)
}

/// What would have passed, had it had a baseline: a fall hides a rise.
fn no_baseline(judged: LimitResult, metric: &str) -> LimitResult {
    let message = format!("`{metric}` is still falling: this is no baseline yet, and a leak beside it would be hidden");
    LimitResult {
        outcome: Verdict::Inconclusive,
        reason: Some(Reason::of(ReasonCode::Straddles, metric, message)),
        ..judged
    }
}

/// A net growth within its budget, of a value that still falls, or that fell and has grown beyond the budget since.
fn within_budget(judged: LimitResult, metric: &str, series: &Series, answer: &Answer) -> LimitResult {
    if answer.reason.code == Code::StillFalling {
        return no_baseline(judged, metric);
    }
    let risen = risen_from_lowest(series).unwrap_or(0.0);
    if answer.outcome != Outcome::Fail || judged.bound.is_none_or(|bound| risen < bound) {
        return judged;
    }
    let message = format!(
        "`{metric}` fell and has grown by {} since: within the budget only because it fell",
        number(risen)
    );
    LimitResult {
        outcome: Verdict::Inconclusive,
        reason: Some(Reason::of(ReasonCode::Straddles, metric, message)),
        ..judged
    }
}

/// `growth < N`: net growth, robust at both ends. A level that rose once and stayed is over budget, not a leak.
pub(super) fn net(asked: &Asked, metric: &str, rule: &Limit, result: LimitResult) -> LimitResult {
    let Some(bound) = ceiling(rule) else {
        return not_a_ceiling(result, rule);
    };
    let series = match asked.series(metric) {
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
    let minutes = asked.judged.length_s() / 60.0;
    if minutes <= 0.0 {
        return judged;
    }
    let Ok(answer) = asked.per_minute(metric, bound / minutes) else {
        return judged;
    };
    if judged.outcome == Verdict::Pass {
        return within_budget(judged, metric, &series, &answer);
    }
    // Over the budget: a leak if it still grows, else a level that rose once.
    if budget(&series, bound, answer.growing).is_some_and(|b| b.outcome == Outcome::Inconclusive) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Look;
    use crate::judgement::{certain_fails, judge as judged, made::Made, would_more_help};

    /// Noise from -3 to 3 that is the same in every run.
    fn noise(t: f64) -> f64 {
        (t.abs() * 7919.0 % 7.0).floor() - 3.0
    }

    fn run(seconds: u32, value: impl Fn(f64) -> f64) -> Made {
        Made::run(seconds, 5).metric("fds", move |t| Some((1000.0 + value(t) + noise(t)).round()))
    }

    fn one(made: Made, rule: &str) -> LimitResult {
        judged(&made.limit("fds", rule).record()).limits.remove(0)
    }

    fn told(made: Made, rule: &str) -> (Verdict, Option<ReasonCode>) {
        let limit = one(made, rule);
        (limit.outcome, limit.reason.map(|r| r.code))
    }

    const PASS: (Verdict, Option<ReasonCode>) = (Verdict::Pass, None);

    #[test]
    fn growth_per_minute_passes_fails_and_is_left_open() {
        let exceeded = (Verdict::Fail, Some(ReasonCode::LimitExceeded));
        assert_eq!(told(run(900, |_| 0.0), "growth_per_min < 2"), PASS);
        assert_eq!(told(run(900, |t| t / 6.0), "growth_per_min < 2"), exceeded);
        let straddles = (Verdict::Inconclusive, Some(ReasonCode::Straddles));
        assert_eq!(told(run(900, |t| t / 30.0), "growth_per_min < 2"), straddles);
        assert_eq!(told(run(600, |t| -t / 5.0), "growth_per_min < 2"), straddles);
        let stopped = told(run(1800, |t| 40.0 * t.min(1200.0) / 60.0), "growth_per_min < 2");
        assert_eq!(stopped, (Verdict::Inconclusive, Some(ReasonCode::GrowthStopped)));
        let limit = one(run(900, |t| t / 6.0), "growth_per_min < 2");
        let (low, high) = (limit.low.expect("known"), limit.high.expect("known"));
        assert!(low < 10.0 && 10.0 < high && limit.bound == Some(2.0), "{low} {high}");
        let message = limit.reason.expect("a fail has a reason").message;
        assert!(message.contains("(growth per minute 10"), "{message}");
    }

    #[test]
    fn a_run_is_held_to_its_plan_within_two_samples() {
        let planned = |seconds: f64| {
            let longer = run(600, |_| 0.0).with(|r| r.plan.as_mut().expect("planned").measure_s = seconds);
            told(longer, "growth_per_min < 2")
        };
        // 601 s and the spacing of a sample against the plan less two.
        assert_eq!(planned(604.0), PASS);
        assert_eq!(planned(604.5), (Verdict::Inconclusive, Some(ReasonCode::TooShort)));
    }

    #[test]
    fn growth_is_held_against_a_positive_ceiling_only() {
        for rule in [
            "growth_per_min > 2",
            "growth_per_min < 0",
            "per_rotation > 1",
            "growth > 5",
            "growth < 0",
        ] {
            let (outcome, code) = told(run(300, |_| 0.0), rule);
            assert_eq!(
                (outcome, code),
                (Verdict::Invalid, Some(ReasonCode::NotComputable)),
                "{rule}"
            );
        }
    }

    #[test]
    fn growth_per_rotation_counts_by_the_rotations() {
        let rotating = |each: f64| {
            run(900, move |t| each * (t.max(0.0) / 30.0).floor())
                .rotating_every(30.0)
                .metric("rotations", |t| Some(5.0 * (t.max(0.0) / 30.0).floor()))
        };
        // 10 a rotation of each of five: 2 for one rotation.
        let limit = one(rotating(10.0), "per_rotation < 0.5");
        assert_eq!(limit.outcome, Verdict::Fail, "{:?}", limit.reason);
        assert!(
            (limit.measured.expect("known") - 2.0).abs() < 0.2,
            "{:?}",
            limit.measured
        );
        assert_eq!(told(rotating(0.0), "per_rotation < 0.5"), PASS);
        let blind = told(run(900, |_| 0.0), "per_rotation < 0.5");
        assert_eq!(blind, (Verdict::Invalid, Some(ReasonCode::NotComputable)));
        let unseen = run(900, |_| 0.0).metric("rotations", |_| None);
        assert_eq!(told(unseen, "per_rotation < 0.5").1, Some(ReasonCode::NotComputable));
    }

    #[test]
    fn a_target_that_never_rotated_is_not_passed() {
        let rotating = |rotations: f64| {
            let made = run(900, |_| 0.0).rotating_every(30.0);
            told(
                made.metric("rotations", move |t| Some(rotations * t.max(0.0) / 900.0)),
                "growth_per_min < 2",
            )
        };
        let too_few = (Verdict::Invalid, Some(ReasonCode::TooFewRotations));
        assert_eq!(rotating(0.0), too_few);
        // One of each of five, which is five in all; six of each are thirty.
        assert_eq!(rotating(5.0), too_few);
        assert_eq!(rotating(30.0), PASS);
        // Where containers come and go, one that goes before its first rotation is sound.
        let churn = run(900, |_| 0.0)
            .rotating_every(30.0)
            .metric("rotations", |_| Some(0.0))
            .with(|r| {
                let row = r.samples.t_s.len() / 2;
                let at = r.samples.names.iter().position(|n| n == "containers").expect("there");
                r.samples.columns[at][row] = Some(4.0);
            });
        assert_eq!(told(churn, "growth_per_min < 2"), PASS);
    }

    #[test]
    fn endpoint_rates_are_fases_and_a_falling_baseline_is_none() {
        assert_eq!(told(run(600, |_| 0.0), "endpoint_per_min < 2"), PASS);
        let limit = one(run(600, |t| t / 6.0), "endpoint_per_min < 2");
        assert_eq!(limit.outcome, Verdict::Fail);
        assert!((limit.measured.expect("known") - 10.0).abs() < 0.7);
        // 6B at minute ten: -10.75 a minute.
        let open = (Verdict::Inconclusive, Some(ReasonCode::Straddles));
        assert_eq!(told(run(600, |t| -10.75 * t / 60.0), "endpoint_per_min < 2"), open);
        // A fall that is smaller than the limit from end to end, and steeper at the end.
        let late_fall = run(600, |t| 12.0 - 0.2 * (t - 480.0).max(0.0));
        assert_eq!(told(late_fall, "endpoint_per_min < 2").0, Verdict::Inconclusive);
        assert_eq!(
            told(run(600, |t| -10.75 * t / 60.0), "endpoint_per_min > -20").0,
            Verdict::Pass
        );
        assert_eq!(
            told(run(0, |_| 0.0), "endpoint_per_min < 2").1,
            Some(ReasonCode::TooShort)
        );
    }

    #[test]
    fn a_budget_tells_a_pool_from_a_leak() {
        assert_eq!(told(run(900, |_| 0.0), "growth < 50"), PASS);
        let leak = told(run(900, |t| t / 6.0), "growth < 50");
        assert_eq!(leak, (Verdict::Fail, Some(ReasonCode::LimitExceeded)));
        let pool = told(run(900, |t| if t > 300.0 { 90.0 } else { 0.0 }), "growth < 50");
        assert_eq!(pool, (Verdict::Inconclusive, Some(ReasonCode::OverBudget)));
        assert_eq!(told(run(0, |_| 0.0), "growth < 50").1, Some(ReasonCode::TooShort));
    }

    #[test]
    fn a_budget_is_not_kept_by_a_fall() {
        let falls = |t: f64| 300.0 * (-t / 60.0).exp();
        let open = (Verdict::Inconclusive, Some(ReasonCode::Straddles));
        // It falls from the first to the last; and a leak of 10 a minute behind a fall of 300.
        assert_eq!(told(run(900, |t| -t / 2.0), "growth < 50"), open);
        assert_eq!(told(run(900, |t| falls(t) + t / 6.0), "growth < 50"), open);
        assert_eq!(told(run(900, falls), "growth < 50"), PASS);
    }

    #[test]
    fn a_metric_of_fractions_has_their_step() {
        let of = |value: fn(f64) -> f64| {
            let made = Made::run(60, 5).metric("load", move |t| Some(value(t)));
            quantum(&made.record(), "load")
        };
        assert_eq!(of(|t| t), 1.0);
        assert_eq!(of(|t| t / 4.0), 0.01);
        assert_eq!(quantum(&Made::run(60, 5).record(), "nothing"), 1.0);
    }

    #[test]
    fn limits_on_growth_share_the_error() {
        let low = |more: &[&str]| {
            let made = run(900, |t| t / 30.0).limit("fds", "growth_per_min < 2");
            let made = more.iter().fold(made, |made, rule| made.limit("fds", rule));
            judged(&made.record()).limits[0].low.expect("known")
        };
        let alone = low(&[]);
        assert!(low(&["growth_per_min < 3"]) < alone);
        assert!(low(&["per_rotation < 3"]) < alone);
        assert_eq!(low(&["max < 9000"]), alone);
    }

    #[test]
    fn churn_is_taken_out_where_it_can_be_learnt() {
        let churning = |seconds: u32| {
            let number = |t: f64| (10.0 + 6.0 * (t / 200.0).sin()).round();
            let made = run(seconds, move |t| 5.0 * number(t) + t / 12.0);
            made.with(|r| {
                let at = r.samples.names.iter().position(|n| n == "containers").expect("there");
                r.samples.columns[at] = r.samples.t_s.iter().map(|t| Some(number(*t))).collect();
            })
        };
        assert_eq!(told(churning(1200), "growth_per_min < 2").0, Verdict::Fail);
        let known = |made: Made| containers(&Asked::new(&made.record(), Look::Final), "fds").is_some();
        assert!(known(churning(1200)));
        assert!(!known(churning(148)));
        assert!(known(churning(149)));
        assert!(!known(run(1200, |_| 0.0)));
    }

    #[test]
    fn an_early_look_says_only_what_is_certain() {
        let looked_at = |value: fn(f64) -> f64, rule: &str| {
            let made = run(1800, value).limit("fds", rule).cut_at(600.0);
            certain_fails(&made.record()).len()
        };
        assert_eq!(looked_at(|t| t, "growth_per_min < 2"), 1);
        assert_eq!(looked_at(|_| 0.0, "growth_per_min < 2"), 0);
        assert_eq!(looked_at(|t| t, "max < 1100"), 1);
        assert_eq!(looked_at(|t| -t, "min > 900"), 1);
        // The highest may yet rise that far, and the lowest fall.
        assert_eq!(looked_at(|t| -t, "max > 1100"), 0);
        assert_eq!(looked_at(|t| t, "min < 900"), 0);
        // What is computed of the end is not certain before it.
        assert_eq!(looked_at(|t| t, "endpoint_per_min < 2"), 0);
        assert_eq!(looked_at(|t| t, "growth < 50"), 0);
        assert_eq!(looked_at(|t| t, "last < 1100"), 0);
    }

    #[test]
    fn more_helps_what_is_undecided_and_not_what_failed() {
        let asked = |value: fn(f64) -> f64, rules: &[&str]| {
            let made = rules.iter().fold(run(900, value), |made, rule| made.limit("fds", rule));
            would_more_help(&made.record())
        };
        assert!(asked(|t| t / 30.0, &["growth_per_min < 2"]));
        assert!(!asked(|_| 0.0, &["growth_per_min < 2"]));
        assert!(!asked(|t| t / 6.0, &["growth_per_min < 2"]));
        // Another limit on growth failed, and one that more data do not decide.
        assert!(!asked(|t| t / 30.0, &["growth_per_min < 2", "growth_per_min < 0.5"]));
        assert!(!asked(|_| 0.0, &["drained <= 90% of expected"]));
    }

    #[test]
    fn a_run_that_is_looked_at_or_may_be_extended_spends_a_looks_error() {
        let low = |change: fn(&mut leakcheck_model::record::Plan)| {
            let made = run(900, |t| t / 30.0)
                .limit("fds", "growth_per_min < 2")
                .with(|r| change(r.plan.as_mut().expect("planned")));
            judged(&made.record()).limits[0].low.expect("known")
        };
        let once = low(|_| {});
        let looked_at = low(|plan| plan.early_stop = true);
        assert!(looked_at < once);
        assert_eq!(low(|plan| plan.max_s += 120.0), looked_at);
        let short = |early_stop, max_s| {
            let mut plan = Made::run(120, 5).record().plan.expect("planned");
            (plan.early_stop, plan.max_s) = (early_stop, max_s);
            crate::look_at_the_end(&plan, None)
        };
        // Two minutes are not looked at on the way.
        assert_eq!(short(true, 120.0), Look::Final);
        assert_eq!(short(true, 121.0), Look::Last);
        assert_eq!(short(false, 121.0), Look::Last);
    }

    #[test]
    fn both_lengths_of_a_plan_are_kept_to_within_two_samples() {
        let record = run(600, |_| 0.0).with(|r| {
            let plan = r.plan.as_mut().expect("planned");
            (plan.sample_every_s, plan.max_s) = (5.0, 700.0);
        });
        let question = question(&Asked::new(&record.record(), Look::Final), "fds", 2.0);
        assert_eq!((question.planned_s, question.max_s), (590.0, 690.0));
    }

    #[test]
    fn a_metric_of_whole_numbers_keeps_its_known_step() {
        let made = Made::run(60, 5)
            .metric("memory", |t| Some(t.abs() + 3.0))
            .with(|r| r.metrics.get_mut("memory").expect("there").quantum = 4096.0);
        assert_eq!(quantum(&made.record(), "memory"), 4096.0);
    }

    #[test]
    fn an_endpoint_rate_needs_a_clock() {
        let jumped = run(600, |_| 0.0).with(|r| r.samples.t_s[300] = r.samples.t_s[299]);
        assert_eq!(
            told(jumped, "endpoint_per_min < 2"),
            (Verdict::Invalid, Some(ReasonCode::ClockJumped))
        );
    }

    #[test]
    fn a_fall_that_is_asked_for_is_no_missing_baseline() {
        let falling = || run(600, |t| -10.75 * t / 60.0);
        assert_eq!(told(falling(), "endpoint_per_min < -5"), PASS);
        assert_eq!(told(falling(), "endpoint_per_min < 0"), PASS);
    }

    #[test]
    fn a_fall_at_the_end_is_no_baseline_whatever_the_rate_from_end_to_end() {
        // From 0 to −10 in ten minutes, but 6 a minute since the fourth.
        let late_fall = run(600, |t| {
            if t <= 0.0 {
                0.0
            } else {
                26.0 - 0.1 * (t - 240.0).max(0.0)
            }
        });
        let limit = one(late_fall, "endpoint_per_min < 2");
        let rate = limit.measured.expect("known");
        assert!(rate > -2.0 && rate < 0.0, "{rate}");
        assert_eq!(limit.outcome, Verdict::Inconclusive);
    }

    #[test]
    fn a_budget_is_kept_unless_a_leak_is_seen_that_has_outgrown_it() {
        // |i − 50| rose by 40 from its lowest tenth to its last.
        let times = (0..100).map(f64::from).collect();
        let valley = Series::new(times, (0..100).map(|i: i32| f64::from((i - 50).abs())).collect()).expect("a series");
        let of = |outcome: Outcome, bound: f64| {
            let record = run(60, |_| 0.0).limit("fds", "growth < 50").record();
            let mut limit = judged(&record).limits.remove(0);
            (limit.outcome, limit.bound) = (Verdict::Pass, Some(bound));
            let answer = Answer::without_figures(outcome, Code::LimitExceeded, String::new());
            within_budget(limit, "fds", &valley, &answer).outcome
        };
        assert_eq!(
            [41.0, 40.0, 30.0].map(|bound| of(Outcome::Fail, bound)),
            [Verdict::Pass, Verdict::Inconclusive, Verdict::Inconclusive]
        );
        assert_eq!(
            [41.0, 40.0, 30.0].map(|bound| of(Outcome::Inconclusive, bound)),
            [Verdict::Pass; 3]
        );
    }

    #[test]
    fn a_budget_is_growth_per_minute_over_the_length_of_the_run() {
        let falls = |t: f64| 300.0 * (-t.max(0.0) / 60.0).exp();
        // 40 in a quarter of an hour are 2.7 a minute: 5 a minute behind a fall are more, 1 a minute beside a step is not.
        let leak = run(900, |t| falls(t) + t / 12.0);
        assert_eq!(
            told(leak, "growth < 40"),
            (Verdict::Inconclusive, Some(ReasonCode::Straddles))
        );
        let pool = run(900, |t| falls(t) + t / 60.0 + if t > 450.0 { 60.0 } else { 0.0 });
        assert_eq!(told(pool, "growth < 40"), PASS);
    }
}
