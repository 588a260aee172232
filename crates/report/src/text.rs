//! Sentences and table cells that all reports for people share: the verdict's meaning, the setting, attribution, limits.

use leakcheck_model::event::{Attribution, ImageFacts};
use leakcheck_model::format::{count, duration};
use leakcheck_model::limit::{Limit, Statistic};
use leakcheck_model::origins::{Frame, Origin, Resource};
use leakcheck_model::result::{Checkpoint, LimitResult};
use leakcheck_model::{Bound, Phase, ReasonCode, Record, RunResult, Unit, Verdict};

/// Returns the meaning of the verdict in one or two sentences.
#[must_use]
pub fn verdict_meaning(result: &RunResult) -> String {
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

/// Returns duration, load, engine and start of the run in a sentence.
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
        text.push_str(&format!(", started {}", timestamp(at)));
    }
    text.push('.');
    if result.stopped_early {
        let saved = result
            .saved_s
            .map_or(String::new(), |s| format!(", {} before its planned end", duration(s)));
        text.push_str(&format!(" The run was stopped early{saved}: the outcome was certain."));
    }
    text
}

/// Returns the seconds from the first judged sample to the last.
fn judged_s(record: &Record) -> Option<f64> {
    let samples = &record.samples;
    let mut rows = samples.rows(Phase::is_judged);
    let first = rows.next()?;
    let last = rows.last().unwrap_or(first);
    Some(samples.t_s[last] - samples.t_s[first])
}

