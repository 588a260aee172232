//! Metrics that are read at each scrape: tasks, streams, the queue, and the process itself.

use std::fmt;
use std::fs;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::runtime::Handle;

use crate::follower::Shared;
use crate::metrics::ContainerLabels;
use crate::task::{Entry, Tasks};
use crate::timestamp::Timestamp;

/// A collector of the current state.
pub(crate) struct RuntimeMetrics {
    pub(crate) runtime: Handle,
    pub(crate) tasks: Tasks,
    /// Set once the daemon has started.
    pub(crate) shared: Arc<OnceLock<Weak<Shared>>>,
}

impl fmt::Debug for RuntimeMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeMetrics").finish_non_exhaustive()
    }
}

impl Collector for RuntimeMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let shared = self.shared.get().and_then(Weak::upgrade);
        let now = shared.as_ref().map_or_else(Timestamp::now, |shared| (shared.clock)());
        self.encode_followers(&mut encoder, now)?;
        let mut gauge = |name: &str, help: &str, value: f64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        let ages: Vec<Duration> = self
            .tasks
            .alive()
            .iter()
            .filter_map(|entry| entry.stream_age())
            .collect();
        let oldest = ages.iter().max().copied().unwrap_or_default();
        gauge(
            "log_capturer_tasks",
            "Tokio tasks alive",
            self.runtime.metrics().num_alive_tasks() as f64,
        )?;
        gauge(
            "log_capturer_container_streams_active",
            "Containers with an open log stream",
            ages.len() as f64,
        )?;
        gauge(
            "log_capturer_container_stream_age_seconds",
            "Age of the oldest open log stream; rotation bounds it",
            oldest.as_secs_f64(),
        )?;
        if let Some(shared) = &shared {
            gauge(
                "log_capturer_dispatcher_queue_length",
                "Lines that are queued for the sink",
                shared.queue.length() as f64,
            )?;
            gauge(
                "log_capturer_pool_capacity",
                "Containers that may be followed at one time",
                shared.pool.capacity() as f64,
            )?;
            gauge("log_capturer_pool_in_use", "Slots taken", shared.pool.in_use() as f64)?;
            gauge(
                "log_capturer_pool_waiting",
                "Containers that wait for a slot",
                shared.pool.waiting() as f64,
            )?;
        }
        let process = Process::read();
        if let Some(fds) = process.fds {
            gauge(
                "log_capturer_file_descriptors_open",
                "Open file descriptors of this process",
                fds,
            )?;
            gauge("process_open_fds", "Open file descriptors", fds)?;
        }
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Resident memory", process.resident),
            ("process_virtual_memory_bytes", "Virtual memory", process.virtual_memory),
            ("process_threads", "Threads", process.threads),
            (
                "process_start_time_seconds",
                "Start of the process, in seconds since the epoch",
                process.start,
            ),
            ("process_max_fds", "Limit of open file descriptors", process.max_fds),
        ] {
            if let Some(value) = value {
                gauge(name, help, value)?;
            }
        }
        if let Some(cpu) = process.cpu {
            let counter = ConstCounter::new(cpu);
            let descriptor = encoder.encode_descriptor(
                "process_cpu_seconds",
                "User and system time",
                None,
                counter.metric_type(),
            )?;
            counter.encode(descriptor)?;
        }
        Ok(())
    }
}

impl RuntimeMetrics {
    /// Encodes the gauges of each followed container.
    fn encode_followers(&self, encoder: &mut DescriptorEncoder<'_>, now: Timestamp) -> Result<(), fmt::Error> {
        let alive = self.tasks.alive();
        let followers: Vec<(ContainerLabels, &Entry)> = alive
            .iter()
            .filter_map(|entry| Some((ContainerLabels::of(entry.container()?), entry.as_ref())))
            .collect();
        let mut lag = encoder.encode_descriptor(
            "log_capturer_container_lag_seconds",
            "Age of the oldest undelivered line of a container; 0 if all are delivered",
            None,
            MetricType::Gauge,
        )?;
        for (labels, entry) in &followers {
            ConstGauge::new(entry.lag_seconds(now)).encode(lag.encode_family(labels)?)?;
        }
        let mut waiting = encoder.encode_descriptor(
            "log_capturer_container_slot_wait_seconds",
            "Time for which a container has been waiting for a slot; only for those that wait",
            None,
            MetricType::Gauge,
        )?;
        for (labels, entry) in &followers {
            if let Some(wait) = entry.waiting_for_slot() {
                ConstGauge::new(wait.as_secs_f64()).encode(waiting.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}

/// The state of this process from /proc; `None` where that cannot be read, which must not look like 0.
#[derive(Debug, Default)]
struct Process {
    fds: Option<f64>,
    max_fds: Option<f64>,
    resident: Option<f64>,
    virtual_memory: Option<f64>,
    threads: Option<f64>,
    cpu: Option<f64>,
    start: Option<f64>,
}

impl Process {
    fn read() -> Self {
        let mut process = Self {
            fds: count_fds(),
            ..Self::default()
        };
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        process.max_fds = limit.map(|limit| limit as f64);
        let Ok(stat) = fs::read_to_string("/proc/self/stat") else {
            return process;
        };
        // Only the name, in parentheses, may contain spaces (proc_pid_stat(5)).
        let Some((_, fields)) = stat.rsplit_once(") ") else {
            return process;
        };
        let fields: Vec<f64> = fields
            .split(' ')
            .skip(1)
            .filter_map(|field| field.trim().parse().ok())
            .collect();
        // The fields are numbered from 1 in the manual page; these begin with field 4.
        let field = |number: usize| fields.get(number - 4).copied();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        process.cpu = field(14).zip(field(15)).map(|(user, system)| (user + system) / ticks);
        process.threads = field(20);
        process.start = field(22)
            .zip(boot_time())
            .map(|(after_boot, boot)| boot + after_boot / ticks);
        process.virtual_memory = field(23);
        process.resident = field(24).map(|pages| pages * rustix::param::page_size() as f64);
        process
    }
}

/// Counts open file descriptors: the size of the folder since Linux 6.2, its entries before that.
fn count_fds() -> Option<f64> {
    let size = fs::metadata("/proc/self/fd").ok()?.len();
    if size > 0 {
        return Some(size as f64);
    }
    // Reading the folder needs one itself.
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
}

fn boot_time() -> Option<f64> {
    static BOOT: OnceLock<Option<f64>> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        stat.lines()
            .find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
    })
}
