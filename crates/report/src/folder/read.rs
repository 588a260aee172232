//! Reads a run folder, also that of a run that was killed in the middle of a line.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use leakcheck_model::{Event, Samples, Scenario};

use super::{EVENTS, RunFolder, SAMPLES, SCENARIO};
use crate::error::Error;
use crate::table::{Table, TableOptions, parse_table};

impl RunFolder {
    /// Reads scenario, samples and events. A run killed before its first sample has no samples.
    ///
    /// # Errors
    /// If a file cannot be read or is not valid; the message names file and line. A partial last line is not an error.
    pub fn read(&self) -> Result<(Scenario, Samples, Vec<Event>), Error> {
        Ok((self.read_scenario()?, self.read_samples()?, self.read_events()?))
    }

    /// Reads the text of `scenario.toml`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read_scenario_text(&self) -> Result<String, Error> {
        let path = self.path.join(SCENARIO);
        fs::read_to_string(&path).map_err(Error::io("read", &path))
    }

    fn read_scenario(&self) -> Result<Scenario, Error> {
        let text = self.read_scenario_text()?;
        Scenario::parse(&text).map_err(|problems| {
            let more = match problems.len() {
                0 | 1 => String::new(),
                n => format!(" (and {} more)", n - 1),
            };
            let first = problems.first();
            Error::Scenario {
                path: self.path.join(SCENARIO),
                line: first.map_or(1, |p| line_of(&text, p.span.start)),
                message: first.map_or_else(String::new, |p| p.message.clone()) + &more,
            }
        })
    }

    /// Reads the samples alone.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_samples(&self) -> Result<Samples, Error> {
        let path = self.path.join(SAMPLES);
        let bytes = complete_lines(&path)?;
        if bytes.is_empty() {
            return Ok(Samples::default());
        }
        parse_table(&bytes, &TableOptions::default())
            .and_then(Table::complete)
            .map_err(|source| Error::Table { path, source })
    }

    /// Reads the events alone.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_events(&self) -> Result<Vec<Event>, Error> {
        let path = self.path.join(EVENTS);
        let bytes = complete_lines(&path)?;
        bytes
            .split(|b| *b == b'\n')
            .enumerate()
            .filter(|(_, line)| !line.trim_ascii().is_empty())
            .map(|(i, line)| {
                serde_json::from_slice(line).map_err(|source| Error::Event {
                    path: path.clone(),
                    line: i + 1,
                    source,
                })
            })
            .collect()
    }
}

/// Reads the complete lines of a file; a missing file has none. Text after the last newline is a partial line, even if it looks
/// complete: `12` may have been `123`.
fn complete_lines(path: &Path) -> Result<Vec<u8>, Error> {
    match fs::read(path) {
        Ok(mut bytes) => {
            let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            bytes.truncate(end);
            Ok(bytes)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1
}
