//! Charts of many kinds of runs: a test of their text layout, and files for people to look at.

use leakcheck_model::Verdict;

use crate::chart::canvas::{SCALE, text_width};
use crate::chart::{HEIGHT, WIDTH, png, svg};
use crate::figure::figures;
use crate::tests::sample_run::{FIVE_MINUTES, SampleRun, leaking};

/// Minimum text size in pixels when a chart is shown 600 px wide.
const MIN_TEXT_SIZE: f64 = 10.0;

fn runs() -> Vec<SampleRun> {
    let wobble = |t: f64| (t * 12.9898).sin() * 43_758.545 % 1.0;
    let mib = 1024.0 * 1024.0;
    let flat = SampleRun::new(FIVE_MINUTES)
        .metric("tasks", "", |_| Some(120.0))
        .growth("tasks", 0.0, -0.01, 0.01)
        .limit("tasks", "growth_per_min < 2", 0.0, Verdict::Pass)
        .limit("tasks", "drained <= 2", 0.0, Verdict::Pass)
        .checkpoints(30.0);
    let ramp = SampleRun::new(FIVE_MINUTES)
        .metric("fds", "", |t| {
            Some(if t < -35.0 { 12.0 } else { 67.0 } + (t.max(0.0) / 15.0).floor())
        })
        .growth("fds", 4.0, 3.7, 4.3)
        .limit("fds", "growth_per_min < 1", 4.0, Verdict::Fail)
        .limit("fds", "growth < 50", 20.0, Verdict::Pass)
        .limit("fds", "drained <= 2", 20.0, Verdict::Fail)
        .checkpoints(30.0);
    let counter = SampleRun::new(FIVE_MINUTES)
        .metric("rotations", "", |t| Some((t.max(-30.0) / 30.0 * 55.0 + 55.0).floor()))
        .growth("rotations", 110.0, 109.5, 110.5)
        .limit("rotations", "increase >= 90% of expected", 550.0, Verdict::Pass)
        .checkpoints(30.0);
    let rss = SampleRun::new(FIVE_MINUTES)
        .metric("rss", "B", move |t| {
            Some(((14.0 + 1.5 * (1.0 - (-t.max(0.0) / 40.0).exp())) * mib + wobble(t) * 30_000.0).floor())
        })
        .growth("rss", 12_000.0, -8000.0, 40_000.0)
        .limit("rss", "growth_per_min < 1 MiB", 12_000.0, Verdict::Pass)
        .limit("rss", "max < 200 MiB", 15.6 * mib, Verdict::Pass)
        .checkpoints(30.0);
    let gaps = SampleRun::new(FIVE_MINUTES)
        .metric("streams", "", |t| {
            (!(60.0..85.0).contains(&t) && !(200.0..203.0).contains(&t)).then_some(55.0)
        })
        .limit("streams", "min >= 53", 55.0, Verdict::Invalid)
        .limit("streams", "max <= 57", 55.0, Verdict::Invalid);
    let mut faults = SampleRun::new([5.0, 8.0, 30.0, 600.0, 15.0])
        .metric("tasks", "", move |t| {
            Some((120.0 + if (t as i64).rem_euclid(45) < 12 { 3.0 } else { 0.0 } + wobble(t).round()).floor())
        })
        .growth("tasks", 0.1, -0.4, 0.6)
        .limit("tasks", "growth_per_min < 2", 0.1, Verdict::Pass)
        .checkpoints(60.0);
    for i in 0..12 {
        faults = faults.fault("stall on a fifth", 20.0 + 45.0 * f64::from(i), 15.0);
    }
    let half_hour = SampleRun::new([5.0, 20.0, 60.0, 1800.0, 30.0])
        .metric("tasks", "", move |t| {
            Some((400.0 + wobble(t) * 6.0 + if t > 1080.0 { (t - 1080.0) / 12.0 } else { 0.0 }).floor())
        })
        .growth("tasks", 1.9, -0.2, 5.1)
        .limit("tasks", "growth_per_min < 2", 1.9, Verdict::Inconclusive)
        .limit("tasks", "max < 1000", 465.0, Verdict::Pass)
        .checkpoints(60.0);
    let short = SampleRun::new([4.0, 3.0, 8.0, 22.0, 8.0])
        .metric("threads", "", |t| Some(if t < -8.0 { 4.0 } else { 7.0 }))
        .growth("threads", 0.0, 0.0, 0.0)
        .limit("threads", "growth_per_min < 2", 0.0, Verdict::Pass)
        .checkpoints(5.0);
    let six_hours = SampleRun::new([5.0, 20.0, 60.0, 21_600.0, 30.0])
        .metric("tasks", "", move |t| {
            Some((1200.0 + wobble(t) * 40.0 + t.max(0.0) / 60.0).floor())
        })
        .growth("tasks", 1.0, 0.9, 1.1)
        .limit("tasks", "growth_per_min < 2", 1.0, Verdict::Pass)
        .checkpoints(60.0);
    let crowded = SampleRun::new(FIVE_MINUTES)
        .metric("otelcol_exporter_queue_size__batches_", "", |t| {
            Some(1_234_567.0 + t.max(0.0).floor() * 1000.0)
        })
        .growth("otelcol_exporter_queue_size__batches_", 60_000.0, 59_000.0, 61_000.0)
        .limit(
            "otelcol_exporter_queue_size__batches_",
            "growth_per_min < 70000",
            60_000.0,
            Verdict::Pass,
        )
        .limit(
            "otelcol_exporter_queue_size__batches_",
            "growth < 400000",
            300_000.0,
            Verdict::Pass,
        )
        .limit(
            "otelcol_exporter_queue_size__batches_",
            "max < 1600000",
            1_534_567.0,
            Verdict::Pass,
        )
        .limit(
            "otelcol_exporter_queue_size__batches_",
            "last < 1600000",
            1_534_567.0,
            Verdict::Pass,
        )
        .limit(
            "otelcol_exporter_queue_size__batches_",
            "drained <= 2",
            300_000.0,
            Verdict::Fail,
        )
        .fault("stall on a fifth", 280.0, 30.0)
        .checkpoints(30.0);
    vec![
        flat,
        ramp,
        counter,
        rss,
        gaps,
        faults,
        half_hour,
        short,
        six_hours,
        crowded,
        leaking(),
    ]
}

