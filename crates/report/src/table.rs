//! Any CSV with a column of time, as a table of samples.
//!
//! The time is found by its name, every other column of numbers is a metric. A cell that holds no number is broken and named
//! by its line, never a zero; an empty one was not seen. One pass, no allocation for a cell; a long plain table by all processors.

mod ahead;
mod number;
mod row;
mod rows;
mod time;

use std::collections::BTreeMap;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use leakcheck_model::Samples;

use crate::error::{BadRow, Error, TableError};
use row::{PlainRow, PlainRows, Row};
use rows::Rows;

/// A table as far as it could be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The rows: broken cells are not seen, rows without a time or with too few cells are not there.
    pub samples: Samples,
    /// The first broken rows, by line.
    pub broken: Vec<BadRow>,
    /// How many rows are broken.
    pub broken_rows: usize,
    /// How many of those have no usable time or another shape, so that nothing of them is in the samples.
    pub broken_whole: usize,
    /// How many cells of a column are broken, where any are.
    pub broken_cells: BTreeMap<String, usize>,
    /// Columns of text, each with its first cell that is no number.
    pub text: Vec<(String, BadRow)>,
    /// How many rows there are, broken ones included.
    pub rows: usize,
}

impl Table {
    /// The samples, if no row is broken.
    ///
    /// # Errors
    /// Names the broken rows.
    pub fn whole(self) -> Result<Samples, TableError> {
        if self.broken_rows > 0 {
            return Err(self.defect());
        }
        Ok(self.samples)
    }

    /// The broken rows in words.
    #[must_use]
    pub fn defect(&self) -> TableError {
        TableError::Rows {
            first: self.broken.clone(),
            total: self.broken_rows,
        }
    }

    /// Share of the rows that are broken.
    #[must_use]
    pub fn broken_share(&self) -> f64 {
        self.broken_rows as f64 / self.rows.max(1) as f64
    }

    /// Share of the rows in which one of these columns, that which is worst off, has nothing because the row or the cell is
    /// broken. A cell of another column is nobody's loss.
    #[must_use]
    pub fn broken_share_of<'a>(&self, columns: impl IntoIterator<Item = &'a str>) -> f64 {
        let cells = columns.into_iter().filter_map(|name| self.broken_cells.get(name)).max();
        (self.broken_whole + cells.copied().unwrap_or(0)) as f64 / self.rows.max(1) as f64
    }
}

/// What is known of a table beforehand.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    /// The column of time, if its name does not tell.
    pub time: Option<String>,
    /// Whether a row whose time is not later than the one before it is broken. A run's own samples keep it: that its clock jumped
    /// is the judge's to say.
    pub in_order: bool,
}

/// Reads a CSV file. Comma, semicolon and tab separate cells; lines that begin with `#` are skipped.
///
/// # Errors
/// If the file cannot be read or understood: no column of time, no numbers.
pub fn read_table(path: &Path, options: &TableOptions) -> Result<Table, Error> {
    let bytes = ahead::bytes(path).map_err(Error::io("read", path))?;
    parse_table(&bytes, options).map_err(|source| Error::Table {
        path: path.to_owned(),
        source,
    })
}

/// The same from bytes.
///
/// # Errors
/// As [`read_table`].
pub fn parse_table(bytes: &[u8], options: &TableOptions) -> Result<Table, TableError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let delimiter = delimiter(bytes);
    match PlainRows::of(bytes, delimiter) {
        Some(plain) => parse_plain(plain, ahead::readers(bytes.len()), options),
        None => parse_any(bytes, delimiter, options),
    }
}

/// A table without quotes, with the lines of Unix.
fn parse_plain(mut plain: PlainRows<'_>, readers: usize, options: &TableOptions) -> Result<Table, TableError> {
    let mut row = PlainRow::new();
    if !plain.next(&mut row) {
        return Err(TableError::Empty);
    }
    let mut rows = Rows::new(names(&row), options)?;
    ahead::read(plain, readers, &mut rows);
    rows.finish()
}

/// Any other table.
fn parse_any(bytes: &[u8], delimiter: u8, options: &TableOptions) -> Result<Table, TableError> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .comment(Some(b'#'))
        .flexible(true)
        .from_reader(bytes);
    let mut rows = match reader.byte_headers() {
        Ok(header) => Rows::new(names(header), options)?,
        Err(_) => return Err(TableError::Empty),
    };
    let mut record = ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let is_last = reader.is_done() || reader.position().byte() as usize >= bytes.len();
                if !(is_last && is_torn(bytes, &record, rows.width)) {
                    rows.take(record.position().map_or(0, |from| line(bytes, from)), &record);
                }
            }
            Err(error) => {
                rows.taken += 1;
                rows.broken(error.position().map_or(0, csv::Position::line), error.to_string());
            }
        }
    }
    rows.finish()
}

/// The line of a record that the reader looked for from `from` on: empty lines and comments come before it.
fn line(bytes: &[u8], from: &csv::Position) -> u64 {
    let (mut at, mut line) = (from.byte() as usize, from.line());
    loop {
        let (length, lines) = match bytes.get(at) {
            Some(b'\n') => (1, 1),
            Some(b'\r') => (1, 0),
            Some(b'#') => (bytes[at..].iter().take_while(|b| **b != b'\n').count(), 0),
            _ => return line,
        };
        at += length;
        line += lines;
    }
}

fn names(header: &impl Row) -> Vec<String> {
    (0..header.width())
        .map(|at| String::from_utf8_lossy(header.cell(at)).trim().to_owned())
        .collect()
}

/// Whether the last row is half a row: its writer was ended.
fn is_torn(bytes: &[u8], last: &impl Row, width: usize) -> bool {
    bytes.last() != Some(&b'\n') && last.width() < width
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

#[cfg(test)]
mod tests;
