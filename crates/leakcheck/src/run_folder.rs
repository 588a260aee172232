//! Opens a run folder that the user named, with suggestions if it is not one.

use std::path::{Path, PathBuf};

use leakcheck_model::suggest::did_you_mean;
use leakcheck_model::{Facts, Record, error_chain};
use leakcheck_report::RunFolder;

use crate::failure::Failure;

/// Opens a run's folder.
///
/// # Errors
/// If `path` is not a run folder, with a suggestion.
pub(crate) fn open(path: &Path) -> Result<RunFolder, Failure> {
    RunFolder::open(path).map_err(|error| Failure::usage(format!("{}{}", error_chain(&error), suggestion(path))))
}

/// Reads the record of a run, by which it was judged.
///
/// # Errors
/// As [`open`], or if the folder cannot be read.
pub(crate) fn record(path: &Path) -> Result<Record, Failure> {
    let (scenario, samples, events) = open(path)?.read().map_err(anyhow::Error::from)?;
    Ok(Record::from_run(&scenario, samples, Facts::from_events(&events)))
}

/// The suggestion, in a line of its own.
fn suggestion(path: &Path) -> String {
    if path.is_file() {
        return match path.parent().filter(|folder| is_run(folder)) {
            Some(run) => format!("\n  it is a file of the run {}: use that folder", run.display()),
            None => "\n  it is a file; a run folder is needed: reports/SCENARIO/RUN_ID".into(),
        };
    }
    if path.is_dir() {
        return newest_below(path).map_or_else(
            || other_files(path),
            |run| format!("\n  it contains run folders; the newest is {}", run.display()),
        );
    }
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let beside: Vec<String> = path
        .parent()
        .map(folders)
        .unwrap_or_default()
        .iter()
        .filter_map(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let hint = did_you_mean(&name, beside.iter().map(String::as_str));
    if hint.is_empty() { hint } else { format!("\n  {hint}") }
}

/// The suggestion for a folder of scenarios or tables.
fn other_files(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| folder.join(entry.file_name())).collect();
    files.sort();
    let first = |ending: &str| files.iter().find(|p| p.extension().is_some_and(|e| e == ending));
    match (first("toml"), first("csv")) {
        (Some(scenario), _) => format!(
            "; it contains scenarios: `leakcheck run {}` makes a run folder",
            scenario.display()
        ),
        (None, Some(table)) => format!("; to judge a table, give the file: {}", table.display()),
        (None, None) => String::new(),
    }
}

fn is_run(folder: &Path) -> bool {
    folder.join("scenario.toml").is_file() && folder.join("events.jsonl").is_file()
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let here = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let entries = std::fs::read_dir(here).into_iter().flatten().flatten();
    entries
        .map(|entry| path.join(entry.file_name()))
        .filter(|p| p.is_dir())
        .collect()
}

/// The newest run in `reports/SCENARIO` or `reports`. Run ids sort by time.
fn newest_below(path: &Path) -> Option<PathBuf> {
    let below = folders(path);
    let runs = below.iter().cloned().chain(below.iter().flat_map(|p| folders(p)));
    runs.filter(|p| is_run(p))
        .max_by_key(|p| p.file_name().map(ToOwned::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_path_gets_a_suggestion() {
        let scratch = tempfile::TempDir::new().expect("scratch");
        let reports = scratch.path().join("reports");
        for run in ["20260101-000000-aaaa", "20260102-000000-bbbb"] {
            let folder = reports.join("smoke").join(run);
            std::fs::create_dir_all(&folder).expect("made");
            std::fs::write(folder.join("scenario.toml"), "").expect("written");
            std::fs::write(folder.join("events.jsonl"), "").expect("written");
        }
        let newest = reports.join("smoke").join("20260102-000000-bbbb");
        for (path, hint) in [
            (reports.clone(), "the newest is"),
            (reports.join("smoke"), "20260102-000000-bbbb"),
            (newest.join("scenario.toml"), "it is a file of the run"),
            (reports.join("smok"), "did you mean `smoke`?"),
        ] {
            assert!(
                suggestion(&path).contains(hint),
                "{}: {}",
                path.display(),
                suggestion(&path)
            );
        }
        assert_eq!(suggestion(&scratch.path().join("zzzz")), "");
    }
}
