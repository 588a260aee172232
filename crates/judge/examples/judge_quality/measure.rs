//! Measurement of many traces of one kind by every rule, on one thread.

use crate::comparison_rules;
use crate::random::Random;
use crate::trace::{Kind, Setting, Trace, make};
use leakcheck_judge::{Analysis, Assessment, Outcome, TestSpec, assess, interim_analysis};
use std::time::Instant;

pub(crate) const LIMIT_PER_MIN: f64 = 2.0;
/// Numbers of a cell, without the minutes to fail.
const NUMBERS: usize = 13;
const MARGIN_OF_MANN_KENDALL: f64 = 0.05;
/// Number of equally spaced points of a trace for Theil–Sen, which compares all pairs.
const POINTS_OF_THEIL_SEN: usize = 150;
/// Extension of an undecided run, as a share of its length.
const EXTENSION: f64 = 0.4;
/// Rotation period of runs with interim analyses, seconds.
const WATCHED_PERIOD_S: f64 = 30.0;

/// The setting of one cell of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub kind: Kind,
    pub rate: f64,
    pub minutes: f64,
    pub periods_s: &'static [f64],
    pub held_out: bool,
    pub limit_per_min: f64,
}

/// Counts over the traces of a cell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub traces: usize,
    pub fail: usize,
    pub pass: usize,
    pub endpoint_fail: usize,
    pub least_squares_fail: usize,
    pub mann_kendall_fail: usize,
    /// Number of 99 % lower bounds above the true growth.
    pub bound_wrong: usize,
    pub microseconds: f64,
    /// Runs with interim analyses: number, failed, passed, and the times to fail (minutes after the onset).
    pub watched: usize,
    pub watched_fail: usize,
    pub watched_pass: usize,
    /// Runs that were extended and then failed or passed.
    pub extended_fail: usize,
    pub extended_pass: usize,
    pub fail_minutes: Vec<f64>,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.traces += other.traces;
        self.fail += other.fail;
        self.pass += other.pass;
        self.endpoint_fail += other.endpoint_fail;
        self.least_squares_fail += other.least_squares_fail;
        self.mann_kendall_fail += other.mann_kendall_fail;
        self.bound_wrong += other.bound_wrong;
        self.microseconds += other.microseconds;
        self.watched += other.watched;
        self.watched_fail += other.watched_fail;
        self.watched_pass += other.watched_pass;
        self.extended_fail += other.extended_fail;
        self.extended_pass += other.extended_pass;
        self.fail_minutes.extend_from_slice(&other.fail_minutes);
    }

    /// Formats the counts as text, the minutes to fail last.
    pub(crate) fn numbers(&self) -> Vec<String> {
        let whole = [
            self.traces,
            self.fail,
            self.pass,
            self.endpoint_fail,
            self.least_squares_fail,
            self.mann_kendall_fail,
            self.bound_wrong,
            self.watched,
            self.watched_fail,
            self.watched_pass,
            self.extended_fail,
            self.extended_pass,
        ];
        let mut numbers: Vec<String> = whole.iter().map(usize::to_string).collect();
        numbers.push(self.microseconds.to_string());
        let minutes: Vec<String> = self.fail_minutes.iter().map(f64::to_string).collect();
        numbers.push(format!("[{}]", minutes.join(" ")));
        numbers
    }

    /// Parses the counts from text, if it is complete.
    pub(crate) fn of_numbers(text: &[&str]) -> Option<Self> {
        let whole = |i: usize| text.get(i)?.parse::<usize>().ok();
        let minutes = text.get(NUMBERS)?.strip_prefix('[')?.strip_suffix(']')?;
        Some(Self {
            traces: whole(0)?,
            fail: whole(1)?,
            pass: whole(2)?,
            endpoint_fail: whole(3)?,
            least_squares_fail: whole(4)?,
            mann_kendall_fail: whole(5)?,
            bound_wrong: whole(6)?,
            watched: whole(7)?,
            watched_fail: whole(8)?,
            watched_pass: whole(9)?,
            extended_fail: whole(10)?,
            extended_pass: whole(11)?,
            microseconds: text.get(12)?.parse().ok()?,
            fail_minutes: minutes
                .split_whitespace()
                .map(|m| m.parse().ok())
                .collect::<Option<_>>()?,
        })
    }
}

/// The number of traces of each kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub traces: usize,
    /// Number of traces with interim analyses.
    pub watched: usize,
    pub rivals: bool,
    pub seed: u64,
}

/// A part of the traces, numbered from 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shard {
    pub part: usize,
    pub of: usize,
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.part + 1, self.of)
    }
}

pub(crate) fn measure(cell: Cell, effort: Effort, shard: Shard) -> Counts {
    let mut counts = Counts::default();
    for number in (shard.part..effort.traces).step_by(shard.of) {
        let seed = seed(cell, effort.seed, number);
        let period_s = Random::new(!seed).one_of(cell.periods_s);
        let setting = Setting {
            kind: cell.kind,
            rate: cell.rate,
            minutes: cell.minutes,
            spacing_s: 1.0,
            period_s,
            held_out: cell.held_out,
            extra_minutes: 0.0,
        };
        let trace = make(setting, seed);
        at_the_end(&mut counts, &trace, cell, setting, effort.rivals);
        if number < effort.watched {
            let setting = Setting {
                period_s: WATCHED_PERIOD_S,
                extra_minutes: EXTENSION * setting.minutes,
                ..setting
            };
            watched(&mut counts, &make(setting, seed), cell, setting);
        }
    }
    counts
}

