//! The rows of a table while they are read: which column is what, and what is broken.

use std::collections::BTreeMap;

use leakcheck_model::{Phase, Samples};

use super::number::{leading, number};
use super::row::{Row, begin};
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

    fn push(&mut self, seen: Option<f64>) {
        self.values.push(seen);
        if seen.is_some() {
            self.begins_with_number |= self.broken == 0;
            self.numbers += 1;
        }
    }

    /// Takes what was read ahead of it, in which nothing is broken.
    fn append(&mut self, ahead: Self) {
        self.values.extend(ahead.values);
        self.begins_with_number |= self.broken == 0 && ahead.numbers > 0;
        self.numbers += ahead.numbers;
    }

    fn take(&mut self, cell: &[u8], name: &str, line: u64) {
        let seen = number(cell);
        self.push(seen.flatten());
        if seen.is_none() {
            self.broken += 1;
            if self.first.len() < NAMED_ROWS {
                let message = not_a_number(name, cell);
                self.first.push(BadRow { line, message });
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
    /// Time of the last row; `None` before the first, which tells what times are.
    last_s: Option<f64>,
    t_s: Vec<f64>,
    phase: Vec<Phase>,
    bad: Vec<BadRow>,
    bad_total: usize,
    pub(super) taken: usize,
    /// The cells of one row, until nothing is wrong with any of them.
    seen: Vec<Option<f64>>,
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
            last_s: None,
            t_s: Vec::new(),
            phase: Vec::new(),
            bad: Vec::new(),
            bad_total: 0,
            taken: 0,
            seen: Vec::new(),
        })
    }

    /// Whether a row has told what times are: then rows can be read ahead of those before them.
    pub(super) fn is_begun(&self) -> bool {
        self.last_s.is_some()
    }

    /// The same table for rows that are read ahead: none yet.
    pub(super) fn ahead(&self) -> Self {
        let empty = |column: &Column| match column {
            Column::Time => Column::Time,
            Column::Phase => Column::Phase,
            Column::Cells(_) => Column::Cells(Cells::default()),
            Column::Text(_) => Column::Text(None),
        };
        Self {
            names: self.names.clone(),
            columns: self.columns.iter().map(empty).collect(),
            time: self.time.clone(),
            last_s: Some(f64::NEG_INFINITY),
            t_s: Vec::new(),
            phase: Vec::new(),
            bad: Vec::new(),
            seen: Vec::new(),
            bad_total: 0,
            taken: 0,
            ..*self
        }
    }

    /// Takes rows that were read ahead, in which nothing is broken, and says whether they are still right: their times may turn
    /// out not to be later.
    pub(super) fn append(&mut self, ahead: Self) -> bool {
        if self.in_order && ahead.t_s.first().copied() <= self.last_s {
            return ahead.t_s.is_empty();
        }
        for (column, ahead) in self.columns.iter_mut().zip(ahead.columns) {
            if let (Column::Cells(cells), Column::Cells(ahead)) = (column, ahead) {
                cells.append(ahead);
            }
        }
        self.last_s = ahead.t_s.last().copied().or(self.last_s);
        self.t_s.extend(ahead.t_s);
        self.phase.extend(ahead.phase);
        self.taken += ahead.taken;
        true
    }

    /// Takes the row that a text without quotes begins with, and says how long it is; `None`, and nothing happened, if anything is
    /// wrong with it, if it has no end, or if it is the first. What [`Self::take`] does, without cutting it into cells first.
    pub(super) fn take_sound(&mut self, text: &[u8], delimiter: u8) -> Option<usize> {
        let last_s = self.last_s?;
        let (mut t_s, mut phase, mut at) = (last_s, Phase::Measure, 0);
        self.seen.clear();
        for (i, column) in self.columns.iter().enumerate() {
            let text = &text[at..];
            let end = if i + 1 == self.width { b'\n' } else { delimiter };
            let (decimal, cell) = match leading(text) {
                Some((value, length)) if text.get(length) == Some(&end) => (Some(value), &text[..length]),
                _ => (None, begin(text, delimiter, end)?),
            };
            at += cell.len() + 1;
            match column {
                Column::Cells(_) => self.seen.push(match decimal {
                    Some(value) => Some(value),
                    None => number(cell.trim_ascii())?,
                }),
                Column::Time => {
                    t_s = match decimal.and_then(|number| self.time.seconds(number)) {
                        Some(t_s) => t_s,
                        None => self.time.read(&self.names[i], cell.trim_ascii()).ok()?,
                    }
                }
                Column::Phase => phase = phase_of(cell.trim_ascii()).ok()?,
                Column::Text(_) => {}
            }
        }
        if self.in_order && t_s <= last_s {
            return None;
        }
        let cells = self.columns.iter_mut().filter_map(|column| match column {
            Column::Cells(cells) => Some(cells),
            _ => None,
        });
        cells.zip(&self.seen).for_each(|(cells, &seen)| cells.push(seen));
        self.push(t_s, phase);
        self.taken += 1;
        Some(at)
    }

    fn push(&mut self, t_s: f64, phase: Phase) {
        self.t_s.push(t_s);
        self.phase.push(phase);
        self.last_s = Some(t_s);
    }

    /// One row. What is broken in it is noted once; a row of another shape or without a time leaves no trace in the table.
    pub(super) fn take(&mut self, line: u64, row: &impl Row) {
        self.taken += 1;
        match self.stands(row) {
            Ok((t_s, _)) if self.in_order && self.last_s.is_some_and(|last| t_s <= last) => {
                let last = self.last_s.unwrap_or(0.0);
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
                self.push(t_s, phase);
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
