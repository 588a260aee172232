//! What every page for people says in the same words: what the verdict means, what ran where, who leaked, which limit
//! was measured at what.

use leakcheck_model::event::{Attribution, ImageFacts};
use leakcheck_model::limit::{Limit, Statistic};
use leakcheck_model::result::{Checkpoint, LimitResult};
use leakcheck_model::{Phase, ReasonCode, Record, RunResult, Verdict};

use crate::quantity::{Unit, count, duration};

/// What the verdict means, in a sentence or two.
#[must_use]
pub fn meaning(result: &RunResult) -> String {
    let of = |wanted: Verdict| result.limits.iter().filter(|l| l.outcome == wanted).count();
    let all = result.limits.len();
    match result.verdict {
        Verdict::Pass => match all {
            1 => "The limit holds, and the data could have shown otherwise.".into(),
            n => format!("All {n} limits hold, and the data could have shown otherwise."),
        },
        Verdict::Fail => match of(Verdict::Fail) {
            0 => "The target failed the run itself.".into(),
            1 => format!("One of {all} limits is exceeded."),
            n => format!("{n} of {all} limits are exceeded."),
        },
        Verdict::Invalid => "No verdict: this run could not have shown a leak. It is not a pass.".into(),
        Verdict::Inconclusive => {
            let all = |code: ReasonCode| !result.reasons.is_empty() && result.reasons.iter().all(|r| r.code == code);
            if all(ReasonCode::TooShort) {
                "No verdict: the run was too short to tell. It is not a pass; a longer run would tell."
            } else if all(ReasonCode::Straddles) {
                "No verdict: what was measured lies on both sides of a limit. It is not a pass; a longer run would tell."
            } else {
                "No verdict: the data do not decide. It is not a pass; the reasons say what would tell."
            }
            .into()
        }
    }
}

/// What ran where and how long, in a sentence.
#[must_use]
pub fn setting(result: &RunResult, record: &Record) -> String {
    let mut parts: Vec<String> = Vec::new();
    match result.containers {
        None | Some(0) => {}
        Some(1) => parts.push("1 container".into()),
        Some(n) => parts.push(format!("{n} containers")),
    }
    if let Some(engine) = &result.engine {
        parts.push(match engine.kind.as_str() {
            "simulated" => "a simulated engine".into(),
            _ => format!("Docker {}", engine.version).trim_end().to_owned(),
        });
    }
    let load = parts.join(" on ");
    let mut text = match judged_s(record) {
        Some(judged) => format!("{} judged", duration(judged)),
        None => "Nothing was judged".to_owned(),
    };
    if !load.is_empty() {
        text.push_str(&format!(", {load}"));
    }
    if let Some(at) = &result.started_at {
        text.push_str(&format!(", started {}", moment(at)));
    }
    text.push('.');
    if result.stopped_early {
        let saved = result
            .saved_s
            .map_or(String::new(), |s| format!(", {} before its time", duration(s)));
        text.push_str(&format!(" The run was stopped early{saved}: the outcome was certain."));
    }
    text
}

/// From the first judged sample to the last.
fn judged_s(record: &Record) -> Option<f64> {
    let samples = &record.samples;
    let mut rows = samples.rows(Phase::is_judged);
    let first = rows.next()?;
    let last = rows.last().unwrap_or(first);
    Some(samples.t_s[last] - samples.t_s[first])
}

