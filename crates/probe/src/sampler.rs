//! One row of the table of samples: every metric of a scenario, read from where it comes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use leakcheck_model::scenario::{CgroupMetric, Metric, MetricSource, ProcMetric};

use crate::cgroup::Cgroup;
use crate::exposition::Selector;
use crate::log_gate::{LogGate, PatternError};
use crate::process::{ProcSample, Process, ProcessError};
use crate::process_tree::ProcessTree;
use crate::scrape::{DEADLINE, Scrape, ScrapeError, Scraper};

/// Reads all metrics again and again.
#[derive(Debug)]
pub struct Sampler {
    names: Vec<String>,
    sources: Vec<Source>,
    tree: bool,
    watched: Option<Watched>,
    cgroup: Option<Cgroup>,
    liveness: Liveness,
    scraper: Option<Scraper>,
    start: Option<Start>,
    log: Option<LogGate>,
}

/// The series in which a process tells when it was started, in seconds since 1970 (Prometheus, "Writing client libraries").
const START_TIME: &str = "process_start_time_seconds";
/// Start times this far apart are two starts: the series is a float, and some round it.
const ANOTHER_START_S: f64 = 1.5;

/// When a target that is seen by its exposition alone says that it was started.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// Index of its selector.
    selector: usize,
    /// As it was told first.
    told: Option<f64>,
}

/// By what a target can be seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reach<'a> {
    /// Its process.
    pub pid: Option<u32>,
    /// Whether the process's descendants count too.
    pub tree: bool,
    /// Its exposition.
    pub metrics_url: Option<&'a str>,
    /// The file with its own output.
    pub log: Option<&'a Path>,
}

/// A process, alone or with its descendants.
#[derive(Debug)]
enum Watched {
    One(Process),
    All(ProcessTree),
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// One value for each of [`Sampler::names`]; `None` for what was not seen, never 0.
    pub values: Vec<Option<f64>>,
    /// Why there is nothing from /metrics.
    pub scrape_failed: Option<String>,
    /// What was odd about /metrics though it was read: unread lines, repeated series, NaN.
    pub scrape_odd: Option<String>,
    /// Whether the process is still there.
    pub process: Liveness,
    /// Why the process gave no values though it is there (another user's).
    pub unreadable: Option<String>,
    /// How long reading /proc took.
    pub took: Duration,
    /// How long the scrape took, if it came to something.
    pub scrape_took: Option<Duration>,
    /// Bytes of the target's output that were not searched yet.
    pub log_behind: u64,
}

/// Whether the target's process is still the one that it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Liveness {
    /// It runs, or there is no process to look at.
    #[default]
    Alive,
    /// It has ended.
    Gone,
    /// It has ended, and another process has its id, or answers in its place.
    Restarted,
}

/// Why a sampler cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SamplerError {
    /// The process cannot be opened.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The URL or the client.
    #[error(transparent)]
    Scrape(#[from] ScrapeError),
    /// A pattern is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// Where one column comes from.
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
    /// Index of its selector.
    Series(usize),
    /// Index of its pattern.
    Log(usize),
    /// It cannot be seen on this target.
    Nowhere,
}

