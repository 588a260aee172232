//! Any CSV with a column of time, as a table of samples.
//!
//! The time is found by its name, every other column of numbers is a metric. A cell that holds no number is an error
//! that names its line, never a zero; an empty one was not seen. One pass, no allocation for a cell.

mod time;

use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use leakcheck_model::{Phase, Samples};

use crate::csv as samples_csv;
use crate::error::{BadRow, Error, TableError};
use time::TimeColumn;

/// Broken rows that are named; the others are counted.
const NAMED_ROWS: usize = 5;

/// What is known of a table beforehand.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    /// The column of time, if its name does not tell.
    pub time: Option<String>,
}

/// Reads a CSV file. Comma, semicolon and tab separate cells; lines that begin with `#` are skipped.
///
/// # Errors
/// If the file cannot be read or understood: no column of time, no numbers, broken rows (named by line).
pub fn read_table(path: &Path, options: &TableOptions) -> Result<Samples, Error> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    parse_table(&bytes, options).map_err(|source| Error::Table {
        path: path.to_owned(),
        source,
    })
}

/// The same from bytes.
///
/// # Errors
/// As [`read_table`].
pub fn parse_table(bytes: &[u8], options: &TableOptions) -> Result<Samples, TableError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(bytes))
        .comment(Some(b'#'))
        .flexible(true)
        .from_reader(bytes);
    let names: Vec<String> = match reader.byte_headers() {
        Ok(header) => header
            .iter()
            .map(|n| String::from_utf8_lossy(n).trim().to_owned())
            .collect(),
        Err(_) => return Err(TableError::Empty),
    };
    let mut rows = Rows::new(names, options)?;
    let mut record = ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let is_last = reader.is_done() || reader.position().byte() as usize >= bytes.len();
                let torn = is_last && bytes.last() != Some(&b'\n') && record.len() < rows.width;
                if !torn {
                    rows.take(&record);
                }
            }
            Err(error) => rows.broken(error.position().map_or(0, csv::Position::line), error.to_string()),
        }
    }
    rows.finish()
}

/// What separates the cells: whichever the first line has most of.
fn delimiter(bytes: &[u8]) -> u8 {
    let first = bytes
        .split(|b| *b == b'\n')
        .find(|line| !line.is_empty() && line[0] != b'#')
        .unwrap_or_default();
    let count = |wanted: u8| first.iter().filter(|b| **b == wanted).count();
    [b',', b';', b'\t']
        .into_iter()
        .rev()
        .max_by_key(|d| count(*d))
        .unwrap_or(b',')
}

/// What a column is; unknown until its first cell that is not empty.
enum Column {
    Time,
    Phase,
    Unknown,
    Number(Vec<Option<f64>>),
    Text,
}

/// The table while it is read.
struct Rows {
    width: usize,
    names: Vec<String>,
    columns: Vec<Column>,
    time: TimeColumn,
    time_at: usize,
    t_s: Vec<f64>,
    phase: Vec<Phase>,
    bad: Vec<BadRow>,
    bad_total: usize,
}

impl Rows {
    fn new(names: Vec<String>, options: &TableOptions) -> Result<Self, TableError> {
        if names.iter().all(String::is_empty) {
            return Err(TableError::Empty);
        }
        if names.iter().all(|n| n.parse::<f64>().is_ok()) {
            return Err(TableError::NoHeader);
        }
        for (i, name) in names.iter().enumerate() {
            if !name.is_empty() && names[..i].contains(name) {
                return Err(TableError::Twice(name.clone()));
            }
        }
        let (time_at, time) = TimeColumn::find(&names, options.time.as_deref())?;
        let columns = names
            .iter()
            .enumerate()
            .map(|(i, name)| match name.as_str() {
                _ if i == time_at => Column::Time,
                "" => Column::Text,
                name if name.eq_ignore_ascii_case(samples_csv::PHASE) => Column::Phase,
                _ => Column::Unknown,
            })
            .collect();
        Ok(Self {
            width: names.len(),
            names,
            columns,
            time,
            time_at,
            t_s: Vec::new(),
            phase: Vec::new(),
            bad: Vec::new(),
            bad_total: 0,
        })
    }

