//! A command that ends without a result: its message and its exit code.

use std::process::ExitCode;

use leakcheck_model::error_chain;

use crate::exit_code::Exit;
use crate::style;

/// An error message with the exit code that it leads to.
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// A usage or scenario error.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
        }
    }

    /// A problem of the machine or the engine that prevents a verdict.
    pub(crate) fn no_verdict(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::NoVerdict,
            message: message.into(),
        }
    }

    /// The message.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Prints the message and returns the exit code.
    pub(crate) fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            let (bad, plain) = (style::BAD, style::PLAIN);
            style::print_line(&format!("{bad}error{plain}: {}", self.message.trim_end()));
        }
        self.exit.into()
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::usage(error_chain(error.as_ref()))
    }
}
