//! What a target exposes at /metrics: Prometheus text and OpenMetrics, read for the few series that are wanted.
//!
//! Nothing is built that grows with the exposition: each line is parsed in place, compared with the wanted series and
//! forgotten. Published parsers either drop lines in silence (blanks round labels, quoted names) or lose the whole scrape
//! for one bad line; this one counts what it could not read.

pub use names::names;
pub use scan::{LINE_BYTES, SERIES, Scan, Scanned};
pub use selector::Selector;

mod line;
mod names;
mod scan;
mod selector;
