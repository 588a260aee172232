//! The labelled traces of `fixtures/traces`: expected, forbidden and actual outcomes.

use std::fmt::Write as _;
use std::path::Path;

use leakcheck_judge::{Outcome, Series, TestSpec, assess};

use crate::measure::LIMIT_PER_MIN;

/// Returns the section, the number of forbidden outcomes and the number of traces. Empty without fixtures.
pub(crate) fn section() -> (String, usize, usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/traces");
    let Ok(mut labels) = csv::Reader::from_path(folder.join("labels.csv")) else {
        return (String::new(), 0, 0);
    };
    let (mut rows, mut wrong, mut all) = (String::new(), 0, 0);
    for label in labels.records().map_while(Result::ok) {
        let Some(series) = series(&folder.join(&label[0])) else {
            continue;
        };
        let spec = TestSpec {
            rotation_period_s: label[6].parse().ok(),
            ..TestSpec::at_most(LIMIT_PER_MIN, series.span_s())
        };
        let assessment = assess(&series, &spec);
        let outcome = match assessment.outcome {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Inconclusive => "inconclusive",
            Outcome::Invalid => "invalid",
        };
        all += 1;
        wrong += usize::from(label[9].to_lowercase().contains(outcome));
        let growth = assessment.growth.map_or_else(
            || "–".to_owned(),
            |g| format!("{:.2} ({:.2} .. {:.2})", g.estimate, g.low, g.high),
        );
        let _ = writeln!(
            rows,
            "| {} | {} | {} | {} | **{outcome}** | {growth} |",
            label[0].trim_end_matches(".csv"),
            &label[2],
            label[8].to_lowercase(),
            label[9].to_lowercase(),
        );
    }
    let text = format!(
        "## The labelled traces\n\nOf `fixtures/traces`, with the limit of 2 per minute and the whole of each trace.\n\n\
         | trace | true growth | must be | must not be | is | growth per minute |\n|---|--:|---|---|---|---|\n{rows}\n"
    );
    (text, wrong, all)
}

fn series(path: &Path) -> Option<Series> {
    let mut reader = csv::Reader::from_path(path).ok()?;
    let rows: Vec<(f64, f64)> = reader.deserialize().map_while(Result::ok).collect();
    let (t, v) = rows.into_iter().unzip();
    Series::new(t, v).ok()
}
