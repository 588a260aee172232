//! Tests of followers on a scripted engine with a paused clock, so that hours pass in milliseconds.

mod end_of_log;
mod lifecycle;
mod random_schedules;
