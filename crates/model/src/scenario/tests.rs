//! Parsing and checking of scenarios, valid and invalid.

use super::{Aggregate, LineBytes, Metric, MetricSource, Problem, ProcMetric, Scenario, Target};

const MAIN: &str = r#"
name = "t"
[engine]
kind = "auto"
[[load]]
name = "noisy"
containers = 40
lines_per_second = 20
line_bytes = [80, 400]
stderr_share = 0.1
[[load]]
name = "idle"
containers = 15
[target]
kind = "capture"
rotate_every = "30s"
[schedule]
warm_up = "30s"
measure = "5m"
[limits]
tasks     = ["growth_per_min < 2", "drained <= 2"]
rss       = "growth_per_min < 1 MiB"
rotations = ["increase >= 90% of expected"]
lines     = ["lost == 0", "duplicated == 0"]
[[fault]]
at = "60s"
for = "20s"
kind = "stall"
containers = "idle"
"#;

/// Joins message and help of a problem.
fn described(problem: &Problem) -> String {
    format!("{} {}", problem.message, problem.help.clone().unwrap_or_default())
}

/// Returns the description and the text of the only problem.
fn one_problem(text: &str) -> (String, String) {
    let problems = Scenario::parse(text).expect_err("a problem");
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problem = &problems[0];
    (described(problem), text[problem.span.clone()].to_owned())
}

#[test]
fn a_complete_scenario_is_parsed() {
    let scenario = Scenario::parse(MAIN).expect("a good scenario");
    assert_eq!(scenario.containers(), 55);
    assert_eq!(scenario.lines_per_second(), Some(800.0));
    assert_eq!(scenario.load[0].line_bytes, LineBytes { min: 80, max: 400 });
    assert_eq!(scenario.plan().rotations_per_s.map(|r| r * 300.0), Some(550.0));
    assert!(scenario.all_metrics().contains_key("streams"));
    assert!(scenario.lines_checked());
}

#[test]
fn a_scenario_with_its_defaults_filled_in_reads_back_the_same() {
    let scenario = Scenario::parse(MAIN).expect("a good scenario");
    let text = scenario.to_toml().expect("TOML");
    assert!(text.contains("sample_every = \"1s\""), "{text}");
    assert_eq!(Scenario::parse(&text).expect(&text), scenario);
}

#[test]
fn an_unknown_key_has_a_place_and_a_suggestion() {
    let (problem, place) = one_problem(&MAIN.replace("warm_up", "warmup"));
    assert!(
        problem.contains("unknown field `warmup`") && problem.contains("did you mean `warm_up`?"),
        "{problem}"
    );
    assert_eq!(place, "warmup");
}

#[test]
fn a_bad_unit_is_reported_at_its_value() {
    let (problem, place) = one_problem(&MAIN.replace("\"5m\"", "\"5 parsecs\""));
    assert!(problem.contains("5 parsecs"), "{problem}");
    assert_eq!(place, "\"5 parsecs\"");
    let (problem, place) = one_problem(&MAIN.replace("\"5m\"", "5"));
    assert!(problem.contains("has no unit"), "{problem}");
    assert_eq!(place, "5");
}

#[test]
fn a_bad_limit_is_reported_at_its_value() {
    let (problem, place) = one_problem(&MAIN.replace("drained <= 2", "draned <= 2"));
    assert!(problem.contains("did you mean `drained`?"), "{problem}");
    assert!(place.contains("draned"), "{place}");
}

