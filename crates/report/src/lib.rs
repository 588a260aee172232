//! The only writer of reports: a format is a pure function to bytes.
//!
//! [`RunFolder`] writes a run's folder while the run goes on and reads it back; [`read_table`] reads any CSV with a column
//! of time. Each format is a module of its own: a function from the outcome and the record to text or bytes.

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
pub mod quantity;
pub mod table;
pub mod words;

#[cfg(test)]
mod example;
#[cfg(test)]
mod skip;

pub use error::{BadRow, Error, TableError};
pub use export::{Format, export};
pub use folder::RunFolder;
pub use table::{Table, TableOptions, parse_table, read_table};
