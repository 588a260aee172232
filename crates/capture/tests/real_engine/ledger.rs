//! What the daemon delivered, held against what was said.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cage::{Cage, number_of};

/// The text of every line delivered, by container name and stream, in order.
pub(crate) fn delivered(folder: &Path) -> BTreeMap<(String, String), Vec<serde_json::Value>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ndjson"))
        .collect();
    files.sort();
    let mut delivered: BTreeMap<_, Vec<serde_json::Value>> = BTreeMap::new();
    for file in files {
        // A record without its newline is still being written; if it stays so, it is missing from the count.
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

/// Asserts that every line that the engine has of `names` was delivered once and in order. The engine is the measure: one that
/// is stopped may lose a line between a container's pipe and its log.
pub(crate) fn assert_complete(cage: &Cage, names: &[String]) {
    let delivered = delivered(&cage.output());
    for name in names {
        for (stream, kept) in ["stdout", "stderr"].iter().zip(cage.numbers_kept(name)) {
            let numbers: Vec<usize> = delivered
                .get(&(name.clone(), (*stream).to_owned()))
                .into_iter()
                .flatten()
                .map(|line| number_of(line["line"].as_str().unwrap()))
                .collect();
            let wrong = kept
                .iter()
                .zip(&numbers)
                .position(|(kept, delivered)| kept != delivered);
            assert_eq!(wrong, None, "{name} {stream}: index of the first line out of place");
            assert_eq!(
                numbers.len(),
                kept.len(),
                "{name} {stream}: lines delivered and lines kept by the engine"
            );
        }
    }
}
