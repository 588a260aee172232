//! How good is the judge? Generated traces of every kind, judged by our procedure and by the rules that are used elsewhere.
//!
//! `cargo run --release -p leakcheck-judge --example judge_quality -- [--traces N] [--watched N] [--minutes 3,10,30] [--seed N]
//! [--only KIND] [--write FILE]`

mod measure;
mod random;
mod rival;
mod table;
mod trace;

use measure::{Cell, Counts, Effort, measure};
use std::fmt::Write;
use trace::Kind;

struct Arguments {
    effort: Effort,
    minutes: Vec<f64>,
    only: Option<String>,
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
        minutes: vec![3.0, 10.0, 30.0],
        only: None,
        write: None,
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().unwrap_or_else(|| panic!("{name} needs a value"));
        let number = || value.parse().unwrap_or_else(|_| panic!("{name} needs a number"));
        match name.as_str() {
            "--traces" => arguments.effort.traces = number(),
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
            "--write" => arguments.write = Some(value),
            _ => panic!("unknown argument {name}"),
        }
    }
    arguments
}

/// Leaks in multiples of the limit.
const TIMES_LIMIT: [f64; 5] = [2.0, 2.5, 5.0, 17.0, 100.0];

/// Rotation periods that a run of that length has.
fn periods_s(minutes: f64) -> &'static [f64] {
    if minutes < 5.0 {
        &[10.0, 20.0, 30.0]
    } else if minutes < 20.0 {
        &[20.0, 30.0, 60.0]
    } else {
        &[20.0, 30.0, 60.0, 300.0]
    }
}

/// The same for noise laws that nothing was tuned on: at least six rotations.
fn unseen_periods_s(minutes: f64) -> &'static [f64] {
    if minutes < 5.0 {
        &[7.0, 13.0]
    } else if minutes < 30.0 {
        &[23.0, 47.0]
    } else {
        &[23.0, 47.0, 290.0]
    }
}

#[expect(clippy::print_stdout, reason = "a program for people: its output is the table")]
fn main() {
    let arguments = arguments();
    let mut text = table::opening(&arguments.effort);
    let wanted = |kind: Kind| arguments.only.as_ref().is_none_or(|only| format!("{kind:?}") == *only);
    for &minutes in &arguments.minutes {
        let cell = |kind, rate| Cell {
            kind,
            rate,
            minutes,
            periods_s: periods_s(minutes),
            held_out: false,
        };
        let mut section = table::Section::new(&format!("{minutes} minutes"));
        for kind in Kind::SOUND.into_iter().filter(|k| wanted(*k)) {
            section.sound(kind, &measure(cell(kind, 0.0), arguments.effort));
        }
        for times in TIMES_LIMIT {
            for kind in Kind::LEAKING.into_iter().filter(|k| wanted(*k)) {
                section.leaking(
                    kind,
                    times,
                    &measure(cell(kind, times * measure::LIMIT_PER_MIN), arguments.effort),
                );
            }
        }
        let few = Effort {
            watched: 0,
            ..arguments.effort
        };
        for kind in Kind::DECEIVING.into_iter().filter(|k| wanted(*k)) {
            section.deceiving(kind, &measure(cell(kind, 0.0), few));
        }
        let unseen = |kind, rate| Cell {
            held_out: true,
            periods_s: unseen_periods_s(minutes),
            ..cell(kind, rate)
        };
        let mut sound = Counts::default();
        for kind in Kind::SOUND.into_iter().filter(|k| wanted(*k)) {
            sound.add(&measure(unseen(kind, 0.0), few));
        }
        section.held_out("sound", &sound);
        for times in [2.0, 5.0, 17.0] {
            let mut leaking = Counts::default();
            for kind in Kind::LEAKING.into_iter().filter(|k| wanted(*k)) {
                leaking.add(&measure(unseen(kind, times * measure::LIMIT_PER_MIN), few));
            }
            section.held_out(&format!("{times} × limit"), &leaking);
        }
        let done = section.text();
        print!("{done}");
        write!(text, "{done}").expect("writing to a string");
    }
    if let Some(path) = arguments.write {
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("failed to write {path}: {error}"));
    }
}
