//! Completes a scenario with the metrics and limits that fit a target's capabilities.

mod presets;

use std::collections::BTreeMap;
use std::time::Duration;

use leakcheck_model::scenario::{Metric, OneOrMore, TargetKind};
use leakcheck_model::suggest::{appended, did_you_mean};
use leakcheck_model::{Limit, Scenario};
use leakcheck_probe::discovery::{ExposedMetrics, TargetCapabilities};

use crate::failure::Failure;
use presets::{is_exposed, preset};

/// The limits if the user gives none.
const DEFAULTS: [(&str, &str); 4] = [
    ("tasks", "growth_per_min < 1"),
    ("fds", "growth_per_min < 1"),
    ("threads", "growth_per_min < 1"),
    ("rss", "growth_per_min < 1 MiB"),
];

/// Series that replace /proc for a target without a visible process: Prometheus' `process_*`, and names of single programs.
const STANDARD: [(&str, &str); 6] = [
    ("tasks", "log_capturer_tasks"),
    ("fds", "process_open_fds"),
    ("threads", "process_num_threads"),
    ("rss", "process_resident_memory_bytes"),
    // The OpenTelemetry Collector; the name has a unit since 0.120.
    ("rss", "otelcol_process_memory_rss"),
    ("rss", "otelcol_process_memory_rss_bytes"),
];

/// Largest number of series in an error message.
const MAX_LISTED_SERIES: usize = 40;

/// The user's limits. If it is empty, the default limits apply.
#[derive(Clone)]
pub(super) struct WantedLimits(pub(super) Vec<(String, Limit)>);

impl WantedLimits {
    /// Sets the limits on metrics that every process has, until the target is inspected.
    pub(super) fn apply(&self, scenario: &mut Scenario) {
        let known = scenario.all_metrics();
        scenario.limits = self.limits(|metric| known.contains_key(metric));
        if scenario.limits.is_empty() {
            scenario.limits = Self(Vec::new()).limits(|metric| known.contains_key(metric));
        }
    }

    /// Sets metrics and limits by the target's capabilities. Returns notes for the user.
    ///
    /// # Errors
    /// If the target lacks a wanted metric, or no limit is possible.
    pub(super) fn complete(
        &self,
        scenario: &mut Scenario,
        capabilities: &TargetCapabilities,
    ) -> Result<Vec<String>, String> {
        let has_process = scenario.target.kind != TargetKind::Metrics;
        let mut metrics = BTreeMap::new();
        if let Some(exposed) = &capabilities.exposed {
            metrics = metrics_of(exposed, has_process, capabilities.fds);
            for (metric, _) in &self.0 {
                if !metrics.contains_key(metric) && exposed.names.contains(metric) {
                    metrics.insert(
                        metric.clone(),
                        Metric::series(metric, exposed.counters.contains(metric)),
                    );
                }
            }
            scenario.target.metrics_url = Some(exposed.url.clone());
        }
        scenario.metrics = metrics;
        scenario.limits.clear();
        // A limit makes `pss` and `children`, which are read on demand, known.
        scenario.limits = self.limits(|_| true);
        let known = scenario.all_metrics();
        let seen = |metric: &str| {
            known.contains_key(metric)
                && (metric != "fds" || !has_process || capabilities.fds || scenario.metrics.contains_key("fds"))
        };
        if let Some((metric, _)) = self.0.iter().find(|(metric, _)| !seen(metric)) {
            let names: Vec<&str> = known.keys().map(String::as_str).filter(|name| seen(name)).collect();
            return Err(missing_metric(metric, &names, capabilities));
        }
        let limits = self.limits(seen);
        if limits.is_empty() {
            return Err("no metric there has a default limit: add --limit 'SERIES: growth_per_min < 1'".to_owned());
        }
        scenario.limits = limits;
        let unseen = (!capabilities.unseen.is_empty()).then(|| capabilities.unseen.join("; "));
        Ok(unseen.into_iter().collect())
    }

