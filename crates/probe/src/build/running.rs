//! The executable that a process runs, compared with the one on disk.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::executable::{fingerprint, is_deleted, is_script, without_deleted};
use super::finding::BuildFinding;
use super::report::BuildReport;
use crate::process::Process;

/// Compares the executable of `process` with `named`, or with the file at its own path. Returns `false` if the executable
/// of the process cannot be read.
pub(super) fn compare(process: &Process, named: Option<&Path>, report: &mut BuildReport) -> bool {
    let pid = process.pid();
    let (Ok(link), Ok(running)) = (process.exe(), process.open_file("exe")) else {
        report.unknown(format!(
            "the executable of process {pid} cannot be read (another user's?)"
        ));
        return false;
    };
    if named.is_none() && !process.shares_namespace("mnt") {
        report.unknown(format!(
            "process {pid} runs {} in another mount namespace (a container's): there is nothing here to compare it with",
            link.display()
        ));
        return true;
    }
    // The process runs the interpreter and not the script.
    if named.is_some_and(is_script) {
        return true;
    }
    let was_deleted = is_deleted(&link);
    let path = without_deleted(link);
    let named = named.unwrap_or(&path);
    let Ok(on_disk) = File::open(named) else {
        report.findings.push(BuildFinding::Deleted { path });
        return true;
    };
    let file_id = |f: &File| f.metadata().map(|m| (m.dev(), m.ino())).ok();
    if file_id(&running) == file_id(&on_disk) {
        let message = format!("process {pid} runs the executable that is on disk");
        report.confirmed.push(message);
        return true;
    }
    match (fingerprint(&running), fingerprint(&on_disk)) {
        (Ok(a), Ok(b)) if a == b => {
            let message = format!("process {pid} runs the same build as the one on disk ({a})");
            report.confirmed.push(message);
        }
        (Ok(running), Ok(on_disk)) if was_deleted || path == named => {
            report.findings.push(BuildFinding::Replaced {
                path: named.to_owned(),
                running,
                on_disk,
            });
        }
        (Ok(_), Ok(_)) => report.findings.push(BuildFinding::OtherBinary {
            running: path.clone(),
            named: named.to_owned(),
        }),
        (Err(error), _) | (_, Err(error)) => report.unknown(format!("{}: {error}", named.display())),
    }
    true
}
