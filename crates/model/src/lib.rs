//! The shared words: scenario, units, samples, the stamp of a noise line, record and verdict.
//!
//! It lies under all other rooms, so it has no I/O, no clock, no async and no randomness: what is computed here
//! from the same input is always the same.

pub mod error_chain;
pub mod event;
pub mod facts;
pub mod limit;
pub mod lines;
pub mod record;
pub mod result;
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
pub use record::Record;
pub use result::RunResult;
pub use samples::{Sample, Samples};
pub use scenario::Scenario;
pub use stamp::Stamp;
pub use units::{Bytes, HumanDuration};
pub use verdict::{Reason, ReasonCode, Verdict};
