//! Attribution of a leak: the resources of a process by kind and peer, at two points in time, and their growth in a sentence.
//!
//! A [`Snapshot`] costs about 10 µs for each file descriptor and never stops the process. It blocks, so an async caller
//! takes it on a blocking thread.

pub use group::{FdGroup, Groups};
pub use snapshot::{MAX_FDS, Snapshot};
pub use tasks::fetch as fetch_tasks;
pub use timeline::{GrowthContext, GrowthPeriod};

mod difference;
mod fds;
mod group;
mod memory;
mod sentence;
mod snapshot;
mod sockets;
mod tasks;
mod threads;
mod timeline;
