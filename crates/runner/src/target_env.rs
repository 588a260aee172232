//! The placeholders and environment variables that programs of a run receive.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Values for the placeholders `{engine}`, `{output}`, `{port}` and `{run}`.
pub(crate) struct TargetEnv {
    /// Address of the engine or of the fault proxy in front of it; `None` for a run without an engine.
    pub engine: Option<String>,
    /// Folder for what the target collects.
    pub output: PathBuf,
    /// A free port of 127.0.0.1.
    pub port: u16,
    /// The run's id.
    pub run: String,
}

impl TargetEnv {
    /// The environment variables of every program of the run.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("LEAKCHECK_OUTPUT".into(), self.output.display().to_string()),
            ("LEAKCHECK_PORT".into(), self.port.to_string()),
            ("LEAKCHECK_RUN".into(), self.run.clone()),
        ])
    }

    /// Replaces the placeholders in `text`, `{leakcheck}` by the path of our own executable.
    pub(crate) fn fill(&self, text: &str) -> String {
        let own_path =
            || std::env::current_exe().map_or_else(|_| "leakcheck".into(), |path| path.display().to_string());
        let text = if text.contains("{leakcheck}") {
            text.replace("{leakcheck}", &own_path())
        } else {
            text.to_owned()
        };
        text.replace("{engine}", self.engine.as_deref().unwrap_or_default())
            .replace("{output}", &self.output.display().to_string())
            .replace("{port}", &self.port.to_string())
            .replace("{run}", &self.run)
    }

    /// Replaces the placeholders in every word of a command.
    pub(crate) fn fill_all(&self, words: &[String]) -> Vec<String> {
        words.iter().map(|word| self.fill(word)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced() {
        let env = TargetEnv {
            engine: Some("unix:///e.sock".into()),
            output: "/out".into(),
            port: 7,
            run: "k3".into(),
        };
        assert_eq!(
            env.fill("--to={engine} -o {output}/{run} :{port}"),
            "--to=unix:///e.sock -o /out/k3 :7"
        );
    }
}
