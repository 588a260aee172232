//! Checks on the run folder of a run with faults.

use std::path::Path;

use leakcheck_model::Scenario;
use serde_json::Value;

/// Largest difference of two equal times, in seconds; times are rounded to milliseconds.
const CLOSE: f64 = 0.005;

/// Seconds from the beginning of the phase to the start signal of the faults, at most, on a busy machine.
const BUSY: f64 = 5.0;

/// Smallest share of the planned lines that a busy machine writes.
const WRITTEN: f64 = 0.8;

/// Colour of the fault bands in charts (`palette::FAULT` of the report).
const BAND: &str = "#E8801F";

/// A finished run.
pub(crate) struct RecordedRun<'a> {
    name: &'a str,
    scenario: &'a Scenario,
    result: &'a Value,
    folder: &'a Path,
    events: Vec<Value>,
}

impl<'a> RecordedRun<'a> {
    pub(crate) fn new(name: &'a str, scenario: &'a Scenario, result: &'a Value, folder: &'a Path) -> Self {
        let text = std::fs::read_to_string(folder.join("events.jsonl")).expect("events");
        let events = text.lines().map(|line| serde_json::from_str(line).expect("an event"));
        Self {
            name,
            scenario,
            result,
            folder,
            events: events.collect(),
        }
    }

    pub(crate) fn every_line_arrived_once_and_in_order(&self) {
        let lines = &self.result["lines"];
        for wrong in ["lost", "duplicated", "reordered", "torn"] {
            assert_eq!(lines[wrong], 0, "{}: {lines}", self.name);
        }
        let planned =
            self.scenario.lines_per_second().expect("a paced load") * self.scenario.schedule.measure.as_secs();
        let sent = lines["sent"].as_f64().expect("a number");
        assert!(sent > WRITTEN * planned, "{}: {sent} lines of {planned}", self.name);
        assert_eq!(lines["sent"], lines["delivered"], "{}", self.name);
    }

    /// Checks that the target counted errors that only faults cause, and that each fault counted hits.
    pub(crate) fn every_fault_hit(&self) {
        let limits = self.result["limits"].as_array().expect("limits");
        let minimums = limits.iter().filter(|limit| {
            let metric = limit["metric"].as_str().unwrap_or_default();
            let counts_errors = self.scenario.metrics.contains_key(metric);
            counts_errors
                && limit["rule"]
                    .as_str()
                    .is_some_and(|rule| rule.starts_with("increase >= "))
        });
        let measured: Vec<f64> = minimums.filter_map(|limit| limit["measured"].as_f64()).collect();
        assert!(
            !measured.is_empty(),
            "{} has no lower limit that shows a fault",
            self.name
        );
        assert!(
            measured.iter().all(|count| *count >= 1.0),
            "{}: {measured:?}",
            self.name
        );
        let ends: Vec<&Value> = self
            .events
            .iter()
            .filter(|line| line["event"] == "fault-ended")
            .collect();
        assert!(!ends.is_empty(), "{}", self.name);
        for end in ends {
            assert!(
                end["struck"].as_u64().is_some_and(|times| times > 0),
                "{}: {end}",
                self.name
            );
        }
    }

    fn times(&self, event: &str, index: Option<usize>) -> Vec<f64> {
        let wanted = |line: &&Value| line["event"] == event && index.is_none_or(|index| line["index"] == index);
        let found = self.events.iter().filter(wanted);
        found.map(|line| line["t_s"].as_f64().expect("a time")).collect()
    }

    /// Returns the recorded beginning and end of each fault.
    fn intervals(&self) -> Vec<(f64, f64)> {
        let interval = |index| {
            let times = |event| self.times(event, Some(index));
            match (&times("fault-began")[..], &times("fault-ended")[..]) {
                ([from], [to]) => (*from, *to),
                other => panic!("{}: fault {index} has {other:?}", self.name),
            }
        };
        (0..self.scenario.fault.len()).map(interval).collect()
    }

    pub(crate) fn every_fault_began_and_ended_at_its_time(&self) {
        let phases = self.events.iter().filter(|line| line["event"] == "phase-began");
        let mut measure = phases.filter(|line| line["phase"] == "measure");
        let began = measure.next().expect("a measured phase")["t_s"]
            .as_f64()
            .expect("a time");
        let intervals = self.intervals();
        let begins = self.scenario.fault.iter().zip(&intervals);
        let offsets: Vec<f64> = begins.map(|(fault, (from, _))| from - fault.at.as_secs()).collect();
        let start = offsets[0];
        assert!(
            (began - CLOSE..began + BUSY).contains(&start),
            "{}: {began}, {start}",
            self.name
        );
        for (fault, (offset, (from, to))) in self.scenario.fault.iter().zip(offsets.iter().zip(&intervals)) {
            assert!(
                (offset - start).abs() < CLOSE,
                "{}: {fault:?} began {offset} after {start}",
                self.name
            );
            let length = to - from;
            assert!(
                (length - fault.length.as_secs()).abs() < CLOSE,
                "{}: {fault:?} lasted {length} s",
                self.name
            );
        }
    }

    pub(crate) fn the_samples_show_active_faults(&self) {
        let text = std::fs::read_to_string(self.folder.join("samples.csv")).expect("samples");
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().expect("names").split(',').collect();
        let column = |name| names.iter().position(|n| *n == name).expect("a column");
        let (t_s, faults) = (column("t_s"), column("faults"));
        let rows = lines.map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let number = |at: usize| cells[at].parse::<f64>().expect("a number");
            (number(t_s), number(faults))
        });
        let rows: Vec<(f64, f64)> = rows.collect();
        for (from, to) in self.intervals() {
            // A sample covers the time since the one before it.
            let during: Vec<(f64, f64)> = rows
                .windows(2)
                .filter(|two| two[1].0 > from + CLOSE && two[0].0 < to - CLOSE)
                .map(|two| two[1])
                .collect();
            let without = during.iter().filter(|(_, faults)| *faults < 1.0).count();
            // On a busy machine the event of a beginning may come after the first sample.
            assert!(
                without <= 1 && without < during.len(),
                "{}: {from} to {to}: {during:?}",
                self.name
            );
        }
        let first = self
            .intervals()
            .iter()
            .map(|(from, _)| *from)
            .fold(f64::INFINITY, f64::min);
        let mut before = rows.iter().filter(|(t, _)| *t < first - CLOSE);
        assert!(before.all(|(_, faults)| *faults == 0.0), "{}: {rows:?}", self.name);
    }

    pub(crate) fn the_charts_shade_the_faults(&self) {
        let chart = self.folder.join("charts/fds.svg");
        let svg = std::fs::read_to_string(&chart).expect("a chart");
        let boxes = svg
            .split('<')
            .filter(|tag| tag.starts_with("rect") && tag.contains(BAND));
        // One belongs to the legend.
        assert_eq!(
            boxes.count(),
            self.scenario.fault.len() + 1,
            "{}: {}",
            self.name,
            chart.display()
        );
        let page = std::fs::read_to_string(self.folder.join("report.html")).expect("a report");
        for what in self.events.iter().filter_map(|event| event["what"].as_str()) {
            assert!(page.contains(what), "{}: {what} is not in the report", self.name);
        }
    }
}