    /// Checks that a running process has all wanted metrics, before anything is started.
    ///
    /// # Errors
    /// A usage error. A process that has ended is reported by the run.
    pub(super) async fn check(&self, scenario: &Scenario, pid: u32) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        let Ok(capabilities) = TargetCapabilities::discover(pid, Duration::ZERO).await else {
            return Ok(());
        };
        let completed = self.complete(&mut scenario.clone(), &capabilities);
        completed.map(|_| ()).map_err(Failure::usage)
    }

    /// The limits on metrics for which `exists` is true.
    fn limits(&self, exists: impl Fn(&str) -> bool) -> BTreeMap<String, OneOrMore<Limit>> {
        let defaults = DEFAULTS
            .iter()
            .filter_map(|(m, rule)| Some(((*m).to_owned(), rule.parse::<Limit>().ok()?)));
        let all: Vec<(String, Limit)> = if self.0.is_empty() {
            defaults.collect()
        } else {
            self.0.clone()
        };
        let mut limits: BTreeMap<String, OneOrMore<Limit>> = BTreeMap::new();
        for (metric, limit) in all.into_iter().filter(|(m, _)| exists(m)) {
            limits
                .entry(metric)
                .or_insert_with(|| OneOrMore(Vec::new()))
                .0
                .push(limit);
        }
        limits
    }
}

/// The error for a metric that the target lacks, with a suggestion and the metrics that it has.
fn missing_metric(metric: &str, known: &[&str], capabilities: &TargetCapabilities) -> String {
    let series = || capabilities.exposed.iter().flat_map(|e| &e.names).map(String::as_str);
    let suggestion = appended(&did_you_mean(metric, known.iter().copied().chain(series())));
    let mut message = format!(
        "`{metric}` cannot be seen on this target{suggestion}\n  seen: {}",
        known.join(", ")
    );
    if let Some(exposed) = &capabilities.exposed {
        let first: Vec<&str> = series().take(MAX_LISTED_SERIES).collect();
        let more = exposed.names.len() - first.len();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        message.push_str(&format!("\n  at {}: {}{more}", exposed.url, first.join(", ")));
    }
    for reason in &capabilities.unseen {
        message.push_str(&format!("\n  not seen: {reason}"));
    }
    message
}