    /// One row; a broken one is noted, and leaves no trace in the table.
    fn take(&mut self, record: &ByteRecord) {
        if let Err(message) = self.try_take(record) {
            let row = self.t_s.len();
            for column in &mut self.columns {
                if let Column::Number(values) = column {
                    values.truncate(row);
                }
            }
            self.phase.truncate(row);
            self.broken(record.position().map_or(0, csv::Position::line), message);
        }
    }

    fn try_take(&mut self, record: &ByteRecord) -> Result<(), String> {
        if record.len() != self.width {
            return Err(format!("{} cells where there should be {}", record.len(), self.width));
        }
        let row = self.t_s.len();
        let mut phase = Phase::Measure;
        for ((column, name), cell) in self.columns.iter_mut().zip(&self.names).zip(record) {
            let cell = cell.trim_ascii();
            match column {
                Column::Time | Column::Text => {}
                Column::Phase => phase = phase_of(cell)?,
                Column::Number(values) => values.push(number(cell).ok_or_else(|| not_a_number(name, cell))?),
                Column::Unknown if cell.is_empty() => {}
                Column::Unknown => match number(cell) {
                    Some(value) => {
                        let mut values = vec![None; row];
                        values.push(value);
                        *column = Column::Number(values);
                    }
                    None => *column = Column::Text,
                },
            }
        }
        let t_s = self
            .time
            .read(&self.names[self.time_at], record[self.time_at].trim_ascii())?;
        self.phase.push(phase);
        self.t_s.push(t_s);
        Ok(())
    }

    fn broken(&mut self, line: u64, message: String) {
        self.bad_total += 1;
        if self.bad.len() < NAMED_ROWS {
            self.bad.push(BadRow { line, message });
        }
    }

    fn finish(self) -> Result<Samples, TableError> {
        if self.bad_total > 0 {
            return Err(TableError::Rows {
                first: self.bad,
                total: self.bad_total,
            });
        }
        let rows = self.t_s.len();
        let (mut names, mut columns) = (Vec::new(), Vec::new());
        for (name, column) in self.names.into_iter().zip(self.columns) {
            match column {
                Column::Number(values) => columns.push(values),
                // A metric that was never seen stays in the table: that it is blind is the judge's to say.
                Column::Unknown => columns.push(vec![None; rows]),
                Column::Time | Column::Phase | Column::Text => continue,
            }
            names.push(name);
        }
        if names.is_empty() {
            return Err(TableError::NoMetric);
        }
        Ok(Samples {
            t_s: self.t_s,
            phase: self.phase,
            names,
            columns,
        })
    }
}

fn not_a_number(column: &str, cell: &[u8]) -> String {
    format!(
        "`{}` in column `{column}` is not a number",
        String::from_utf8_lossy(cell)
    )
}

fn phase_of(cell: &[u8]) -> Result<Phase, String> {
    if cell.is_empty() {
        return Ok(Phase::Measure);
    }
    let name = std::str::from_utf8(cell).ok().and_then(Phase::named);
    name.ok_or_else(|| {
        format!(
            "`{}` is not a phase: there are idle, launch, warm-up, measure, extend and drain",
            String::from_utf8_lossy(cell)
        )
    })
}

/// A cell: `None` if it is no number, `Some(None)` if nothing was seen.
fn number(cell: &[u8]) -> Option<Option<f64>> {
    if cell.is_empty() {
        return Some(None);
    }
    match std::str::from_utf8(cell).ok()?.parse::<f64>() {
        // `NaN` and `Inf` parse, and are nothing that was measured.
        Ok(value) => Some(value.is_finite().then_some(value)),
        Err(_) => ["na", "n/a", "null", "none", "-"]
            .iter()
            .any(|none| cell.eq_ignore_ascii_case(none.as_bytes()))
            .then_some(None),
    }
}

#[cfg(test)]
mod tests;
