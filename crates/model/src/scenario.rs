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
mod preset;
mod problem;
mod schedule;
mod target;
mod traffic;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use engine::{Engine, EngineKind};
pub use fault::{Fault, FaultKind};
pub use load::{LineBytes, Load, LogConfig, Rate};
pub use metric::{Aggregate, BUILT_IN, CGROUP, Metric, OF_ENGINE, ROTATIONS_MIN};
pub use overrides::{OverrideError, override_keys};
pub use preset::{Known, PRESETS};
pub use problem::Problem;
pub use schedule::Schedule;
pub use target::{AttributionMode, Build, BuildRequirement, Port, Ready, Start, Target, TargetKind};
pub use traffic::Traffic;

/// A scenario that cannot be written as TOML.
pub use toml::ser::Error as WriteError;

use crate::limit::{Limit, Statistic};
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
    /// What the target is given to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
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
            || self.asks_of_engine()
            || told.any(|word| word.contains("{engine}"))
    }

    /// Whether a limit or a metric is of the engine's own process.
    fn asks_of_engine(&self) -> bool {
        let built_in = |name: &String| OF_ENGINE.iter().any(|(of_engine, _)| of_engine == name);
        self.metrics.values().any(|m| m.engine.is_some()) || self.limits.keys().any(built_in)
    }

    /// Whether something is put in front of the target that can be taken away again.
    #[must_use]
    pub fn has_load(&self) -> bool {
        !self.load.is_empty() || self.traffic.is_some()
    }

    /// Whether the target is seen without load before it comes, which `drained` compares with. Without containers the traffic alone
    /// is the load, and there is none before the target is there.
    #[must_use]
    pub fn has_level_without_load(&self) -> bool {
        let alone = self.load.is_empty() && self.traffic.is_some();
        alone || self.target.starts() == Start::BeforeLoad
    }

    /// Metrics whose `drained` can be known only if the target is started before the load, which this one is not.
    #[must_use]
    pub fn drained_unknown(&self) -> Vec<String> {
        let drained = |rules: &OneOrMore<Limit>| rules.0.iter().any(|rule| rule.statistic == Statistic::Drained);
        let unknown = self.limits.iter().filter(|(_, rules)| drained(rules));
        unknown
            .map(|(metric, _)| metric.clone())
            .filter(|_| !self.has_level_without_load())
            .collect()
    }

    /// Lines a second of all groups together; `None` if one writes as fast as the engine takes it.
    #[must_use]
    pub fn lines_per_second(&self) -> Option<f64> {
        let sum: Option<f64> = self.load.iter().map(Load::total_lines_per_second).sum();
        // The sum of nothing is -0.
        sum.map(|sum| sum + 0.0)
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
        self.target
            .rotate_every
            .map(crate::HumanDuration::as_secs)
            .filter(|s| *s > 0.0)
    }

    /// Every metric that is sampled: those of the kernel, of the engine's process, of the target's kind or preset, and the
    /// scenario's own.
    #[must_use]
    pub fn all_metrics(&self) -> BTreeMap<String, Metric> {
        let limited = |name: &str| self.limits.contains_key(name);
        let kind = self.target.kind;
        let mut all: BTreeMap<_, _> = metric::built_in(kind == TargetKind::Container)
            .filter(|(name, _, on_demand)| kind != TargetKind::Metrics && (!on_demand || limited(name)))
            .map(|(name, metric, _)| (name, metric))
            .collect();
        if self.needs_engine() {
            let counts = OF_ENGINE.iter();
            all.extend(counts.map(|(name, what)| ((*name).to_owned(), Metric::of_engine(what))));
        }
        all.extend(self.target.metrics());
        all.extend(self.metrics.clone());
        // A sum hides the container that does not rotate; the exposition is read anyway.
        if let Some(rotations) = all.get("rotations").filter(|m| m.metrics.is_some() && m.counter)
            && rotations.aggregate == Aggregate::Sum
        {
            let least = Metric {
                aggregate: Aggregate::Min,
                ..rotations.clone()
            };
            all.entry(ROTATIONS_MIN.to_owned()).or_insert(least);
        }
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
            early_stop: schedule.early_stop,
            sample_every_s: schedule.sample_every.as_secs(),
            checkpoint_every_s: schedule.checkpoint_every.as_secs(),
            containers: self.containers(),
            rotations_per_s: self
                .rotation_period_s()
                .filter(|_| self.containers() > 0)
                .map(|period| self.containers() as f64 / period),
            lines_checked: self.lines_checked(),
        }
    }
}

#[cfg(test)]
mod tests;
