//! Builds a table row by row: classifies columns and collects broken cells.

use std::collections::BTreeMap;

use csv::ByteRecord;
use leakcheck_model::{Phase, Samples};

use super::number::number;
use super::parsed::{Table, TableOptions};
use super::time::TimeColumn;
use crate::csv::PHASE;
use crate::error::{BadRow, TableError};

/// Number of broken rows that are named; the others are counted.
const NAMED_ROWS: usize = 5;

/// From this many cells of text on, a column of mostly text is no longer kept.
const TEXT_CELLS: usize = 1000;

/// The role of a column.
enum Column {
    Time,
    Phase,
    Numbers(NumberColumn),
    Text(Option<BadRow>),
}

/// A column of numbers, or one that may turn out to be text.
#[derive(Default)]
struct NumberColumn {
    values: Vec<Option<f64>>,
    numbers: usize,
    broken: usize,
    first_broken: Vec<BadRow>,
    begins_with_number: bool,
}

impl NumberColumn {
    /// Returns true for a column of text: it begins with text and has more text than numbers. The first cells of a metric may be
    /// broken, and a name may look like a number.
    fn is_text(&self) -> bool {
        !self.begins_with_number && self.broken > self.numbers
    }

    fn push(&mut self, cell: &[u8], name: &str, line: u64) {
        let parsed = number(cell);
        self.values.push(parsed.flatten());
        match parsed {
            Some(None) => {}
            Some(Some(_)) => {
                self.begins_with_number |= self.broken == 0;
                self.numbers += 1;
            }
            None => {
                self.broken += 1;
                if self.first_broken.len() < NAMED_ROWS {
                    let message = not_a_number(name, cell);
                    self.first_broken.push(BadRow { line, message });
                }
            }
        }
    }
}

/// The table under construction.
pub(super) struct TableBuilder {
    names: Vec<String>,
    columns: Vec<Column>,
    time: TimeColumn,
    time_at: usize,
    phase_at: Option<usize>,
    increasing_time: bool,
    t_s: Vec<f64>,
    phase: Vec<Phase>,
    broken: Vec<BadRow>,
    broken_total: usize,
    rows: usize,
}

impl TableBuilder {
    pub(super) fn new(names: Vec<String>, options: &TableOptions) -> Result<Self, TableError> {
        if names.iter().all(String::is_empty) {
            return Err(TableError::Empty);
        }
        if names.iter().all(|n| n.parse::<f64>().is_ok()) {
            return Err(TableError::NoHeader);
        }
        for (i, name) in names.iter().enumerate() {
            if !name.is_empty() && names[..i].contains(name) {
                return Err(TableError::DuplicateColumn(name.clone()));
            }
        }
        let (time_at, time) = TimeColumn::find(&names, options.time.as_deref())?;
        let columns: Vec<Column> = names
            .iter()
            .enumerate()
            .map(|(i, name)| match name.as_str() {
                _ if i == time_at => Column::Time,
                "" => Column::Text(None),
                name if name.eq_ignore_ascii_case(PHASE) => Column::Phase,
                _ => Column::Numbers(NumberColumn::default()),
            })
            .collect();
        Ok(Self {
            names,
            phase_at: columns.iter().position(|c| matches!(c, Column::Phase)),
            columns,
            time,
            time_at,
            increasing_time: options.increasing_time,
            t_s: Vec::new(),
            phase: Vec::new(),
            broken: Vec::new(),
            broken_total: 0,
            rows: 0,
        })
    }

    /// Returns the number of columns.
    pub(super) fn width(&self) -> usize {
        self.names.len()
    }

    /// Adds one row. A row of another width or without a time is reported and left out; a broken cell is a missing value.
    pub(super) fn add_row(&mut self, line: u64, row: &ByteRecord) {
        let (t_s, phase) = match self.time_and_phase(row) {
            Ok(found) => found,
            Err(message) => return self.add_unreadable_row(line, message),
        };
        if let Some(last) = self.t_s.last().filter(|last| self.increasing_time && t_s <= **last) {
            let message = format!("its time, {t_s} s, is not later than {last} s of a row before it");
            return self.add_unreadable_row(line, message);
        }
        self.rows += 1;
        for ((column, cell), name) in self.columns.iter_mut().zip(row).zip(&self.names) {
            if let Column::Numbers(numbers) = column {
                numbers.push(cell.trim_ascii(), name, line);
                if numbers.broken > TEXT_CELLS && numbers.is_text() {
                    *column = Column::Text(numbers.first_broken.first().cloned());
                }
            }
        }
        self.t_s.push(t_s);
        self.phase.push(phase);
    }

    /// Counts a row that nothing of is kept.
    pub(super) fn add_unreadable_row(&mut self, line: u64, message: String) {
        self.rows += 1;
        self.broken_total += 1;
        if self.broken.len() < NAMED_ROWS {
            self.broken.push(BadRow { line, message });
        }
    }

    fn time_and_phase(&mut self, row: &ByteRecord) -> Result<(f64, Phase), String> {
        if row.len() != self.width() {
            return Err(format!("{} cells where there should be {}", row.len(), self.width()));
        }
        let phase = match self.phase_at {
            Some(at) => phase_of(row[at].trim_ascii())?,
            None => Phase::Measure,
        };
        let name = &self.names[self.time_at];
        Ok((self.time.read(name, row[self.time_at].trim_ascii())?, phase))
    }

    pub(super) fn finish(mut self) -> Result<Table, TableError> {
        let omitted_rows = self.broken_total;
        let (mut names, mut columns, mut text) = (Vec::new(), Vec::new(), Vec::new());
        let mut broken_cells = BTreeMap::new();
        for (name, column) in self.names.into_iter().zip(self.columns) {
            match column {
                Column::Numbers(cells) if cells.is_text() => {
                    text.extend(cells.first_broken.into_iter().next().map(|b| (name, b)))
                }
                Column::Text(Some(first)) => text.push((name, first)),
                // A metric without any value stays in the table: the judge reports it.
                Column::Numbers(cells) => {
                    if cells.broken > 0 {
                        self.broken_total += cells.broken;
                        self.broken.extend(cells.first_broken);
                        broken_cells.insert(name.clone(), cells.broken);
                    }
                    names.push(name);
                    columns.push(cells.values);
                }
                Column::Time | Column::Phase | Column::Text(None) => {}
            }
        }
        self.broken.sort_by_key(|row| row.line);
        self.broken.truncate(NAMED_ROWS);
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
            broken: self.broken,
            broken_rows: self.broken_total.min(self.rows),
            omitted_rows,
            broken_cells,
            text,
            rows: self.rows,
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
    let name = std::str::from_utf8(cell).ok().and_then(Phase::from_name);
    name.ok_or_else(|| {
        format!(
            "`{}` is not a phase: there are idle, launch, warm-up, measure, extend and drain",
            String::from_utf8_lossy(cell)
        )
    })
}
