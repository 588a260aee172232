//! The folder of a run, `reports/SCENARIO/RUN_ID/`: written during the run, read back to judge it again.
//!
//! Each sample and each event is one `write` call of complete lines. A killed run keeps everything up to its last sample,
//! and at most one partial line, which is skipped when the folder is read.

mod read;
mod report;

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use leakcheck_model::{Event, RunResult, Sample};

use crate::csv;
use crate::error::Error;

pub use report::chart_path;

/// File of the scenario as run.
pub const SCENARIO: &str = "scenario.toml";
/// File of the samples.
pub const SAMPLES: &str = "samples.csv";
/// File of the events, one JSON object per line.
pub const EVENTS: &str = "events.jsonl";
/// File of the result, for scripts.
pub const RESULT: &str = "result.json";
/// File of the summary, for people.
pub const SUMMARY: &str = "summary.md";
/// File of the test cases, for CI systems.
pub const JUNIT: &str = "junit.xml";
/// File of the interactive report.
pub const HTML: &str = "report.html";
/// Folder of the charts.
pub const CHARTS: &str = "charts";
/// File of the target's output.
pub const TARGET_LOG: &str = "target.log";
/// File of the traffic program's output.
pub const TRAFFIC_LOG: &str = "traffic.log";

/// The folder of a run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    samples: Option<(File, usize)>,
    events: Option<File>,
    line: Vec<u8>,
}

impl RunFolder {
    /// Removes the folder of a run that is not worth keeping.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn discard(self) -> Result<(), Error> {
        fs::remove_dir_all(&self.path).map_err(Error::io("remove", &self.path))?;
        // Fails, and may fail, if the scenario's folder holds other runs.
        if let Some(parent) = self.path.parent() {
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }

    /// Creates `ROOT/SCENARIO/RUN_ID/`.
    ///
    /// # Errors
    /// If it exists or cannot be created.
    pub fn create(root: &Path, scenario: &str, run_id: &str) -> Result<Self, Error> {
        let parent = root.join(scenario);
        let path = parent.join(run_id);
        fs::create_dir_all(&parent).map_err(Error::io("create", &parent))?;
        match fs::create_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(Error::AlreadyExists(path)),
            other => other.map_err(Error::io("create", &path))?,
        }
        Ok(Self::at(path))
    }

    /// Opens the folder of an earlier run.
    ///
    /// # Errors
    /// If `path` is not a run folder.
    pub fn open(path: &Path) -> Result<Self, Error> {
        fs::read_dir(path).map_err(Error::io("read", path))?;
        if !path.join(SCENARIO).is_file() {
            return Err(Error::NotARunFolder(path.to_owned()));
        }
        Ok(Self::at(path.to_owned()))
    }

    fn at(path: PathBuf) -> Self {
        Self {
            path,
            samples: None,
            events: None,
            line: Vec::new(),
        }
    }

    /// Returns the path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the target's output.
    #[must_use]
    pub fn target_log(&self) -> PathBuf {
        self.path.join(TARGET_LOG)
    }

    /// Returns the path of the traffic program's output.
    #[must_use]
    pub fn traffic_log(&self) -> PathBuf {
        self.path.join(TRAFFIC_LOG)
    }

    /// Writes `scenario.toml`: the scenario as run, with every default.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_scenario(&self, toml: &str) -> Result<(), Error> {
        self.write(SCENARIO, toml.as_bytes())
    }

    /// Begins `samples.csv` with the names of its columns.
    ///
    /// # Errors
    /// If it was begun before or cannot be written.
    pub fn begin_samples(&mut self, names: &[String]) -> Result<(), Error> {
        let path = self.path.join(SAMPLES);
        let mut file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(Error::io("create", &path))?;
        file.write_all(&csv::header(names)).map_err(Error::io("write", &path))?;
        self.samples = Some((file, names.len()));
        Ok(())
    }

    /// Appends a row immediately. Values missing at its end become empty cells.
    ///
    /// # Errors
    /// If the sample has more values than columns, the file was not begun, or it cannot be written.
    pub fn append_sample(&mut self, sample: &Sample) -> Result<(), Error> {
        let path = self.path.join(SAMPLES);
        let Some((file, columns)) = &mut self.samples else {
            let not_begun = std::io::Error::other("its columns are not known yet");
            return Err(Error::io("write", &path)(not_begun));
        };
        let (want, got) = (*columns, sample.values.len());
        if got > want {
            return Err(Error::Columns { path, want, got });
        }
        self.line.clear();
        csv::push_row(&mut self.line, sample);
        if got < want {
            self.line.pop();
            self.line.extend(std::iter::repeat_n(b',', want - got));
            self.line.push(b'\n');
        }
        file.write_all(&self.line).map_err(Error::io("write", &path))
    }

    /// Appends a line to `events.jsonl` immediately.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append_event(&mut self, event: &Event) -> Result<(), Error> {
        let path = self.path.join(EVENTS);
        self.line.clear();
        serde_json::to_writer(&mut self.line, event).map_err(Error::render(EVENTS))?;
        self.line.push(b'\n');
        let file = match &mut self.events {
            Some(file) => file,
            None => {
                let opened = OpenOptions::new().append(true).create(true).open(&path);
                self.events.insert(opened.map_err(Error::io("create", &path))?)
            }
        };
        file.write_all(&self.line).map_err(Error::io("write", &path))
    }

    /// Reads `result.json`.
    ///
    /// # Errors
    /// If it does not exist or is not valid.
    pub fn read_result(&self) -> Result<RunResult, Error> {
        let path = self.path.join(RESULT);
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        serde_json::from_str(&text).map_err(|source| Error::Result { path, source })
    }

    /// Replaces a file atomically: a reader sees the old one or the new one, never a part.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path.join(name);
        let mut partial = path.clone().into_os_string();
        partial.push(".part");
        let partial = PathBuf::from(partial);
        fs::write(&partial, bytes).map_err(Error::io("write", &partial))?;
        fs::rename(&partial, &path).map_err(Error::io("write", &path))
    }
}

#[cfg(test)]
mod tests;