/// Returns a seed that depends only on the cell and the number of the trace.
fn seed(cell: Cell, seed: u64, number: usize) -> u64 {
    let cell_number =
        (cell.kind as u64) << 40 ^ ((cell.rate * 16.0) as u64) << 24 ^ ((cell.minutes * 60.0) as u64) << 12;
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ cell_number
        ^ u64::from(cell.held_out) << 60
        ^ (number as u64).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

fn spec(trace: &Trace, cell: Cell, setting: Setting, analysis: Analysis, samples: usize) -> TestSpec {
    TestSpec {
        rotation_period_s: Some(setting.period_s),
        analysis,
        covariate: trace.containers.as_ref().map(|n| n[..samples].to_vec()),
        ..TestSpec::at_most(cell.limit_per_min, setting.minutes * 60.0)
    }
}

fn at_the_end(counts: &mut Counts, trace: &Trace, cell: Cell, setting: Setting, rivals: bool) {
    let limit = cell.limit_per_min;
    let spec = spec(trace, cell, setting, Analysis::Single, trace.series.len());
    let begin = Clock::now();
    let assessment = assess(&trace.series, &spec);
    counts.microseconds += begin.microseconds();
    counts.traces += 1;
    count(&assessment, &mut counts.fail, &mut counts.pass);
    if assessment.growth.is_some_and(|growth| growth.low_99 > trace.growth) {
        counts.bound_wrong += 1;
    }
    if rivals {
        let values = trace.series.value();
        let per_min = 60.0 / setting.spacing_s;
        let ends = (values[values.len() - 1] - values[0]) / setting.minutes;
        counts.endpoint_fail += usize::from(ends > limit);
        counts.least_squares_fail += usize::from(comparison_rules::least_squares(values) * per_min > limit);
        let stride = values.len().div_ceil(POINTS_OF_THEIL_SEN);
        let points: Vec<f64> = values.iter().copied().step_by(stride).collect();
        let slope = comparison_rules::theil_sen(&points);
        let risen = slope * per_min / stride as f64 > limit;
        counts.mann_kendall_fail +=
            usize::from(risen && comparison_rules::mann_kendall_p(&points, slope) < MARGIN_OF_MANN_KENDALL);
    }
}

/// Processor time of this thread on Linux, so that a busy machine does not count; wall time elsewhere.
enum Clock {
    Processor(f64),
    Wall(Instant),
}

impl Clock {
    fn now() -> Self {
        processor_microseconds().map_or_else(|| Self::Wall(Instant::now()), Self::Processor)
    }

    fn microseconds(&self) -> f64 {
        match self {
            Self::Processor(begin) => processor_microseconds().unwrap_or(*begin) - begin,
            Self::Wall(begin) => begin.elapsed().as_secs_f64() * 1e6,
        }
    }
}

fn processor_microseconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1000.0)
}

fn count(assessment: &Assessment, fail: &mut usize, pass: &mut usize) {
    match assessment.outcome {
        Outcome::Fail => *fail += 1,
        Outcome::Pass => *pass += 1,
        Outcome::Inconclusive | Outcome::Invalid => {}
    }
}

/// Analyses a run as the product does. It ends at the first failure, passes at its planned length, or is extended
/// once.
fn watched(counts: &mut Counts, trace: &Trace, cell: Cell, setting: Setting) {
    counts.watched += 1;
    let planned_s = setting.minutes * 60.0;
    let longest_s = planned_s + setting.extra_minutes * 60.0;
    let mut analyses: Vec<(f64, Analysis)> = interim_analysis::interim_times_s(longest_s, Some(setting.period_s))
        .into_iter()
        .filter(|time_s| *time_s != planned_s)
        .map(|time_s| (time_s, Analysis::Interim))
        .collect();
    analyses.extend([(planned_s, Analysis::Last), (longest_s, Analysis::Last)]);
    analyses.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (time_s, analysis) in analyses {
        let part = trace.series.until(time_s);
        let outcome = assess(&part, &spec(trace, cell, setting, analysis, part.len())).outcome;
        let extended = time_s > planned_s;
        match outcome {
            Outcome::Fail => {
                let count = if extended {
                    &mut counts.extended_fail
                } else {
                    &mut counts.watched_fail
                };
                *count += 1;
                counts.fail_minutes.push((time_s - trace.onset_s) / 60.0);
                return;
            }
            Outcome::Pass => {
                let count = if extended {
                    &mut counts.extended_pass
                } else {
                    &mut counts.watched_pass
                };
                *count += 1;
                return;
            }
            Outcome::Inconclusive | Outcome::Invalid => {}
        }
    }
}
