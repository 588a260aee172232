//! A plan, walked over a stage: bring up, sample, drain, bring down; says what happens as events.
//!
//! [`run`] is the table of contents. Real and simulated engines are driven through the same Docker API client; the only
//! difference is the socket.

mod bring_down;
mod bring_up;
mod build;
pub mod container;
pub mod docker;
pub mod engine;
pub mod host;
mod image;
mod journal;
mod learn;
mod load;
mod load_plan;
mod measure;
mod open_files;
mod process;
mod program;
mod run;
mod scratch;
mod stage;
mod taken;
mod target;
mod traffic;
mod who;
mod wire;

pub use image::IMAGE_LABEL;
pub use journal::{Audience, Nobody, Notice};
pub use load::remove_all;
pub use load_plan::RUN_LABEL;
pub use open_files::{lower_open_files, raise_open_files};
pub use program::{ProgramError, startable};
pub use run::{Learn, Outcome, Request, RunError, run};
pub use scratch::{Scratch, remove_abandoned};
pub use taken::{Taken, unserved};
pub use target::LAST_WORDS;
pub use wire::second_wire;
