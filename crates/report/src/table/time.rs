//! Finds the time column by its name and reads its cells as seconds.

use super::number::number;
use crate::error::TableError;

/// Names of columns in seconds, in lower case.
const SECONDS: [&str; 15] = [
    "t_s",
    "t",
    "s",
    "sec",
    "secs",
    "second",
    "seconds",
    "time_s",
    "time_sec",
    "time_seconds",
    "elapsed",
    "elapsed_s",
    "elapsed_sec",
    "elapsed_seconds",
    "uptime_s",
];
/// Names of columns in milliseconds.
const MILLIS: [&str; 6] = ["t_ms", "ms", "time_ms", "elapsed_ms", "millis", "milliseconds"];
/// Names of columns in minutes.
const MINUTES: [&str; 8] = [
    // Preferred over `t_min`: minutes since the baseline, as in the tables of the FASE case study.
    "elapsed_min",
    "elapsed_minutes",
    "t_min",
    "t_m",
    "minute",
    "minutes",
    "mins",
    "time_min",
];
/// Names of columns in hours.
const HOURS: [&str; 5] = ["t_h", "hour", "hours", "time_h", "elapsed_h"];
/// Names of columns of timestamps: RFC 3339, or seconds (or milliseconds and smaller) since 1970.
const TIMESTAMP: [&str; 9] = [
    "timestamp",
    "time",
    "ts",
    "datetime",
    "date",
    "@timestamp",
    "_time",
    "at",
    "epoch",
];
/// Numbers above this are timestamps since 1970, not durations: 10^8 s is 1973, and three years of run.
const MIN_EPOCH: f64 = 1e8;

/// The format of the column's cells.
#[derive(Clone, Copy)]
enum TimeFormat {
    /// A duration; a cell times this factor is seconds.
    Duration(f64),
    /// Decided by the first cell.
    Undecided,
    /// A timestamp as text.
    Text,
    /// A timestamp as a number; a cell times this factor is seconds since 1970.
    Epoch(f64),
}

/// The time column and the state that reading it needs.
pub(super) struct TimeColumn {
    format: TimeFormat,
    /// The first timestamp, which becomes second 0.
    origin: Option<jiff::Timestamp>,
    origin_number: Option<f64>,
}

impl TimeColumn {
    /// Finds the column by the given name, or by the usual names of time columns.
    pub(super) fn find(names: &[String], given: Option<&str>) -> Result<(usize, Self), TableError> {
        let lower: Vec<String> = names.iter().map(|n| n.to_ascii_lowercase()).collect();
        let found = match given {
            Some(given) => names
                .iter()
                .position(|n| n == given)
                .map(|at| (at, format_of(&lower[at]).unwrap_or(TimeFormat::Undecided))),
            None => [&SECONDS[..], &MINUTES, &MILLIS, &HOURS, &TIMESTAMP]
                .into_iter()
                .flatten()
                .find_map(|wanted| Some((lower.iter().position(|n| n == wanted)?, format_of(wanted)?))),
        };
        match found {
            Some((at, format)) => Ok((
                at,
                Self {
                    format,
                    origin: None,
                    origin_number: None,
                },
            )),
            None => Err(TableError::NoTime {
                hint: match given {
                    Some(given) => format!("`{given}` is not one of its columns"),
                    None => "call it `t_s`, `t_min` or `timestamp`, or say which it is".into(),
                },
                columns: names.to_vec(),
            }),
        }
    }

    /// Reads a cell as seconds: durations as they are, timestamps since the first row.
    pub(super) fn read(&mut self, name: &str, cell: &[u8]) -> Result<f64, String> {
        let number = number(cell).flatten();
        if let TimeFormat::Undecided = self.format {
            self.format = match number {
                Some(n) if n.abs() < MIN_EPOCH => TimeFormat::Duration(1.0),
                Some(n) => TimeFormat::Epoch(epoch_unit(n)),
                None => TimeFormat::Text,
            };
        }
        let wrong = || format!("`{}` in column `{name}` is not a time", String::from_utf8_lossy(cell));
        match self.format {
            TimeFormat::Duration(unit) => number.map(|n| n * unit).ok_or_else(wrong),
            TimeFormat::Epoch(unit) => {
                let number = number.ok_or_else(wrong)?;
                Ok((number - *self.origin_number.get_or_insert(number)) * unit)
            }
            TimeFormat::Text | TimeFormat::Undecided => {
                let at = std::str::from_utf8(cell).ok().and_then(timestamp).ok_or_else(wrong)?;
                let origin = *self.origin.get_or_insert(at);
                Ok(at.duration_since(origin).as_secs_f64())
            }
        }
    }
}

fn format_of(name: &str) -> Option<TimeFormat> {
    let has = |names: &[&str]| names.contains(&name);
    if has(&SECONDS) {
        Some(TimeFormat::Duration(1.0))
    } else if has(&MINUTES) {
        Some(TimeFormat::Duration(60.0))
    } else if has(&MILLIS) {
        Some(TimeFormat::Duration(1e-3))
    } else if has(&HOURS) {
        Some(TimeFormat::Duration(3600.0))
    } else if has(&TIMESTAMP) {
        Some(TimeFormat::Undecided)
    } else {
        None
    }
}

/// Returns the seconds per unit of a timestamp since 1970; the unit follows from the size (valid until the year 5138).
fn epoch_unit(number: f64) -> f64 {
    [(1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3)]
        .into_iter()
        .find(|(least, _)| number.abs() >= *least)
        .map_or(1.0, |(_, unit)| unit)
}

/// Parses RFC 3339, also without a zone (read as UTC: only differences count).
fn timestamp(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp())
    })
}
