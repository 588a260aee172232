//! Fault scripts: the `[[fault]]` tables of a scenario or of a file, with the defaults of each kind.

use std::time::Duration;

use leakcheck_model::HumanDuration;
use leakcheck_model::scenario::{Fault, FaultKind};
use serde::Deserialize;

/// The faults of a proxy; their times count from the start signal.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultScript {
    /// The faults in the order of their numbers.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
}

/// An error in a script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// Invalid TOML or an unknown key. The message shows the line.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// A fault whose keys contradict each other.
    #[error("fault {}, `{key}`: {what}", index + 1)]
    Contradiction {
        /// Index of the fault, counted from 0; messages count from 1.
        index: usize,
        /// The offending key.
        key: &'static str,
        /// The contradiction.
        what: &'static str,
    },
}

/// Default silence of a stream before `cut-idle` cuts it.
const IDLE: Duration = Duration::from_secs(5);

/// Default mean time by which `delay` holds events back.
const DELAY: Duration = Duration::from_secs(2);

/// Default time between two bytes of `drip`: a line of 120 bytes takes a second.
const DRIP: Duration = Duration::from_millis(8);

/// Default status code of `error-status`.
const STATUS: u16 = 500;

impl FaultScript {
    /// Parses a script.
    ///
    /// # Errors
    /// [`ScriptError`] with the line or the number of the fault.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let script: Self = toml::from_str(text)?;
        for (index, fault) in script.faults.iter().enumerate() {
            if let Some((key, what, _)) = fault.contradiction() {
                return Err(ScriptError::Contradiction { index, key, what });
            }
        }
        Ok(script)
    }

    /// Reports whether any fault is of this kind.
    pub(crate) fn has(&self, kind: FaultKind) -> bool {
        self.faults.iter().any(|fault| fault.kind == kind)
    }
}

/// Returns the fault's `after`, or the default of its kind.
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

/// Returns the status code of `error-status`.
pub(crate) fn status(fault: &Fault) -> u16 {
    fault.status.unwrap_or(STATUS)
}

/// Describes a fault for people.
pub(crate) fn describe(fault: &Fault) -> String {
    let selected = match (&fault.containers, fault.share) {
        (Some(group), Some(share)) => format!(" of {:.0} % of {group}", share * 100.0),
        (Some(group), None) => format!(" of {group}"),
        (None, Some(share)) => format!(" of {:.0} % of the containers", share * 100.0),
        (None, None) => String::new(),
    };
    let effect = match fault.kind {
        FaultKind::Stall => format!("log streams{selected} stall"),
        FaultKind::StallBeforeHeaders => format!("log requests{selected} get no answer"),
        FaultKind::CutIdle => format!(
            "log streams{selected} are cut after {} of silence",
            HumanDuration(after(fault))
        ),
        FaultKind::Reset => format!("log streams{selected} are reset"),
        FaultKind::Truncate => format!("log streams{selected} end in the middle of a frame"),
        FaultKind::Drip => format!(
            "log streams{selected} come byte by byte, {} apart",
            HumanDuration(after(fault))
        ),
        FaultKind::ErrorStatus => format!("log requests{selected} are answered with {}", status(fault)),
        FaultKind::Delay => format!(
            "events come about {} late and out of order",
            HumanDuration(after(fault))
        ),
        FaultKind::EofStorm => format!("log streams{selected} end as soon as they begin"),
        FaultKind::EngineGone => "the engine is gone".to_owned(),
    };
    format!("{effect} for {}", fault.length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_the_fault_tables_of_a_scenario() {
        let script = FaultScript::parse(
            "[[fault]]\nat = \"1s\"\nfor = \"2s\"\nkind = \"cut-idle\"\ncontainers = \"idle\"\n\
             [[fault]]\nat = \"5s\"\nfor = \"1s\"\nkind = \"engine-gone\"\n",
        )
        .expect("a good script");
        assert_eq!(
            describe(&script.faults[0]),
            "log streams of idle are cut after 5s of silence for 2s"
        );
        assert!(script.has(FaultKind::EngineGone) && !script.has(FaultKind::Delay));
    }

    #[test]
    fn an_error_in_a_script_names_its_place() {
        let error =
            FaultScript::parse("[[fault]]\nat = \"1s\"\nfor = \"2s\"\nkind = \"stal\"\n").expect_err("no such kind");
        assert!(
            error.to_string().contains("stal") && error.to_string().contains("line 4"),
            "{error}"
        );
        let error =
            FaultScript::parse("[[fault]]\nat = \"1s\"\nfor = \"0s\"\nkind = \"stall\"\n").expect_err("no length");
        assert_eq!(error.to_string(), "fault 1, `for`: the fault has no length");
    }

    #[test]
    fn a_key_that_the_kind_would_ignore_is_an_error() {
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
            let text = format!("[[fault]]\nat = \"1s\"\nfor = \"2s\"\nkind = \"{kind}\"\n{more}\n");
            let error = FaultScript::parse(&text).expect_err(&text).to_string();
            assert!(error.starts_with(&format!("fault 1, `{key}`: ")), "{text}{error}");
        }
        let plain = "[[fault]]\nat = \"1s\"\nfor = \"2s\"\nkind = \"error-status\"\n";
        let script = FaultScript::parse(plain).expect("the status has a default, as in a scenario");
        assert_eq!(status(&script.faults[0]), 500);
    }
}
