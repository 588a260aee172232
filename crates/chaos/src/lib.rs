//! A Unix-socket proxy in front of any Docker engine that breaks log and event streams on purpose.
//!
//! It forwards bytes and understands no more of them than it must: the heads of requests, to know which connection
//! carries which container's log, and the sizes of chunks, to know where a stream can be cut. Without a fault nothing is
//! changed, held back or copied twice.

mod choice;
mod identity;
mod listen;
mod plan;
mod proxy;
mod relay;
mod tally;
mod weather;

pub use plan::{Arguments, Plan, ScriptError};
pub use proxy::{ChaosError, Proxy, Starter};
pub use weather::{FaultEvent, News};
