//! Writes the report of a finished run into its folder.

use std::fs;

use leakcheck_model::{Record, RunResult};
use tracing::{debug_span, info_span};

use super::{CHARTS, HTML, JUNIT, RESULT, RunFolder, SUMMARY};
use crate::error::{Error, IncompleteReport};
use crate::figure::figures;
use crate::markdown::ChartLinks;
use crate::{chart, html, json, junit, markdown};

/// Points of a chart's picture: about two per pixel of its width.
const PICTURE_POINTS: usize = 2000;

impl RunFolder {
    /// Writes `result.json`, `summary.md`, `junit.xml`, `report.html` and the charts, in this order. A file that cannot be written
    /// does not stop the others, so a full disk costs the charts first.
    ///
    /// # Errors
    /// Names each file that could not be rendered or written. The verdict does not depend on them.
    pub fn write_report(&self, result: &RunResult, record: &Record) -> Result<(), IncompleteReport> {
        let _span = info_span!("write_report", folder = %self.path.display()).entered();
        let mut failures = Vec::new();
        let mut write = |name: &str, render: &dyn Fn() -> Result<Vec<u8>, Error>| {
            let _span = debug_span!("write_file", name).entered();
            if let Err(error) = render().and_then(|bytes| self.write(name, &bytes)) {
                tracing::warn!(%error, "a file of the report is missing");
                failures.push((name.to_owned(), error));
            }
        };
        write(RESULT, &|| {
            json::result(result)
                .map(String::into_bytes)
                .map_err(Error::render(RESULT))
        });
        write(SUMMARY, &|| {
            Ok(markdown::summary(result, record, ChartLinks::Relative).into_bytes())
        });
        write(JUNIT, &|| {
            junit::junit(result, record)
                .map(String::into_bytes)
                .map_err(Error::render(JUNIT))
        });
        write(HTML, &|| {
            let scenario = self.read_scenario_text().ok();
            html::page(result, record, scenario.as_deref())
                .map(String::into_bytes)
                .map_err(Error::render(HTML))
        });
        // If this fails, each chart fails with the same cause.
        let _ = fs::create_dir_all(self.path.join(CHARTS));
        // One chart at a time: the raster of a picture is the largest allocation of a run.
        for figure in figures(result, record, PICTURE_POINTS) {
            let path = |extension| chart_path(&figure.metric, extension);
            write(&path("svg"), &|| {
                chart::svg(&figure)
                    .map(String::into_bytes)
                    .map_err(Error::render(path("svg")))
            });
            write(&path("png"), &|| {
                chart::png(&figure).map_err(Error::render(path("png")))
            });
        }
        IncompleteReport::unless_empty(failures)
    }
}

/// Returns the path of a metric's chart in the run's folder. A name that is not a file name is replaced by one.
#[must_use]
pub fn chart_path(metric: &str, extension: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut file: String = metric.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if file != metric || file.starts_with('.') || file.is_empty() {
        // Two names may become the same file name; a hash keeps them apart (FNV-1a, 32 bit).
        let hash = metric.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        file = format!("m{file}-{hash:08x}");
    }
    format!("{CHARTS}/{file}.{extension}")
}
