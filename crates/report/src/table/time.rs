//! The column of time: found by its name, read as seconds.

use super::number::number;
use crate::error::TableError;

/// Names that say seconds; compared in lower case.
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
/// Names that say milliseconds.
const MILLIS: [&str; 6] = ["t_ms", "ms", "time_ms", "elapsed_ms", "millis", "milliseconds"];
/// Names that say minutes.
const MINUTES: [&str; 8] = [
    // Since the baseline, where there is a clock beside it: what FASE divided by.
    "elapsed_min",
    "elapsed_minutes",
    "t_min",
    "t_m",
    "minute",
    "minutes",
    "mins",
    "time_min",
];
/// Names that say hours.
const HOURS: [&str; 5] = ["t_h", "hour", "hours", "time_h", "elapsed_h"];
/// Names of a moment: RFC 3339, or seconds (or thousandths and smaller) since 1970.
const MOMENT: [&str; 9] = [
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
/// Numbers above this are moments since 1970, not lengths: 10^8 s is 1973, and three years of run.
const LEAST_EPOCH: f64 = 1e8;

/// What the cells of the column mean.
#[derive(Clone, Copy)]
enum Meaning {
    /// A length of time; a cell times this is seconds.
    Length(f64),
    /// Decided by the first cell.
    Undecided,
    /// A moment as text.
    Text,
    /// A moment as a number; a cell times this is seconds since 1970.
    Epoch(f64),
}

/// The column of time while it is read.
#[derive(Clone)]
pub(super) struct TimeColumn {
    meaning: Meaning,
    /// The first moment: the clock's zero.
    origin: Option<jiff::Timestamp>,
    origin_number: Option<f64>,
}

impl TimeColumn {
    /// Finds the column, by the name that was given or by one that says time.
    pub(super) fn find(names: &[String], given: Option<&str>) -> Result<(usize, Self), TableError> {
        let lower: Vec<String> = names.iter().map(|n| n.to_ascii_lowercase()).collect();
        let found = match given {
            Some(given) => names
                .iter()
                .position(|n| n == given)
                .map(|at| (at, meaning_of(&lower[at]).unwrap_or(Meaning::Undecided))),
            None => [&SECONDS[..], &MINUTES, &MILLIS, &HOURS, &MOMENT]
                .into_iter()
                .flatten()
                .find_map(|wanted| Some((lower.iter().position(|n| n == wanted)?, meaning_of(wanted)?))),
        };
        match found {
            Some((at, meaning)) => Ok((
                at,
                Self {
                    meaning,
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

    /// A number as seconds, once the first cell has told what numbers are; `None` if it is to be looked at as a cell.
    pub(super) fn seconds(&self, number: f64) -> Option<f64> {
        match self.meaning {
            Meaning::Length(unit) => Some(number * unit),
            Meaning::Epoch(unit) => self.origin_number.map(|origin| (number - origin) * unit),
            Meaning::Text | Meaning::Undecided => None,
        }
    }

    /// A cell as seconds: as they are for lengths, since the first row for moments.
    pub(super) fn read(&mut self, name: &str, cell: &[u8]) -> Result<f64, String> {
        let number = number(cell).flatten();
        if let Meaning::Undecided = self.meaning {
            self.meaning = match number {
                Some(n) if n.abs() < LEAST_EPOCH => Meaning::Length(1.0),
                Some(n) => Meaning::Epoch(epoch_unit(n)),
                None => Meaning::Text,
            };
        }
        let wrong = || format!("`{}` in column `{name}` is not a time", String::from_utf8_lossy(cell));
        match self.meaning {
            Meaning::Length(unit) => number.map(|n| n * unit).ok_or_else(wrong),
            Meaning::Epoch(unit) => {
                let number = number.ok_or_else(wrong)?;
                Ok((number - *self.origin_number.get_or_insert(number)) * unit)
            }
            Meaning::Text | Meaning::Undecided => {
                let moment = std::str::from_utf8(cell).ok().and_then(moment).ok_or_else(wrong)?;
                let origin = *self.origin.get_or_insert(moment);
                Ok(moment.duration_since(origin).as_secs_f64())
            }
        }
    }
}

fn meaning_of(name: &str) -> Option<Meaning> {
    let has = |names: &[&str]| names.contains(&name);
    if has(&SECONDS) {
        Some(Meaning::Length(1.0))
    } else if has(&MINUTES) {
        Some(Meaning::Length(60.0))
    } else if has(&MILLIS) {
        Some(Meaning::Length(1e-3))
    } else if has(&HOURS) {
        Some(Meaning::Length(3600.0))
    } else if has(&MOMENT) {
        Some(Meaning::Undecided)
    } else {
        None
    }
}

/// Seconds in one of the unit that a moment since 1970 is counted in, told by its size (good until the year 5138).
fn epoch_unit(number: f64) -> f64 {
    [(1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3)]
        .into_iter()
        .find(|(least, _)| number.abs() >= *least)
        .map_or(1.0, |(_, unit)| unit)
}

/// RFC 3339, or the same without its zone (read as UTC: only differences count).
fn moment(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp())
    })
}
