//! A parser of /metrics (Prometheus text and OpenMetrics) that extracts the few wanted series.
//!
//! Its memory does not grow with the exposition: each line is parsed in place and compared with the wanted series. Published
//! parsers either drop lines silently (blanks around labels, quoted names) or lose the whole scrape for one bad line. This
//! one counts the lines that it cannot read.

pub use names::{Names, names};
pub use scan::{MAX_LINE_BYTES, MAX_SERIES, Scan, Scanned};
pub use selector::Selector;

mod line;
mod names;
mod scan;
mod selector;

/// Returns the labels of one sample line, unescaped; none if the line is not in the format.
pub(crate) fn labels_of(text: &[u8]) -> Vec<(String, String)> {
    let Some(line) = line::parse(text) else {
        return Vec::new();
    };
    let plain = |b: &[u8]| {
        let text = String::from_utf8_lossy(b);
        // A placeholder keeps an escaped backslash before an `n` from becoming a newline.
        text.replace("\\\\", "\u{0}")
            .replace("\\\"", "\"")
            .replace("\\n", "\n")
            .replace('\u{0}', "\\")
    };
    line::labels(line.labels)
        .flatten()
        .map(|(n, v)| (plain(n), plain(v)))
        .collect()
}
