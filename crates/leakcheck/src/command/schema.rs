//! `leakcheck schema`: the JSON Schema of scenario files, made from the types that read them.

use std::process::ExitCode;

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::style;

/// Prints the schema.
///
/// # Errors
/// If the schema cannot be written as JSON, which no build has shown.
pub(crate) fn run() -> Result<ExitCode, Failure> {
    style::print_json(&leakcheck_model::Scenario::json_schema())?;
    Ok(Exit::Success.into())
}