/// The metrics of an exposition by their names in limits, without those that /proc provides.
fn metrics_of(exposed: &ExposedMetrics, has_process: bool, fds_seen: bool) -> BTreeMap<String, Metric> {
    let from_proc = |name: &str| has_process && (matches!(name, "threads" | "rss") || name == "fds" && fds_seen);
    let standard = STANDARD
        .iter()
        .filter(|(_, series)| exposed.names.contains(*series))
        .map(|(name, series)| (*name, Metric::series(series, false)));
    let preset = preset(&exposed.names).unwrap_or_default().iter();
    standard
        .chain(
            preset
                .filter(|k| is_exposed(k, &exposed.names))
                .map(|k| (k.name, k.metric())),
        )
        .filter(|(name, _)| !from_proc(name))
        .map(|(name, metric)| (name.to_owned(), metric))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(target: &str) -> Scenario {
        Scenario::parse(&format!(
            "name = \"a\"\n[target]\n{target}\n[limits]\nrss = \"max < 1 GiB\"\n"
        ))
        .expect("a scenario")
    }

    fn capabilities(fds: bool, names: &[&str]) -> TargetCapabilities {
        let exposed = ExposedMetrics {
            url: "http://127.0.0.1:1/metrics".into(),
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            ..ExposedMetrics::default()
        };
        TargetCapabilities {
            fds,
            exposed: (!names.is_empty()).then_some(exposed),
            unseen: vec!["no port answers".into(), "another neither".into()],
        }
    }

    fn limited(scenario: &Scenario) -> Vec<&str> {
        scenario.limits.keys().map(String::as_str).collect()
    }

    const COMMAND: &str = "kind = \"command\"\ncommand = [\"x\"]";

    #[test]
    fn a_process_without_metrics_is_judged_by_proc() {
        let mut scenario = scenario(COMMAND);
        let notes = WantedLimits(Vec::new())
            .complete(&mut scenario, &capabilities(true, &[]))
            .expect("complete");
        assert_eq!(limited(&scenario), ["fds", "rss", "threads"]);
        assert_eq!(notes, ["no port answers; another neither"]);
    }

    #[test]
    fn goroutines_are_the_tasks_of_a_go_program() {
        let mut scenario = scenario(COMMAND);
        let found = capabilities(
            true,
            &["go_goroutines", "process_open_fds", "go_memstats_heap_inuse_bytes"],
        );
        WantedLimits(Vec::new())
            .complete(&mut scenario, &found)
            .expect("complete");
        assert_eq!(limited(&scenario), ["fds", "rss", "tasks", "threads"]);
        assert_eq!(scenario.metrics["tasks"], Metric::series("go_goroutines", false));
        // Descriptors come from the kernel.
        assert!(!scenario.metrics.contains_key("fds"));
        let text = scenario.to_toml().expect("TOML");
        assert_eq!(Scenario::parse(&text).expect("reads back"), scenario);
    }

    #[test]
    fn descriptors_that_the_kernel_hides_come_from_the_metrics_or_are_left_out() {
        let mut exposing = scenario("kind = \"pid\"\npid = 1");
        WantedLimits(Vec::new())
            .complete(&mut exposing, &capabilities(false, &["process_open_fds"]))
            .expect("complete");
        assert_eq!(exposing.metrics["fds"], Metric::series("process_open_fds", false));
        let mut blind = scenario("kind = \"pid\"\npid = 1");
        WantedLimits(Vec::new())
            .complete(&mut blind, &capabilities(false, &[]))
            .expect("complete");
        assert_eq!(limited(&blind), ["rss", "threads"]);
    }

    #[test]
    fn any_existing_series_can_be_limited_by_its_name() {
        let limit = |metric: &str| {
            WantedLimits(vec![(
                metric.to_owned(),
                "growth_per_min < 1".parse().expect("a limit"),
            )])
        };
        let mut exposing = scenario(COMMAND);
        limit("my_queue")
            .complete(&mut exposing, &capabilities(true, &["my_queue"]))
            .expect("complete");
        assert_eq!(limited(&exposing), ["my_queue"]);
        let error = limit("my_queu")
            .complete(&mut scenario(COMMAND), &capabilities(true, &["my_queue"]))
            .expect_err("nowhere");
        assert!(
            error.contains("`my_queu`") && error.contains("did you mean `my_queue`?"),
            "{error}"
        );
        let error = limit("fsd")
            .complete(&mut scenario(COMMAND), &capabilities(true, &[]))
            .expect_err("nowhere");
        assert!(error.contains("did you mean `fds`?"), "{error}");
        assert!(
            error.contains("cpu, fds, rss, threads") && error.contains("no port answers"),
            "{error}"
        );
        let typed = TargetCapabilities {
            exposed: Some(ExposedMetrics {
                url: "http://127.0.0.1:1/metrics".into(),
                names: ["handles_total".to_owned(), "seen".to_owned()].into(),
                counters: ["seen".to_owned()].into(),
            }),
            ..capabilities(true, &[])
        };
        for (series, counter) in [("handles_total", false), ("seen", true)] {
            let mut typing = scenario(COMMAND);
            limit(series).complete(&mut typing, &typed).expect("complete");
            assert_eq!(typing.metrics[series].counter, counter, "{series}");
        }
        let mut counted = scenario(COMMAND);
        limit("children")
            .complete(&mut counted, &capabilities(true, &[]))
            .expect("read on demand");
        assert_eq!(limited(&counted), ["children"]);
    }
}
