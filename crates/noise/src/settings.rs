//! What a noise process is asked for, as its command line says it.

use clap::Parser;
use leakcheck_model::scenario::{LineBytes, Rate};

/// The arguments of `leakcheck noise`.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "noise", about = "What runs inside a load container: stamped lines at a pace", long_about = None)]
pub struct Settings {
    /// The run's id, in every stamp.
    #[arg(long, default_value = "manual")]
    pub run: String,
    /// The container's name within the run, in every stamp.
    #[arg(long, default_value = "noise")]
    pub emitter: String,
    /// Lines a second; 0 is idle, `max` is as fast as they are taken.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(Rate))]
    pub lines_per_second: Rate,
    /// Length of a line without its newline: `120` or `80..400`.
    #[arg(long, default_value = "120", value_parser = clap::value_parser!(LineBytes))]
    pub line_bytes: LineBytes,
    /// Share of the lines that go to standard error, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    pub stderr_share: f64,
    /// Stop after this many lines (the last line, which counts them, comes on top).
    #[arg(long)]
    pub lines: Option<u64>,
    /// Chooses lengths and streams; without it they follow from the emitter's name.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// The arguments are not those of `leakcheck noise`.
#[derive(Debug, thiserror::Error)]
#[error("not the arguments of `noise`: {0}")]
pub struct SettingsError(String);

impl Settings {
    /// Reads a container's command after the word `noise`.
    ///
    /// # Errors
    /// [`SettingsError`], which names the argument.
    pub fn from_arguments<S: AsRef<str>>(arguments: &[S]) -> Result<Self, SettingsError> {
        let words = std::iter::once("noise").chain(arguments.iter().map(AsRef::as_ref));
        Self::try_parse_from(words)
            .map_err(|error| SettingsError(error.to_string().lines().next().unwrap_or_default().to_owned()))
    }

    /// The command that gives these settings again, the word `noise` first.
    #[must_use]
    pub fn to_arguments(&self) -> Vec<String> {
        let mut words = vec!["noise".to_owned()];
        let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
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
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_the_way_through_a_containers_command() {
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
            Settings::from_arguments(&settings.to_arguments()[1..]).expect("its own words"),
            settings
        );
    }

    #[test]
    fn a_wrong_argument_is_named() {
        let error = Settings::from_arguments(&["--lines-per-second", "many"])
            .expect_err("no number")
            .to_string();
        assert!(error.contains("many"), "{error}");
    }
}
