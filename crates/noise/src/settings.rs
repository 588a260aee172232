//! The command line of a noise process.

use clap::Parser;
use leakcheck_model::scenario::{LineBytes, Rate};

/// The arguments of `leakcheck noise`.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "noise", about = "Writes stamped lines at a pace; runs inside load containers", long_about = None)]
pub struct Settings {
    /// Id of the run, part of every stamp.
    #[arg(long, default_value = "manual")]
    pub run: String,
    /// Name of the container within the run, part of every stamp.
    #[arg(long, default_value = "noise")]
    pub emitter: String,
    /// Lines per second; 0 is idle, `max` is as fast as the reader accepts them.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(Rate))]
    pub lines_per_second: Rate,
    /// Length of a line without its newline: `120` or `80..400`.
    #[arg(long, default_value = "120", value_parser = clap::value_parser!(LineBytes))]
    pub line_bytes: LineBytes,
    /// Share of the lines written to standard error, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    pub stderr_share: f64,
    /// Number of lines to write before the final line, which states their number; unlimited by default.
    #[arg(long)]
    pub lines: Option<u64>,
    /// Seed of lengths and streams; without it they depend on the name of the emitter.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// Invalid arguments of `leakcheck noise`.
#[derive(Debug, thiserror::Error)]
#[error("invalid arguments of `noise`: {0}")]
pub struct SettingsError(String);

impl Settings {
    /// Parses a container's command after the word `noise`.
    ///
    /// # Errors
    /// If an argument is invalid; the message names it.
    pub fn from_arguments<S: AsRef<str>>(arguments: &[S]) -> Result<Self, SettingsError> {
        let command = std::iter::once("noise").chain(arguments.iter().map(AsRef::as_ref));
        Self::try_parse_from(command)
            .map_err(|error| SettingsError(error.to_string().lines().next().unwrap_or_default().to_owned()))
    }

    /// Returns the command with these settings, beginning with the word `noise`.
    #[must_use]
    pub fn to_arguments(&self) -> Vec<String> {
        let mut arguments = vec!["noise".to_owned()];
        let mut option = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
        option("run", self.run.clone());
        option("emitter", self.emitter.clone());
        option("lines-per-second", self.lines_per_second.to_string());
        option("line-bytes", self.line_bytes.to_string());
        option("stderr-share", self.stderr_share.to_string());
        if let Some(lines) = self.lines {
            option("lines", lines.to_string());
        }
        if let Some(seed) = self.seed {
            option("seed", seed.to_string());
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_can_be_parsed_from_their_command() {
        let settings = Settings::from_arguments(&[
            "--run",
            "k3",
            "--emitter",
            "n-1",
            "--lines-per-second",
            "max",
            "--line-bytes",
            "80..400",
            "--stderr-share",
            "0.25",
            "--lines",
            "9",
        ])
        .expect("good arguments");
        assert_eq!(settings.lines_per_second, Rate::Max);
        assert_eq!(
            Settings::from_arguments(&settings.to_arguments()[1..]).expect("its own arguments"),
            settings
        );
    }

    #[test]
    fn the_error_names_an_invalid_argument() {
        let error = Settings::from_arguments(&["--lines-per-second", "many"])
            .expect_err("no number")
            .to_string();
        assert!(error.contains("many"), "{error}");
    }
}
