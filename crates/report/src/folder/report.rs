//! Writes everything that a finished run leaves beside its record.

use std::fs;

use leakcheck_model::{Record, RunResult};

use super::{CHARTS, HTML, JUNIT, RESULT, RunFolder, SUMMARY};
use crate::error::Error;
use crate::figure::{Figure, figures};
use crate::markdown::Pictures;
use crate::{chart, html, json, junit, markdown};

/// Points of a chart as a picture: two for each pixel of its width.
const PICTURE_POINTS: usize = 2000;

impl RunFolder {
    /// Writes `result.json`, `summary.md`, `junit.xml`, `report.html` and the charts. What scripts and people need most is written first, so a
    /// full disk takes the pictures and not the verdict.
    ///
    /// # Errors
    /// If a format cannot be rendered or a file not be written.
    pub fn write_report(&self, result: &RunResult, record: &Record) -> Result<(), Error> {
        let text = json::result(result).map_err(Error::render(RESULT))?;
        self.write(RESULT, text.as_bytes())?;
        self.write(SUMMARY, markdown::summary(result, record, Pictures::Beside).as_bytes())?;
        let text = junit::junit(result, record).map_err(Error::render(JUNIT))?;
        self.write(JUNIT, text.as_bytes())?;
        let scenario = self.read_scenario_text().ok();
        let page = html::page(result, record, scenario.as_deref()).map_err(Error::render(HTML))?;
        self.write(HTML, page.as_bytes())?;
        let charts = self.path.join(CHARTS);
        fs::create_dir_all(&charts).map_err(Error::io("create", &charts))?;
        // One after the other: the raster of a picture is the most memory that a run needs at one time.
        figures(result, record, PICTURE_POINTS)
            .iter()
            .try_for_each(|figure| self.write_chart(figure))
    }

    fn write_chart(&self, figure: &Figure) -> Result<(), Error> {
        let (svg, png) = (chart_path(&figure.metric, "svg"), chart_path(&figure.metric, "png"));
        let drawn = chart::svg(figure).map_err(Error::render(&svg))?;
        self.write(&svg, drawn.as_bytes())?;
        let drawn = chart::png(figure).map_err(Error::render(&png))?;
        self.write(&png, &drawn)
    }
}

/// Where the chart of a metric is, in the run's folder. A name that is no file name gets one.
#[must_use]
pub fn chart_path(metric: &str, extension: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut file: String = metric.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if file != metric || file.starts_with('.') || file.is_empty() {
        // Two names may become the same one: the bytes of the name tell them apart (FNV-1a, 32 bit).
        let hash = metric.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        file = format!("m{file}-{hash:08x}");
    }
    format!("{CHARTS}/{file}.{extension}")
}
