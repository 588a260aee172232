//! Tests of writing and reading run folders.

use super::*;
use crate::tests::sample_run::leaking;
use leakcheck_model::{EventKind, Phase, Samples};
use proptest::prelude::*;

const SCENARIO_TEXT: &str =
    "name = \"example\"\n[target]\nkind = \"pid\"\npid = 1\n[limits]\nfds = \"growth_per_min < 1\"\n";

fn begun(root: &Path) -> RunFolder {
    let mut folder = RunFolder::create(root, "example", "run-1").expect("creates");
    folder.write_scenario(SCENARIO_TEXT).expect("writes");
    folder.begin_samples(&["fds".into(), "rss".into()]).expect("begins");
    for t_s in [0.0, 1.0, 2.0] {
        let values = vec![Some(12.0 + t_s), None];
        let phase = Phase::Measure;
        folder.append_sample(&Sample { t_s, phase, values }).expect("appends");
        let kind = EventKind::PhaseBegan { phase };
        let at = "2026-01-02T03:04:05Z".into();
        folder.append_event(&Event { t_s, at, kind }).expect("appends");
    }
    folder
}

fn append(folder: &RunFolder, name: &str, text: &str) {
    let mut file = OpenOptions::new()
        .append(true)
        .open(folder.path().join(name))
        .expect("opens");
    file.write_all(text.as_bytes()).expect("writes");
}

#[test]
fn a_run_reads_back_as_it_was_written() {
    let root = tempfile::tempdir().expect("scratch");
    let folder = begun(root.path());
    let again = RunFolder::open(folder.path()).expect("opens");
    let (scenario, samples, events) = again.read().expect("reads");
    assert_eq!(scenario.name, "example");
    assert_eq!(samples.t_s, [0.0, 1.0, 2.0]);
    assert_eq!(
        samples.columns,
        [vec![Some(12.0), Some(13.0), Some(14.0)], vec![None; 3]]
    );
    assert_eq!(events.len(), 3);
}

#[test]
fn a_folder_is_created_once_and_only_a_run_can_be_opened() {
    let root = tempfile::tempdir().expect("scratch");
    begun(root.path());
    let again = RunFolder::create(root.path(), "example", "run-1").expect_err("exists");
    assert!(matches!(again, Error::AlreadyExists(_)));
    assert!(matches!(
        RunFolder::open(root.path()).expect_err("no run"),
        Error::NotARunFolder(_)
    ));
}

#[test]
fn the_partial_last_line_of_a_killed_run_is_skipped_even_if_it_looks_complete() {
    let root = tempfile::tempdir().expect("scratch");
    let folder = begun(root.path());
    append(&folder, SAMPLES, "3,measure,1");
    append(&folder, EVENTS, "{\"t_s\":3.0,\"at\":\"2026");
    let (_, samples, events) = folder.read().expect("reads");
    assert_eq!((samples.len(), events.len()), (3, 3));
    append(&folder, SAMPLES, "5,7");
    assert_eq!(
        folder.read_samples().expect("reads").len(),
        3,
        "a row without its newline may lack digits"
    );
}

#[test]
fn a_run_killed_before_its_first_sample_has_none() {
    let root = tempfile::tempdir().expect("scratch");
    let folder = RunFolder::create(root.path(), "example", "run-1").expect("creates");
    folder.write_scenario(SCENARIO_TEXT).expect("writes");
    let (_, samples, events) = folder.read().expect("reads");
    assert!(samples.is_empty() && events.is_empty());
    std::fs::write(folder.path().join(SAMPLES), "t_s,pha").expect("writes");
    assert!(folder.read_samples().expect("reads").is_empty());
}

#[test]
fn a_broken_line_in_the_middle_is_named_with_its_file() {
    let root = tempfile::tempdir().expect("scratch");
    let folder = begun(root.path());
    append(&folder, EVENTS, "nonsense\n");
    append(&folder, SAMPLES, "3,measure,x,\n");
    let error = folder.read_events().expect_err("nonsense").to_string();
    assert!(error.contains("events.jsonl line 4"), "{error}");
    let error = folder.read_samples().expect_err("no number").to_string();
    assert!(error.contains("samples.csv: line 5: `x` in column `fds`"), "{error}");
    folder
        .write_scenario("name = \"example\"\ntarget = 3\n")
        .expect("writes");
    let error = folder.read().expect_err("no target").to_string();
    assert!(error.contains("scenario.toml line 2"), "{error}");
}

