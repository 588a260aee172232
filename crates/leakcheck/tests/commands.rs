//! The commands beside `run`, as a user sees them: the built binary, its output and its exit codes. One binary, so that
//! tests that mostly wait can wait together.

#[path = "commands/bisect.rs"]
mod bisect;
#[path = "commands/compare.rs"]
mod compare;
#[path = "commands/killed_run.rs"]
mod killed_run;
#[path = "commands/plan.rs"]
mod plan;
#[path = "commands/watch.rs"]
mod watch;
