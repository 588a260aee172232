//! A fault-injection proxy: a Unix socket in front of any Docker engine that breaks log and event streams on purpose.
//!
//! It forwards bytes unchanged and reads only what it must: the heads of requests, to find the connection of each
//! container's log, and the sizes of chunks, to find places where a stream can be cut.

mod context;
mod event;
mod fault_schedule;
mod hit_counter;
mod http;
mod identity;
mod proxy;
mod relay;
mod script;
mod selection;
mod socket_guard;

pub use event::{FaultEvent, FaultPhase, ProxyEvent};
pub use proxy::{Proxy, StartHandle};
pub use script::{FaultScript, ScriptError};
pub use socket_guard::BindError;
