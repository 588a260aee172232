//! Flow control between engine and client.

use tokio::time::Instant;

/// The way in which the engine's bytes flow to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Open,
    /// Nothing is read, so that the engine meets a client that does not read.
    Blocked,
    /// The head flows, then nothing.
    HeadThenBlock,
    /// The head flows, then the body ends cleanly.
    HeadThenEnd,
    /// The body ends cleanly at the next boundary between chunks.
    EndAtBoundary,
    /// The body ends within the next frame, but cleanly for HTTP.
    EndInFrame,
    /// One byte flows, not before this time.
    Drip(Instant),
    /// The connection is closed.
    Close,
    /// The connection is reset after half of the available bytes.
    Reset,
}

impl Flow {
    /// Reports whether bytes are read from the engine.
    pub(super) fn reads_engine(self) -> bool {
        match self {
            Self::Blocked => false,
            Self::Drip(at) => at <= Instant::now(),
            _ => true,
        }
    }

    /// Returns the rank by which one of several flows is chosen.
    pub(super) fn severity(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Drip(_) => 1,
            Self::EndInFrame => 2,
            Self::HeadThenBlock => 3,
            Self::Blocked => 4,
            Self::HeadThenEnd => 5,
            Self::EndAtBoundary => 6,
            Self::Reset => 7,
            Self::Close => 8,
        }
    }
}
