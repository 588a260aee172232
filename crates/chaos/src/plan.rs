//! What breaks, and when: the `[[fault]]` tables of a scenario or of a script.

use std::path::PathBuf;
use std::time::Duration;

use leakcheck_model::scenario::{Fault, FaultKind};
use serde::Deserialize;

/// The faults of a run; their times count from the proxy's start signal.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The faults, in the order in which they are numbered.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
}

/// The arguments of `leakcheck chaos`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The socket to make; clients connect to it instead of to the engine's.
    #[arg(long, value_name = "PATH")]
    pub listen: PathBuf,
    /// The engine's socket.
    #[arg(long, value_name = "PATH")]
    pub upstream: PathBuf,
    /// A TOML file with `[[fault]]` tables as in a scenario; their times count from the proxy's start.
    #[arg(long, value_name = "FILE")]
    pub script: PathBuf,
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It is no TOML, or has keys that a fault has not. The message shows the line.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// A fault contradicts itself.
    #[error("fault {}, `{key}`: {what}", index + 1)]
    Contradiction {
        /// Which, counted from 0; people are told the next number, as at its beginning and end.
        index: usize,
        /// The key.
        key: &'static str,
        /// What is wrong.
        what: &'static str,
    },
}

/// How long a stream is silent before `cut-idle` cuts it, if the fault does not say.
const IDLE: Duration = Duration::from_secs(5);

/// How much `delay` holds events back on average, if the fault does not say.
const DELAY: Duration = Duration::from_secs(2);

/// The time between two bytes of `drip`, if the fault does not say: a line of 120 bytes takes a second.
const DRIP: Duration = Duration::from_millis(8);

/// What `error-status` answers, if the fault does not say.
const STATUS: u16 = 500;

impl Plan {
    /// Reads a script.
    ///
    /// # Errors
    /// [`ScriptError`] with the line, or with the number of the fault.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let plan: Self = toml::from_str(text)?;
        for (index, fault) in plan.faults.iter().enumerate() {
            if let Some((key, what, _)) = fault.contradiction() {
                return Err(ScriptError::Contradiction { index, key, what });
            }
        }
        Ok(plan)
    }

    pub(crate) fn has(&self, kind: FaultKind) -> bool {
        self.faults.iter().any(|fault| fault.kind == kind)
    }
}

/// What a fault waits for, by its kind.
pub(crate) fn after(fault: &Fault) -> Duration {
    fault.after.map_or_else(
        || match fault.kind {
            FaultKind::Drip => DRIP,
            FaultKind::Delay => DELAY,
            _ => IDLE,
        },
        |after| after.0,
    )
}

/// What `error-status` answers.
pub(crate) fn status(fault: &Fault) -> u16 {
    fault.status.unwrap_or(STATUS)
}

/// A fault in words, for people.
pub(crate) fn words(fault: &Fault) -> String {
    let whom = match (&fault.containers, fault.share) {
        (Some(group), Some(share)) => format!(" of {:.0} % of {group}", share * 100.0),
        (Some(group), None) => format!(" of {group}"),
        (None, Some(share)) => format!(" of {:.0} % of the containers", share * 100.0),
        (None, None) => String::new(),
    };
    let what = match fault.kind {
        FaultKind::Stall => format!("log streams{whom} stall"),
        FaultKind::StallBeforeHeaders => format!("log requests{whom} get no answer"),
        FaultKind::CutIdle => format!("log streams{whom} are cut after {} of silence", Millis(after(fault))),
        FaultKind::Reset => format!("log streams{whom} are reset"),
        FaultKind::Truncate => format!("log streams{whom} end in the middle of a frame"),
        FaultKind::Drip => format!("log streams{whom} come byte by byte, {} apart", Millis(after(fault))),
        FaultKind::ErrorStatus => format!("log requests{whom} are answered with {}", status(fault)),
        FaultKind::Delay => format!("events come about {} late and out of order", Millis(after(fault))),
        FaultKind::EofStorm => format!("log streams{whom} end as soon as they begin"),
        FaultKind::EngineGone => "the engine is gone".to_owned(),
    };
    format!("{what} for {}", fault.length)
}

struct Millis(Duration);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        leakcheck_model::HumanDuration(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_the_fault_tables_of_a_scenario() {
        let plan = Plan::parse(
            "[[fault]]\nat = \"1s\"\nfor = \"2s\"\nkind = \"cut-idle\"\ncontainers = \"idle\"\n\
             [[fault]]\nat = \"5s\"\nfor = \"1s\"\nkind = \"engine-gone\"\n",
        )
        .expect("a good script");
        assert_eq!(
            words(&plan.faults[0]),
            "log streams of idle are cut after 5s of silence for 2s"
        );
        assert!(plan.has(FaultKind::EngineGone) && !plan.has(FaultKind::Delay));
    }

    #[test]
    fn a_wrong_script_is_refused_with_its_place() {
        let error = Plan::parse("[[fault]]\nat = \"1s\"\nfor = \"2s\"\nkind = \"stal\"\n").expect_err("no such kind");
        assert!(
            error.to_string().contains("stal") && error.to_string().contains("line 4"),
            "{error}"
        );
        let error = Plan::parse("[[fault]]\nat = \"1s\"\nfor = \"0s\"\nkind = \"stall\"\n").expect_err("no length");
        assert_eq!(error.to_string(), "fault 1, `for`: it has no length");
    }

    #[test]
    fn what_a_kind_would_ignore_is_refused() {
        for (kind, more, key) in [
            ("delay", "share = 0.5", "share"),
            ("delay", "containers = \"a\"", "containers"),
            ("engine-gone", "share = 0.5", "share"),
            ("engine-gone", "containers = \"a\"", "containers"),
            ("reset", "after = \"1s\"", "after"),
            ("stall", "status = 500", "status"),
            ("error-status", "status = 200", "status"),
            ("stall", "share = 1.5", "share"),
        ] {
            let script = format!("[[fault]]\nat = \"1s\"\nfor = \"2s\"\nkind = \"{kind}\"\n{more}\n");
            let error = Plan::parse(&script).expect_err(&script).to_string();
            assert!(error.starts_with(&format!("fault 1, `{key}`: ")), "{script}{error}");
        }
        let plain = "[[fault]]\nat = \"1s\"\nfor = \"2s\"\nkind = \"error-status\"\n";
        let plan = Plan::parse(plain).expect("the status has a default, as in a scenario");
        assert_eq!(status(&plan.faults[0]), 500);
    }
}
