//! Writes and reads run folders and reports. Only this crate does; each format is a pure function to text or bytes.
//!
//! [`RunFolder`] is written during a run and read back afterwards. [`read_table`] reads any CSV file with a time column. Each
//! format is a module of its own, a function of the run's result and record.

pub mod chart;
pub mod csv;
pub mod error;
pub mod export;
pub mod figure;
pub mod folder;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod openmetrics;
pub mod table;
pub mod text;

#[cfg(test)]
mod tests;

pub use error::{BadRow, Error, IncompleteReport, TableError};
pub use export::{Format, export};
pub use folder::RunFolder;
pub use table::{Table, TableOptions, parse_table, read_table};