#[test]
fn a_short_sample_is_padded_and_a_long_one_rejected() {
    let root = tempfile::tempdir().expect("scratch");
    let mut folder = begun(root.path());
    let sample = |values| Sample {
        t_s: 9.0,
        phase: Phase::Drain,
        values,
    };
    folder.append_sample(&sample(vec![Some(1.0)])).expect("fits");
    assert!(matches!(
        folder.append_sample(&sample(vec![None; 3])),
        Err(Error::Columns { want: 2, got: 3, .. })
    ));
    assert_eq!(folder.read_samples().expect("reads").columns[1][3], None);
}

#[test]
fn a_report_has_every_file_and_can_be_written_again() {
    let root = tempfile::tempdir().expect("scratch");
    let folder = begun(root.path());
    let example = leaking();
    for _ in 0..2 {
        folder.write_report(&example.result, &example.record).expect("writes");
    }
    for name in [
        RESULT,
        SUMMARY,
        JUNIT,
        HTML,
        "charts/fds.svg",
        "charts/fds.png",
        "charts/rss.svg",
    ] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
    assert_eq!(folder.read_result().expect("reads"), example.result);
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("lists").flatten().collect();
    assert!(left.iter().all(|f| !f.file_name().to_string_lossy().ends_with(".part")));
}

#[test]
fn a_file_that_cannot_be_written_is_named_and_does_not_stop_the_others() {
    let root = tempfile::tempdir().expect("scratch");
    let folder = begun(root.path());
    // A folder in the place of a file cannot be replaced.
    std::fs::create_dir(folder.path().join(SUMMARY)).expect("creates");
    std::fs::write(folder.path().join(CHARTS), "in the way").expect("writes");
    let example = leaking();
    let error = folder
        .write_report(&example.result, &example.record)
        .expect_err("two files are in the way");
    assert_eq!(error.file, SUMMARY);
    assert_eq!(error.others.len(), 6, "{:?}", error.others);
    assert_eq!(error.to_string(), "summary.md and 6 more files could not be written");
    for name in [RESULT, JUNIT, HTML] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
}

#[test]
fn a_stored_run_is_exported_for_other_tools() {
    use crate::{Format, export};
    let root = tempfile::tempdir().expect("scratch");
    let folder = begun(root.path());
    append(&folder, SAMPLES, "3,mea");
    let text = |name: &str| export(&folder, name.parse::<Format>().expect(name)).expect(name);
    assert_eq!(text("csv").lines().last(), Some("2,measure,14,"));
    assert!(text("json").contains(r#"{"fds":14.0,"phase":"measure","t_s":2.0}"#));
    // The first event says that second 0 was at 03:04:05.
    let labels = r#"scenario="example",run_id="run-1""#;
    let line = format!("leakcheck_fds{{{labels}}} 14 1767323047.000");
    assert!(text("openmetrics").contains(&line), "{}", text("openmetrics"));
    std::fs::remove_file(folder.path().join(EVENTS)).expect("removes");
    let error = export(&folder, Format::OpenMetrics).expect_err("no clock").to_string();
    assert!(error.contains("does not say when the run began"), "{error}");
}

#[test]
fn every_metric_has_a_file_name_of_its_own() {
    assert_eq!(chart_path("fds", "svg"), "charts/fds.svg");
    let odd = ["a/b", "a b", "../x", "", ".."].map(|m| chart_path(m, "svg"));
    for (i, path) in odd.iter().enumerate() {
        assert!(!path["charts/".len()..].contains('/') && !path.contains("/."), "{path}");
        assert!(!odd[..i].contains(path), "{path}");
    }
}

proptest! {
    #[test]
    fn every_number_reads_back_to_the_same_bits(
        rows in proptest::collection::vec((proptest::num::f64::NORMAL | proptest::num::f64::ZERO, proptest::option::of(proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO)), 1..20)
    ) {
        let mut samples = Samples::new(vec!["x".into()]);
        for (t_s, value) in rows {
            samples.push(&Sample { t_s, phase: Phase::Extend, values: vec![value] });
        }
        let again = crate::parse_table(&csv::table(&samples), &crate::TableOptions::default())
            .and_then(crate::Table::complete)
            .expect("reads");
        let bits = |s: &Samples| {
            let times: Vec<u64> = s.t_s.iter().map(|t| t.to_bits()).collect();
            let values: Vec<Option<u64>> = s.columns[0].iter().map(|v| v.map(f64::to_bits)).collect();
            (times, values)
        };
        prop_assert_eq!(bits(&again), bits(&samples));
        prop_assert_eq!(again.phase, samples.phase);
    }
}
