//! One row as its cells: of the CSV reader, or cut at its separators where nothing is quoted.
//!
//! Apart, because a long table is nearly always a plain one, and cutting takes a quarter of the time.

use csv::ByteRecord;

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
}

impl<'a> PlainRows<'a> {
    /// The table's lines, if it is plain.
    pub(super) fn of(bytes: &'a [u8], delimiter: u8) -> Option<Self> {
        let is_plain = !bytes.iter().any(|b| matches!(b, b'"' | b'\r'));
        is_plain.then_some(Self {
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
            self.rest = self.rest.get(at + 1..).unwrap_or_default();
            if !row.text.is_empty() && row.text[0] != b'#' {
                return true;
            }
        }
        false
    }

    /// The number of the line that [`Self::next`] found last.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Whether it was the last one.
    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }
}

impl PlainRow<'_> {
    pub(super) const fn new() -> Self {
        Self {
            text: &[],
            ends: Vec::new(),
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
