//! The rows of a table while they are read: which column is what, and what is broken.

use std::collections::BTreeMap;

use leakcheck_model::{Phase, Samples};

use super::number::number;
use super::row::Row;
use super::time::TimeColumn;
use super::{Table, TableOptions};
use crate::csv as samples_csv;
use crate::error::{BadRow, TableError};

/// Broken rows that are named; the others are counted.
const NAMED_ROWS: usize = 5;

/// A column of so many cells of text, and fewer numbers, is text: the rest of it need not be kept.
const TEXT: usize = 1000;

/// What a column is.
enum Column {
    Time,
    Phase,
    Cells(Cells),
    Text(Option<BadRow>),
}

/// A column of numbers, or one that may turn out to be text.
#[derive(Default)]
struct Cells {
    values: Vec<Option<f64>>,
    numbers: usize,
    broken: usize,
    /// The first broken ones.
    first: Vec<BadRow>,
    begins_with_number: bool,
}

impl Cells {
    /// Text has more text than numbers, and begins with it: a metric may begin broken, and a name may look like a number.
    fn is_text(&self) -> bool {
        !self.begins_with_number && self.broken > self.numbers
    }

    fn take(&mut self, cell: &[u8], name: &str, line: u64) {
        let seen = number(cell);
        self.values.push(seen.flatten());
        match seen {
            Some(Some(_)) => {
                self.begins_with_number |= self.broken == 0;
                self.numbers += 1;
            }
            Some(None) => {}
            None => {
                self.broken += 1;
                if self.first.len() < NAMED_ROWS {
                    let message = not_a_number(name, cell);
                    self.first.push(BadRow { line, message });
                }
            }
        }
    }
}

/// The table while it is read.
pub(super) struct Rows {
    pub(super) width: usize,
    names: Vec<String>,
    columns: Vec<Column>,
    time: TimeColumn,
    time_at: usize,
    phase_at: Option<usize>,
    in_order: bool,
    t_s: Vec<f64>,
    phase: Vec<Phase>,
    bad: Vec<BadRow>,
    bad_total: usize,
    pub(super) taken: usize,
}

impl Rows {
    pub(super) fn new(names: Vec<String>, options: &TableOptions) -> Result<Self, TableError> {
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
        let columns: Vec<Column> = names
            .iter()
            .enumerate()
            .map(|(i, name)| match name.as_str() {
                _ if i == time_at => Column::Time,
                "" => Column::Text(None),
                name if name.eq_ignore_ascii_case(samples_csv::PHASE) => Column::Phase,
                _ => Column::Cells(Cells::default()),
            })
            .collect();
        Ok(Self {
            width: names.len(),
            names,
            phase_at: columns.iter().position(|c| matches!(c, Column::Phase)),
            columns,
            time,
            time_at,
            in_order: options.in_order,
            t_s: Vec::new(),
            phase: Vec::new(),
            bad: Vec::new(),
            bad_total: 0,
            taken: 0,
        })
    }

    /// One row. What is broken in it is noted once; a row of another shape or without a time leaves no trace in the table.
    pub(super) fn take(&mut self, line: u64, row: &impl Row) {
        self.taken += 1;
        match self.stands(row) {
            Ok((t_s, _)) if self.in_order && self.t_s.last().is_some_and(|last| t_s <= *last) => {
                let last = self.t_s.last().copied().unwrap_or(0.0);
                let message = format!("its time, {t_s} s, is not later than {last} s of a row before it");
                self.broken(line, message);
            }
            Ok((t_s, phase)) => {
                for (at, column) in self.columns.iter_mut().enumerate() {
                    if let Column::Cells(cells) = column {
                        cells.take(row.cell(at).trim_ascii(), &self.names[at], line);
                        if cells.broken > TEXT && cells.is_text() {
                            *column = Column::Text(cells.first.first().cloned());
                        }
                    }
                }
                self.phase.push(phase);
                self.t_s.push(t_s);
            }
            Err(message) => self.broken(line, message),
        }
    }

    /// When the row is, if it is one.
    fn stands(&mut self, row: &impl Row) -> Result<(f64, Phase), String> {
        if row.width() != self.width {
            return Err(format!("{} cells where there should be {}", row.width(), self.width));
        }
        let phase = match self.phase_at {
            Some(at) => phase_of(row.cell(at).trim_ascii())?,
            None => Phase::Measure,
        };
        let name = &self.names[self.time_at];
        Ok((self.time.read(name, row.cell(self.time_at).trim_ascii())?, phase))
    }

    pub(super) fn broken(&mut self, line: u64, message: String) {
        self.bad_total += 1;
        if self.bad.len() < NAMED_ROWS {
            self.bad.push(BadRow { line, message });
        }
    }

    pub(super) fn finish(mut self) -> Result<Table, TableError> {
        let broken_whole = self.bad_total;
        let (mut names, mut columns, mut text) = (Vec::new(), Vec::new(), Vec::new());
        let mut broken_cells = BTreeMap::new();
        for (name, column) in self.names.into_iter().zip(self.columns) {
            match column {
                Column::Cells(cells) if cells.is_text() => {
                    text.extend(cells.first.into_iter().next().map(|b| (name, b)))
                }
                Column::Text(Some(first)) => text.push((name, first)),
                // A metric that was never seen stays in the table: that it is blind is the judge's to say.
                Column::Cells(cells) => {
                    if cells.broken > 0 {
                        self.bad_total += cells.broken;
                        self.bad.extend(cells.first);
                        broken_cells.insert(name.clone(), cells.broken);
                    }
                    names.push(name);
                    columns.push(cells.values);
                }
                Column::Time | Column::Phase | Column::Text(None) => {}
            }
        }
        self.bad.sort_by_key(|bad| bad.line);
        self.bad.truncate(NAMED_ROWS);
        if names.is_empty() {
            return Err(TableError::NoMetric);
        }
        Ok(Table {
            samples: Samples {
                t_s: self.t_s,
                phase: self.phase,
                names,
                columns,
            },
            broken: self.bad,
            broken_rows: self.bad_total.min(self.taken),
            broken_whole,
            broken_cells,
            text,
            rows: self.taken,
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
