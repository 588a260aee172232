//! End-to-end tests: whole runs of the built executable, on the real engine and with real programs.
//!
//! One test binary, so that tests that mostly wait run side by side.

mod bisect;
mod chaos;
mod churn;
mod daemon;
mod engine;
mod engine_growth;
mod examples;
mod harness;
mod hostile_metrics;
mod init;
mod integrations;
mod load_image;
mod origins;
mod preflight;
mod readme;
mod retry;
mod skip;
mod stale_build;
mod targets;
mod terminal;
mod watch;
mod whole_run;
