//! Domain types: scenario, units, samples, events, stamped lines, run record and verdict.
//!
//! The lowest layer. It has no I/O, no clock, no async code and no randomness, so the same input gives the same result.

pub mod error_chain;
pub mod event;
pub mod facts;
pub mod format;
pub mod limit;
pub mod lines;
pub mod metric;
pub mod origins;
pub mod record;
pub mod result;
pub mod run_plan;
pub mod samples;
pub mod scenario;
pub mod stamp;
pub mod suggest;
pub mod units;
pub mod verdict;

pub use error_chain::error_chain;
pub use event::{Event, EventKind, Phase};
pub use facts::Facts;
pub use limit::{Bound, Comparison, Limit, Statistic};
pub use lines::LineCounts;
pub use metric::MetricInfo;
pub use record::Record;
pub use result::RunResult;
pub use run_plan::RunPlan;
pub use samples::{Sample, Samples};
pub use scenario::Scenario;
pub use stamp::Stamp;
pub use units::{Bytes, HumanDuration, Unit};
pub use verdict::{Reason, ReasonCode, Verdict};
