//! A run's folder, `reports/SCENARIO/RUN_ID/`: written while the run goes on, read by whoever judges it again.
//!
//! Each sample and each event is one `write` call of whole lines, so a run that is killed leaves everything up to its
//! last tick, and at worst half a line after it, which reading leaves out.

mod read;
mod report;

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use leakcheck_model::{Event, RunResult, Sample};

use crate::csv;
use crate::error::Error;

pub use report::chart_path;

/// The scenario as run.
pub const SCENARIO: &str = "scenario.toml";
/// The table of samples.
pub const SAMPLES: &str = "samples.csv";
/// What happened, one JSON object a line.
pub const EVENTS: &str = "events.jsonl";
/// The outcome, for scripts.
pub const RESULT: &str = "result.json";
/// The outcome, for people.
pub const SUMMARY: &str = "summary.md";
/// The outcome, for CI systems.
pub const JUNIT: &str = "junit.xml";
/// The outcome, to look at.
pub const HTML: &str = "report.html";
/// The folder of the pictures.
pub const CHARTS: &str = "charts";
/// What the target said.
pub const TARGET_LOG: &str = "target.log";
/// Output of the traffic's program.
pub const TRAFFIC_LOG: &str = "traffic.log";

/// A run's folder.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    samples: Option<(File, usize)>,
    events: Option<File>,
    line: Vec<u8>,
}

impl RunFolder {
    /// Removes the folder of a run that came to nothing.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn discard(self) -> Result<(), Error> {
        fs::remove_dir_all(&self.path).map_err(Error::io("remove", &self.path))?;
        // The scenario's own folder goes too if this was its only run; it stays, with an error, if not.
        if let Some(parent) = self.path.parent() {
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }

    /// Makes `ROOT/SCENARIO/RUN_ID/`.
    ///
    /// # Errors
    /// If it exists, or cannot be made.
    pub fn create(root: &Path, scenario: &str, run_id: &str) -> Result<Self, Error> {
        let parent = root.join(scenario);
        let path = parent.join(run_id);
        fs::create_dir_all(&parent).map_err(Error::io("create", &parent))?;
        match fs::create_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(Error::Exists(path)),
            other => other.map_err(Error::io("create", &path))?,
        }
        Ok(Self::at(path))
    }

    /// The folder of an earlier run.
    ///
    /// # Errors
    /// If there is none at `path`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        fs::read_dir(path).map_err(Error::io("read", path))?;
        if !path.join(SCENARIO).is_file() {
            return Err(Error::NotARun(path.to_owned()));
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

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the target's own output goes.
    #[must_use]
    pub fn target_log(&self) -> PathBuf {
        self.path.join(TARGET_LOG)
    }

    /// Where the output of the traffic's program goes.
    #[must_use]
    pub fn traffic_log(&self) -> PathBuf {
        self.path.join(TRAFFIC_LOG)
    }

    /// Writes `scenario.toml`: the scenario as run, every default filled in.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_scenario(&self, toml: &str) -> Result<(), Error> {
        self.write(SCENARIO, toml.as_bytes())
    }

    /// Begins `samples.csv` with the names of its columns.
    ///
    /// # Errors
    /// If it was begun already, or cannot be written.
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

    /// Appends a row, at once. Values that the sample lacks at its end are empty cells.
    ///
    /// # Errors
    /// If it has more values than there are columns, if nothing was begun, or if it cannot be written.
    pub fn append_sample(&mut self, sample: &Sample) -> Result<(), Error> {
        let path = self.path.join(SAMPLES);
        let Some((file, columns)) = &mut self.samples else {
            let never_begun = std::io::Error::other("its columns were never named");
            return Err(Error::io("write", &path)(never_begun));
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

    /// Appends a line to `events.jsonl`, at once.
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

    /// The outcome as stored in `result.json`.
    ///
    /// # Errors
    /// If there is none, or it cannot be understood.
    pub fn read_result(&self) -> Result<RunResult, Error> {
        let path = self.path.join(RESULT);
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        serde_json::from_str(&text).map_err(|source| Error::Result { path, source })
    }

    /// Writes a file of the folder whole: whoever reads it sees the old one or the new one, never half of one.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path.join(name);
        let mut beside = path.clone().into_os_string();
        beside.push(".part");
        let beside = PathBuf::from(beside);
        fs::write(&beside, bytes).map_err(Error::io("write", &beside))?;
        fs::rename(&beside, &path).map_err(Error::io("write", &path))
    }
}

#[cfg(test)]
mod tests;
