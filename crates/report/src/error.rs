//! What can go wrong with a run folder or a table; each message names the file, and the line where there is one.

use std::path::{Path, PathBuf};

/// A run folder that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run's folder is there already.
    #[error("{} exists already: each run has a folder of its own", .0.display())]
    Exists(PathBuf),
    /// The folder has no `scenario.toml`.
    #[error("{} is no run folder: it has no scenario.toml", .0.display())]
    NotARun(PathBuf),
    /// The file system refused.
    #[error("failed to {what} {}", path.display())]
    Io {
        /// What was tried: `read`, `write`, `create`.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A table that cannot be understood.
    #[error("{}: {source}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TableError,
    },
    /// A line of `events.jsonl` that is no event.
    #[error("{} line {line}: {source}", path.display())]
    Event {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// `result.json` that is no result.
    #[error("{}: {source}", path.display())]
    Result {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A stored scenario that does not read back.
    #[error("{} line {line}: {message}", path.display())]
    Scenario {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The first problem, and how many more there are.
        message: String,
    },
    /// A sample with more values than the table has columns.
    #[error("a sample has {got} values, but {} has {want} columns", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// Columns of the table.
        want: usize,
        /// Values of the sample.
        got: usize,
    },
    /// A format that could not be rendered.
    #[error("failed to render {what}: {message}")]
    Render {
        /// Which file.
        what: String,
        /// Why.
        message: String,
    },
    /// Samples without a wall clock, for a format that needs one.
    #[error("{} does not say when the run began, so its samples have no timestamps", .0.display())]
    NoClock(PathBuf),
}

impl Error {
    /// An error of the file system, to be made in `map_err`.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            what,
            path: path.to_owned(),
            source,
        }
    }

    /// A format that could not be rendered, to be made in `map_err`.
    pub(crate) fn render<E: std::fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self::Render {
            what,
            message: error.to_string(),
        }
    }
}

/// A table that cannot be understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TableError {
    /// Nothing in it.
    #[error("the table is empty: its first line must name the columns")]
    Empty,
    /// The first line is a row of numbers.
    #[error("line 1 has numbers where the names of the columns should be")]
    NoHeader,
    /// No column of time, or not the one that was asked for.
    #[error("no column of time: {hint} (the columns are {})", columns.join(", "))]
    NoTime {
        /// What to do.
        hint: String,
        /// Those there are.
        columns: Vec<String>,
    },
    /// Nothing but time.
    #[error("no column of numbers beside the time")]
    NoMetric,
    /// Two columns of one name.
    #[error("two columns are called `{0}`")]
    Twice(String),
    /// Rows that are no rows.
    #[error("{}", rows_message(.first, *.total))]
    Rows {
        /// The first of them.
        first: Vec<BadRow>,
        /// How many in all.
        total: usize,
    },
}

/// One row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Counted from 1, the line of names included.
    pub line: u64,
    /// What is wrong with it.
    pub message: String,
}

fn rows_message(first: &[BadRow], total: usize) -> String {
    let mut parts: Vec<String> = first
        .iter()
        .map(|r| format!("line {}: {}", r.line, r.message))
        .collect();
    if total > first.len() {
        parts.push(format!("and {} more broken rows", total - first.len()));
    }
    parts.join("; ")
}
