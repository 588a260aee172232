//! What the daemon delivered, held against what was said.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cage::Cage;

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
        for record in std::fs::read_to_string(file).unwrap().lines() {
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

/// Asserts that every line that the engine has of `names` was delivered once and in order.
pub(crate) fn assert_complete(cage: &Cage, names: &[String]) {
    let delivered = delivered(&cage.output());
    for name in names {
        for (stream, kept) in ["stdout", "stderr"].iter().zip(cage.lines_kept(name)) {
            let lines = delivered
                .get(&(name.clone(), (*stream).to_owned()))
                .map_or(&[][..], Vec::as_slice);
            let numbers: Vec<usize> = lines
                .iter()
                .map(|line| {
                    line["line"]
                        .as_str()
                        .unwrap()
                        .split(' ')
                        .nth(1)
                        .unwrap()
                        .parse()
                        .unwrap()
                })
                .collect();
            let wrong = numbers.iter().enumerate().find(|(index, number)| index != *number);
            assert_eq!(wrong, None, "{name} {stream}: first line out of place (index, number)");
            assert_eq!(
                numbers.len(),
                kept,
                "{name} {stream}: lines delivered and lines kept by the engine"
            );
        }
    }
}
