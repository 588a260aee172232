//! The parsed table, and the options that it is parsed with.

use std::collections::BTreeMap;

use leakcheck_model::Samples;

use crate::error::{BadRow, TableError};

/// The readable part of a table, with an account of the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The rows. A broken cell is a missing value; a row without a time or of another width is left out.
    pub samples: Samples,
    /// The first broken rows, by line.
    pub broken: Vec<BadRow>,
    /// Number of broken rows.
    pub broken_rows: usize,
    /// Number of broken rows that are left out: without a usable time, or of another width.
    pub omitted_rows: usize,
    /// Number of broken cells per column, where there are any.
    pub broken_cells: BTreeMap<String, usize>,
    /// Columns of text, each with its first cell that is not a number.
    pub text: Vec<(String, BadRow)>,
    /// Number of rows, broken ones included.
    pub rows: usize,
}

impl Table {
    /// Returns the samples if no row is broken.
    ///
    /// # Errors
    /// Names the broken rows.
    pub fn complete(self) -> Result<Samples, TableError> {
        if self.broken_rows > 0 {
            return Err(self.broken_rows_error());
        }
        Ok(self.samples)
    }

    /// Returns the broken rows as an error.
    #[must_use]
    pub fn broken_rows_error(&self) -> TableError {
        TableError::Rows {
            first: self.broken.clone(),
            total: self.broken_rows,
        }
    }

    /// Returns the share of rows without a value because the row or the cell is broken, for the worst of `columns`.
    #[must_use]
    pub fn broken_share_of<'a>(&self, columns: impl IntoIterator<Item = &'a str>) -> f64 {
        let cells = columns.into_iter().filter_map(|name| self.broken_cells.get(name)).max();
        (self.omitted_rows + cells.copied().unwrap_or(0)) as f64 / self.rows.max(1) as f64
    }
}

/// Options of a table that its text does not contain.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    /// The name of the time column; `None` finds it by the usual names.
    pub time: Option<String>,
    /// Reports a row as broken if its time is not later than that of the row before. A run's own samples are kept as they
    /// are: the judge decides about a clock that jumped.
    pub increasing_time: bool,
}
