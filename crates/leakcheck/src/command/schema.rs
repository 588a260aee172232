//! `leakcheck schema`: the JSON Schema of scenario files, from the types that read them.

use std::process::ExitCode;

use super::Failure;
use crate::style;

/// Prints the schema.
///
/// # Errors
/// None that any build has shown.
pub(super) fn run() -> Result<ExitCode, Failure> {
    let text = serde_json::to_string_pretty(&leakcheck_model::Scenario::json_schema()).map_err(anyhow::Error::from)?;
    style::print(&format!("{text}\n"));
    Ok(ExitCode::SUCCESS)
}
