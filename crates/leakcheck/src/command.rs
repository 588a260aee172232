//! The commands. They share code through the modules beside this one, and do not know the list of commands.

pub(crate) mod capture;
pub(crate) mod chaos;
pub(crate) mod check;
pub(crate) mod clean;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod die_with_parent;
pub(crate) mod doctor;
pub(crate) mod engine;
pub(crate) mod explain;
mod hints;
pub(crate) mod init;
pub(crate) mod judge;
pub(crate) mod leaky_target;
pub(crate) mod noise;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod selftest;
pub(crate) mod trace_target;
pub(crate) mod watch;
