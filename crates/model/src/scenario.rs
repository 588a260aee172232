//! Scenarios: load, target, schedule, metrics, limits and faults of a run.
//!
//! A scenario is read from TOML with every key checked. The types hold it with all defaults filled in; a mistake of the
//! user becomes a [`Problem`] with its place in the file.

mod check;
mod definition;
mod engine;
mod fault;
mod load;
mod metric;
mod overrides;
mod parse;
mod preset;
mod problem;
mod schedule;
mod target;
#[cfg(test)]
mod tests;
mod traffic;

pub use definition::{OneOrMore, Scenario};
pub use engine::{Engine, EngineKind};
pub use fault::{Fault, FaultKind};
pub use load::{LineBytes, Load, LogConfig, Rate};
pub use metric::{
    Aggregate, CgroupMetric, ENGINE_METRICS, EngineMetric, Metric, MetricSource, ProcMetric, ROTATIONS_MIN,
    SeriesSelector,
};
pub use overrides::{OverrideError, override_keys};
pub use parse::WriteError;
pub use preset::{PRESETS, PresetMetric};
pub use problem::Problem;
pub use schedule::Schedule;
pub use target::{AttributionMode, Build, BuildRequirement, OriginsMode, Port, Ready, StartOrder, Target, TargetKind};
pub use traffic::Traffic;
