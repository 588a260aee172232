//! `[metrics]`: the sources of the sampled numbers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::{MetricInfo, PAGE_BYTES};
use crate::units::Unit;

/// The metric with the fewest rotations of any container. The sum `rotations` would hide a container that stopped.
pub const ROTATIONS_MIN: &str = "rotations_least";

/// A metric with exactly one source: `proc`, `cgroup`, `metrics`, `log` or `engine`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "MetricTable", into = "MetricTable")]
#[schemars(with = "MetricTable")]
pub struct Metric {
    /// The source of its values.
    pub source: MetricSource,
    /// True for a value that only increases; a decrease is then a restart from zero.
    pub counter: bool,
}

/// The source of a metric's values.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricSource {
    /// The target's process in /proc.
    Proc(ProcMetric),
    /// The target's control group.
    Cgroup(CgroupMetric),
    /// A series of the target's /metrics.
    Series(SeriesSelector),
    /// A regular expression; the value is the number of its matches in the target's output.
    Log(String),
    /// The engine's own process.
    Engine(EngineMetric),
}

/// The series of /metrics that a metric is read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesSelector {
    /// The series' full name.
    pub name: String,
    /// Names of the same series in other versions of the program; the first that exists is used.
    pub aliases: Vec<String>,
    /// Labels that a series must have.
    pub labels: BTreeMap<String, String>,
    /// The way in which several matching series become one number.
    pub aggregate: Aggregate,
}

/// The way in which several matching series become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// Their sum.
    #[default]
    Sum,
    /// The largest value.
    Max,
    /// The smallest value.
    Min,
    /// The number of series.
    Count,
}

