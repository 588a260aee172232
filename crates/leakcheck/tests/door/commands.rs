//! The commands beside `run`, as a user sees them: the built binary, its output and its exit codes.

mod bisect;
mod churn;
mod compare;
mod daemon;
mod hostile;
mod init;
mod killed_run;
mod load_image;
mod nothing_started;
mod plan;
mod stale_build;
mod targets;
mod terminal;
mod undisturbed;
mod watch;
mod whose_leak;
