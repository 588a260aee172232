//! The judgement of a whole record: every limit by its statistic, and the run itself.

mod checkpoint;
mod context;
mod counter;
mod drained;
mod endpoint_rate;
mod engine_growth;
mod growth;
mod judge;
mod judged_part;
mod level;
mod limit;
mod limit_result;
mod lines;
mod metric;
mod net_growth;
mod rotations;
mod run;
mod spec;
mod stale_metrics;
mod summary;
#[cfg(test)]
mod tests;

pub use judge::{Judgement, certain_failures, final_analysis, judge, limit_results, needs_extension};
pub use summary::summarize;
