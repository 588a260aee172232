//! The collected problems of a scenario.

use crate::scenario::problem::Problem;

/// The problems found so far in a scenario.
pub(super) struct Findings<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl<'a> Findings<'a> {
    /// Starts without problems; `text` is the TOML that their places refer to.
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            problems: Vec::new(),
        }
    }

    /// Adds a problem of the value at `path`.
    pub(super) fn add(&mut self, path: &[&str], message: impl Into<String>, help: impl Into<Option<String>>) {
        self.problems.push(Problem::at(self.text, path, message, help));
    }

    /// Returns all problems in the order in which they were added.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}
