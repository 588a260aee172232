//! Errors of run folders and tables. Each message names the file, and the line where there is one.

use std::path::{Path, PathBuf};

/// An error of reading or writing a run folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run's folder exists already.
    #[error("{} exists already: each run has a folder of its own", .0.display())]
    AlreadyExists(PathBuf),
    /// The folder has no `scenario.toml`.
    #[error("{} is not a run folder: it has no scenario.toml", .0.display())]
    NotARunFolder(PathBuf),
    /// The file system refused.
    #[error("failed to {action} {}", path.display())]
    Io {
        /// The attempted action: `read`, `write`, `create`, `remove`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A table is not usable.
    #[error("{}: {source}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: TableError,
    },
    /// A line of `events.jsonl` is not an event.
    #[error("{} line {line}: {source}", path.display())]
    Event {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The cause.
        source: serde_json::Error,
    },
    /// `result.json` is not a result.
    #[error("{}: {source}", path.display())]
    Result {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// A stored scenario is not valid.
    #[error("{} line {line}: {message}", path.display())]
    Scenario {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The first problem, and the number of others.
        message: String,
    },
    /// A sample has more values than the table has columns.
    #[error("a sample has {got} values, but {} has {want} columns", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// Columns of the table.
        want: usize,
        /// Values of the sample.
        got: usize,
    },
    /// A file of the report could not be rendered.
    #[error("failed to render {file}: {message}")]
    Render {
        /// The file.
        file: String,
        /// The cause.
        message: String,
    },
    /// A format needs timestamps, and the run has no record of its start.
    #[error("{} does not say when the run began, so its samples have no timestamps", .0.display())]
    NoStartTime(PathBuf),
}

impl Error {
    /// Returns a function for `map_err` that makes an error of the file system.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// Returns a function for `map_err` that makes an error of rendering.
    pub(crate) fn render<E: std::fmt::Display>(file: impl Into<String>) -> impl FnOnce(E) -> Self {
        let file = file.into();
        move |error| Self::Render {
            file,
            message: error.to_string(),
        }
    }
}

/// A report some of whose files are missing.
#[derive(Debug, thiserror::Error)]
#[error("{} could not be written", files(.file, .others))]
pub struct IncompleteReport {
    /// The first file that could not be written.
    pub file: String,
    /// The others.
    pub others: Vec<String>,
    /// The cause of the first.
    #[source]
    pub source: Error,
}

impl IncompleteReport {
    /// Returns an error if a file failed.
    pub(crate) fn unless_empty(failures: Vec<(String, Error)>) -> Result<(), Self> {
        let mut failures = failures.into_iter();
        match failures.next() {
            None => Ok(()),
            Some((file, source)) => Err(Self {
                file,
                others: failures.map(|(file, _)| file).collect(),
                source,
            }),
        }
    }
}

impl From<Error> for IncompleteReport {
    fn from(source: Error) -> Self {
        Self {
            file: "the run folder".into(),
            others: Vec::new(),
            source,
        }
    }
}

fn files(first: &str, others: &[String]) -> String {
    match others.len() {
        0 => first.to_owned(),
        1 => format!("{first} and {}", others[0]),
        n => format!("{first} and {n} more files"),
    }
}

/// A table that is not usable.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TableError {
    /// The file is empty.
    #[error("the table is empty: its first line must name the columns")]
    Empty,
    /// The first line is a row of numbers.
    #[error("line 1 has numbers where the names of the columns should be")]
    NoHeader,
    /// There is no time column, or not the requested one.
    #[error("no column of time: {hint} (the columns are {})", columns.join(", "))]
    NoTime {
        /// The remedy.
        hint: String,
        /// The columns that exist.
        columns: Vec<String>,
    },
    /// There are no numbers but the time.
    #[error("no column of numbers beside the time")]
    NoMetric,
    /// Two columns have the same name.
    #[error("two columns are called `{0}`")]
    DuplicateColumn(String),
    /// Rows are broken.
    #[error("{}", rows_message(.first, *.total))]
    Rows {
        /// The first broken rows.
        first: Vec<BadRow>,
        /// Number of broken rows.
        total: usize,
    },
}

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// The line, counted from 1 with the header.
    pub line: u64,
    /// The cause.
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