/// A moment to the second, as people write it; as it stands if it is none.
fn moment(at: &str) -> String {
    at.parse::<jiff::Timestamp>()
        .map_or_else(|_| at.to_owned(), |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Who leaked, a sentence each: the harness's own, or else made from what grew.
#[must_use]
pub fn attribution(who: &Attribution) -> Vec<String> {
    if !who.sentences.is_empty() {
        return who.sentences.clone();
    }
    let fds = who.fds.iter().map(|g| {
        let peer = g.peer.as_ref().map_or(String::new(), |p| format!(" to {p}"));
        format!("file descriptors of kind {}{peer}: {:+}", g.kind, g.grew_by)
    });
    let tasks = who.tasks.iter().map(|g| {
        let state = g.state.as_ref().map_or(String::new(), |s| format!(" in {s}"));
        format!("tasks `{}`{state}: {:+}", g.name, g.grew_by)
    });
    fds.chain(tasks).collect()
}

/// A limit's measured value and interval, in its unit: `+4.02/min`, `3.90 to 4.10/min`.
#[must_use]
pub fn measured(limit: &LimitResult, unit: Unit) -> (String, String) {
    let statistic = limit.rule.parse::<Limit>().ok().map(|l| l.statistic);
    let unit = if statistic.is_some_and(Statistic::is_line_check) {
        Unit::Count
    } else {
        unit
    };
    let per_min = matches!(
        statistic,
        Some(Statistic::GrowthPerMin | Statistic::EndpointPerMin | Statistic::RatePerMin)
    );
    let signed = per_min
        || matches!(
            statistic,
            Some(Statistic::Growth | Statistic::PerRotation | Statistic::Drained)
        );
    let value = match limit.measured {
        None => "not measured".to_owned(),
        Some(v) if per_min => unit.show_rate(v),
        Some(v) if signed => unit.show_signed(v),
        Some(v) => unit.show(v),
    };
    let interval = match (limit.low, limit.high) {
        (Some(low), Some(high)) => {
            format!("{}{}", unit.show_interval(low, high), if per_min { "/min" } else { "" })
        }
        _ => String::new(),
    };
    (value, interval)
}

/// The metrics of the checkpoint table: those with limits, or else all.
#[must_use]
pub fn checkpoint_metrics(result: &RunResult) -> Vec<&str> {
    let mut metrics: Vec<&str> = Vec::new();
    for limit in &result.limits {
        if result.metrics.contains_key(&limit.metric) && !metrics.contains(&limit.metric.as_str()) {
            metrics.push(&limit.metric);
        }
    }
    if metrics.is_empty() {
        metrics = result.metrics.keys().map(String::as_str).collect();
    }
    metrics
}

/// A metric at a checkpoint, FASE's way: value, growth since the baseline, growth per minute.
#[must_use]
pub fn at_checkpoint(result: &RunResult, record: &Record, checkpoint: &Checkpoint, metric: &str) -> [String; 3] {
    let unit = unit_of(record, metric);
    let value = checkpoint.values.get(metric).copied();
    let baseline = result.metrics.get(metric).and_then(|m| m.baseline);
    let growth = value.zip(baseline).map(|(v, b)| unit.show_signed(v - b));
    let rate = checkpoint.endpoint_per_min.get(metric).map(|r| unit.show_signed(*r));
    [
        value.map_or_else(|| "not seen".into(), |v| unit.show(v)),
        growth.unwrap_or_default(),
        rate.unwrap_or_default(),
    ]
}

/// The unit of a metric.
#[must_use]
pub fn unit_of(record: &Record, metric: &str) -> Unit {
    Unit::of(record.metrics.get(metric).map_or("", |m| m.unit.symbol()))
}

/// The image of a container: its name and id, when it was made, and what its labels say of its origin.
fn image_in_words(image: &ImageFacts) -> String {
    let made = image.created.iter().map(|at| format!("made {}", moment(at)));
    let container = image
        .container_created
        .iter()
        .map(|at| format!("its container {}", moment(at)));
    let of_origin =
        |name: &&String| name.starts_with("org.opencontainers.image.") || name.starts_with("org.label-schema.");
    let labels = image
        .labels
        .keys()
        .filter(of_origin)
        .map(|name| format!("{name}={}", image.labels[name]));
    let parts: Vec<String> = made.chain(container).chain(labels).collect();
    let id: String = image.id.trim_start_matches("sha256:").chars().take(12).collect();
    format!(
        "{} ({id}){}",
        image.name,
        parts.iter().map(|p| format!(", {p}")).collect::<String>()
    )
}

/// The environment, a name and a value a row.
#[must_use]
pub fn environment(result: &RunResult, record: &Record) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, value: String| {
        if !value.trim().is_empty() {
            rows.push((name.to_owned(), value));
        }
    };
    row("run", result.run_id.clone());
    row("started", result.started_at.clone().unwrap_or_default());
    row("sampled for", duration(result.duration_s));
    match (&record.facts.engine, &result.engine) {
        (Some(e), _) => {
            let api = if e.api.is_empty() {
                String::new()
            } else {
                format!(", API {}", e.api)
            };
            let at = if e.host.is_empty() {
                String::new()
            } else {
                format!(", {}", e.host)
            };
            let process = match (&e.program, e.pid) {
                (Some(program), Some(pid)) => format!(", served by {program}, process {pid}"),
                _ => String::new(),
            };
            row("engine", format!("{} {}{api}{at}{process}", e.kind, e.version));
        }
        (None, Some(e)) => row("engine", format!("{} {}", e.kind, e.version)),
        (None, None) => {}
    }
    if let Some((running, planned)) = record.facts.launched {
        row("containers", format!("{running} of {planned} came up"));
    }
    if let Some(rotations) = result.expected_rotations {
        row("rotations expected", Unit::Count.show(rotations.round()));
    }
    if let Some(target) = &result.target {
        let pid = target.pid.map_or(String::new(), |p| format!(", process {p}"));
        row("target", format!("{}{pid}", target.kind));
        row("target's command", target.command.clone().unwrap_or_default());
        row("target's version", target.version.clone().unwrap_or_default());
        row("target's commit", target.commit.clone().unwrap_or_default());
        row("source's commit", target.source_commit.clone().unwrap_or_default());
        if let Some(image) = &target.image {
            row("target's image", image_in_words(image));
        }
        let mut build = target.build.iter().cloned().collect::<Vec<_>>();
        build.extend(target.build_notes.iter().cloned());
        row("target's build", build.join("; "));
    }
    for (name, value) in &record.facts.host {
        row(name, value.clone());
    }
    if let Some(cost) = result.attribution.as_ref().and_then(|a| a.cost) {
        row(
            "looked at who leaks",
            format!(
                "{} times, {:.0} ms each at most, {:.0} ms in all",
                count(cost.snapshots),
                cost.longest_ms,
                cost.total_ms
            ),
        );
    }
    if let Some(cost) = &result.self_cost {
        row(
            "the harness itself",
            format!(
                "{:.1} s of CPU, at most {}, a sample took {:.0} µs (at most {:.0} µs), {} samples missed, {} scrapes failed",
                cost.cpu_s,
                Unit::Bytes.show(cost.max_rss_bytes as f64),
                cost.sample_us.median,
                cost.sample_us.max,
                count(cost.missed_samples),
                count(cost.failed_scrapes),
            ),
        );
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Example;
    use leakcheck_model::Reason;

    #[test]
    fn an_undecided_run_says_why_it_is_undecided() {
        let meant = |codes: &[ReasonCode]| {
            let mut example = Example::new([0.0; 5]);
            example.result.verdict = Verdict::Inconclusive;
            example.result.reasons = codes.iter().map(|code| Reason::new(*code, "so")).collect();
            meaning(&example.result)
        };
        assert!(meant(&[ReasonCode::TooShort, ReasonCode::TooShort]).contains("too short to tell"));
        assert!(meant(&[ReasonCode::Straddles]).contains("both sides of a limit"));
        for codes in [
            &[][..],
            &[ReasonCode::Straddles, ReasonCode::TooShort],
            &[ReasonCode::Aliased],
        ] {
            let words = meant(codes);
            assert!(
                words.contains("do not decide") && words.contains("It is not a pass"),
                "{words}"
            );
        }
    }
}
