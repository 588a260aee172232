//! The command line without waiting: output, exit codes and files of commands that measure nothing.

mod capture;
mod compare;
#[path = "../../../../tests/e2e/daemon.rs"]
mod daemon;
mod die_with_parent;
mod docs;
mod errors;
mod export;
mod harness;
mod judge;
mod live_report;
mod man_pages;
mod plan;
mod scenarios;
#[path = "../../../../tests/e2e/skip.rs"]
mod skip;
mod usage;
