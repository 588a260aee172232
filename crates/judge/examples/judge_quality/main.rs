//! Measures the error rates of the judge on generated traces of every kind, beside those of common rules.
//!
//! ```text
//! cargo run --release -p leakcheck-judge --example judge_quality -- [--traces N] [--key-traces N] [--watched N]
//!     [--minutes 3,10,30,60] [--seed N] [--only KIND] [--rivals 0] [--shard I/N] [--state FILE] [--merge FILE,FILE]
//!     [--write FILE]
//! ```
//!
//! Key figures are errors that a verdict must avoid: healthy kinds, and leaks of twice the limit, in runs of ten and of
//! thirty minutes. A run with `--state` resumes after an interruption. `--shard` measures a part, and `--merge` combines
//! the tables of several parts.

mod comparison_rules;
mod goals;
mod job;
mod labelled;
mod measure;
mod random;
mod store;
mod table;
mod trace;

use job::{Job, jobs, short_jobs};
use measure::{Cell, Counts, Effort, LIMIT_PER_MIN, Shard, measure};
use store::Store;

struct Arguments {
    effort: Effort,
    /// Traces of the cells that key figures depend on.
    key_traces: usize,
    minutes: Vec<f64>,
    only: Option<String>,
    shard: Shard,
    state: Option<String>,
    merge: Vec<String>,
    write: Option<String>,
}

fn arguments() -> Arguments {
    let mut arguments = Arguments {
        effort: Effort {
            traces: 200,
            watched: 50,
            rivals: true,
            seed: 1,
        },
        key_traces: 0,
        minutes: vec![3.0, 10.0, 30.0, 60.0],
        only: None,
        shard: Shard { part: 0, of: 1 },
        state: None,
        merge: Vec::new(),
        write: None,
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().unwrap_or_else(|| panic!("{name} needs a value"));
        let number = || value.parse().unwrap_or_else(|_| panic!("{name} needs a number"));
        match name.as_str() {
            "--traces" => arguments.effort.traces = number(),
            "--key-traces" => arguments.key_traces = number(),
            "--watched" => arguments.effort.watched = number(),
            "--seed" => arguments.effort.seed = number() as u64,
            "--rivals" => arguments.effort.rivals = number() > 0,
            "--minutes" => {
                arguments.minutes = value
                    .split(',')
                    .map(|m| m.parse().expect("minutes are numbers"))
                    .collect()
            }
            "--only" => arguments.only = Some(value),
            "--shard" => arguments.shard = shard(&value).expect("a shard is I/N, I from 1 to N"),
            "--state" => arguments.state = Some(value),
            "--merge" => arguments.merge = value.split(',').map(str::to_owned).collect(),
            "--write" => arguments.write = Some(value),
            _ => panic!("unknown argument {name}"),
        }
    }
    arguments.key_traces = arguments.key_traces.max(arguments.effort.traces);
    arguments
}

fn shard(text: &str) -> Option<Shard> {
    let (part, of) = text.split_once('/')?;
    let (part, of): (usize, usize) = (part.parse().ok()?, of.parse().ok()?);
    (1..=of).contains(&part).then(|| Shard { part: part - 1, of })
}

fn section(store: &Store, jobs: &[Job], minutes: f64) -> String {
    let mut section = table::Section::new(&format!("{minutes} minutes"));
    let mut unseen: Vec<(f64, Counts)> = Vec::new();
    for job in jobs {
        let counts = store.counts(&job.name());
        let (kind, times) = (job.cell.kind, job.cell.rate / LIMIT_PER_MIN);
        match job.group {
            "sound" => section.sound(kind, &counts),
            "leaking" => section.leaking(kind, times, &counts),
            "very late" => section.very_late(times, &counts),
            "deceiving" => section.deceiving(kind, &counts),
            _ => match unseen.iter_mut().find(|(known, _)| *known == times) {
                Some((_, sum)) => sum.add(&counts),
                None => unseen.push((times, counts)),
            },
        }
    }
    for (times, counts) in &unseen {
        let name = if *times > 0.0 {
            format!("{times} × limit")
        } else {
            "sound".to_owned()
        };
        section.held_out(&name, counts);
    }
    section.text()
}

fn short_section(store: &Store, jobs: &[Job]) -> String {
    let mut short = table::Short::new();
    for job in jobs {
        let Cell {
            kind,
            rate,
            minutes,
            limit_per_min,
            ..
        } = job.cell;
        short.row(
            kind,
            rate / limit_per_min,
            minutes,
            limit_per_min,
            &store.counts(&job.name()),
        );
    }
    short.text()
}

/// Returns the arguments that decide what is measured, without files and shards.
fn effort(arguments: &[String]) -> String {
    let pairs = arguments.chunks(2).filter(|pair| {
        let elsewhere = ["--merge", "--write", "--state", "--shard"];
        !elsewhere.contains(&pair[0].as_str())
    });
    pairs.map(|pair| pair.join(" ")).collect::<Vec<_>>().join(" ")
}

#[expect(clippy::print_stdout, reason = "a program for people: its output is the table")]
fn main() {
    let arguments = arguments();
    let mut store = arguments.state.as_deref().map_or_else(Store::in_memory, Store::open);
    arguments.merge.iter().for_each(|path| store.read(path));
    let wanted = |job: &Job| {
        arguments
            .only
            .as_ref()
            .is_none_or(|only| format!("{:?}", job.cell.kind) == *only)
    };
    let mut sections: Vec<(Option<f64>, Vec<Job>)> = vec![(None, short_jobs(&arguments))];
    sections.extend(arguments.minutes.iter().map(|m| (Some(*m), jobs(&arguments, *m))));
    sections.iter_mut().for_each(|(_, jobs)| jobs.retain(wanted));
    // Merged shards are not measured again.
    let mut missing: Vec<&Job> = sections.iter().flat_map(|(_, jobs)| jobs).collect();
    missing.retain(|job| arguments.merge.is_empty() && !store.has(&job.name(), &arguments.shard.to_string()));
    missing.sort_by_key(|job| !job.key);
    for job in missing {
        let counts = measure(job.cell, job.effort, arguments.shard);
        store.add(&job.name(), &arguments.shard.to_string(), &counts);
    }
    let mut text = table::opening(&effort(&std::env::args().skip(1).collect::<Vec<_>>()), &store.parts());
    let (labelled, wrong, of) = labelled::section();
    let all = sections.iter().filter(|(minutes, _)| minutes.is_some());
    let measured = goals::Measured::new(all.flat_map(|(_, jobs)| jobs), &store);
    text.push_str(&measured.section(wrong, of));
    text.push_str(&labelled);
    for (minutes, jobs) in &sections {
        let section = match minutes {
            Some(minutes) => section(&store, jobs, *minutes),
            None => short_section(&store, jobs),
        };
        text.push_str(&section);
    }
    print!("{text}");
    if let Some(path) = arguments.write {
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("failed to write {path}: {error}"));
    }
}
