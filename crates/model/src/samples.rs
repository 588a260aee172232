//! The table of samples: one row per tick, one column per metric. A missing value is `None`, never zero.

use crate::event::Phase;

/// One row of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Seconds since the start of the run.
    pub t_s: f64,
    /// The phase of the run.
    pub phase: Phase,
    /// Values in the order of the table's columns.
    pub values: Vec<Option<f64>>,
}

/// All samples of a run, by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// Seconds since the start of the run, by row.
    pub t_s: Vec<f64>,
    /// Phase of the run, by row.
    pub phase: Vec<Phase>,
    /// Column names in file order.
    pub names: Vec<String>,
    /// Values by column and row; `columns[i]` belongs to `names[i]`.
    pub columns: Vec<Vec<Option<f64>>>,
}

impl Samples {
    /// Makes an empty table.
    #[must_use]
    pub fn new(names: Vec<String>) -> Self {
        let columns = vec![Vec::new(); names.len()];
        Self {
            t_s: Vec::new(),
            phase: Vec::new(),
            names,
            columns,
        }
    }

    /// Appends a row. Values beyond the columns are dropped; missing values become `None`.
    pub fn push(&mut self, sample: &Sample) {
        self.t_s.push(sample.t_s);
        self.phase.push(sample.phase);
        for (i, column) in self.columns.iter_mut().enumerate() {
            column.push(sample.values.get(i).copied().flatten());
        }
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.t_s.len()
    }

    /// Returns true if there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.t_s.is_empty()
    }

    /// Returns the column with this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&[Option<f64>]> {
        self.names
            .iter()
            .position(|n| n == name)
            .map(|i| self.columns[i].as_slice())
    }

    /// Returns times and values of a column in the phases that `wanted` selects, without missing values.
    pub fn series<'a>(
        &'a self,
        name: &str,
        wanted: impl Fn(Phase) -> bool + 'a,
    ) -> impl Iterator<Item = (f64, f64)> + 'a {
        let column = self.column(name).unwrap_or_default();
        let rows = column.iter().zip(&self.phase).zip(&self.t_s);
        rows.filter_map(move |((value, &phase), &t_s)| value.filter(|_| wanted(phase)).map(|value| (t_s, value)))
    }

    /// Returns the indices of the rows in the phases that `wanted` selects.
    pub fn rows(&self, wanted: impl Fn(Phase) -> bool) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(move |&i| wanted(self.phase[i]))
    }
}