#[test]
fn contradictions_are_problems() {
    for (from, to, expected, at) in [
        (
            "tasks     =",
            "taskz     =",
            "did you mean `tasks`?",
            "[\"growth_per_min < 2\", \"drained <= 2\"]",
        ),
        (
            "containers = \"idle\"",
            "containers = \"idel\"",
            "did you mean `idle`?",
            "\"idel\"",
        ),
        ("[80, 400]", "[400, 80]", "longer than the longest", "[400, 80]"),
        ("[80, 400]", "20", "no room for its stamp", "20"),
        ("containers = 40", "containers = 0", "0 containers", "0"),
        (
            "\"lost == 0\"",
            "\"max == 0\"",
            "not a statistic of `lines`",
            "[\"max == 0\", \"duplicated == 0\"]",
        ),
        ("at = \"60s\"", "at = \"600s\"", "begin earlier", "\"600s\""),
        ("name = \"idle\"", "name = \"noisy\"", "two load groups", "\"noisy\""),
    ] {
        let text = MAIN.replace(from, to);
        let problems = Scenario::parse(&text).expect_err(to);
        let all: Vec<_> = problems.iter().map(|p| (described(p), &text[p.span.clone()])).collect();
        assert!(
            all.iter()
                .any(|(problem, place)| problem.contains(expected) && *place == at),
            "{to}: {all:?}"
        );
    }
}

#[test]
fn keys_are_overridden_by_path_and_by_group_name() {
    let text = super::override_keys(
        MAIN,
        &[
            "schedule.measure=2m",
            "load.noisy.containers=3",
            "target.rotate_every=\"2s\"",
        ],
    )
    .expect("set");
    let scenario = Scenario::parse(&text).expect("still good");
    assert_eq!(
        (scenario.containers(), scenario.schedule.measure.as_secs()),
        (18, 120.0)
    );
    assert!(super::override_keys(MAIN, &["schedule.measure"]).is_err());
    let error = super::override_keys(MAIN, &["load.nosy.containers=3"])
        .expect_err("no such group")
        .to_string();
    assert!(error.contains("noisy, idle"), "{error}");
}

#[test]
fn a_scenario_without_limits_is_an_error() {
    let (problem, _) = one_problem("name = \"t\"\n[target]\nkind = \"pid\"\npid = 1\n");
    assert!(problem.contains("nothing could be judged"), "{problem}");
}

#[test]
fn the_schema_has_every_table() {
    let schema = Scenario::json_schema().to_string();
    for word in [
        "rotate_every",
        "checkpoint_every",
        "stderr_share",
        "growth_per_min",
        "eof-storm",
    ] {
        assert!(schema.contains(word), "{word}");
    }
}