macro_rules! named_metrics {
    ($(#[$meta:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        pub enum $type {
            $($(#[$doc])* $variant,)*
        }

        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns its name in a scenario.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

named_metrics! {
    /// A number that /proc has for every process.
    ProcMetric {
        /// Threads.
        Threads = "threads",
        /// Open file descriptors.
        Fds = "fds",
        /// Resident memory, in bytes.
        Rss = "rss",
        /// Processor time, in seconds.
        Cpu = "cpu",
        /// Proportional memory, in bytes.
        Pss = "pss",
        /// Descendant processes.
        Children = "children",
    }
}

named_metrics! {
    /// A number of a control group.
    CgroupMetric {
        /// Memory without the reclaimable page cache, in bytes.
        Memory = "memory",
        /// Processes and threads.
        Pids = "pids",
    }
}

named_metrics! {
    /// A number of the engine's own process.
    EngineMetric {
        /// Open file descriptors.
        Fds = "fds",
        /// Threads.
        Threads = "threads",
        /// Resident memory, in bytes.
        Rss = "rss",
        /// Goroutines.
        Goroutines = "goroutines",
    }
}

/// The built-in metrics of the engine's process, which distinguish a leak of the engine from a leak of the target.
pub const ENGINE_METRICS: [(&str, EngineMetric); 4] = [
    ("engine_fds", EngineMetric::Fds),
    ("engine_threads", EngineMetric::Threads),
    ("engine_rss", EngineMetric::Rss),
    ("engine_goroutines", EngineMetric::Goroutines),
];

impl ProcMetric {
    /// Returns true for a number that is expensive to read, and is sampled only if it has a limit.
    const fn is_on_demand(self) -> bool {
        matches!(self, Self::Pss | Self::Children)
    }

    const fn unit(self) -> Unit {
        match self {
            Self::Rss | Self::Pss => Unit::Bytes,
            Self::Threads | Self::Fds | Self::Cpu | Self::Children => Unit::Count,
        }
    }
}

/// Lists the built-in metrics of the kernel: name, metric, and true if it is sampled only under a limit.
pub(super) fn kernel_metrics(is_container: bool) -> impl Iterator<Item = (String, Metric, bool)> {
    let of_process = ProcMetric::ALL
        .iter()
        .map(|&metric| (metric.name().to_owned(), Metric::proc(metric), metric.is_on_demand()));
    let of_group = CgroupMetric::ALL.iter().map(move |&metric| {
        (
            format!("cgroup_{}", metric.name()),
            Metric::cgroup(metric),
            !is_container,
        )
    });
    of_process.chain(of_group)
}

impl Metric {
    /// Makes the metric of a number in /proc.
    #[must_use]
    pub fn proc(metric: ProcMetric) -> Self {
        Self {
            source: MetricSource::Proc(metric),
            counter: metric == ProcMetric::Cpu,
        }
    }

    /// Makes the metric of a number of the target's control group.
    #[must_use]
    pub fn cgroup(metric: CgroupMetric) -> Self {
        Self {
            source: MetricSource::Cgroup(metric),
            counter: false,
        }
    }

    /// Makes the metric of a number of the engine's process.
    #[must_use]
    pub fn engine(metric: EngineMetric) -> Self {
        Self {
            source: MetricSource::Engine(metric),
            counter: false,
        }
    }

    /// Makes the metric of all series with this name, added up.
    #[must_use]
    pub fn series(name: &str, counter: bool) -> Self {
        let selector = SeriesSelector {
            name: name.to_owned(),
            ..SeriesSelector::default()
        };
        Self {
            source: MetricSource::Series(selector),
            counter,
        }
    }

    /// Makes the metric that counts the matches of a regular expression in the target's output.
    #[must_use]
    pub fn log(pattern: &str) -> Self {
        Self {
            source: MetricSource::Log(pattern.to_owned()),
            counter: false,
        }
    }

    /// Returns the properties that the statistics depend on.
    #[must_use]
    pub fn info(&self) -> MetricInfo {
        let (source, unit, quantum) = match &self.source {
            MetricSource::Proc(ProcMetric::Cpu) => ("proc", Unit::Count, 0.01),
            MetricSource::Proc(metric) if metric.unit() == Unit::Bytes => ("proc", Unit::Bytes, PAGE_BYTES),
            MetricSource::Proc(_) => ("proc", Unit::Count, 1.0),
            MetricSource::Engine(EngineMetric::Rss) => ("engine", Unit::Bytes, PAGE_BYTES),
            MetricSource::Engine(_) => ("engine", Unit::Count, 1.0),
            MetricSource::Cgroup(CgroupMetric::Memory) => ("cgroup", Unit::Bytes, PAGE_BYTES),
            MetricSource::Cgroup(CgroupMetric::Pids) => ("cgroup", Unit::Count, 1.0),
            MetricSource::Series(series) if series.name.ends_with("_bytes") => ("metrics", Unit::Bytes, 1.0),
            MetricSource::Series(_) => ("metrics", Unit::Count, 1.0),
            MetricSource::Log(_) => ("log", Unit::Count, 1.0),
        };
        MetricInfo {
            source: source.into(),
            counter: self.counter || matches!(self.source, MetricSource::Log(_)),
            quantum,
            unit,
            moves_with_load: false,
        }
    }
}

/// The form of a [`Metric`] in a scenario file.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Metric")]
struct MetricTable {
    /// A number of the target's process in /proc.
    #[serde(skip_serializing_if = "Option::is_none")]
    proc: Option<ProcMetric>,
    /// A number of the target's control group, for example of a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup: Option<CgroupMetric>,
    /// Name of a series of the target's /metrics; several that match are combined by `aggregate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<String>,
    /// Names of the same series in other versions of the program; the first that exists is used.
    #[serde(skip_serializing_if = "Vec::is_empty", alias = "or")]
    aliases: Vec<String>,
    /// Regular expression; the value is the number of its matches in the target's output.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    /// A number of the engine's own process.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<EngineMetric>,
    /// Labels that a series must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    /// The way in which several matching series become one number.
    aggregate: Aggregate,
    /// True for a value that only increases; a decrease is then a restart from zero.
    counter: bool,
}

/// A `[metrics.NAME]` table without exactly one source.
#[derive(Debug, thiserror::Error)]
enum MetricTableError {
    #[error("a metric has exactly one of `proc`, `cgroup`, `metrics`, `log`, `engine`, and this one has {0}")]
    Sources(usize),
    #[error("`labels` and `aliases` belong to a series of /metrics: name it with metrics = \"…\"")]
    NotASeries,
}

impl TryFrom<MetricTable> for Metric {
    type Error = MetricTableError;

    fn try_from(table: MetricTable) -> Result<Self, MetricTableError> {
        let has_series_keys = !table.labels.is_empty() || !table.aliases.is_empty();
        if has_series_keys && table.metrics.is_none() {
            return Err(MetricTableError::NotASeries);
        }
        let series = table.metrics.map(|name| SeriesSelector {
            name,
            aliases: table.aliases,
            labels: table.labels,
            aggregate: table.aggregate,
        });
        let mut sources: Vec<MetricSource> = [
            table.proc.map(MetricSource::Proc),
            table.cgroup.map(MetricSource::Cgroup),
            series.map(MetricSource::Series),
            table.log.map(MetricSource::Log),
            table.engine.map(MetricSource::Engine),
        ]
        .into_iter()
        .flatten()
        .collect();
        match (sources.pop(), sources.len()) {
            (Some(source), 0) => Ok(Self {
                source,
                counter: table.counter,
            }),
            (last, more) => Err(MetricTableError::Sources(usize::from(last.is_some()) + more)),
        }
    }
}

impl From<Metric> for MetricTable {
    fn from(metric: Metric) -> Self {
        let mut table = Self {
            counter: metric.counter,
            ..Self::default()
        };
        match metric.source {
            MetricSource::Proc(metric) => table.proc = Some(metric),
            MetricSource::Cgroup(metric) => table.cgroup = Some(metric),
            MetricSource::Log(pattern) => table.log = Some(pattern),
            MetricSource::Engine(metric) => table.engine = Some(metric),
            MetricSource::Series(series) => {
                table.metrics = Some(series.name);
                table.aliases = series.aliases;
                table.labels = series.labels;
                table.aggregate = series.aggregate;
            }
        }
        table
    }
}
