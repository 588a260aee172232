//! Reads any CSV file with a time column as a table of samples.
//!
//! The time column is found by its name; every other column of numbers is a metric. A cell that is not a number is reported
//! with its line and never read as zero. An empty cell is a missing value.

mod builder;
mod number;
mod parsed;
mod time;

use std::path::Path;

use csv::{ByteRecord, Position, ReaderBuilder};

use crate::error::{Error, TableError};
use builder::TableBuilder;

pub use parsed::{Table, TableOptions};

/// Reads a CSV file. Comma, semicolon or tab separate cells; lines that begin with `#` are skipped.
///
/// # Errors
/// If the file cannot be read, or has no time column or no numbers.
pub fn read_table(path: &Path, options: &TableOptions) -> Result<Table, Error> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    parse_table(&bytes, options).map_err(|source| Error::Table {
        path: path.to_owned(),
        source,
    })
}

/// Parses the bytes of a CSV file.
///
/// ```
/// use leakcheck_report::{TableOptions, parse_table};
/// let table = parse_table(b"t_s,fds\n0,12\n30,\n", &TableOptions::default())?;
/// assert_eq!(table.samples.columns, [[Some(12.0), None]]);
/// # Ok::<(), leakcheck_report::TableError>(())
/// ```
///
/// # Errors
/// As [`read_table`].
pub fn parse_table(bytes: &[u8], options: &TableOptions) -> Result<Table, TableError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(bytes))
        .comment(Some(b'#'))
        .flexible(true)
        .from_reader(bytes);
    let mut builder = match reader.byte_headers() {
        Ok(header) => TableBuilder::new(names(header), options)?,
        Err(_) => return Err(TableError::Empty),
    };
    let mut record = ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let is_last = reader.is_done() || reader.position().byte() as usize >= bytes.len();
                let is_cut = is_last && bytes.last() != Some(&b'\n') && record.len() < builder.width();
                // A row cut short at the end of the file belongs to a writer that was killed.
                if !is_cut {
                    let line = record.position().map_or(0, |from| line_number(bytes, from));
                    builder.add_row(line, &record);
                }
            }
            Err(error) => {
                let line = error.position().map_or(0, Position::line);
                builder.add_unreadable_row(line, error.to_string());
            }
        }
    }
    builder.finish()
}

/// Returns the line of the record that the reader searched for from `from` on: empty lines and comments come before it.
fn line_number(bytes: &[u8], from: &Position) -> u64 {
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

fn names(header: &ByteRecord) -> Vec<String> {
    header
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim().to_owned())
        .collect()
}

/// Returns the separator that occurs most often in the first line.
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
