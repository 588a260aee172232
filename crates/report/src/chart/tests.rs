//! Tests of chart: what goes in and what must come out.

use super::*;
use crate::example::{Example, FIVE_MINUTES, leaking};
use crate::figure::figures;
use leakcheck_model::Verdict;

fn drawn(example: &Example) -> Vec<(String, Figure)> {
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
fn what_a_metric_is_called_cannot_break_the_picture() {
    let example = Example::new(FIVE_MINUTES).metric("<a&\"b'>", "", |_| Some(1.0));
    let text = svg(&drawn(&example)[0].1).expect("draws");
    assert!(!text.contains("<a&"));
    assert!(text.contains("&lt;a&amp;"));
}

#[test]
fn a_png_is_a_png_of_the_size_that_was_promised() {
    let bytes = png(&drawn(&leaking())[1].1).expect("draws");
    let info = png::Decoder::new(std::io::Cursor::new(&bytes))
        .read_info()
        .expect("decodes");
    assert_eq!(info.info().size(), (WIDTH, HEIGHT));
    assert!(bytes.len() < 150_000, "{}", bytes.len());
}

#[test]
fn odd_runs_are_drawn_too() {
    let mut blind = Example::new(FIVE_MINUTES).metric("tasks", "", |_| Some(1.0));
    blind.record.samples.columns[0].fill(None);
    let mut one_row = Example::new([0.0, 0.0, 0.0, 1.0, 0.0]).metric("tasks", "", |_| Some(1.0));
    one_row = one_row
        .growth("tasks", 0.0, 0.0, 0.0)
        .limit("tasks", "max < 1", 1.0, Verdict::Fail);
    let huge = Example::new(FIVE_MINUTES).metric("tasks", "", |t| Some(if t > 9.0 { 1e300 } else { -1e300 }));
    for example in [blind, one_row, huge] {
        for (name, figure) in drawn(&example) {
            svg(&figure).expect(&name);
            png(&figure).expect(&name);
        }
    }
}

/// Pictures to look at: `cargo test -p leakcheck-report gallery -- --ignored`, then open what it names.
#[test]
#[ignore = "writes pictures for people to look at"]
fn gallery() {
    let folder = std::env::temp_dir().join("leakcheck-gallery");
    std::fs::create_dir_all(&folder).expect("folder");
    let wobble = |t: f64| (t * 12.9898).sin() * 43_758.545 % 1.0;
    let mib = 1024.0 * 1024.0;
    let flat = Example::new(FIVE_MINUTES)
        .metric("tasks", "", |_| Some(120.0))
        .growth("tasks", 0.0, -0.01, 0.01)
        .limit("tasks", "growth_per_min < 2", 0.0, Verdict::Pass)
        .limit("tasks", "drained <= 2", 0.0, Verdict::Pass)
        .checkpoints(30.0);
    let ramp = Example::new(FIVE_MINUTES)
        .metric("fds", "", |t| {
            Some(if t < -35.0 { 12.0 } else { 67.0 } + (t.max(0.0) / 15.0).floor())
        })
        .growth("fds", 4.0, 3.7, 4.3)
        .limit("fds", "growth_per_min < 1", 4.0, Verdict::Fail)
        .limit("fds", "growth < 50", 20.0, Verdict::Pass)
        .limit("fds", "drained <= 2", 20.0, Verdict::Fail)
        .checkpoints(30.0);
    let counter = Example::new(FIVE_MINUTES)
        .metric("rotations", "", |t| Some((t.max(-30.0) / 30.0 * 55.0 + 55.0).floor()))
        .growth("rotations", 110.0, 109.5, 110.5)
        .limit("rotations", "increase >= 90% of expected", 550.0, Verdict::Pass)
        .checkpoints(30.0);
    let rss = Example::new(FIVE_MINUTES)
        .metric("rss", "B", move |t| {
            Some(((14.0 + 1.5 * (1.0 - (-t.max(0.0) / 40.0).exp())) * mib + wobble(t) * 30_000.0).floor())
        })
        .growth("rss", 12_000.0, -8000.0, 40_000.0)
        .limit("rss", "growth_per_min < 1 MiB", 12_000.0, Verdict::Pass)
        .limit("rss", "max < 200 MiB", 15.6 * mib, Verdict::Pass)
        .checkpoints(30.0);
    let gaps = Example::new(FIVE_MINUTES)
        .metric("streams", "", |t| {
            (!(60.0..85.0).contains(&t) && !(200.0..203.0).contains(&t)).then_some(55.0)
        })
        .limit("streams", "min >= 53", 55.0, Verdict::Invalid)
        .limit("streams", "max <= 57", 55.0, Verdict::Invalid);
    let mut faults = Example::new([5.0, 8.0, 30.0, 600.0, 15.0])
        .metric("tasks", "", move |t| {
            Some((120.0 + if (t as i64).rem_euclid(45) < 12 { 3.0 } else { 0.0 } + wobble(t).round()).floor())
        })
        .growth("tasks", 0.1, -0.4, 0.6)
        .limit("tasks", "growth_per_min < 2", 0.1, Verdict::Pass)
        .checkpoints(60.0);
    for i in 0..12 {
        faults = faults.fault("stall on a fifth", 20.0 + 45.0 * f64::from(i), 15.0);
    }
    let half_hour = Example::new([5.0, 20.0, 60.0, 1800.0, 30.0])
        .metric("tasks", "", move |t| {
            Some((400.0 + wobble(t) * 6.0 + if t > 1080.0 { (t - 1080.0) / 12.0 } else { 0.0 }).floor())
        })
        .growth("tasks", 1.9, -0.2, 5.1)
        .limit("tasks", "growth_per_min < 2", 1.9, Verdict::Inconclusive)
        .limit("tasks", "max < 1000", 465.0, Verdict::Pass)
        .checkpoints(60.0);
    let short = Example::new([4.0, 3.0, 8.0, 22.0, 8.0])
        .metric("threads", "", |t| Some(if t < -8.0 { 4.0 } else { 7.0 }))
        .growth("threads", 0.0, 0.0, 0.0)
        .limit("threads", "growth_per_min < 2", 0.0, Verdict::Pass)
        .checkpoints(5.0);
    let six_hours = Example::new([5.0, 20.0, 60.0, 21_600.0, 30.0])
        .metric("tasks", "", move |t| {
            Some((1200.0 + wobble(t) * 40.0 + t.max(0.0) / 60.0).floor())
        })
        .growth("tasks", 1.0, 0.9, 1.1)
        .limit("tasks", "growth_per_min < 2", 1.0, Verdict::Pass)
        .checkpoints(60.0);
    let runs = [
        flat,
        ramp,
        counter,
        rss,
        gaps,
        faults,
        half_hour,
        short,
        six_hours,
        leaking(),
    ];
    for (i, example) in runs.iter().enumerate() {
        for (name, figure) in drawn(example) {
            std::fs::write(folder.join(format!("{i}-{name}.png")), png(&figure).expect("png")).expect("write");
            std::fs::write(folder.join(format!("{i}-{name}.svg")), svg(&figure).expect("svg")).expect("write");
        }
    }
    eprintln!("see {}", folder.display());
}
