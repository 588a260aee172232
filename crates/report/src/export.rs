//! Exports the samples of a stored run for other tools.

use std::str::FromStr;

use leakcheck_model::{Facts, Record};

use crate::error::Error;
use crate::folder::RunFolder;
use crate::openmetrics::{Labels, clock_zero, openmetrics};
use crate::{csv, json};

/// A format of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics text with timestamps, for `promtool tsdb create-blocks-from openmetrics`.
    OpenMetrics,
    /// `samples.csv`, without the partial last line of a killed run.
    Csv,
    /// An array of objects, one per row.
    Json,
}

impl Format {
    /// All formats with their names.
    pub const ALL: [(&'static str, Self); 3] = [
        ("openmetrics", Self::OpenMetrics),
        ("csv", Self::Csv),
        ("json", Self::Json),
    ];
}

/// A name that is not a format of samples.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a format of samples: use openmetrics, csv or json")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let found = Self::ALL.iter().find(|(n, _)| *n == name);
        found
            .map(|(_, format)| *format)
            .ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// Returns the samples of a stored run in `format`.
///
/// # Errors
/// If the run cannot be read, or, for OpenMetrics, has no record of its start.
pub fn export(folder: &RunFolder, format: Format) -> Result<String, Error> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(Error::render("csv"));
    match format {
        Format::Csv => text(csv::table(&folder.read_samples()?)),
        Format::Json => json::samples(&folder.read_samples()?).map_err(Error::render("json")),
        Format::OpenMetrics => {
            let (scenario, samples, events) = folder.read()?;
            let zero = clock_zero(&events).ok_or_else(|| Error::NoStartTime(folder.path().to_owned()))?;
            let record = Record::from_run(&scenario, samples, Facts::from_events(&events));
            let folder_name = folder.path().file_name().map(|n| n.to_string_lossy().into_owned());
            let labels = Labels {
                scenario: &scenario.name,
                run_id: record
                    .facts
                    .run_id
                    .as_deref()
                    .or(folder_name.as_deref())
                    .unwrap_or_default(),
                commit: record.facts.target.as_ref().and_then(|t| t.commit.as_deref()),
            };
            Ok(openmetrics(&record, zero, labels))
        }
    }
}
