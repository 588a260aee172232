//! The table of goals and reached figures.

use std::fmt::Write as _;

use crate::job::Job;
use crate::measure::{Counts, LIMIT_PER_MIN};
use crate::store::Store;
use crate::trace::Kind;

/// Shortest run that the goals for healthy targets apply to, minutes.
const MINUTES: f64 = 10.0;

/// All counts, by cell.
pub(crate) struct Measured<'a> {
    cells: Vec<(&'a Job, Counts)>,
}

/// A row: goal, figure, bound, and number of cases.
struct Row {
    goal: String,
    figure: f64,
    least: bool,
    bound: f64,
    unit: &'static str,
    of: usize,
}

impl<'a> Measured<'a> {
    pub(crate) fn new(jobs: impl Iterator<Item = &'a Job>, store: &Store) -> Self {
        Self {
            cells: jobs.map(|job| (job, store.counts(&job.name()))).collect(),
        }
    }

    /// Returns the sum over the cells with a property of group, minutes, multiple of the limit and kind.
    fn sum(&self, holds: impl Fn(&str, f64, f64, Kind) -> bool) -> Counts {
        let mut sum = Counts::default();
        for (job, counts) in &self.cells {
            let cell = job.cell;
            if holds(job.group, cell.minutes, cell.rate / LIMIT_PER_MIN, cell.kind) {
                sum.add(counts);
            }
        }
        sum
    }

    /// Returns the table.
    pub(crate) fn section(&self, labelled_wrong: usize, labelled: usize) -> String {
        let mut rows = Vec::new();
        self.wrong(&mut rows);
        self.found(&mut rows);
        self.undecided(&mut rows);
        let mut text = "## Goals\n\n| goal | reached | of | |\n|---|--:|--:|---|\n".to_owned();
        for row in rows.iter().filter(|row| row.of > 0) {
            let kept = if row.least {
                row.figure >= row.bound
            } else {
                row.figure <= row.bound
            };
            let sign = if row.least { '≥' } else { '≤' };
            let _ = writeln!(
                text,
                "| {}: {sign} {}{} | {:.3}{} | {} | {} |",
                row.goal,
                row.bound,
                row.unit,
                row.figure,
                row.unit,
                row.of,
                if kept { "yes" } else { "**no**" }
            );
        }
        let _ = writeln!(
            text,
            "| labelled traces that are what they must not be: 0 | {labelled_wrong} | {labelled} | {} |\n",
            if labelled_wrong == 0 { "yes" } else { "**no**" }
        );
        text
    }

    fn lengths(&self) -> Vec<f64> {
        let mut minutes: Vec<f64> = self.cells.iter().map(|(job, _)| job.cell.minutes).collect();
        minutes.retain(|m| *m >= MINUTES);
        minutes.dedup();
        minutes
    }

    fn wrong(&self, rows: &mut Vec<Row>) {
        for length in self.lengths() {
            for (group, law) in [("sound", ""), ("unseen", ", held-out noise")] {
                let c = self.sum(|g, m, times, _| g == group && m == length && times == 0.0);
                rows.push(share(
                    &format!("false `fail`, {length} min{law}"),
                    c.fail,
                    c.traces,
                    0.5,
                    false,
                ));
            }
            for (group, law) in [("leaking", ""), ("unseen", ", held-out noise")] {
                let c = self.sum(|g, m, times, _| g == group && m == length && times == 2.0);
                rows.push(share(
                    &format!("false `pass` at twice the limit, {length} min{law}"),
                    c.pass,
                    c.traces,
                    0.1,
                    false,
                ));
                let c = self.sum(|g, m, times, _| g == group && m == length && times > 2.0);
                rows.push(share(
                    &format!("false `pass` at more, {length} min{law}"),
                    c.pass,
                    c.traces,
                    0.1,
                    false,
                ));
            }
            // Filling is a leak while it lasts; interim analyses belong after start-up.
            let c = self.sum(|g, m, _, kind| g == "sound" && m == length && kind != Kind::Fill);
            rows.push(share(
                &format!("false `fail` of a run watched, {length} min, without `Fill`"),
                c.watched_fail + c.extended_fail,
                c.watched,
                0.5,
                false,
            ));
            let c = self.sum(|g, m, _, _| (g == "sound" || g == "leaking") && m == length);
            rows.push(share(
                &format!("99 % lower bound wrong, {length} min"),
                c.bound_wrong,
                c.traces,
                1.0,
                false,
            ));
        }
    }

    fn found(&self, rows: &mut Vec<Row>) {
        for (size, least) in [(2.0, 95.0), (2.5, 98.0), (5.0, 99.0)] {
            let c = self.sum(|g, m, times, _| g == "leaking" && m == 30.0 && times == size);
            rows.push(share(
                &format!("found in 30 min at {size} × the limit"),
                c.fail,
                c.traces,
                least,
                true,
            ));
        }
        let median = |goal: String, c: Counts, bound: f64| {
            let mut minutes = c.fail_minutes;
            minutes.sort_by(f64::total_cmp);
            Row {
                goal,
                figure: minutes.get(minutes.len() / 2).copied().unwrap_or(f64::INFINITY),
                least: false,
                bound,
                unit: " min",
                of: minutes.len(),
            }
        };
        for (size, bound) in [(2.0, 10.0), (5.0, 6.0), (17.0, 3.0), (100.0, 2.0)] {
            let c = self.sum(|g, m, times, _| g == "leaking" && m == 30.0 && times == size);
            rows.push(median(
                format!("median time to `fail` at {size} × the limit, 30 min"),
                c,
                bound,
            ));
        }
        for length in self.lengths() {
            let c = self.sum(|g, m, times, kind| g == "leaking" && m == length && times == 100.0 && kind == Kind::Late);
            rows.push(median(
                format!("median time to `fail` after an onset of 100 × the limit, {length} min"),
                c,
                2.0,
            ));
        }
        let c =
            self.sum(|g, m, times, kind| g == "leaking" && m == 10.0 && times == 2.0 && kind == Kind::ChurnKnownLinear);
        rows.push(share(
            "stretch: found in 10 min at twice the limit, containers known",
            c.fail,
            c.traces,
            90.0,
            true,
        ));
    }

    fn undecided(&self, rows: &mut Vec<Row>) {
        for (length, most) in [(30.0, 10.0), (60.0, 3.0)] {
            let c = self.sum(|g, m, _, _| g == "sound" && m == length);
            rows.push(share(
                &format!("sound and undecided, {length} min"),
                c.traces - c.fail - c.pass,
                c.traces,
                most,
                false,
            ));
        }
        let c = self.sum(|g, m, _, _| (g == "sound" || g == "leaking") && m == 30.0);
        rows.push(Row {
            goal: "processor time of one evaluation, 30 min".to_owned(),
            figure: c.microseconds / c.traces.max(1) as f64 / 1000.0,
            least: false,
            bound: 5.0,
            unit: " ms",
            of: c.traces,
        });
    }
}

fn share(goal: &str, part: usize, of: usize, bound: f64, least: bool) -> Row {
    Row {
        goal: goal.to_owned(),
        figure: 100.0 * part as f64 / of.max(1) as f64,
        least,
        bound,
        unit: " %",
        of,
    }
}
