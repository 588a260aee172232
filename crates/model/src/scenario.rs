//! A scenario: which load, which target, how long, what is measured and what must hold.
//!
//! Read from TOML with every key checked. The types here are the scenario with its defaults filled in; what a user
//! typed wrong comes back as a [`Problem`] with its place in the file.

mod check;
mod engine;
mod fault;
mod load;
mod metric;
mod overrides;
mod problem;
mod schedule;
mod target;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use engine::{Engine, EngineKind};
pub use fault::{Fault, FaultKind};
pub use load::{LineBytes, Load, LogConfig, Rate};
pub use metric::{Aggregate, BUILT_IN, Metric};
pub use overrides::{OverrideError, override_keys};
pub use problem::Problem;
pub use schedule::Schedule;
pub use target::{Build, BuildRequirement, PRESETS, Ready, Start, Target, TargetKind};

/// A scenario that cannot be written as TOML.
pub use toml::ser::Error as WriteError;

use crate::limit::Limit;
use crate::record::Plan;

/// A scenario with every default filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Names the run's folder: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Which question it answers, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Which engine the load runs on.
    #[serde(default)]
    pub engine: Engine,
    /// Groups of containers.
    #[serde(default)]
    pub load: Vec<Load>,
    /// What is tested.
    pub target: Target,
    /// How long, and how often it is looked at.
    #[serde(default)]
    pub schedule: Schedule,
    /// Names that `limits` refer to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Metric>,
    /// What must hold, by metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, OneOrMore<Limit>>,
    /// Faults on the wire between engine and target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fault: Vec<Fault>,
}

/// One value or a list of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct OneOrMore<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = OneOrMore<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a limit such as \"growth_per_min < 2\", or a list of them")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                T::deserialize(serde::de::value::StrDeserializer::new(text)).map(|one| OneOrMore(vec![one]))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(OneOrMore(all))
            }
        }
        deserializer.deserialize_any(Visitor(std::marker::PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMore<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("OneOrMore{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

impl Scenario {
    /// Reads a scenario and checks all of it.
    ///
    /// # Errors
    /// Every problem that was found, with its place in `text`; a problem of form hides those of sense.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let scenario: Self = toml::from_str(text).map_err(|error| vec![Problem::of_toml(&error, text)])?;
        let problems = check::check(&scenario, text);
        if problems.is_empty() {
            Ok(scenario)
        } else {
            Err(problems)
        }
    }

    /// The scenario as run: TOML with every default filled in. `parse` reads it back to the same scenario.
    ///
    /// # Errors
    /// If it cannot be written as TOML, which no parsed scenario has shown.
    pub fn to_toml(&self) -> Result<String, WriteError> {
        toml::to_string_pretty(self)
    }

    /// The JSON Schema of scenario files.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// Containers in all groups.
    #[must_use]
    pub fn containers(&self) -> u64 {
        self.load.iter().map(|l| u64::from(l.containers)).sum()
    }

    /// Whether the run needs an engine: for its load, its faults, or a target that lives on one; or because one is named.
    #[must_use]
    pub fn needs_engine(&self) -> bool {
        let target = &self.target;
        let mut told = target.command.iter().chain(target.env.values());
        !self.load.is_empty()
            || !self.fault.is_empty()
            || matches!(target.kind, TargetKind::Capture | TargetKind::Container)
            || self.engine.kind != EngineKind::Auto
            || self.engine.host.is_some()
            || told.any(|word| word.contains("{engine}"))
    }

    /// Lines a second of all groups together; `None` if one writes as fast as the engine takes it.
    #[must_use]
    pub fn lines_per_second(&self) -> Option<f64> {
        self.load.iter().map(Load::total_lines_per_second).sum()
    }

    /// Whether every group is the built-in noise, so that lines can be checked.
    #[must_use]
    pub fn lines_are_stamped(&self) -> bool {
        self.load.iter().all(|l| l.image.is_none()) && !self.load.is_empty()
    }

    /// Whether the target's lines can be checked at the end.
    #[must_use]
    pub fn lines_checked(&self) -> bool {
        self.lines_are_stamped() && (self.target.kind == TargetKind::Capture || self.target.delivered.is_some())
    }

    /// Seconds between rotations of one stream, if the scenario says so.
    #[must_use]
    pub fn rotation_period_s(&self) -> Option<f64> {
        self.target.rotate_every.map(crate::Span::as_secs).filter(|s| *s > 0.0)
    }

    /// Every metric that is sampled: those of /proc, of the target's kind or preset, and the scenario's own.
    #[must_use]
    pub fn all_metrics(&self) -> BTreeMap<String, Metric> {
        let limited = |name: &str| self.limits.contains_key(name);
        let mut all: BTreeMap<_, _> = metric::built_in()
            .filter(|(name, on_demand)| self.target.kind != TargetKind::Metrics && (!on_demand || limited(name)))
            .map(|(name, _)| (name.to_owned(), Metric::of_proc(name)))
            .collect();
        all.extend(self.target.metrics());
        all.extend(self.metrics.clone());
        all
    }

    /// Every limit with its metric, those of a metric together.
    #[must_use]
    pub fn all_limits(&self) -> Vec<(String, Limit)> {
        self.limits
            .iter()
            .flat_map(|(metric, rules)| rules.0.iter().map(|rule| (metric.clone(), rule.clone())))
            .collect()
    }

    /// What the schedule promises to the judge.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "containers are few")]
    pub fn plan(&self) -> Plan {
        let schedule = &self.schedule;
        Plan {
            measure_s: schedule.measure.as_secs(),
            max_s: schedule.measure.as_secs() + schedule.extend.as_secs(),
            sample_every_s: schedule.sample_every.as_secs(),
            checkpoint_every_s: schedule.checkpoint_every.as_secs(),
            containers: self.containers(),
            rotations_per_s: self.rotation_period_s().map(|period| self.containers() as f64 / period),
            lines_checked: self.lines_checked(),
        }
    }
}

#[cfg(test)]
mod tests;
