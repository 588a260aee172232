//! The stale-build check: it finds targets that were not built from the current source.
//!
//! It compares the repository (uncommitted changes), the executable on disk with the newest source file, the executable of
//! the running process with the one on disk, and the version that the target reports with the commit that is checked out.

pub use check::BuildInputs;
pub use elf::interpreter;
pub use executable::Executable;
pub use finding::BuildFinding;
pub use image::version_of_image;
pub use interpreter::{is_interpreter, script_among};
pub use report::{BuildReport, BuildState};
pub use reported::ReportedVersion;

mod check;
mod elf;
mod executable;
mod finding;
mod git;
mod image;
mod interpreter;
mod report;
mod reported;
mod running;
mod sources;
