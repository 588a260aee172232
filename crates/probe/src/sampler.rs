//! Sampling: one row with all metrics of a scenario, each read from its source.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use leakcheck_model::scenario::{CgroupMetric, Metric, MetricSource, ProcMetric};

use crate::cgroup::Cgroup;
use crate::exposition::Selector;
use crate::log_matcher::{LogMatcher, PatternError};
use crate::process::{ProcSample, Process, ProcessError};
use crate::process_tree::ProcessTree;
use crate::scrape::{DEADLINE, Scrape, ScrapeError, Scraper};

/// Reads all metrics of a target once per call.
#[derive(Debug)]
pub struct Sampler {
    names: Vec<String>,
    sources: Vec<Source>,
    tree: bool,
    process: Option<Sampled>,
    cgroup: Option<Cgroup>,
    liveness: Liveness,
    scraper: Option<Scraper>,
    start: Option<StartTime>,
    log: Option<LogMatcher>,
}

/// The series with the start time of a process, in seconds since 1970 (Prometheus, "Writing client libraries").
const START_TIME_SERIES: &str = "process_start_time_seconds";

/// The difference of two start times that means a restart. Some clients round the series.
const RESTART_DIFFERENCE_S: f64 = 1.5;

/// The start time of a target that is known by its /metrics alone.
#[derive(Clone, Copy, Debug)]
struct StartTime {
    /// The index of its selector.
    selector: usize,
    /// The first value.
    first: Option<f64>,
}

/// The sources from which a target can be sampled.
#[derive(Clone, Copy, Debug, Default)]
pub struct TargetHandles<'a> {
    /// The id of its process.
    pub pid: Option<u32>,
    /// `true` if the descendants of the process count too.
    pub tree: bool,
    /// The URL of its /metrics.
    pub metrics_url: Option<&'a str>,
    /// The file with its output.
    pub log: Option<&'a Path>,
}

/// A process, alone or with its descendants.
#[derive(Debug)]
enum Sampled {
    Process(Process),
    Tree(ProcessTree),
}

/// A row of samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// A value for each of [`Sampler::names`]; an unknown one is `None`, never 0.
    pub values: Vec<Option<f64>>,
    /// The reason for missing values of /metrics.
    pub scrape_failed: Option<String>,
    /// Irregularities of /metrics: unreadable lines, repeated series, NaN.
    pub scrape_odd: Option<String>,
    /// The state of the process.
    pub process: Liveness,
    /// The reason why a living process could not be read (it is another user's).
    pub unreadable: Option<String>,
    /// The time of reading /proc.
    pub took: Duration,
    /// The time of a successful scrape.
    pub scrape_took: Option<Duration>,
    /// The number of bytes of the output that were not searched yet.
    pub log_behind: u64,
}

/// The state of the target's process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Liveness {
    /// It runs, or the target has no process here.
    #[default]
    Alive,
    /// It has ended.
    Gone,
    /// It has ended, and another process has its id or serves its /metrics.
    Restarted,
}