/// Formats a timestamp to the second. Other text is returned unchanged.
fn timestamp(at: &str) -> String {
    at.parse::<jiff::Timestamp>()
        .map_or_else(|_| at.to_owned(), |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Returns one sentence per cause of the growth: those recorded in the run, or else one per group that grew.
#[must_use]
pub fn attribution(attribution: &Attribution) -> Vec<String> {
    if !attribution.sentences.is_empty() {
        return attribution.sentences.clone();
    }
    let fds = attribution.fds.iter().map(|g| {
        let peer = g.peer.as_ref().map_or(String::new(), |p| format!(" to {p}"));
        format!("file descriptors of kind {}{peer}: {:+}", g.kind, g.grew_by)
    });
    let tasks = attribution.tasks.iter().map(|g| {
        let state = g.state.as_ref().map_or(String::new(), |s| format!(" in {s}"));
        format!("tasks `{}`{state}: {:+}", g.name, g.grew_by)
    });
    fds.chain(tasks).collect()
}

/// Origins shown in short reports; `result.json` has all.
const MAX_ORIGINS: usize = 3;

/// Returns the origins whose resources grew, at most three.
pub fn grown_origins(result: &RunResult) -> impl Iterator<Item = &Origin> {
    result.origins.iter().filter(|o| o.growth() > 0).take(MAX_ORIGINS)
}

/// Returns one sentence for an origin: how many, opened by which function and line, called by which.
#[must_use]
pub fn origin(origin: &Origin) -> String {
    let growth = origin.growth();
    let verb = match origin.resource {
        Resource::Descriptor => "opened",
        Resource::Thread | Resource::Child => "started",
        Resource::InotifyWatch => "added",
    };
    let mut text = format!("+{growth} {}", origin.resource.noun(growth));
    if origin.resource != Resource::Child && origin.resource != Resource::InotifyWatch {
        text.push_str(&format!(" ({})", origin.kind));
    }
    if let Some(place) = origin.place() {
        text.push_str(&format!(": {verb} by {}", function_at(place)));
        let caller = origin
            .stack
            .iter()
            .skip_while(|f| *f != place)
            .skip(1)
            .find(|f| !f.library);
        if let Some(caller) = caller {
            text.push_str(&format!(", called by {}", function_at(caller)));
        }
    }
    text.push_str(&format!("; {} {verb}, {} still there", origin.opened, origin.open));
    text
}

fn function_at(frame: &Frame) -> String {
    match frame.location() {
        location if location.is_empty() => frame.function.clone(),
        location => format!("{} ({location})", frame.function),
    }
}

/// Formats the measured value of a limit and its interval: `+4.02/min`, `3.90 to 4.10/min`.
#[must_use]
pub fn measured_and_interval(limit: &LimitResult, unit: Unit) -> (String, String) {
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
        Some(v) if per_min => unit.format_rate(v),
        Some(v) if signed => unit.format_signed(v),
        Some(v) => unit.format(v),
    };
    let interval = match (limit.low, limit.high) {
        (Some(low), Some(high)) => {
            format!(
                "{}{}",
                unit.format_interval(low, high),
                if per_min { "/min" } else { "" }
            )
        }
        _ => String::new(),
    };
    (value, interval)
}

/// Returns the metrics of the checkpoint table: those with limits, or else all.
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

/// Formats a metric at a checkpoint: value, growth since the baseline, growth per minute.
#[must_use]
pub fn checkpoint_cells(result: &RunResult, record: &Record, checkpoint: &Checkpoint, metric: &str) -> [String; 3] {
    let unit = unit_of(record, metric);
    let value = checkpoint.values.get(metric).copied();
    let baseline = result.metrics.get(metric).and_then(|m| m.baseline);
    let growth = value.zip(baseline).map(|(v, b)| unit.format_signed(v - b));
    let rate = checkpoint.endpoint_per_min.get(metric).map(|r| unit.format_signed(*r));
    [
        value.map_or_else(|| "no value".into(), |v| unit.format(v)),
        growth.unwrap_or_default(),
        rate.unwrap_or_default(),
    ]
}

/// Returns the unit of a metric.
#[must_use]
pub fn unit_of(record: &Record, metric: &str) -> Unit {
    record.metrics.get(metric).map_or(Unit::Count, |m| m.unit)
}

/// Formats the number behind a limit that is a share of an expected value.
#[must_use]
pub fn bound_of_share(limit: &LimitResult, unit: Unit) -> Option<String> {
    let rule: Limit = limit.rule.parse().ok()?;
    matches!(rule.bound, Bound::OfExpected(_))
        .then_some(limit.bound)?
        .map(|bound| unit.format(bound))
}

/// Describes a container image: name, id, creation time, and the labels of its origin.
fn image_description(image: &ImageFacts) -> String {
    let created = image.created.iter().map(|at| format!("created {}", timestamp(at)));
    let container = image
        .container_created
        .iter()
        .map(|at| format!("its container {}", timestamp(at)));
    let of_origin =
        |name: &&String| name.starts_with("org.opencontainers.image.") || name.starts_with("org.label-schema.");
    let labels = image
        .labels
        .keys()
        .filter(of_origin)
        .map(|name| format!("{name}={}", image.labels[name]));
    let parts: Vec<String> = created.chain(container).chain(labels).collect();
    let id: String = image.id.trim_start_matches("sha256:").chars().take(12).collect();
    format!(
        "{} ({id}){}",
        image.name,
        parts.iter().map(|p| format!(", {p}")).collect::<String>()
    )
}

/// Returns the environment as rows of name and value.
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
        row("rotations expected", Unit::Count.format(rotations.round()));
    }
    if let Some(target) = &result.target {
        let pid = target.pid.map_or(String::new(), |p| format!(", process {p}"));
        row("target", format!("{}{pid}", target.kind));
        row("target's command", target.command.clone().unwrap_or_default());
        row("target's version", target.version.clone().unwrap_or_default());
        row("target's commit", target.commit.clone().unwrap_or_default());
        row("source's commit", target.source_commit.clone().unwrap_or_default());
        if let Some(image) = &target.image {
            row("target's image", image_description(image));
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
            "attribution",
            format!(
                "{} snapshots, at most {:.0} ms each, {:.0} ms in all",
                count(cost.snapshots),
                cost.longest_ms,
                cost.total_ms
            ),
        );
    }
    if let Some(cost) = &result.self_cost {
        row(
            "leakcheck itself",
            format!(
                "{:.1} s of CPU, at most {}, a sample took {:.0} µs (at most {:.0} µs), {} samples missed, {} scrapes failed",
                cost.cpu_s,
                Unit::Bytes.format(cost.max_rss_bytes as f64),
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
    use crate::tests::sample_run::SampleRun;
    use leakcheck_model::Reason;

    #[test]
    fn the_meaning_of_an_undecided_run_names_the_cause() {
        let meaning = |codes: &[ReasonCode]| {
            let mut run = SampleRun::new([0.0; 5]);
            run.result.verdict = Verdict::Inconclusive;
            run.result.reasons = codes.iter().map(|code| Reason::new(*code, "so")).collect();
            verdict_meaning(&run.result)
        };
        assert!(meaning(&[ReasonCode::TooShort, ReasonCode::TooShort]).contains("too short to tell"));
        assert!(meaning(&[ReasonCode::Straddles]).contains("both sides of a limit"));
        for codes in [
            &[][..],
            &[ReasonCode::Straddles, ReasonCode::TooShort],
            &[ReasonCode::Aliased],
        ] {
            let text = meaning(codes);
            assert!(
                text.contains("do not decide") && text.contains("It is not a pass"),
                "{text}"
            );
        }
    }
}
