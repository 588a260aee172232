//! The measured cells: kinds, sizes, lengths and noise laws, each with a number of traces.

use crate::Arguments;
use crate::measure::{Cell, Effort, LIMIT_PER_MIN};
use crate::trace::Kind;

/// Leaks in multiples of the limit.
const TIMES_LIMIT: [f64; 5] = [2.0, 2.5, 5.0, 17.0, 100.0];

/// Leaks under held-out noise, in multiples of the limit.
const UNSEEN_TIMES_LIMIT: [f64; 3] = [2.0, 5.0, 17.0];

/// Leaks that show even if they begin in the last 3 to 15 % of a run, in multiples of the limit.
const VERY_LATE_TIMES_LIMIT: [f64; 2] = [17.0, 100.0];

/// Kinds, multiples of the limit, lengths in minutes and limits of short runs.
const SHORT_KINDS: [(Kind, f64); 7] = [
    (Kind::Const, 0.0),
    (Kind::Quiet, 0.0),
    (Kind::WarmUp, 0.0),
    (Kind::QuietLinear, 2.0),
    (Kind::QuietLate, 2.0),
    (Kind::QuietLinear, 17.0),
    (Kind::QuietLinear, 100.0),
];
const SHORT_MINUTES: [f64; 4] = [0.5, 0.75, 1.0, 1.5];
const SHORT_LIMITS: [f64; 2] = [2.0, 10.0];

/// Lengths that most goals apply to, minutes.
const KEY_MINUTES: [f64; 2] = [10.0, 30.0];

/// Returns the rotation periods of a run of that length.
fn periods_s(minutes: f64) -> &'static [f64] {
    if minutes < 5.0 {
        &[10.0, 20.0, 30.0]
    } else if minutes < 20.0 {
        &[20.0, 30.0, 60.0]
    } else {
        &[20.0, 30.0, 60.0, 300.0]
    }
}

/// Returns the rotation periods under held-out noise: at least six rotations.
fn unseen_periods_s(minutes: f64) -> &'static [f64] {
    if minutes < 5.0 {
        &[7.0, 13.0]
    } else if minutes < 30.0 {
        &[23.0, 47.0]
    } else {
        &[23.0, 47.0, 290.0]
    }
}

/// A cell with its number of traces.
pub(crate) struct Job {
    pub group: &'static str,
    pub cell: Cell,
    pub effort: Effort,
    /// True if a key figure depends on it. Such cells are measured first.
    pub key: bool,
}

impl Job {
    /// Returns the name of the cell in a file: its contents and seed.
    pub(crate) fn name(&self) -> String {
        let Cell {
            kind,
            rate,
            minutes,
            limit_per_min,
            ..
        } = self.cell;
        let Effort {
            traces, watched, seed, ..
        } = self.effort;
        format!(
            "{} {minutes} {limit_per_min} {kind:?} {rate} seed {seed} n {traces} {watched}",
            self.group
        )
    }
}

pub(crate) fn short_jobs(arguments: &Arguments) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (kind, times) in SHORT_KINDS {
        for minutes in SHORT_MINUTES {
            for limit_per_min in SHORT_LIMITS {
                let cell = Cell {
                    kind,
                    rate: times * limit_per_min,
                    minutes,
                    periods_s: &[1.0],
                    held_out: false,
                    limit_per_min,
                };
                let effort = Effort {
                    watched: 0,
                    rivals: false,
                    ..arguments.effort
                };
                jobs.push(Job {
                    group: "short",
                    cell,
                    effort,
                    key: true,
                });
            }
        }
    }
    jobs
}

/// Returns the cells of one length, those of the key figures first.
pub(crate) fn jobs(arguments: &Arguments, minutes: f64) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut add = |group: &'static str, kind: Kind, times: f64, held_out: bool, watched: usize| {
        let key = KEY_MINUTES.contains(&minutes) && times <= 2.0 && group != "deceiving";
        let periods_s = if held_out {
            unseen_periods_s(minutes)
        } else {
            periods_s(minutes)
        };
        jobs.push(Job {
            group,
            cell: Cell {
                kind,
                rate: times * LIMIT_PER_MIN,
                minutes,
                periods_s,
                held_out,
                limit_per_min: LIMIT_PER_MIN,
            },
            effort: Effort {
                traces: if key {
                    arguments.key_traces
                } else {
                    arguments.effort.traces
                },
                watched,
                ..arguments.effort
            },
            key,
        });
    };
    let watched = arguments.effort.watched;
    Kind::SOUND
        .into_iter()
        .for_each(|k| add("sound", k, 0.0, false, watched));
    Kind::SOUND.into_iter().for_each(|k| add("unseen", k, 0.0, true, 0));
    for times in TIMES_LIMIT {
        Kind::LEAKING
            .into_iter()
            .for_each(|k| add("leaking", k, times, false, watched));
    }
    for times in UNSEEN_TIMES_LIMIT {
        Kind::LEAKING.into_iter().for_each(|k| add("unseen", k, times, true, 0));
    }
    for times in VERY_LATE_TIMES_LIMIT {
        add("very late", Kind::VeryLate, times, false, watched);
    }
    Kind::DECEIVING
        .into_iter()
        .for_each(|k| add("deceiving", k, 0.0, false, 0));
    jobs
}
