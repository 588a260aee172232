//! Selects the preset that fits an exposition.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use leakcheck_model::scenario::{PRESETS, PresetMetric};

/// The preset with most metrics in the exposition; on a tie the one with fewest missing.
pub(super) fn preset(names: &BTreeSet<String>) -> Option<&'static [PresetMetric]> {
    let present = |all: &[PresetMetric]| all.iter().filter(|known| is_exposed(known, names)).count();
    let best = PRESETS
        .iter()
        .map(|(_, all)| *all)
        .max_by_key(|all| (present(all), Reverse(all.len())))?;
    (present(best) > 0).then_some(best)
}

/// Returns whether a metric of a preset exists, under any of its names.
pub(super) fn is_exposed(known: &PresetMetric, names: &BTreeSet<String>) -> bool {
    known.series.iter().any(|series| names.contains(*series))
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakcheck_model::Scenario;
    use leakcheck_model::scenario::{Metric, MetricSource, ProcMetric};
    use leakcheck_probe::exposition::{Scan, Selector, names};

    type Sample = (&'static str, &'static str, &'static [(&'static str, f64)]);

    macro_rules! sample {
        ($file:literal) => {
            include_str!(concat!("../../../../../../fixtures/expositions/", $file, ".txt"))
        };
    }

    const OTEL: &[(&str, f64)] = &[
        ("heap", 2.4e7),
        ("queue", 4.0),
        ("records", 8000.0),
        ("spans", 70.0),
        ("errors", 2.0),
    ];

    /// Preset, exposition, and each metric of the preset with its value there.
    const SAMPLES: [Sample; 12] = [
        (
            "go",
            sample!("go"),
            &[("tasks", 31.0), ("open_fds", 14.0), ("heap", 5.25e6)],
        ),
        ("tokio", sample!("tokio"), &[("tasks", 118.0), ("open_fds", 75.0)]),
        (
            "python",
            sample!("python"),
            &[("open_fds", 8.0), ("uncollectable", 3.0)],
        ),
        (
            "jvm",
            sample!("jvm"),
            &[("tasks", 23.0), ("open_fds", 41.0), ("heap", 6.1e7)],
        ),
        (
            "jvm",
            sample!("jvm-micrometer"),
            &[("tasks", 27.0), ("open_fds", 52.0), ("heap", 5e7)],
        ),
        (
            "node",
            sample!("node"),
            &[("tasks", 6.0), ("open_fds", 24.0), ("heap", 8_234_512.0)],
        ),
        (
            "vector",
            sample!("vector"),
            &[("records", 2390.0), ("errors", 3.0), ("files", 12.0), ("queue", 10.0)],
        ),
        ("otel-collector", sample!("otel-collector"), OTEL),
        ("otel-collector", sample!("otel-collector-total"), OTEL),
        ("otel-collector", sample!("otel-collector-bare"), OTEL),
        (
            "fluent-bit",
            sample!("fluent-bit"),
            &[
                ("records", 520.0),
                ("errors", 1.0),
                ("retries", 5.0),
                ("chunks", 3.0),
                ("buffered", 4096.0),
            ],
        ),
        (
            "prometheus",
            sample!("prometheus"),
            &[("tasks", 40.0), ("open_fds", 33.0), ("heap", 5.5e7), ("series", 2711.0)],
        ),
    ];

    #[test]
    fn each_exposition_selects_its_preset_and_gives_the_right_values() {
        for (name, text, expected) in SAMPLES {
            // The preset is selected
            let seen = names(text);
            let chosen = preset(&seen.all).expect(name);
            assert!(
                PRESETS.iter().any(|(n, known)| *n == name && *known == chosen),
                "{name}: {chosen:?}"
            );
            // And each of its metrics has the value in the file
            let selectors = chosen.iter().filter_map(|known| match known.metric().source {
                MetricSource::Series(series) => Some(Selector::from(&series)),
                _ => None,
            });
            let scanned = Scan::new(selectors.collect()).read(text.as_bytes());
            assert_eq!((scanned.unread, scanned.repeated), (0, 0), "{name}");
            let read: Vec<(&str, Option<f64>)> = chosen.iter().map(|k| k.name).zip(scanned.values).collect();
            let expected: Vec<_> = expected.iter().map(|(metric, value)| (*metric, Some(*value))).collect();
            assert_eq!(read, expected, "{name}");
            // And the types agree with those in the file
            for known in chosen {
                let series: Vec<&str> = known.series.iter().copied().filter(|s| seen.all.contains(*s)).collect();
                assert!(
                    series.iter().all(|s| seen.counters.contains(*s) == known.counter),
                    "{name}: {series:?}"
                );
            }
        }
        let sampled: BTreeSet<&str> = SAMPLES.iter().map(|(name, _, _)| *name).collect();
        assert_eq!(sampled, PRESETS.iter().map(|(name, _)| *name).collect());
        assert_eq!(preset(&names("unknown 1\n").all), None);
    }

    #[test]
    fn proc_metrics_stay_with_every_preset() {
        for (name, _) in PRESETS {
            let text = format!(
                "name = \"a\"\n[target]\nkind = \"command\"\ncommand = [\"x\"]\nmetrics_url = \"http://127.0.0.1:1/metrics\"\npreset = \"{name}\"\n[limits]\nfds = \"growth_per_min < 1\"\n"
            );
            let metrics = Scenario::parse(&text).expect(name).all_metrics();
            for metric in [ProcMetric::Fds, ProcMetric::Threads, ProcMetric::Rss] {
                assert_eq!(metrics[metric.name()], Metric::proc(metric), "{name}");
            }
        }
    }
}
