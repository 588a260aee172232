//! Shared parts of the tests: a sample run for every format, and skipping without a tool.

pub(crate) mod sample_run;
pub(crate) mod skip;
