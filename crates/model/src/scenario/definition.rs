//! The scenario type, its construction, and the values derived from it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::engine::{Engine, EngineKind};
use super::fault::Fault;
use super::load::Load;
use super::metric::{self, Aggregate, ENGINE_METRICS, Metric, MetricSource, ROTATIONS_MIN, SeriesSelector};
use super::schedule::Schedule;
use super::target::{StartOrder, Target, TargetKind};
use super::traffic::Traffic;
use crate::limit::{Limit, Statistic};
use crate::run_plan::RunPlan;
use crate::units::HumanDuration;

/// A scenario with all defaults filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Name of the run's folder: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The question that the scenario answers, in one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The engine that the load runs on.
    #[serde(default)]
    pub engine: Engine,
    /// Groups of containers.
    #[serde(default)]
    pub load: Vec<Load>,
    /// The program under test.
    pub target: Target,
    /// Requests for the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// Lengths of the phases, and the sampling interval.
    #[serde(default)]
    pub schedule: Schedule,
    /// Metrics in addition to the built-in ones, by the name that `limits` use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Metric>,
    /// Limits by metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, OneOrMore<Limit>>,
    /// Faults on the connection between engine and target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fault: Vec<Fault>,
}

/// One value or a list of values.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct OneOrMore<T>(pub Vec<T>);

impl<T> Default for OneOrMore<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

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
    /// Makes a scenario with defaults and without load or limits. [`Scenario::check`] verifies the completed one.
    ///
    /// ```
    /// use leakcheck_model::Scenario;
    /// use leakcheck_model::scenario::Target;
    ///
    /// let scenario = Scenario::new("web", Target::process(4711))
    ///     .with_limit("fds", "growth_per_min < 1".parse()?);
    /// assert!(scenario.check().is_ok());
    /// # Ok::<(), leakcheck_model::limit::LimitError>(())
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, target: Target) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            engine: Engine::default(),
            load: Vec::new(),
            target,
            traffic: None,
            schedule: Schedule::default(),
            metrics: BTreeMap::new(),
            limits: BTreeMap::new(),
            fault: Vec::new(),
        }
    }

    /// Adds a limit.
    #[must_use]
    pub fn with_limit(mut self, metric: impl Into<String>, limit: Limit) -> Self {
        self.limits.entry(metric.into()).or_default().0.push(limit);
        self
    }

    /// Returns the number of containers in all load groups.
    #[must_use]
    pub fn containers(&self) -> u64 {
        self.load.iter().map(|l| u64::from(l.containers)).sum()
    }

    /// Returns true if load, faults, target or metrics need an engine, or if the scenario names one.
    #[must_use]
    pub fn needs_engine(&self) -> bool {
        let target = &self.target;
        let mut templates = target.command.iter().chain(target.env.values());
        !self.load.is_empty()
            || !self.fault.is_empty()
            || matches!(target.kind, TargetKind::Capture | TargetKind::Container)
            || self.engine.kind != EngineKind::Auto
            || self.engine.host.is_some()
            || self.uses_engine_metrics()
            || templates.any(|text| text.contains("{engine}"))
    }

    /// Returns true if a limit or a metric refers to the engine's own process.
    fn uses_engine_metrics(&self) -> bool {
        let is_built_in = |name: &String| ENGINE_METRICS.iter().any(|(known, _)| known == name);
        self.limits.keys().any(is_built_in)
            || self
                .metrics
                .values()
                .any(|metric| matches!(metric.source, MetricSource::Engine(_)))
    }

    /// Returns true if there is load that can be removed again.
    #[must_use]
    pub fn has_load(&self) -> bool {
        !self.load.is_empty() || self.traffic.is_some()
    }

    /// Returns true if the target is sampled before its load starts, which `drained` needs.
    ///
    /// Traffic without containers always starts after the target.
    #[must_use]
    pub fn has_level_without_load(&self) -> bool {
        let has_traffic_only = self.load.is_empty() && self.traffic.is_some();
        has_traffic_only || self.target.start_order() == StartOrder::BeforeLoad
    }

    /// Returns the metrics with a `drained` limit that cannot be computed, because the target starts after the load.
    #[must_use]
    pub fn drained_unknown(&self) -> Vec<String> {
        let is_drained = |rules: &OneOrMore<Limit>| rules.0.iter().any(|rule| rule.statistic == Statistic::Drained);
        if self.has_level_without_load() {
            return Vec::new();
        }
        let unknown = self.limits.iter().filter(|(_, rules)| is_drained(rules));
        unknown.map(|(metric, _)| metric.clone()).collect()
    }

    /// Returns the lines per second of all groups together; `None` if a group writes at full speed.
    #[must_use]
    pub fn lines_per_second(&self) -> Option<f64> {
        let sum: Option<f64> = self.load.iter().map(Load::total_lines_per_second).sum();
        // The sum of no values is -0.
        sum.map(|sum| sum + 0.0)
    }

    /// Returns true if every group writes stamped lines.
    #[must_use]
    pub fn lines_are_stamped(&self) -> bool {
        self.load.iter().all(|l| l.image.is_none()) && !self.load.is_empty()
    }

    /// Returns true if the lines that the target delivered can be checked.
    #[must_use]
    pub fn lines_checked(&self) -> bool {
        self.lines_are_stamped() && (self.target.kind == TargetKind::Capture || self.target.delivered.is_some())
    }

    /// Returns the seconds between rotations of one stream, if the scenario defines them.
    #[must_use]
    pub fn rotation_period_s(&self) -> Option<f64> {
        self.target
            .rotate_every
            .map(HumanDuration::as_secs)
            .filter(|s| *s > 0.0)
    }

    /// Returns all sampled metrics: of the kernel, the engine's process, the target's kind or preset, and the scenario.
    #[must_use]
    pub fn all_metrics(&self) -> BTreeMap<String, Metric> {
        let has_limit = |name: &str| self.limits.contains_key(name);
        let kind = self.target.kind;
        let mut all: BTreeMap<_, _> = metric::kernel_metrics(kind == TargetKind::Container)
            .filter(|(name, _, on_demand)| kind != TargetKind::Metrics && (!on_demand || has_limit(name)))
            .map(|(name, metric, _)| (name, metric))
            .collect();
        if self.needs_engine() {
            all.extend(ENGINE_METRICS.map(|(name, metric)| (name.to_owned(), Metric::engine(metric))));
        }
        all.extend(self.target.metrics());
        all.extend(self.metrics.clone());
        if let Some(least) = all.get("rotations").and_then(fewest) {
            all.entry(ROTATIONS_MIN.to_owned()).or_insert(least);
        }
        all
    }

    /// Returns all limits with their metrics, in the order of the metrics.
    #[must_use]
    pub fn all_limits(&self) -> Vec<(String, Limit)> {
        self.limits
            .iter()
            .flat_map(|(metric, rules)| rules.0.iter().map(|rule| (metric.clone(), rule.clone())))
            .collect()
    }

    /// Returns the plan of the run, for the judge.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "containers are few")]
    pub fn plan(&self) -> RunPlan {
        let schedule = &self.schedule;
        RunPlan {
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

/// Returns the metric of the smallest of the series that `sum` adds up; `None` unless it is a counter and a sum.
fn fewest(sum: &Metric) -> Option<Metric> {
    let MetricSource::Series(series) = &sum.source else {
        return None;
    };
    (sum.counter && series.aggregate == Aggregate::Sum).then(|| Metric {
        source: MetricSource::Series(SeriesSelector {
            aggregate: Aggregate::Min,
            ..series.clone()
        }),
        counter: true,
    })
}
