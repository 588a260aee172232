//! Reading, checking and writing of scenarios.

pub use toml::ser::Error as WriteError;

use super::check::check;
use super::definition::Scenario;
use super::problem::Problem;

impl Scenario {
    /// Reads a scenario from TOML and checks it.
    ///
    /// # Errors
    /// All problems with their places in `text`. An error of form hides contradictions.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let scenario: Self = toml::from_str(text).map_err(|error| vec![Problem::from_toml(&error, text)])?;
        let problems = check(&scenario, text);
        if problems.is_empty() {
            Ok(scenario)
        } else {
            Err(problems)
        }
    }

    /// Checks a scenario that was not read from a file.
    ///
    /// # Errors
    /// All contradictions, with their places in the text that [`Scenario::to_toml`] returns.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let problems = check(self, &self.to_toml().unwrap_or_default());
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Finds keys in `text` that were renamed and will not be accepted by the next version.
    #[must_use]
    pub fn deprecations(text: &str) -> Vec<Problem> {
        let Ok(document) = text.parse::<toml::Table>() else {
            return Vec::new();
        };
        let metrics = document.get("metrics").and_then(toml::Value::as_table);
        metrics
            .into_iter()
            .flatten()
            .filter(|(_, metric)| metric.get("or").is_some())
            .map(|(name, _)| {
                Problem::at(
                    text,
                    &["metrics", name, "or"],
                    format!("`metrics.{name}.or` is now `metrics.{name}.aliases`"),
                    "the old key is accepted by this version only".to_owned(),
                )
            })
            .collect()
    }

    /// Writes the scenario as TOML with all defaults. [`Scenario::parse`] reads the same scenario from it.
    ///
    /// # Errors
    /// If it cannot be expressed in TOML. No parsed scenario is known for which this happens.
    pub fn to_toml(&self) -> Result<String, WriteError> {
        toml::to_string_pretty(self)
    }

    /// Returns the JSON Schema of scenario files.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}
