//! Checks of `[[load]]`.

use super::findings::Findings;
use super::name::is_name;
use crate::scenario::definition::Scenario;
use crate::scenario::load::Load;
use crate::stamp::MIN_LINE_BYTES;

/// Adds the problems of the load group at index `i`.
pub(super) fn check(scenario: &Scenario, i: usize, load: &Load, findings: &mut Findings<'_>) {
    let index = i.to_string();
    let at = |key| ["load", index.as_str(), key];
    if !is_name(&load.name) || load.name.len() > 24 {
        findings.add(
            &at("name"),
            format!("`{}` cannot name containers", load.name),
            "use letters, digits, `-`, `_` and `.`, at most 24".to_owned(),
        );
    }
    if scenario.load[..i].iter().any(|l| l.name == load.name) {
        findings.add(
            &at("name"),
            format!("there are two load groups called `{}`", load.name),
            "give each group its own name".to_owned(),
        );
    }
    if load.containers == 0 {
        findings.add(
            &at("containers"),
            "a load group of 0 containers",
            "leave the group out".to_owned(),
        );
    }
    if !(0.0..=1.0).contains(&load.stderr_share) {
        findings.add(
            &at("stderr_share"),
            format!("`stderr_share` is a share from 0 to 1, not {}", load.stderr_share),
            None,
        );
    }
    if load.line_bytes.min > load.line_bytes.max {
        findings.add(
            &at("line_bytes"),
            format!(
                "the shortest line ({}) is longer than the longest ({})",
                load.line_bytes.min, load.line_bytes.max
            ),
            "write [shortest, longest]".to_owned(),
        );
    } else if (load.line_bytes.min as usize) < MIN_LINE_BYTES {
        findings.add(
            &at("line_bytes"),
            format!("a line of {} bytes has no room for its stamp", load.line_bytes.min),
            format!("{MIN_LINE_BYTES} bytes or more"),
        );
    } else if load.line_bytes.max > 1 << 20 {
        findings.add(
            &at("line_bytes"),
            format!("a line of {} bytes is too long", load.line_bytes.max),
            "1048576 bytes (1 MiB) or less".to_owned(),
        );
    }
    if load.image.is_none() && !load.command.is_empty() {
        findings.add(
            &at("command"),
            "`command` without an `image`: the built-in noise has none",
            "name the image that the command is in".to_owned(),
        );
    }
    if load.lifetime.is_some_and(|l| l.as_secs() < 0.05) {
        findings.add(&at("lifetime"), "containers cannot live less than 50ms", None);
    }
    if load.memory.0 < 6 << 20 {
        findings.add(
            &at("memory"),
            format!("a memory limit of {}: Docker refuses less than 6 MiB", load.memory),
            None,
        );
    }
}
