//! Presets: the series in which leaks of well-known programs and client libraries appear.
//!
//! The names come from each project's documentation. Where they differ by version or exporter, the first that exists is used.

use super::metric::{Metric, MetricSource, SeriesSelector};

/// One metric of a preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresetMetric {
    /// Name in limits.
    pub name: &'static str,
    /// All names of the series.
    pub series: &'static [&'static str],
    /// Label that a series must have.
    pub label: Option<(&'static str, &'static str)>,
    /// True for a value that only increases.
    pub counter: bool,
}

const fn gauge(name: &'static str, series: &'static [&'static str]) -> PresetMetric {
    PresetMetric {
        name,
        series,
        label: None,
        counter: false,
    }
}

const fn counter(name: &'static str, series: &'static [&'static str]) -> PresetMetric {
    PresetMetric {
        counter: true,
        ..gauge(name, series)
    }
}

/// Open file descriptors: the name in the Prometheus client libraries, then the name in Micrometer.
const OPEN_FDS: PresetMetric = gauge("open_fds", &["process_open_fds", "process_files_open_files"]);

/// All presets with their metrics.
pub const PRESETS: [(&str, &[PresetMetric]); 9] = [
    // client_golang: the Go and process collectors of the default registry.
    (
        "go",
        &[
            gauge("tasks", &["go_goroutines"]),
            OPEN_FDS,
            gauge("heap", &["go_memstats_heap_inuse_bytes"]),
        ],
    ),
    // tokio has no exporter: tokio-metrics uses live_tasks_count, the runtime itself num_alive_tasks.
    (
        "tokio",
        &[
            gauge(
                "tasks",
                &["tokio_live_tasks_count", "tokio_alive_tasks", "tokio_num_alive_tasks"],
            ),
            OPEN_FDS,
        ],
    ),
    // prometheus_client: its process and GC collectors.
    (
        "python",
        &[
            OPEN_FDS,
            counter("uncollectable", &["python_gc_objects_uncollectable_total"]),
        ],
    ),
    // client_java 1.x and 0.x, Micrometer.
    (
        "jvm",
        &[
            gauge("tasks", &["jvm_threads_current", "jvm_threads_live_threads"]),
            OPEN_FDS,
            PresetMetric {
                label: Some(("area", "heap")),
                ..gauge("heap", &["jvm_memory_used_bytes", "jvm_memory_bytes_used"])
            },
        ],
    ),
    // prom-client: its default metrics.
    (
        "node",
        &[
            gauge(
                "tasks",
                &["nodejs_active_handles_total", "nodejs_active_resources_total"],
            ),
            OPEN_FDS,
            gauge("heap", &["nodejs_heap_size_used_bytes"]),
        ],
    ),
    // The internal_metrics source behind a prometheus_exporter sink.
    (
        "vector",
        &[
            counter("records", &["vector_component_received_events_total"]),
            counter("errors", &["vector_component_errors_total"]),
            gauge("files", &["vector_open_files"]),
            gauge("queue", &["vector_buffer_events"]),
        ],
    ),
    // By version and exporter: bare, with `_total`, with the unit in braces as `__records__` too.
    (
        "otel-collector",
        &[
            gauge("heap", &["otelcol_process_runtime_heap_alloc_bytes"]),
            gauge(
                "queue",
                &["otelcol_exporter_queue_size", "otelcol_exporter_queue_size__batches_"],
            ),
            counter(
                "records",
                &[
                    "otelcol_receiver_accepted_log_records_total",
                    "otelcol_receiver_accepted_log_records__records__total",
                    "otelcol_receiver_accepted_log_records",
                ],
            ),
            counter(
                "spans",
                &[
                    "otelcol_receiver_accepted_spans_total",
                    "otelcol_receiver_accepted_spans__spans__total",
                    "otelcol_receiver_accepted_spans",
                ],
            ),
            counter(
                "errors",
                &[
                    "otelcol_receiver_refused_log_records_total",
                    "otelcol_receiver_refused_log_records__records__total",
                    "otelcol_receiver_refused_log_records",
                ],
            ),
        ],
    ),
    // /api/v1/metrics/prometheus and /api/v2/metrics/prometheus of its HTTP server.
    (
        "fluent-bit",
        &[
            counter("records", &["fluentbit_input_records_total"]),
            counter("errors", &["fluentbit_output_errors_total"]),
            counter("retries", &["fluentbit_output_retries_total"]),
            gauge("chunks", &["fluentbit_input_storage_chunks"]),
            gauge("buffered", &["fluentbit_input_storage_memory_bytes"]),
        ],
    ),
    (
        "prometheus",
        &[
            gauge("tasks", &["go_goroutines"]),
            OPEN_FDS,
            gauge("heap", &["go_memstats_heap_inuse_bytes"]),
            gauge("series", &["prometheus_tsdb_head_series"]),
        ],
    ),
];

/// The metrics of the capture daemon.
pub(super) const CAPTURE: [PresetMetric; 6] = [
    gauge("tasks", &["log_capturer_tasks"]),
    gauge("streams", &["log_capturer_container_streams_active"]),
    counter("rotations", &["log_capturer_container_stream_rotations_total"]),
    counter("errors", &["log_capturer_stream_errors_total"]),
    counter("captured_lines", &["log_capturer_lines_total"]),
    gauge("queue", &["log_capturer_dispatcher_queue_length"]),
];

impl PresetMetric {
    /// Makes the metric as a scenario would define it.
    #[must_use]
    pub fn metric(&self) -> Metric {
        let mut names = self.series.iter().map(|name| (*name).to_owned());
        let selector = SeriesSelector {
            name: names.next().unwrap_or_default(),
            aliases: names.collect(),
            labels: self
                .label
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
            ..SeriesSelector::default()
        };
        Metric {
            source: MetricSource::Series(selector),
            counter: self.counter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn every_preset_can_be_used_in_a_scenario() {
        for (name, known) in PRESETS {
            let text = format!(
                "name = \"a\"\n[target]\nkind = \"metrics\"\nmetrics_url = \"http://127.0.0.1:1/metrics\"\npreset = \"{name}\"\n[limits]\n{} = \"growth < 5\"\n",
                known[0].name
            );
            let scenario = Scenario::parse(&text).expect(name);
            let metrics = scenario.all_metrics();
            assert_eq!(metrics.len(), known.len(), "{name}: the names are different");
            assert!(known.iter().all(|k| metrics[k.name] == k.metric()), "{name}");
        }
    }
}
