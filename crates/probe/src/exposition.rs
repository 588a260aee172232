//! What a target exposes at /metrics: Prometheus text and OpenMetrics, read for the few series that are wanted.
//!
//! Nothing is built that grows with the exposition: each line is parsed in place, compared with the wanted series and
//! forgotten. Published parsers either drop lines in silence (blanks round labels, quoted names) or lose the whole scrape
//! for one bad line; this one counts what it could not read.

pub use names::{Names, names};
pub use scan::{LINE_BYTES, SERIES, Scan, Scanned};
pub use selector::Selector;

mod line;
mod names;
mod scan;
mod selector;

/// The labels of one sample line, unescaped; none if it is not in the format.
pub(crate) fn labels_of(text: &[u8]) -> Vec<(String, String)> {
    let Some(line) = line::parse(text) else {
        return Vec::new();
    };
    let plain = |b: &[u8]| {
        let text = String::from_utf8_lossy(b);
        // In this order, with a mark that no exposition has, so that an escaped backslash before an n stays one.
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