#[test]
fn traffic_without_containers_needs_no_engine() {
    let text = "name = \"t\"\n[target]\nkind = \"command\"\ncommand = [\"./d\"]\n[traffic]\nurl = \"http://127.0.0.1:{port}/\"\n[limits]\nfds = \"max < 9\"\n";
    let scenario = Scenario::parse(text).expect("a good scenario");
    assert!(!scenario.needs_engine() && scenario.has_load());
    assert_eq!(
        Scenario::parse(&scenario.to_toml().expect("TOML")).expect("reads back"),
        scenario
    );
    for (wrong, expected) in [
        ("url = \"https://x/\"", "is not an http:// address"),
        ("per_second = 5", "has neither"),
        ("url = \"http://x/\"\ncommand = [\"./w\"]", "has both"),
        ("url = \"http://x/\"\nper_second = 0", "more than 0"),
        ("url = \"http://x/\"\nmethod = \"get \"", "is not an HTTP method"),
        ("url = \"http://x/\"\nper_secnd = 5", "did you mean `per_second`?"),
    ] {
        let (problem, _) = one_problem(&text.replace("url = \"http://127.0.0.1:{port}/\"", wrong));
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn drained_is_unknown_if_the_target_starts_after_the_load() {
    let written = |start: &str| {
        let text = format!(
            "name = \"a\"\n[[load]]\nname = \"idle\"\ncontainers = 2\n[target]\nkind = \"command\"\ncommand = [\"x\"]\n{start}\n[limits]\nfds = [\"growth_per_min < 1\", \"drained <= 2\"]\nrss = \"growth_per_min < 1 MiB\"\n"
        );
        Scenario::parse(&text).expect("a scenario")
    };
    assert_eq!(written("").drained_unknown(), ["fds"]);
    assert_eq!(written("start = \"before-load\"").drained_unknown(), [""; 0]);
}

#[test]
fn the_smallest_rotation_count_is_sampled_with_the_sum() {
    let text = "name = \"a\"\n[[load]]\nname = \"idle\"\ncontainers = 2\n[target]\nkind = \"capture\"\nrotate_every = \"5s\"\n[limits]\nfds = \"growth_per_min < 1\"\n";
    let metrics = Scenario::parse(text).expect("a scenario").all_metrics();
    let series = |name: &str| match &metrics[name].source {
        MetricSource::Series(series) => series.clone(),
        other => panic!("{other:?}"),
    };
    let (sum, least) = (series("rotations"), series(super::ROTATIONS_MIN));
    assert_eq!((least.aggregate, least.name), (Aggregate::Min, sum.name));
    assert!(metrics[super::ROTATIONS_MIN].counter);
}

#[test]
fn a_key_that_the_kind_of_fault_ignores_is_an_error() {
    for (kind, more, key) in [
        ("delay", "share = 0.5", "share"),
        ("engine-gone", "containers = \"idle\"", "containers"),
        ("reset", "after = \"1s\"", "after"),
        ("stall", "status = 500", "status"),
        ("error-status", "status = 200", "status"),
    ] {
        let fault = format!("kind = \"{kind}\"\n{more}\n");
        let (problem, place) = one_problem(&MAIN.replace("kind = \"stall\"\ncontainers = \"idle\"\n", &fault));
        assert!(problem.contains(&format!("`{key}`")), "{kind}: {problem}");
        assert!(more.contains(&place), "{kind}: {place}");
    }
    let plain = MAIN.replace("kind = \"stall\"\ncontainers = \"idle\"\n", "kind = \"error-status\"\n");
    assert!(Scenario::parse(&plain).is_ok(), "the status has a default");
}

#[test]
fn a_metric_has_exactly_one_source() {
    let with = |table: &str| MAIN.replace("[limits]", &format!("[metrics.x]\n{table}\n[limits]"));
    for (table, expected) in [
        ("counter = true", "this one has 0"),
        ("proc = \"fds\"\nlog = \"panic\"", "this one has 2"),
        ("proc = \"fdz\"", "did you mean `fds`?"),
        ("cgroup = \"memry\"", "did you mean `memory`?"),
        ("engine = \"goroutine\"", "did you mean `goroutines`?"),
        ("proc = \"fds\"\nlabels = { a = \"b\" }", "belong to a series"),
    ] {
        let (problem, _) = one_problem(&with(table));
        assert!(problem.contains(expected), "{problem}");
    }
    let scenario = Scenario::parse(&with("proc = \"fds\"")).expect("one source");
    assert_eq!(scenario.metrics["x"], Metric::proc(ProcMetric::Fds));
}

#[test]
fn a_renamed_key_is_accepted_with_a_warning() {
    let with = |key: &str| {
        MAIN.replace(
            "[limits]",
            &format!("[metrics.x]\nmetrics = \"a\"\n{key} = [\"b\"]\n[limits]"),
        )
    };
    let (old, new) = (with("or"), with("aliases"));
    assert_eq!(Scenario::parse(&old), Scenario::parse(&new));
    let warnings = Scenario::deprecations(&old);
    assert!(described(&warnings[0]).contains("`metrics.x.aliases`"), "{warnings:?}");
    assert_eq!(Scenario::deprecations(&new), []);
}

#[test]
fn a_constructed_scenario_is_checked_like_a_parsed_one() {
    let limit = "growth_per_min < 1".parse().expect("a limit");
    let scenario = Scenario::new("a", Target::process(1)).with_limit("fds", limit);
    assert_eq!(scenario.check(), Ok(()));
    let problems = Scenario::new("a/b", Target::process(1))
        .check()
        .expect_err("two problems");
    assert!(problems[0].message.contains("cannot name a folder"), "{problems:?}");
    assert!(problems[1].message.contains("no [limits]"), "{problems:?}");
}
