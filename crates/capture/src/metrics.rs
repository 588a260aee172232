//! What the daemon says about itself: counters and gauges in OpenMetrics text.
//!
//! Series with a container's labels are made when it is followed and removed when it no longer is, or they would grow for
//! ever; sums that must never fall have a counter of their own without labels.

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

/// A container, as a label.
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

/// Every `kind` of error that there is, so that each series exists from the beginning: absent is not zero.
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
    /// Streams that were replaced because they had been silent for as long as a read may take.
    pub(crate) idle_reopens: Counter,
    /// Times that the engine's log did not hold what should have come next.
    pub(crate) gaps: Counter,
    /// Times that the engine's log no longer held lines which had been delivered: no loss, but a sign that it is short.
    pub(crate) dropped: Counter,
    /// Containers paused by their circuit breaker, ever.
    pub(crate) breaker_trips: Counter,
    pub(crate) streams_opened: Counter,
    /// Lines that the sink's other end would not have.
    pub(crate) refused: Counter,
}

impl Metrics {
    /// `live`: what is looked up at each scrape.
    pub(crate) fn new(live: Box<dyn Collector>) -> Arc<Self> {
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
        registry.register_collector(live);
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

    /// The present state as OpenMetrics text.
    pub(crate) fn encode(&self) -> String {
        let mut out = String::with_capacity(16 * 1024);
        // A String takes every write.
        let _ = text::encode(&mut out, &self.registry);
        out
    }

    /// Makes the series of a container, at 0.
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

    /// A chunk was delivered.
    pub(crate) fn delivered(&self, chunk: &Chunk) {
        self.delivered_lines(chunk.line_count() as u64, chunk.bytes() as u64);
    }

    /// So many lines, with so many bytes of text, were delivered.
    pub(crate) fn delivered_lines(&self, lines: u64, bytes: u64) {
        self.lines.inc_by(lines);
        self.bytes.inc_by(bytes);
    }
}
