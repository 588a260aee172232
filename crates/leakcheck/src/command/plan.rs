//! `leakcheck plan`: before a run, how long it takes and how small a leak it can prove.

mod noise;
mod outlook;
mod rehearse;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use leakcheck_judge::interim_analysis::interim_times_s;
use leakcheck_judge::whole_rotations;
use leakcheck_model::{Scenario, HumanDuration};
use serde_json::json;

use super::Failure;
use crate::{scenario_file, style};
use noise::EarlierRun;
use outlook::Outlook;

/// Arguments of `leakcheck plan`.
#[derive(Args)]
#[command(after_help = "\
Two figures stand beside each other: what no judge can beat with this noise and this length, and what leakcheck's own judge
did in rehearsals, that is on generated runs with this noise. The judge is slower than the bound, because it will not take
a warm-up or a step for a leak.

Without --noise-of the noise is assumed. Of leakcheck's own daemon, as measured: counts with a standard deviation of 1 that is
forgotten from one sample to the next, memory with 256 KiB that are forgotten in 7 s. Of any other, a quiet daemon's: counts
with 2 that is forgotten in 10 s, memory with 256 KiB that are forgotten in 30 s.

Examples:
  leakcheck plan scenarios/55-containers.toml
  leakcheck plan my-daemon.toml --set schedule.measure=20m --noise-of reports/my-daemon/RUN_ID")]
