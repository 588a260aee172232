//! One hot path of leakcheck, again and again: `hot-paths NAME COUNT [PID]` prints the nanoseconds of processor time of one.
//!
//! It stands apart from the crates that it measures so that the clock (`bench/rows/hot_paths.py`, `sample.py`) and callgrind
//! see the same program; what a run of twice the count costs more than a run of the count is the path alone.

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::hint::black_box;

use leakcheck_judge::judge;
use leakcheck_model::event::Phase;
use leakcheck_model::samples::Sample;
use leakcheck_model::stamp::{Stream, Writer};
use leakcheck_model::{Record, Samples};
use leakcheck_probe::exposition::{Scan, Selector};
use leakcheck_probe::{LineChecker, Process};

type Fallible = Result<(), Box<dyn std::error::Error>>;

fn main() -> Fallible {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (Some(name), Some(Ok(count))) = (words.first(), words.get(1).map(|w| w.parse::<u64>())) else {
        return Err("usage: hot-paths sample|exposition|line_check|judge|stamp COUNT [PID]".into());
    };
    let pid = words.get(2).map_or(Ok(std::process::id()), |w| w.parse())?;
    match name.as_str() {
        "sample" => sample(count, pid),
        "exposition" => {
            exposition(count);
            Ok(())
        }
        "line_check" => {
            line_check(count);
            Ok(())
        }
        "judge" => evaluation(count),
        "stamp" => {
            stamp(count);
            Ok(())
        }
        other => Err(format!("there is no hot path `{other}`").into()),
    }
}

/// Times `count` times of the path: nanoseconds on the processor, so that what else the machine does does not count.
fn again(count: u64, mut path: impl FnMut()) {
    let began = on_processor();
    for _ in 0..count {
        path();
    }
    println!("{:.1}", (on_processor() - began) / count as f64);
}

/// Nanoseconds that this thread has been on a processor, by the scheduler's account (right to a tick, some milliseconds).
fn on_processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0)
}

/// One look at a process: threads, descriptors, memory, processor time.
fn sample(count: u64, pid: u32) -> Fallible {
    let process = Process::open(pid)?;
    let seen = process.sample()?;
    again(count, || {
        let _ = black_box(process.sample());
    });
    println!("{} fds, {} threads", seen.fds.unwrap_or_default(), seen.threads);
    Ok(())
}

/// A scrape of a daemon that follows 55 containers: some 200 lines, three series wanted.
fn exposition(count: u64) {
    let mut body = String::new();
    for name in [
        "log_capturer_tasks",
        "log_capturer_file_descriptors_open",
        "process_resident_memory_bytes",
    ] {
        body.push_str(&format!("# HELP {name} What it is.\n# TYPE {name} gauge\n{name} 70\n"));
    }
    for i in 0..55 {
        for series in [
            "container_stream_rotations_total",
            "container_stream_age_seconds",
            "container_lines_total",
        ] {
            body.push_str(&format!(
                "log_capturer_{series}{{container_id=\"{i:012x}\",container_name=\"noisy-{i:02}\"}} {i}\n"
            ));
        }
    }
    let wanted = [
        "log_capturer_tasks",
        "log_capturer_file_descriptors_open",
        "log_capturer_container_stream_rotations_total",
    ];
    let mut scan = Scan::new(wanted.map(Selector::of).into());
    again(count, || {
        black_box(scan.read(body.as_bytes()));
    });
}

/// One delivered line of 250 bytes through the check, from 40 emitters.
fn line_check(count: u64) {
    const BLOCK: u64 = 20_000;
    let mut block = Vec::new();
    for n in 0..BLOCK {
        block.extend_from_slice(
            b"{\"ts\":\"2026-01-01T00:00:00.000000000Z\",\"container_id\":\"0123456789ab\",\"line\":\"",
        );
        let emitter = format!("noisy-{:02}", n % 40);
        Writer::new("k3v9", &emitter, Stream::Stdout).line(&mut block, n / 40 + 1, 250, &[b'x'; 64]);
        block.pop();
        block.extend_from_slice(b"\"}\n");
    }
    let line = block.len() / usize::try_from(BLOCK).unwrap_or(1);
    let mut lines = block.chunks(line);
    let mut checker = LineChecker::new("k3v9");
    let mut cursor = checker.begin_file();
    again(count, || match lines.next() {
        Some(line) => checker.feed(&mut cursor, line),
        // From the beginning, with a checker that has not seen these lines.
        None => {
            lines = block.chunks(line);
            checker = LineChecker::new("k3v9");
            cursor = checker.begin_file();
        }
    });
}

/// The judgement of a main job: five metrics, 360 samples each, an interval for every growth.
fn evaluation(count: u64) -> Fallible {
    let names = ["fds", "rss", "tasks", "threads", "streams"];
    let mut samples = Samples::new(names.map(str::to_owned).into());
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for second in 0..360_u32 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let noise = f64::from(u32::try_from(random >> 60).unwrap_or(0));
        samples.push(&Sample {
            t_s: f64::from(second),
            phase: Phase::Measure,
            values: vec![
                Some(70.0 + noise),
                Some(18e6 + 4096.0 * noise),
                Some(59.0 + noise),
                Some(4.0),
                Some(55.0),
            ],
        });
    }
    let limits = [
        ("fds", "growth_per_min < 1"),
        ("rss", "growth_per_min < 1 MiB"),
        ("tasks", "growth_per_min < 2"),
    ];
    let limits = limits.map(|(metric, rule)| Ok((metric.to_owned(), rule.parse()?)));
    let limits = limits
        .into_iter()
        .collect::<Result<_, leakcheck_model::limit::LimitError>>()?;
    let record = Record::from_table("main job".into(), samples, limits, Some(30.0));
    again(count, || {
        black_box(judge(&record));
    });
    Ok(())
}

/// One stamped line of 100 bytes, as noise writes it.
fn stamp(count: u64) {
    let writer = Writer::new("20261122-213352-jjbp", "noisy-01", Stream::Stdout);
    let mut line = Vec::with_capacity(256);
    let mut n = 0;
    again(count, || {
        n += 1;
        line.clear();
        writer.line(&mut line, n, 100, &[b'x'; 64]);
        black_box(&line);
    });
}
