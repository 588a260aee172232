//! Scenarios as users write them, right and wrong.

use super::{LineBytes, Scenario};

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

fn one_problem(text: &str) -> (String, String) {
    let problems = Scenario::parse(text).expect_err("a problem");
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problem = &problems[0];
    let said = format!("{} {}", problem.message, problem.help.clone().unwrap_or_default());
    (said, text[problem.span.clone()].to_owned())
}

#[test]
fn the_contracts_scenario_is_understood() {
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
fn an_unknown_key_is_shown_with_what_was_meant() {
    let (said, place) = one_problem(&MAIN.replace("warm_up", "warmup"));
    assert!(
        said.contains("unknown field `warmup`") && said.contains("did you mean `warm_up`?"),
        "{said}"
    );
    assert_eq!(place, "warmup");
}

#[test]
fn a_bad_unit_is_shown_at_its_value() {
    let (said, place) = one_problem(&MAIN.replace("\"5m\"", "\"5 parsecs\""));
    assert!(said.contains("5 parsecs"), "{said}");
    assert_eq!(place, "\"5 parsecs\"");
    let (said, place) = one_problem(&MAIN.replace("\"5m\"", "5"));
    assert!(said.contains("has no unit"), "{said}");
    assert_eq!(place, "5");
}

#[test]
fn a_bad_limit_is_shown_at_its_value() {
    let (said, place) = one_problem(&MAIN.replace("drained <= 2", "draned <= 2"));
    assert!(said.contains("did you mean `drained`?"), "{said}");
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
        let all: Vec<_> = problems
            .iter()
            .map(|p| {
                (
                    format!("{} {}", p.message, p.help.clone().unwrap_or_default()),
                    &text[p.span.clone()],
                )
            })
            .collect();
        assert!(
            all.iter().any(|(said, place)| said.contains(expected) && *place == at),
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
fn a_scenario_without_limits_could_judge_nothing() {
    let (said, _) = one_problem("name = \"t\"\n[target]\nkind = \"pid\"\npid = 1\n");
    assert!(said.contains("nothing could be judged"), "{said}");
}

#[test]
fn the_schema_knows_every_table() {
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
fn traffic_alone_needs_no_engine_and_is_checked() {
    let text = "name = \"t\"\n[target]\nkind = \"command\"\ncommand = [\"./d\"]\n[traffic]\nurl = \"http://127.0.0.1:{port}/\"\n[limits]\nfds = \"max < 9\"\n";
    let scenario = Scenario::parse(text).expect("a good scenario");
    assert!(!scenario.needs_engine() && scenario.has_load());
    assert_eq!(
        Scenario::parse(&scenario.to_toml().expect("TOML")).expect("reads back"),
        scenario
    );
    for (wrong, named) in [
        ("url = \"https://x/\"", "is not an http:// address"),
        ("per_second = 5", "here is neither"),
        ("url = \"http://x/\"\ncommand = [\"./w\"]", "here is both"),
        ("url = \"http://x/\"\nper_second = 0", "more than 0"),
        ("url = \"http://x/\"\nmethod = \"get \"", "no method of HTTP"),
        ("url = \"http://x/\"\nper_secnd = 5", "did you mean `per_second`?"),
    ] {
        let (said, _) = one_problem(&text.replace("url = \"http://127.0.0.1:{port}/\"", wrong));
        assert!(said.contains(named), "{said}");
    }
}

#[test]
fn drained_of_a_target_that_starts_after_its_load_is_not_known() {
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
fn the_least_of_the_rotations_is_read_beside_their_sum() {
    let text = "name = \"a\"\n[[load]]\nname = \"idle\"\ncontainers = 2\n[target]\nkind = \"capture\"\nrotate_every = \"5s\"\n[limits]\nfds = \"growth_per_min < 1\"\n";
    let metrics = Scenario::parse(text).expect("a scenario").all_metrics();
    let least = &metrics[crate::scenario::ROTATIONS_MIN];
    assert_eq!(
        (least.aggregate, &least.metrics),
        (crate::scenario::Aggregate::Min, &metrics["rotations"].metrics)
    );
    assert!(least.counter);
}

#[test]
fn what_a_kind_of_fault_would_ignore_is_refused_at_its_key() {
    for (kind, more, key) in [
        ("delay", "share = 0.5", "share"),
        ("engine-gone", "containers = \"idle\"", "containers"),
        ("reset", "after = \"1s\"", "after"),
        ("stall", "status = 500", "status"),
        ("error-status", "status = 200", "status"),
    ] {
        let fault = format!("kind = \"{kind}\"\n{more}\n");
        let (said, place) = one_problem(&MAIN.replace("kind = \"stall\"\ncontainers = \"idle\"\n", &fault));
        assert!(said.contains(&format!("`{key}`")), "{kind}: {said}");
        assert!(more.contains(&place), "{kind}: {place}");
    }
    let plain = MAIN.replace("kind = \"stall\"\ncontainers = \"idle\"\n", "kind = \"error-status\"\n");
    assert!(Scenario::parse(&plain).is_ok(), "its status has a default");
}
