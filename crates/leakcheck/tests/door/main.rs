//! leakcheck as a user sees it: the built binary, its output, its exit codes, its files. One binary, so that tests that
//! mostly wait can wait together.

mod aloud;
mod chaos;
mod commands;
mod engines;
mod examples;
mod main_job;
mod outlets;
mod paper;
mod stand;
