//! The labelled traces and the tables of the FASE case study, with a limit of 2 per minute.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its fixture has failed")]

use leakcheck_judge::{Assessment, Outcome, Series, TestSpec, assess, endpoint};
use std::path::{Path, PathBuf};

const LIMIT_PER_MIN: f64 = 2.0;

/// Traces with another outcome than expected, with the reason.
const NOT_AS_EXPECTED: &[(&str, &str)] = &[(
    "saw_gc_T10_dt1_P60.csv",
    "fourteen teeth of an unknown cycle: after ten minutes, a fall of 2 per minute is still possible",
)];

struct Trace {
    file: String,
    series: Series,
    period_s: Option<f64>,
    expected: String,
    must_not_be: String,
}

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(folder)
}

fn columns(path: &Path) -> Series {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let rows: Vec<(f64, f64)> = reader.deserialize().map(Result::unwrap).collect();
    Series::new(
        rows.iter().map(|row| row.0).collect(),
        rows.iter().map(|row| row.1).collect(),
    )
    .unwrap()
}

fn traces() -> Vec<Trace> {
    let mut reader = csv::Reader::from_path(fixtures("traces").join("labels.csv")).unwrap();
    let traces: Vec<Trace> = reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            Trace {
                file: record[0].to_owned(),
                series: columns(&fixtures("traces").join(&record[0])),
                period_s: record[6].parse().ok(),
                expected: record[8].to_owned(),
                must_not_be: record[9].to_owned(),
            }
        })
        .collect();
    assert_eq!(traces.len(), 45, "the labels list every trace");
    traces
}

fn judged(trace: &Trace) -> Assessment {
    let spec = TestSpec {
        rotation_period_s: trace.period_s,
        ..TestSpec::at_most(LIMIT_PER_MIN, trace.series.span_s())
    };
    assess(&trace.series, &spec)
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
        Outcome::Inconclusive => "INCONCLUSIVE",
        Outcome::Invalid => "INVALID",
    }
}

#[test]
fn no_trace_gets_a_forbidden_outcome() {
    for trace in traces() {
        let outcome = word(judged(&trace).outcome);
        assert_ne!(outcome, trace.must_not_be, "{}", trace.file);
        assert_ne!(outcome, "INVALID", "{}", trace.file);
    }
}

#[test]
fn traces_get_their_expected_outcome() {
    let mut others = Vec::new();
    for trace in traces() {
        let assessment = judged(&trace);
        // "PASS or INCONCLUSIVE", "FAIL (sparse rule)", "FAIL (…) at 20 min; INCONCLUSIVE at 10 min": the first word counts.
        let expected = trace.expected.split(';').next().unwrap_or_default();
        if !expected
            .split([' ', '('])
            .any(|allowed| allowed == word(assessment.outcome))
        {
            eprintln!(
                "{}: {} instead of {} ({})",
                trace.file,
                word(assessment.outcome),
                expected,
                assessment.reason.sentence
            );
            others.push(trace.file);
        }
    }
    let known: Vec<&str> = NOT_AS_EXPECTED.iter().map(|(file, _)| *file).collect();
    assert_eq!(others, known);
}

#[test]
fn growth_below_the_limit_passes_and_is_reported() {
    for trace in traces()
        .iter()
        .filter(|t| t.file.starts_with("linear_r0.5") || t.file.starts_with("linear_r1_"))
    {
        let assessment = judged(trace);
        assert_eq!(assessment.outcome, Outcome::Pass, "{}", trace.file);
        assert!(assessment.growing, "{}", trace.file);
    }
}

#[test]
fn the_falling_baseline_of_6b_is_no_pass_at_ten_minutes() {
    for file in ["like_6B_contaminated_base.csv", "real_FASE_6B.csv"] {
        let series = columns(&fixtures("traces").join(file)).until(600.0);
        let assessment = assess(&series, &TestSpec::at_most(LIMIT_PER_MIN, series.span_s()));
        assert_eq!(
            assessment.outcome,
            Outcome::Inconclusive,
            "{file}: {}",
            assessment.reason.sentence
        );
    }
}

#[test]
fn every_published_rate_is_reproduced_as_published() {
    let mut rates = 0;
    for file in ["fase-6b.csv", "fase-6c.csv", "fase-6e.csv", "fase-6g.csv"] {
        let mut reader = csv::Reader::from_path(fixtures("case-study").join(file)).unwrap();
        let names = reader.headers().unwrap().clone();
        let column = |name: &str| names.iter().position(|n| n == name);
        let minutes = column("elapsed_min").or(column("t_min")).unwrap();
        let (tasks, published) = (
            column("goroutines").unwrap(),
            column("published_growth_per_min").unwrap(),
        );
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let number = |record: &csv::StringRecord, at: usize| record[at].parse::<f64>().unwrap();
        let baseline = number(&records[0], tasks);
        for record in &records[1..] {
            let rate = endpoint::per_min(baseline, number(record, tasks), number(record, minutes)).unwrap();
            assert_eq!(
                format!("{:.2}", endpoint::truncate_to_hundredths(rate)),
                record[published],
                "{file}"
            );
            rates += 1;
        }
    }
    assert_eq!(rates, 10);
}
