//! Comparison of the daemon's output with the engine's logs.

use std::collections::BTreeMap;
use std::path::Path;

use crate::harness::{Harness, number_of};

/// Returns every delivered record, by container name and stream, in order.
pub(crate) fn delivered(folder: &Path) -> BTreeMap<(String, String), Vec<serde_json::Value>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ndjson"))
        .collect();
    files.sort();
    let mut delivered: BTreeMap<_, Vec<serde_json::Value>> = BTreeMap::new();
    for file in files {
        // A record without its newline is incomplete.
        let text = std::fs::read_to_string(file).unwrap();
        for record in text.split_inclusive('\n').filter(|record| record.ends_with('\n')) {
            let record: serde_json::Value = serde_json::from_str(record).unwrap();
            let text = |key: &str| record[key].as_str().unwrap().to_owned();
            delivered
                .entry((text("container_name"), text("stream")))
                .or_default()
                .push(record.clone());
        }
    }
    delivered
}

/// Asserts that every line in the engine's logs of `names` was delivered once and in order. A stopped engine may lose lines
/// before its log, so the log is the reference.
pub(crate) fn assert_complete(harness: &Harness, names: &[String]) {
    let delivered = delivered(&harness.output());
    for name in names {
        for (stream, logged) in ["stdout", "stderr"].iter().zip(harness.logged_numbers(name)) {
            let numbers: Vec<usize> = delivered
                .get(&(name.clone(), (*stream).to_owned()))
                .into_iter()
                .flatten()
                .map(|line| number_of(line["line"].as_str().unwrap()))
                .collect();
            let wrong = logged
                .iter()
                .zip(&numbers)
                .position(|(logged, delivered)| logged != delivered);
            assert_eq!(wrong, None, "{name} {stream}: index of the first line out of place");
            assert_eq!(
                numbers.len(),
                logged.len(),
                "{name} {stream}: delivered lines and lines in the engine's log"
            );
        }
    }
}
