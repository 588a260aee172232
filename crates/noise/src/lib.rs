//! Lines at a pace, each stamped with who, which and how many.
//!
//! The same [`Emitter`] and [`Pace`] run inside a load container (`leakcheck noise`, [`run`]) and in the simulated
//! engine, so that a scenario makes the same noise on both.

mod emitter;
mod pace;
mod settings;
mod writer;

pub use emitter::Emitter;
pub use pace::Pace;
pub use settings::{Settings, SettingsError};
pub use writer::run;