pub(super) struct Arguments {
    /// The scenario file
    scenario: PathBuf,
    /// Take the noise from the samples of this earlier run
    #[arg(long, value_name = "RUN_DIR")]
    noise_of: Option<PathBuf>,
    /// Override a key, as in `leakcheck run`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print the plan as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// What is known of a run before it begins.
struct Plan {
    scenario: Scenario,
    takes: Takes,
    rotations: Option<Rotations>,
    looks_s: Vec<f64>,
    outlooks: Vec<Outlook>,
    hints: Vec<String>,
}

/// How long a run takes.
struct Takes {
    /// If nothing has to be waited for.
    least: HumanDuration,
    /// If the baseline settles late and the run is extended.
    most: HumanDuration,
}

/// Rotations in the judged part.
struct Rotations {
    per_stream: f64,
    expected: f64,
    period_s: f64,
}

/// Plans.
///
/// # Errors
/// If the scenario is wrong, or the earlier run cannot be read.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let scenario = scenario_file::read(&arguments.scenario, &arguments.set)?;
    let earlier = arguments.noise_of.as_deref().map(EarlierRun::read).transpose()?;
    let plan = planned(scenario, earlier.as_ref());
    if arguments.json {
        let text = serde_json::to_string_pretty(&as_json(&plan)).map_err(anyhow::Error::from)?;
        style::print(&format!("{text}\n"));
    } else {
        style::print(&words::of(&plan));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is known before a run of limits that are too tight for its schedule; `longer` is what makes it longer.
pub(super) fn too_tight(scenario: &Scenario, longer: &str) -> Vec<String> {
    let schedule = &scenario.schedule;
    let within = HumanDuration(schedule.measure.0 + schedule.extend.0);
    let with = if schedule.extend == HumanDuration::ZERO {
        ""
    } else {
        " with its extension"
    };
    outlook::never_passed(scenario)
        .into_iter()
        .map(|(rule, length_s)| {
            let or = length_s.map_or(String::new(), |s| format!(", or {longer} {}", words::round_up(s)));
            format!(
                "`{rule}` cannot pass within {within}{with}, not even for a target that stands still: allow more{or}"
            )
        })
        .collect()
}

fn planned(scenario: Scenario, earlier: Option<&EarlierRun>) -> Plan {
    let outlooks = outlook::of(&scenario, earlier);
    let measure_s = scenario.schedule.measure.as_secs();
    let period = scenario.rotation_period_s();
    Plan {
        takes: takes(&scenario),
        rotations: period.map(|period_s| {
            let per_stream = whole_rotations(measure_s, period_s) as f64;
            Rotations {
                per_stream,
                expected: scenario.containers() as f64 * per_stream,
                period_s,
            }
        }),
        looks_s: if scenario.schedule.early_stop {
            interim_times_s(measure_s, period)
        } else {
            Vec::new()
        },
        hints: hints(&scenario, &outlooks),
        outlooks,
        scenario,
    }
}

/// Launch and removal take about 0.15 s a container on two cores; the warm-up may last twice its time.
fn takes(scenario: &Scenario) -> Takes {
    let schedule = &scenario.schedule;
    let launch = if scenario.load.is_empty() {
        HumanDuration::seconds(1)
    } else {
        HumanDuration::seconds(3 + scenario.containers() / 5)
    };
    let drain = if scenario.has_load() {
        schedule.drain
    } else {
        HumanDuration::ZERO
    };
    let least = launch.0 + schedule.warm_up.0 + schedule.measure.0 + drain.0;
    Takes {
        least: HumanDuration(least),
        most: HumanDuration(least + schedule.warm_up.0 + schedule.extend.0),
    }
}

/// What would make the schedule better.
fn hints(scenario: &Scenario, outlooks: &[Outlook]) -> Vec<String> {
    let mut hints = Vec::new();
    let undecided: Vec<&Outlook> = outlooks.iter().filter(|o| !o.is_decidable()).collect();
    let longest = undecided.iter().filter_map(|o| o.shortest_s).fold(0.0, f64::max);
    if longest > 0.0 {
        hints.push(format!(
            "measure = \"{}\" would decide the limits as written, rehearsed with this noise",
            words::round_up(longest)
        ));
    }
    for outlook in undecided.iter().filter(|o| o.shortest_s.is_none()) {
        hints.push(format!(
            "`{}: {}` is not decided within {}: allow more, or find what makes the metric noisy",
            outlook.metric,
            outlook.rule,
            words::round_up(rehearse::LONGEST_S)
        ));
    }
    hints.extend(super::check::drained_unknown(scenario));
    hints.extend(faster(scenario, !undecided.is_empty()));
    hints
}

/// Evidence comes per rotation: the same leak per rotation is found sooner if rotations come sooner.
fn faster(scenario: &Scenario, undecided: bool) -> Option<String> {
    /// Rotations of a stream above which more of them add little.
    const MANY: f64 = 20.0;
    let period = scenario.rotation_period_s()?;
    let measure = scenario.schedule.measure.as_secs();
    // Four samples a rotation, or its sawtooth is not seen as one.
    let fastest = (4.0 * scenario.schedule.sample_every.as_secs()).max(measure / MANY);
    if fastest >= period / 1.5 || (!undecided && measure / period >= 2.0 * outlook::ROTATIONS_TO_PASS) {
        return None;
    }
    Some(format!(
        "rotate faster: with rotate_every = \"{}\" instead of {}, a leak of so much per rotation grows {:.0} times as fast and is proven sooner (evidence comes per rotation)",
        words::round_up(fastest),
        words::round_up(period),
        (period / fastest).floor()
    ))
}

fn as_json(plan: &Plan) -> serde_json::Value {
    let mut value = json!({
        "schema": 1,
        "scenario": plan.scenario.name,
        "takes_s": { "least": plan.takes.least.as_secs(), "most": plan.takes.most.as_secs() },
        "measure_s": plan.scenario.schedule.measure.as_secs(),
        "looks_s": plan.looks_s,
        "decidable": plan.outlooks.iter().all(Outlook::is_decidable),
        "limits": plan.outlooks.iter().map(Outlook::as_json).collect::<Vec<_>>(),
        "hints": plan.hints,
    });
    if let (Some(rotations), Some(object)) = (&plan.rotations, value.as_object_mut()) {
        let rotations = json!({
            "every_s": rotations.period_s,
            "per_stream": rotations.per_stream,
            "expected": rotations.expected,
        });
        object.insert("rotations".into(), rotations);
    }
    value
}