impl Sampler {
    /// For these metrics of a target that can be seen in these ways. A metric that comes from none of them is `None` in
    /// every row.
    ///
    /// # Errors
    /// If the process is gone already, the URL is none, or a pattern is none.
    pub fn new(reach: Reach<'_>, metrics: &BTreeMap<String, Metric>) -> Result<Self, SamplerError> {
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
                MetricSource::Engine(_) => Source::Nowhere,
            });
        }
        let url = reach.metrics_url.filter(|_| !selectors.is_empty());
        let start = (url.is_some() && reach.pid.is_none()).then(|| {
            selectors.push(Selector::of(START_TIME));
            Start {
                selector: selectors.len() - 1,
                told: None,
            }
        });
        let log = reach.log.filter(|_| !patterns.is_empty());
        let mut sampler = Self {
            names: metrics.keys().cloned().collect(),
            sources,
            tree: reach.tree,
            watched: None,
            cgroup: None,
            liveness: Liveness::Alive,
            scraper: url.map(|url| Scraper::new(url, selectors, DEADLINE)).transpose()?,
            start,
            log: log.map(|path| LogGate::new(path, patterns)).transpose()?,
        };
        if let Some(pid) = reach.pid {
            sampler.attach(pid)?;
        }
        Ok(sampler)
    }

    /// Watches this process from now on (a target that was started, or started again, after the sampler was made).
    ///
    /// # Errors
    /// If there is none of this id.
    pub fn attach(&mut self, pid: u32) -> Result<(), ProcessError> {
        let process = Process::open(pid)?;
        let grouped = |s: &Source| matches!(s, Source::CgroupMemory | Source::CgroupPids);
        self.cgroup = if self.sources.iter().any(grouped) {
            Some(Cgroup::of(&process)?)
        } else {
            None
        };
        self.watched = Some(if self.tree {
            Watched::All(ProcessTree::of(process))
        } else {
            Watched::One(process)
        });
        self.liveness = Liveness::Alive;
        // The kernel knows better.
        self.start = None;
        Ok(())
    }

    /// The names of the metrics, in the order of a row's values.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads everything once. Takes as long as the scrape, which has its deadline.
    pub async fn sample(&mut self) -> Row {
        let mut row = Row {
            values: vec![None; self.sources.len()],
            ..Row::default()
        };
        let began = Instant::now();
        self.look_at_process(&mut row);
        row.took = began.elapsed();
        self.look_at_log(&mut row);
        if let Some(scraper) = &mut self.scraper {
            match scraper.scrape().await {
                Ok(scrape) => self.take_scrape(&scrape, &mut row),
                Err(error) => row.scrape_failed = Some(error.to_string()),
            }
        }
        row
    }

    fn look_at_process(&mut self, row: &mut Row) {
        if let Some(watched) = &mut self.watched {
            match watched.sample() {
                Ok(sample) => {
                    self.liveness = Liveness::Alive;
                    for (value, source) in row.values.iter_mut().zip(&self.sources) {
                        *value = source.value_of(watched, &sample, self.cgroup.as_ref());
                    }
                }
                Err(ProcessError::Gone { .. }) => {
                    self.liveness = Liveness::Gone;
                    self.watched = None;
                }
                Err(ProcessError::Restarted { .. }) => {
                    self.liveness = Liveness::Restarted;
                    self.watched = None;
                }
                Err(error) => row.unreadable = Some(error.to_string()),
            }
        }
        row.process = self.liveness;
    }

    fn look_at_log(&mut self, row: &mut Row) {
        let Some(log) = &mut self.log else { return };
        let Some(behind) = log.look() else { return };
        row.log_behind = behind;
        #[expect(clippy::cast_precision_loss, reason = "a count of matches")]
        let counts: Vec<f64> = log.counts().map(|c| c as f64).collect();
        for (value, source) in row.values.iter_mut().zip(&self.sources) {
            if let Source::Log(i) = source {
                *value = counts.get(*i).copied();
            }
        }
    }

    fn take_scrape(&mut self, scrape: &Scrape, row: &mut Row) {
        row.scrape_took = Some(scrape.took);
        if let Some(start) = &mut self.start
            && let Some(now) = scrape.scanned.values.get(start.selector).copied().flatten()
            && (now - *start.told.get_or_insert(now)).abs() > ANOTHER_START_S
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

impl Watched {
    fn sample(&mut self) -> Result<ProcSample, ProcessError> {
        match self {
            Self::One(process) => process.sample(),
            Self::All(family) => family.sample(),
        }
    }

    fn pss_bytes(&mut self) -> Option<u64> {
        match self {
            Self::One(process) => process.pss_bytes().ok(),
            Self::All(family) => family.pss_bytes().ok(),
        }
    }

    /// Descendants, zombies included.
    fn children(&self) -> Option<u64> {
        match self {
            Self::One(process) => process.children().ok(),
            Self::All(family) => family.root().children().ok(),
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

    /// Its value, if it comes from the kernel. PSS and children cost more and are read only because a limit asks for them.
    #[expect(clippy::cast_precision_loss, reason = "counts and bytes far below 2^53")]
    fn value_of(self, watched: &mut Watched, sample: &ProcSample, cgroup: Option<&Cgroup>) -> Option<f64> {
        match self {
            Self::Threads => Some(sample.threads as f64),
            Self::Fds => sample.fds.map(|n| n as f64),
            Self::Rss => Some(sample.rss_bytes as f64),
            Self::Cpu => Some(sample.cpu_s),
            Self::Pss => watched.pss_bytes().map(|n| n as f64),
            Self::Children => watched.children().map(|n| n as f64),
            Self::CgroupMemory => cgroup?.memory_bytes().map(|n| n as f64),
            Self::CgroupPids => cgroup?.pids().map(|n| n as f64),
            Self::Series(_) | Self::Log(_) | Self::Nowhere => None,
        }
    }
}
