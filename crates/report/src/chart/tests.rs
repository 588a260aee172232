//! Tests of charts.

mod text_layout;

use super::*;
use crate::figure::figures;
use crate::tests::sample_run::{FIVE_MINUTES, SampleRun, leaking};
use leakcheck_model::Verdict;

fn drawn(example: &SampleRun) -> Vec<(String, Figure)> {
    figures(&example.result, &example.record, 2000)
        .into_iter()
        .map(|f| (f.metric.clone(), f))
        .collect()
}

#[test]
fn a_chart_names_its_metric_its_verdict_and_its_limit() {
    let example = leaking();
    let (_, figure) = &drawn(&example)[0];
    let text = svg(figure).expect("draws");
    for words in [
        "<title>fds: fail",
        "growth_per_min &lt; 1",
        "measure",
        "F1",
        "1 min",
        "growth +4.02/min (3.90 to 4.10)",
    ] {
        assert!(text.contains(words), "{words}");
    }
    assert!(
        text.starts_with("<svg width=\"1200\" height=\"500\" role=\"img\" viewBox=\"0 0 2400 1000\""),
        "{}",
        &text[..120]
    );
}

#[test]
fn the_name_of_a_metric_cannot_break_the_image() {
    let example = SampleRun::new(FIVE_MINUTES).metric("<a&\"b'>", "", |_| Some(1.0));
    let text = svg(&drawn(&example)[0].1).expect("draws");
    assert!(!text.contains("<a&"));
    assert!(text.contains("&lt;a&amp;"));
}

#[test]
fn a_png_has_the_declared_size() {
    let bytes = png(&drawn(&leaking())[1].1).expect("draws");
    let info = png::Decoder::new(std::io::Cursor::new(&bytes))
        .read_info()
        .expect("decodes");
    assert_eq!(info.info().size(), (WIDTH, HEIGHT));
    assert!(bytes.len() < 150_000, "{}", bytes.len());
}

#[test]
fn unusual_runs_are_drawn() {
    let mut empty = SampleRun::new(FIVE_MINUTES).metric("tasks", "", |_| Some(1.0));
    empty.record.samples.columns[0].fill(None);
    let mut one_row = SampleRun::new([0.0, 0.0, 0.0, 1.0, 0.0]).metric("tasks", "", |_| Some(1.0));
    one_row = one_row
        .growth("tasks", 0.0, 0.0, 0.0)
        .limit("tasks", "max < 1", 1.0, Verdict::Fail);
    let huge = SampleRun::new(FIVE_MINUTES).metric("tasks", "", |t| Some(if t > 9.0 { 1e300 } else { -1e300 }));
    for example in [empty, one_row, huge] {
        for (name, figure) in drawn(&example) {
            svg(&figure).expect(&name);
            png(&figure).expect(&name);
        }
    }
}
