//! Paced log lines, each with a stamp of run, emitter and sequence number.
//!
//! Load containers (`leakcheck noise`, [`run`]) and the simulated engine use the same [`Emitter`] and [`Pace`], so a
//! scenario has the same load on both.

mod emitter;
mod pace;
mod settings;
mod writer;

pub use emitter::Emitter;
pub use pace::Pace;
pub use settings::{Settings, SettingsError};
pub use writer::run;
