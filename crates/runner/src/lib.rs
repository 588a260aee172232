//! A plan, walked over a stage: bring up, sample, drain, bring down; says what happens as events.
//!
//! [`run`] is the table of contents. Real and simulated engines are driven through the same Docker API client; the only
//! difference is the socket.

mod bring_down;
mod bring_up;
mod build;
pub mod docker;
pub mod engine;
pub mod host;
mod image;
mod journal;
mod learn;
mod load;
mod load_plan;
mod measure;
mod process;
mod run;
mod stage;
mod target;
mod who;
mod wire;

pub use image::IMAGE_LABEL;
pub use journal::{Audience, Nobody, Notice};
pub use load::remove_all;
pub use load_plan::RUN_LABEL;
pub use run::{Learn, Outcome, Request, RunError, run};
