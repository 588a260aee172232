//! The table of samples: a row a tick, a column a metric; what was not seen is `None`, never zero.

use crate::event::Phase;

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Seconds since the run began.
    pub t_s: f64,
    /// What the run was doing.
    pub phase: Phase,
    /// One value for each column of the table, in the table's order.
    pub values: Vec<Option<f64>>,
}

/// All rows of a run, by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// Seconds since the run began, one for each row.
    pub t_s: Vec<f64>,
    /// What the run was doing, one for each row.
    pub phase: Vec<Phase>,
    /// Column names in file order.
    pub names: Vec<String>,
    /// `columns[i]` belongs to `names[i]` and has one value for each row.
    pub columns: Vec<Vec<Option<f64>>>,
}

impl Samples {
    /// An empty table with these columns.
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

    /// Appends a row; values beyond the table's columns are dropped, missing ones are `None`.
    pub fn push(&mut self, sample: &Sample) {
        self.t_s.push(sample.t_s);
        self.phase.push(sample.phase);
        for (i, column) in self.columns.iter_mut().enumerate() {
            column.push(sample.values.get(i).copied().flatten());
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.t_s.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.t_s.is_empty()
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&[Option<f64>]> {
        self.names
            .iter()
            .position(|n| n == name)
            .map(|i| self.columns[i].as_slice())
    }

    /// Times and values of a column in the rows whose phase is wanted; rows without a value are left out.
    pub fn series<'a>(
        &'a self,
        name: &str,
        wanted: impl Fn(Phase) -> bool + 'a,
    ) -> impl Iterator<Item = (f64, f64)> + 'a {
        let column = self.column(name).unwrap_or_default();
        let rows = column.iter().zip(&self.phase).zip(&self.t_s);
        rows.filter_map(move |((value, &phase), &t_s)| value.filter(|_| wanted(phase)).map(|value| (t_s, value)))
    }

    /// The rows whose phase is wanted, as indices.
    pub fn rows(&self, wanted: impl Fn(Phase) -> bool) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(move |&i| wanted(self.phase[i]))
    }
}
