//! Errors of sinks.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// A sink that could not start.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The thread or its runtime could not be started.
    #[error("failed to start the thread of the sink")]
    Thread(#[source] std::io::Error),
    /// The HTTP client could not be created.
    #[error("failed to create the HTTP client of the sink")]
    HttpClient(#[source] reqwest::Error),
    /// A file or folder of the sink could not be used.
    #[error("failed to {what} {}", path.display())]
    File {
        /// The operation, as a verb.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// Another daemon uses the folder. Two would overwrite each other's positions.
    #[error("output folder {} is in use by another daemon", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A position file is broken or has an unknown version.
    #[error("position file {} is broken; remove it to deliver everything that the engine retains again", path.display())]
    Positions {
        /// The file.
        path: PathBuf,
        /// The error in its text.
        source: serde_json::Error,
    },
}

/// An error with its causes on one line, for log messages.
pub(crate) struct ErrorChain<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