/// An error of creating a sampler.
#[derive(Debug, thiserror::Error)]
pub enum SamplerError {
    /// The process cannot be opened.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The URL is invalid, or the HTTP client cannot be created.
    #[error(transparent)]
    Scrape(#[from] ScrapeError),
    /// A pattern is no regular expression.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// The source of one column.
#[derive(Clone, Copy, Debug)]
enum Source {
    Threads,
    Fds,
    Rss,
    Pss,
    Cpu,
    Children,
    CgroupMemory,
    CgroupPids,
    /// A series, by the index of its selector.
    Series(usize),
    /// A log pattern, by its index.
    Log(usize),
    /// No source of the target.
    Unavailable,
}

impl Sampler {
    /// Creates a sampler for these metrics. A metric whose source the target does not have is `None` in every row.
    ///
    /// # Errors
    /// An error if the process is gone, the URL is invalid, or a pattern is no regular expression.
    pub fn new(handles: TargetHandles<'_>, metrics: &BTreeMap<String, Metric>) -> Result<Self, SamplerError> {
        let (mut selectors, mut patterns, mut sources) = (Vec::new(), Vec::new(), Vec::new());
        for metric in metrics.values() {
            sources.push(match &metric.source {
                MetricSource::Proc(metric) => Source::of_proc(*metric),
                MetricSource::Cgroup(metric) => Source::of_cgroup(*metric),
                MetricSource::Series(series) => {
                    selectors.push(Selector::from(series));
                    Source::Series(selectors.len() - 1)
                }
                MetricSource::Log(pattern) => {
                    patterns.push(pattern.as_str());
                    Source::Log(patterns.len() - 1)
                }
                MetricSource::Engine(_) => Source::Unavailable,
            });
        }
        let url = handles.metrics_url.filter(|_| !selectors.is_empty());
        let start = (url.is_some() && handles.pid.is_none()).then(|| {
            selectors.push(Selector::of(START_TIME_SERIES));
            StartTime {
                selector: selectors.len() - 1,
                first: None,
            }
        });
        let log = handles.log.filter(|_| !patterns.is_empty());
        let mut sampler = Self {
            names: metrics.keys().cloned().collect(),
            sources,
            tree: handles.tree,
            process: None,
            cgroup: None,
            liveness: Liveness::Alive,
            scraper: url.map(|url| Scraper::new(url, selectors, DEADLINE)).transpose()?,
            start,
            log: log.map(|path| LogMatcher::new(path, patterns)).transpose()?,
        };
        if let Some(pid) = handles.pid {
            sampler.attach(pid)?;
        }
        Ok(sampler)
    }

    /// Samples this process from now on, for a target that was started or restarted after the sampler was created.
    ///
    /// # Errors
    /// An error if there is no process with this id.
    pub fn attach(&mut self, pid: u32) -> Result<(), ProcessError> {
        let process = Process::open(pid)?;
        let is_grouped = |s: &Source| matches!(s, Source::CgroupMemory | Source::CgroupPids);
        self.cgroup = if self.sources.iter().any(is_grouped) {
            Some(Cgroup::of(&process)?)
        } else {
            None
        };
        self.process = Some(if self.tree {
            Sampled::Tree(ProcessTree::of(process))
        } else {
            Sampled::Process(process)
        });
        self.liveness = Liveness::Alive;
        // A process id makes the start time of /metrics unnecessary.
        self.start = None;
        Ok(())
    }

    /// Returns the names of the metrics, in the order of the values of a row.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads all metrics. It takes as long as the scrape, which has a deadline.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn sample(&mut self) -> Row {
        let mut row = Row {
            values: vec![None; self.sources.len()],
            ..Row::default()
        };
        let began = Instant::now();
        self.sample_process(&mut row);
        row.took = began.elapsed();
        self.sample_log(&mut row);
        if let Some(scraper) = &mut self.scraper {
            match scraper.scrape().await {
                Ok(scrape) => self.add_scrape(&scrape, &mut row),
                Err(error) => row.scrape_failed = Some(error.to_string()),
            }
        }
        row
    }

    fn sample_process(&mut self, row: &mut Row) {
        if let Some(process) = &mut self.process {
            match process.sample() {
                Ok(sample) => {
                    self.liveness = Liveness::Alive;
                    for (value, source) in row.values.iter_mut().zip(&self.sources) {
                        *value = source.value_of(process, &sample, self.cgroup.as_ref());
                    }
                }
                Err(ProcessError::Gone { .. }) => {
                    self.liveness = Liveness::Gone;
                    self.process = None;
                }
                Err(ProcessError::Restarted { .. }) => {
                    self.liveness = Liveness::Restarted;
                    self.process = None;
                }
                Err(error) => row.unreadable = Some(error.to_string()),
            }
        }
        row.process = self.liveness;
    }

    fn sample_log(&mut self, row: &mut Row) {
        let Some(log) = &mut self.log else { return };
        let Some(behind) = log.read_on() else { return };
        row.log_behind = behind;
        #[expect(clippy::cast_precision_loss, reason = "a count of matches")]
        let counts: Vec<f64> = log.counts().map(|c| c as f64).collect();
        for (value, source) in row.values.iter_mut().zip(&self.sources) {
            if let Source::Log(i) = source {
                *value = counts.get(*i).copied();
            }
        }
    }

    fn add_scrape(&mut self, scrape: &Scrape, row: &mut Row) {
        row.scrape_took = Some(scrape.took);
        if let Some(start) = &mut self.start
            && let Some(now) = scrape.scanned.values.get(start.selector).copied().flatten()
            && (now - *start.first.get_or_insert(now)).abs() > RESTART_DIFFERENCE_S
        {
            self.liveness = Liveness::Restarted;
            row.process = self.liveness;
        }
        for (value, source) in row.values.iter_mut().zip(&self.sources) {
            if let Source::Series(i) = source {
                *value = scrape.scanned.values.get(*i).copied().flatten();
            }
        }
        let scanned = &scrape.scanned;
        let odd: Vec<String> = [
            (scanned.unread, "lines not in the format"),
            (scanned.repeated, "repeated series"),
            (scanned.not_finite, "wanted series with NaN or infinity"),
        ]
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
        row.scrape_odd = (!odd.is_empty()).then(|| odd.join(", "));
    }
}

impl Sampled {
    fn sample(&mut self) -> Result<ProcSample, ProcessError> {
        match self {
            Self::Process(process) => process.sample(),
            Self::Tree(tree) => tree.sample(),
        }
    }

    fn pss_bytes(&mut self) -> Option<u64> {
        match self {
            Self::Process(process) => process.pss_bytes().ok(),
            Self::Tree(tree) => tree.pss_bytes().ok(),
        }
    }

    /// Returns the number of descendants, zombies included.
    fn children(&self) -> Option<u64> {
        match self {
            Self::Process(process) => process.children().ok(),
            Self::Tree(tree) => tree.root().children().ok(),
        }
    }
}

impl Source {
    fn of_cgroup(metric: CgroupMetric) -> Self {
        match metric {
            CgroupMetric::Memory => Self::CgroupMemory,
            CgroupMetric::Pids => Self::CgroupPids,
        }
    }

    fn of_proc(metric: ProcMetric) -> Self {
        match metric {
            ProcMetric::Threads => Self::Threads,
            ProcMetric::Fds => Self::Fds,
            ProcMetric::Rss => Self::Rss,
            ProcMetric::Pss => Self::Pss,
            ProcMetric::Cpu => Self::Cpu,
            ProcMetric::Children => Self::Children,
        }
    }

    /// Returns the value of a source in the kernel. PSS and children are expensive and are read only for these sources.
    #[expect(clippy::cast_precision_loss, reason = "counts and bytes far below 2^53")]
    fn value_of(self, process: &mut Sampled, sample: &ProcSample, cgroup: Option<&Cgroup>) -> Option<f64> {
        match self {
            Self::Threads => Some(sample.threads as f64),
            Self::Fds => sample.fds.map(|n| n as f64),
            Self::Rss => Some(sample.rss_bytes as f64),
            Self::Cpu => Some(sample.cpu_s),
            Self::Pss => process.pss_bytes().map(|n| n as f64),
            Self::Children => process.children().map(|n| n as f64),
            Self::CgroupMemory => cgroup?.memory_bytes().map(|n| n as f64),
            Self::CgroupPids => cgroup?.pids().map(|n| n as f64),
            Self::Series(_) | Self::Log(_) | Self::Unavailable => None,
        }
    }
}