/// The box of a text, in pixels of the chart.
#[derive(Debug)]
struct TextBox {
    text: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    em: f64,
}

/// Returns every text of an SVG document.
fn texts(svg: &str) -> Vec<TextBox> {
    let element = |part: &str| {
        let (attributes, rest) = part.split_once('>')?;
        let attribute = |name: &str| attributes.split_once(&format!(" {name}=\""))?.1.split('"').next();
        let number = |name: &str| Some(attribute(name)?.parse::<f64>().ok()? / f64::from(SCALE));
        let text = rest
            .split("</text>")
            .next()?
            .trim()
            .replace("&lt;", "<")
            .replace("&gt;", ">");
        let (x, y, em) = (number("x")?, number("y")?, number("font-size")?);
        let width = text_width(&text, em);
        let left = match attribute("text-anchor") {
            Some("middle") => x - width / 2.0,
            Some("end") => x - width,
            _ => x,
        };
        // Letters fill about one em around their vertical centre.
        let (top, bottom) = (y - em / 2.0, y + em / 2.0);
        Some(TextBox {
            text,
            left,
            right: left + width,
            top,
            bottom,
            em,
        })
    };
    let parts = svg.split("<text").skip(1);
    parts
        .map(|part| element(part).unwrap_or_else(|| panic!("{part}")))
        .collect()
}

#[test]
fn at_600_pixels_texts_are_legible_inside_the_chart_and_do_not_overlap() {
    for (i, example) in runs().iter().enumerate() {
        for figure in figures(&example.result, &example.record, 2000) {
            let name = format!("{i}-{}", figure.metric);
            let all = texts(&svg(&figure).expect("svg"));
            assert!(all.len() > 8, "{name}: {all:?}");
            for (n, a) in all.iter().enumerate() {
                assert!(a.em * 600.0 / f64::from(WIDTH) >= MIN_TEXT_SIZE, "{name}: {a:?}");
                let inside =
                    a.left >= 0.0 && a.right <= f64::from(WIDTH) && a.top >= 0.0 && a.bottom <= f64::from(HEIGHT);
                assert!(inside, "{name}: `{}` leaves the chart: {a:?}", a.text);
                for b in &all[n + 1..] {
                    let apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
                    assert!(apart, "{name}: `{}` overlaps `{}`: {a:?} {b:?}", a.text, b.text);
                }
            }
        }
    }
}

/// Writes charts to look at: `cargo test -p leakcheck-report charts_to_look_at -- --ignored`.
#[test]
#[ignore = "writes charts for people to look at"]
fn charts_to_look_at() {
    let folder = std::env::temp_dir().join("leakcheck-charts");
    std::fs::create_dir_all(&folder).expect("folder");
    for (i, example) in runs().iter().enumerate() {
        for figure in figures(&example.result, &example.record, 2000) {
            let file = |kind: &str| folder.join(format!("{i}-{}.{kind}", figure.metric));
            std::fs::write(file("png"), png(&figure).expect("png")).expect("write");
            std::fs::write(file("svg"), svg(&figure).expect("svg")).expect("write");
        }
    }
    eprintln!("see {}", folder.display());
}
