//! What of a target is measured and limited, from what can be seen of it.

mod presets;

use std::collections::BTreeMap;
use std::time::Duration;

use leakcheck_model::scenario::{Metric, OneOrMore, TargetKind};
use leakcheck_model::suggest::{appended, did_you_mean};
use leakcheck_model::{Limit, Scenario};
use leakcheck_probe::sight::{Exposed, Sight};

use super::Failure;
use presets::{is_exposed, preset};

/// What the limits are if the user gives none.
const DEFAULTS: [(&str, &str); 4] = [
    ("tasks", "growth_per_min < 1"),
    ("fds", "growth_per_min < 1"),
    ("threads", "growth_per_min < 1"),
    ("rss", "growth_per_min < 1 MiB"),
];

/// Series that mean the same for every client library (Prometheus' conventions for `process_*`), and those of programs that
/// keep to none. They stand in for /proc where there is no process to look at.
const STANDARD: [(&str, &str); 6] = [
    ("tasks", "log_capturer_tasks"),
    ("fds", "process_open_fds"),
    ("threads", "process_num_threads"),
    ("rss", "process_resident_memory_bytes"),
    // The OpenTelemetry Collector has names of its own, with the unit since 0.120.
    ("rss", "otelcol_process_memory_rss"),
    ("rss", "otelcol_process_memory_rss_bytes"),
];

/// Series that are named where one was not found; a page of them helps nobody.
const SERIES_TOLD: usize = 40;

/// The limits that the user gave; none means the default ones.
#[derive(Clone)]
pub(super) struct Wanted(pub(super) Vec<(String, Limit)>);

impl Wanted {
    /// Limits a scenario by what /proc shows of every process, until more is known.
    pub(super) fn begin(&self, scenario: &mut Scenario) {
        let known = scenario.all_metrics();
        scenario.limits = self.limits(|metric| known.contains_key(metric));
        if scenario.limits.is_empty() {
            scenario.limits = Self(Vec::new()).limits(|metric| known.contains_key(metric));
        }
    }

    /// Completes a scenario by what was seen of its target.
    ///
    /// # Errors
    /// If a limit is on something that the target does not have, or nothing can be limited.
    pub(super) fn complete(&self, scenario: &mut Scenario, sight: &Sight) -> Result<Vec<String>, String> {
        let has_process = scenario.target.kind != TargetKind::Metrics;
        let mut metrics = BTreeMap::new();
        if let Some(exposed) = &sight.exposed {
            metrics = offered(exposed, has_process, sight.fds);
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
        // So that `pss` and `children`, which are read on demand, are known too.
        scenario.limits = self.limits(|_| true);
        let known = scenario.all_metrics();
        let seen = |metric: &str| {
            known.contains_key(metric)
                && (metric != "fds" || !has_process || sight.fds || scenario.metrics.contains_key("fds"))
        };
        if let Some((metric, _)) = self.0.iter().find(|(metric, _)| !seen(metric)) {
            let names: Vec<&str> = known.keys().map(String::as_str).filter(|name| seen(name)).collect();
            return Err(unseen(metric, &names, sight));
        }
        let limits = self.limits(seen);
        if limits.is_empty() {
            return Err(
                "nothing is exposed there that has a default limit: name one with --limit 'SERIES: growth_per_min < 1'"
                    .to_owned(),
            );
        }
        scenario.limits = limits;
        // All of it in one line.
        let unseen = (!sight.unseen.is_empty()).then(|| sight.unseen.join("; "));
        Ok(unseen.into_iter().collect())
    }

    /// Whether everything that the user limits can be seen of a process that runs already, before anything is started.
    ///
    /// # Errors
    /// If not: a usage error. That the process has ended is told by the run.
    pub(super) async fn check(&self, scenario: &Scenario, pid: u32) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        let Ok(sight) = Sight::of(pid, Duration::ZERO).await else {
            return Ok(());
        };
        let complete = self.complete(&mut scenario.clone(), &sight);
        complete.map(|_| ()).map_err(Failure::usage)
    }

    /// The limits on those metrics that there are.
    fn limits(&self, there: impl Fn(&str) -> bool) -> BTreeMap<String, OneOrMore<Limit>> {
        let defaults = DEFAULTS
            .iter()
            .filter_map(|(m, rule)| Some(((*m).to_owned(), rule.parse::<Limit>().ok()?)));
        let all: Vec<(String, Limit)> = if self.0.is_empty() {
            defaults.collect()
        } else {
            self.0.clone()
        };
        let mut limits: BTreeMap<String, OneOrMore<Limit>> = BTreeMap::new();
        for (metric, limit) in all.into_iter().filter(|(m, _)| there(m)) {
            limits
                .entry(metric)
                .or_insert_with(|| OneOrMore(Vec::new()))
                .0
                .push(limit);
        }
        limits
    }
}

