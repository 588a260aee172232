//! Runs a scenario: set-up, sampling, drain, teardown. Everything that happens is recorded as events.
//!
//! [`run`] is the table of contents. Real and simulated engines are driven through the same Docker API client.

mod abort;
mod attribution;
mod autodetect;
mod build;
pub mod container;
mod context;
pub mod docker;
pub mod engine;
pub mod engine_address;
mod fault_proxy;
mod image;
mod load;
mod load_plan;
mod measure;
mod observer;
mod port_conflict;
mod process;
mod program;
mod recorder;
mod rlimit;
mod run;
mod run_info;
mod sampling;
mod scratch;
mod setup;
mod target;
mod target_env;
mod teardown;
mod traffic;

pub use autodetect::Autodetect;
pub use image::IMAGE_LABEL;
pub use load::remove_containers;
pub use load_plan::RUN_LABEL;
pub use observer::{NoopObserver, RunObserver, Update};
pub use port_conflict::{PortConflict, check_ports_free};
pub use process::LOG_TAIL_INTRO;
pub use program::{ProgramError, check_program};
pub use rlimit::{lower_open_files, raise_open_files};
pub use run::{Outcome, Request, RunError, run};
pub use scratch::{Scratch, ScratchError, remove_abandoned_scratch};
