//! The metrics of the daemon, in OpenMetrics text.
//!
//! Series with a container's labels exist only while it is followed, so that their number is bounded. Sums that must not fall
//! are separate counters without labels.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::chunk::{Chunk, Identity};

/// The media type of [`Metrics::encode`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The labels of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ContainerLabels {
    container_id: String,
    container_name: String,
}

impl ContainerLabels {
    pub(crate) fn of(identity: &Identity) -> Self {
        Self {
            container_id: identity.short_id().to_owned(),
            container_name: identity.name.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ComponentLabels {
    component_type: String,
    component_name: String,
}

/// All kinds of errors. Each series exists from the start, because an absent one is not zero.
const ERROR_KINDS: [&str; 14] = [
    "connect",
    "no_answer",
    "io",
    "truncated",
    "status",
    "protocol",
    "engine",
    "seam_mismatch",
    "repeated",
    "unexpected_end",
    "reader_timeout",
    "join_timeout",
    "rotation_stuck",
    "unreadable",
];

/// All counters and gauges.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    container_rotations: Family<ContainerLabels, Counter>,
    rotations: Counter,
    errors: Family<KindLabels, Counter>,
    health: Family<ComponentLabels, Gauge>,
    lines: Counter,
    bytes: Counter,
    /// Streams that were replaced after a silence as long as the read timeout.
    pub(crate) idle_reopens: Counter,
    /// Times at which the engine's log lacked undelivered lines.
    pub(crate) gaps: Counter,
    /// Times at which the engine's log lacked delivered lines. Nothing is lost, but the log is short.
    pub(crate) dropped: Counter,
    /// Pauses by circuit breakers.
    pub(crate) breaker_trips: Counter,
    pub(crate) streams_opened: Counter,
    /// Lines that the server behind the sink rejected.
    pub(crate) refused: Counter,
}

impl Metrics {
    /// Creates all metrics. `runtime` is collected at each scrape.
    pub(crate) fn new(runtime: Box<dyn Collector>) -> Arc<Self> {
        let mut registry = Registry::default();
        let mut metrics = Self {
            registry: Registry::default(),
            container_rotations: Family::default(),
            rotations: Counter::default(),
            errors: Family::default(),
            health: Family::default(),
            lines: Counter::default(),
            bytes: Counter::default(),
            idle_reopens: Counter::default(),
            gaps: Counter::default(),
            dropped: Counter::default(),
            breaker_trips: Counter::default(),
            streams_opened: Counter::default(),
            refused: Counter::default(),
        };
        metrics.register(&mut registry);
        registry.register_collector(runtime);
        metrics.registry = registry;
        for kind in ERROR_KINDS {
            metrics
                .errors
                .get_or_create_owned(&KindLabels { kind: kind.to_owned() });
        }
        Arc::new(metrics)
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(
            "log_capturer_container_stream_rotations",
            "Streams replaced by a successor, per container; removed with the container",
            self.container_rotations.clone(),
        );
        registry.register(
            "log_capturer_rotations",
            "Streams replaced by a successor, in all; never falls",
            self.rotations.clone(),
        );
        registry.register(
            "log_capturer_stream_errors",
            "Errors of log streams by kind",
            self.errors.clone(),
        );
        registry.register(
            "log_capturer_component_health",
            "1 while a component works",
            self.health.clone(),
        );
        registry.register("log_capturer_lines", "Lines delivered to the sink", self.lines.clone());
        registry.register(
            "log_capturer_bytes",
            "Bytes of text delivered to the sink",
            self.bytes.clone(),
        );
        registry.register(
            "log_capturer_stream_idle_reopens",
            "Streams replaced because nothing came within the read deadline",
            self.idle_reopens.clone(),
        );
        registry.register(
            "log_capturer_log_gaps",
            "Times that the engine had dropped lines before they could be read",
            self.gaps.clone(),
        );
        registry.register(
            "log_capturer_log_dropped",
            "Times that a new stream found lines of the last seconds dropped by the engine, all of which had been delivered",
            self.dropped.clone(),
        );
        registry.register(
            "log_capturer_circuit_breaker_trips",
            "Containers paused after too many failures in a row",
            self.breaker_trips.clone(),
        );
        registry.register(
            "log_capturer_sink_refused_lines",
            "Lines that the sink's other end refused for good",
            self.refused.clone(),
        );
        registry.register(
            "log_capturer_streams_opened",
            "Log streams opened",
            self.streams_opened.clone(),
        );
    }

    /// Encodes the current values as OpenMetrics text.
    pub(crate) fn encode(&self) -> String {
        let mut out = String::with_capacity(16 * 1024);
        // Writing to a String cannot fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }

    /// Creates the series of a container.
    pub(crate) fn container_followed(&self, labels: &ContainerLabels) {
        self.container_rotations.get_or_create_owned(labels);
    }

    pub(crate) fn container_left(&self, labels: &ContainerLabels) {
        self.container_rotations.remove(labels);
    }

    pub(crate) fn rotated(&self, labels: &ContainerLabels) {
        self.container_rotations.get_or_create_owned(labels).inc();
        self.rotations.inc();
    }

    pub(crate) fn error(&self, kind: &str) {
        self.errors
            .get_or_create_owned(&KindLabels { kind: kind.to_owned() })
            .inc();
    }

    pub(crate) fn component_is(&self, component_type: &str, component_name: &str, healthy: bool) {
        let labels = ComponentLabels {
            component_type: component_type.to_owned(),
            component_name: component_name.to_owned(),
        };
        self.health.get_or_create_owned(&labels).set(i64::from(healthy));
    }

    /// Counts a delivered chunk.
    pub(crate) fn delivered(&self, chunk: &Chunk) {
        self.delivered_lines(chunk.line_count() as u64, chunk.bytes() as u64);
    }

    /// Counts delivered lines and the bytes of their text.
    pub(crate) fn delivered_lines(&self, lines: u64, bytes: u64) {
        self.lines.inc_by(lines);
        self.bytes.inc_by(bytes);
    }
}
