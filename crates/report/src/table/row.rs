//! One row as its cells: of the CSV reader, or cut at its separators where nothing is quoted.
//!
//! Apart, because a long table is nearly always a plain one, and cutting takes a quarter of the time.

use csv::ByteRecord;
use memchr::{memchr, memchr2};

use super::rows::Rows;

/// The cells of a row.
pub(super) trait Row {
    /// How many there are.
    fn width(&self) -> usize;
    /// One of them, of which there must be so many.
    fn cell(&self, at: usize) -> &[u8];
}

impl Row for ByteRecord {
    fn width(&self) -> usize {
        self.len()
    }

    fn cell(&self, at: usize) -> &[u8] {
        &self[at]
    }
}

/// The rows of a table in which no cell is quoted and lines end as on Unix; what the CSV reader would make of the same bytes.
#[derive(Clone, Copy)]
pub(super) struct PlainRows<'a> {
    rest: &'a [u8],
    delimiter: u8,
    line: u64,
}

/// A line of such a table.
pub(super) struct PlainRow<'a> {
    text: &'a [u8],
    /// Where its cells end; kept from row to row.
    ends: Vec<usize>,
    /// Whether a newline ends it.
    is_ended: bool,
}

impl<'a> PlainRows<'a> {
    /// The table's lines, if it is plain.
    pub(super) fn of(bytes: &'a [u8], delimiter: u8) -> Option<Self> {
        memchr2(b'"', b'\r', bytes).is_none().then_some(Self {
            rest: bytes,
            delimiter,
            line: 0,
        })
    }

    /// The next line that is neither empty nor a comment, by its number from 1; false at the end.
    pub(super) fn next(&mut self, row: &mut PlainRow<'a>) -> bool {
        while !self.rest.is_empty() {
            self.line += 1;
            row.ends.clear();
            let mut at = 0;
            while let Some(&byte) = self.rest.get(at)
                && byte != b'\n'
            {
                if byte == self.delimiter {
                    row.ends.push(at);
                }
                at += 1;
            }
            row.ends.push(at);
            row.text = &self.rest[..at];
            row.is_ended = at < self.rest.len();
            self.rest = self.rest.get(at + 1..).unwrap_or_default();
            if !row.text.is_empty() && row.text[0] != b'#' {
                return true;
            }
        }
        false
    }

    /// Takes all rows, one after the other.
    pub(super) fn read(&mut self, rows: &mut Rows) {
        let mut row = PlainRow::new();
        self.read_sound(rows);
        while self.read_one(&mut row, rows) {
            self.read_sound(rows);
        }
    }

    /// Takes rows until something is wrong with one, or there is no other.
    pub(super) fn read_sound(&mut self, rows: &mut Rows) {
        while let Some(first) = self.rest.first() {
            let length = match first {
                b'\n' => Some(1),
                b'#' => memchr(b'\n', self.rest).map(|end| end + 1),
                _ => rows.take_sound(self.rest, self.delimiter),
            };
            let Some(length) = length else { return };
            self.rest = &self.rest[length..];
            self.line += 1;
        }
    }

    /// Takes one row, whatever is wrong with it; false at the end. Half a row at the end is left out.
    pub(super) fn read_one(&mut self, row: &mut PlainRow<'a>, rows: &mut Rows) -> bool {
        let is_there = self.next(row);
        if is_there && (row.is_ended || row.width() >= rows.width) {
            rows.take(self.line, row);
        }
        is_there
    }

    /// The same lines in so many pieces of about one length; those of each are counted from its own beginning.
    pub(super) fn pieces(self, count: usize) -> Vec<Self> {
        let mut pieces = Vec::with_capacity(count);
        let mut later = Self { line: 0, ..self };
        for left in (2..=count).rev() {
            let about = later.rest.len() / left;
            let end = memchr(b'\n', &later.rest[about..]).map_or(later.rest.len(), |at| about + at + 1);
            let (rest, others) = later.rest.split_at(end);
            pieces.push(Self { rest, ..later });
            later = Self { rest: others, ..later };
        }
        pieces.push(later);
        pieces
    }

    /// The same lines after so many others.
    pub(super) fn after(self, lines: u64) -> Self {
        Self {
            line: self.line + lines,
            ..self
        }
    }

    /// The number of the line that was read last.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }
}

impl PlainRow<'_> {
    pub(super) const fn new() -> Self {
        Self {
            text: &[],
            ends: Vec::new(),
            is_ended: true,
        }
    }
}

impl Row for PlainRow<'_> {
    fn width(&self) -> usize {
        self.ends.len()
    }

    fn cell(&self, at: usize) -> &[u8] {
        let begin = if at == 0 { 0 } else { self.ends[at - 1] + 1 };
        &self.text[begin..self.ends[at]]
    }
}

/// The cell that a line begins with, up to what must end it: the delimiter, or the newline after the last.
pub(super) fn begin(line: &[u8], delimiter: u8, end: u8) -> Option<&[u8]> {
    let length = line.iter().position(|&byte| byte == delimiter || byte == b'\n')?;
    (line[length] == end).then_some(&line[..length])
}
