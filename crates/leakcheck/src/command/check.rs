//! `leakcheck check`: checks and explains scenarios without starting anything.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use leakcheck_judge::whole_rotations;
use leakcheck_model::scenario::{EngineKind, Rate, StartOrder, Traffic};
use leakcheck_model::{HumanDuration, Scenario};
use leakcheck_runner::check_program;

use super::hints::{drained_unknown, tight_limits};
use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::{scenario_file, style};

/// Arguments of `leakcheck check`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck check my-daemon.toml
  leakcheck check scenarios/*.toml
  leakcheck check my-daemon.toml --set load.noisy.containers=200")]
pub(crate) struct Arguments {
    /// Scenario files
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// Override a key, as in `leakcheck run`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Explains each scenario, or prints its problems.
///
/// # Errors
/// None. The exit code is 2 if a scenario is wrong.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut exit = Exit::Success;
    for path in &arguments.scenarios {
        match scenario_file::read(path, &arguments.set) {
            Ok(scenario) => style::print(&explanation(&scenario)),
            Err(error) => {
                exit = Exit::Usage;
                _ = Failure::usage(format!("{error:#}")).report();
            }
        }
    }
    Ok(exit.into())
}

/// The scenario as text.
fn explanation(scenario: &Scenario) -> String {
    let mut text = format!(
        "{}{}\n",
        scenario.name,
        if scenario.description.is_empty() {
            String::new()
        } else {
            format!(": {}", scenario.description)
        }
    );
    let mut row = |name: &str, what: String| text.push_str(&format!("  {name:<10} {what}\n"));
    row(
        "engine",
        match scenario.engine.kind {
            EngineKind::Auto if !scenario.needs_engine() => "none needed".into(),
            EngineKind::Auto => "Docker if it answers, else simulated".into(),
            EngineKind::Docker => "Docker".into(),
            EngineKind::Simulated => "simulated".into(),
        },
    );
    for load in &scenario.load {
        let pace = match load.lines_per_second {
            Rate::PerSecond(0.0) => "idle".into(),
            Rate::PerSecond(rate) => format!("{rate} lines/s of {} bytes each", load.line_bytes),
            Rate::Max => format!("as many lines of {} bytes as the engine takes", load.line_bytes),
        };
        let churn = load
            .lifetime
            .map_or(String::new(), |l| format!(", each replaced after {l}"));
        row("load", format!("{} x {}: {pace}{churn}", load.containers, load.name));
    }
    if !scenario.load.is_empty() {
        row("total", totals(scenario));
    }
    if let Some(traffic) = &scenario.traffic {
        row("traffic", requests(traffic));
    }
    row("target", target(scenario));
    row("time", timing(scenario));
    for (metric, limit) in scenario.all_limits() {
        row("limit", format!("{metric}: {limit}"));
    }
    for fault in &scenario.fault {
        let affected = fault.containers.as_ref().map_or_else(
            || {
                fault.share.map_or("all containers".into(), |s| {
                    format!("{:.0} % of the containers", s * 100.0)
                })
            },
            |g| format!("the containers of `{g}`"),
        );
        row(
            "fault",
            format!(
                "{} after {} for {}, {affected}",
                fault.kind.name(),
                fault.at,
                fault.length
            ),
        );
    }
    let tight = tight_limits(scenario, "measure");
    let missing = check_program(scenario)
        .err()
        .map(|error| format!("on this machine {error}"));
    for hint in drained_unknown(scenario).into_iter().chain(missing).chain(tight) {
        row("hint", hint);
    }
    text.push('\n');
    text
}

fn totals(scenario: &Scenario) -> String {
    let bytes: f64 = scenario
        .load
        .iter()
        .map(|l| l.total_lines_per_second().unwrap_or(0.0) * (l.line_bytes.mean() + 1.0))
        .sum();
    let lines = match scenario.lines_per_second() {
        Some(lines) => format!("{lines} lines/s, {:.1} kB/s", bytes / 1000.0),
        None => "as many lines as the engine takes".into(),
    };
    let rotations = scenario.rotation_period_s().map_or("no rotation".into(), |period_s| {
        let of_each = whole_rotations(scenario.schedule.measure.as_secs(), period_s) as u64;
        format!(
            "{} rotations expected in {}",
            scenario.containers() * of_each,
            scenario.schedule.measure
        )
    });
    format!("{} containers, {lines}, {rotations}", scenario.containers())
}

fn requests(traffic: &Traffic) -> String {
    match &traffic.url {
        Some(url) => format!("{} {url}, {} times a second", traffic.method, traffic.per_second),
        None => traffic.command.join(" "),
    }
}

fn target(scenario: &Scenario) -> String {
    let target = &scenario.target;
    let start = match target.start_order() {
        _ if scenario.load.is_empty() => "no containers",
        StartOrder::BeforeLoad => "started before the load",
        StartOrder::AfterLoad => "started after the load",
    };
    let rotate = target
        .rotate_every
        .map_or(String::new(), |every| format!(", rotating every {every}"));
    let lines = if scenario.lines_checked() {
        "every line is checked"
    } else {
        "lines are not checked"
    };
    let what = if target.command.is_empty() {
        target.kind.name().to_owned()
    } else {
        target.command.join(" ")
    };
    format!("{what}{rotate}; {start}; {lines}")
}

fn timing(scenario: &Scenario) -> String {
    let s = &scenario.schedule;
    // Launch and removal take about 0.15 s a container on two cores.
    let launch = HumanDuration::seconds(3 + scenario.containers() / 5);
    let drain = if scenario.has_load() {
        s.drain
    } else {
        HumanDuration::ZERO
    };
    let all = HumanDuration(s.warm_up.0 + s.measure.0 + drain.0 + launch.0);
    format!(
        "warm up {}, measure {} with a sample every {}, drain {}: about {all} in total{}",
        s.warm_up,
        s.measure,
        s.sample_every,
        drain,
        if s.extend.0.is_zero() {
            String::new()
        } else {
            format!(", {} more if undecided", s.extend)
        }
    )
}