/// That a metric cannot be seen, what was meant, and what can be seen.
fn unseen(metric: &str, known: &[&str], sight: &Sight) -> String {
    let series = || sight.exposed.iter().flat_map(|e| &e.names).map(String::as_str);
    let meant = appended(&did_you_mean(metric, known.iter().copied().chain(series())));
    let mut all = format!(
        "`{metric}` cannot be seen on this target{meant}\n  seen: {}",
        known.join(", ")
    );
    if let Some(exposed) = &sight.exposed {
        let first: Vec<&str> = series().take(SERIES_TOLD).collect();
        let more = exposed.names.len() - first.len();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        all.push_str(&format!("\n  at {}: {}{more}", exposed.url, first.join(", ")));
    }
    for why in &sight.unseen {
        all.push_str(&format!("\n  not seen: {why}"));
    }
    all
}

/// The metrics that an exposition offers under the names that limits use. What /proc shows is taken from there.
fn offered(exposed: &Exposed, has_process: bool, fds_seen: bool) -> BTreeMap<String, Metric> {
    let of_proc = |name: &str| has_process && (matches!(name, "threads" | "rss") || name == "fds" && fds_seen);
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
        .filter(|(name, _)| !of_proc(name))
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

    fn sight(fds: bool, names: &[&str]) -> Sight {
        let exposed = Exposed {
            url: "http://127.0.0.1:1/metrics".into(),
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            ..Exposed::default()
        };
        Sight {
            fds,
            exposed: (!names.is_empty()).then_some(exposed),
            unseen: vec!["no port answers".into(), "nor does another".into()],
        }
    }

    fn limited(scenario: &Scenario) -> Vec<&str> {
        scenario.limits.keys().map(String::as_str).collect()
    }

    const COMMAND: &str = "kind = \"command\"\ncommand = [\"x\"]";

    #[test]
    fn a_process_without_metrics_is_judged_by_what_proc_shows() {
        let mut scenario = scenario(COMMAND);
        let notes = Wanted(Vec::new())
            .complete(&mut scenario, &sight(true, &[]))
            .expect("complete");
        assert_eq!(limited(&scenario), ["fds", "rss", "threads"]);
        assert_eq!(notes, ["no port answers; nor does another"]);
    }

    #[test]
    fn goroutines_are_the_tasks_of_a_go_program() {
        let mut scenario = scenario(COMMAND);
        let sight = sight(
            true,
            &["go_goroutines", "process_open_fds", "go_memstats_heap_inuse_bytes"],
        );
        Wanted(Vec::new()).complete(&mut scenario, &sight).expect("complete");
        assert_eq!(limited(&scenario), ["fds", "rss", "tasks", "threads"]);
        assert_eq!(scenario.metrics["tasks"], Metric::series("go_goroutines", false));
        // Descriptors come from the kernel, which the target cannot get wrong.
        assert!(!scenario.metrics.contains_key("fds"));
        let text = scenario.to_toml().expect("TOML");
        assert_eq!(Scenario::parse(&text).expect("reads back"), scenario);
    }

    #[test]
    fn descriptors_that_the_kernel_hides_are_asked_of_the_target_or_left_out() {
        let mut told = scenario("kind = \"pid\"\npid = 1");
        Wanted(Vec::new())
            .complete(&mut told, &sight(false, &["process_open_fds"]))
            .expect("complete");
        assert_eq!(told.metrics["fds"], Metric::series("process_open_fds", false));
        let mut blind = scenario("kind = \"pid\"\npid = 1");
        Wanted(Vec::new())
            .complete(&mut blind, &sight(false, &[]))
            .expect("complete");
        assert_eq!(limited(&blind), ["rss", "threads"]);
    }

    #[test]
    fn any_series_can_be_limited_by_its_name_and_what_is_nowhere_cannot() {
        let limit = |metric: &str| {
            Wanted(vec![(
                metric.to_owned(),
                "growth_per_min < 1".parse().expect("a limit"),
            )])
        };
        let mut exposing = scenario(COMMAND);
        limit("my_queue")
            .complete(&mut exposing, &sight(true, &["my_queue"]))
            .expect("complete");
        assert_eq!(limited(&exposing), ["my_queue"]);
        let error = limit("my_queu")
            .complete(&mut scenario(COMMAND), &sight(true, &["my_queue"]))
            .expect_err("nowhere");
        assert!(
            error.contains("`my_queu`") && error.contains("did you mean `my_queue`?"),
            "{error}"
        );
        let error = limit("fsd")
            .complete(&mut scenario(COMMAND), &sight(true, &[]))
            .expect_err("nowhere");
        assert!(error.contains("did you mean `fds`?"), "{error}");
        assert!(
            error.contains("cpu, fds, rss, threads") && error.contains("no port answers"),
            "{error}"
        );
        let typed = Sight {
            exposed: Some(Exposed {
                url: "http://127.0.0.1:1/metrics".into(),
                names: ["handles_total".to_owned(), "seen".to_owned()].into(),
                counters: ["seen".to_owned()].into(),
            }),
            ..sight(true, &[])
        };
        for (series, counter) in [("handles_total", false), ("seen", true)] {
            let mut typing = scenario(COMMAND);
            limit(series).complete(&mut typing, &typed).expect("complete");
            assert_eq!(typing.metrics[series].counter, counter, "{series}");
        }
        let mut counted = scenario(COMMAND);
        limit("children")
            .complete(&mut counted, &sight(true, &[]))
            .expect("read on demand");
        assert_eq!(limited(&counted), ["children"]);
    }
}
