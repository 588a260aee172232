//! The containers of a scenario, one by one. Pure.

use std::collections::HashMap;

use leakcheck_model::Scenario;
use leakcheck_model::scenario::{Load, LogConfig};

use crate::docker::ContainerSpec;

/// Label of everything that a run creates; its value is the run's id.
pub const RUN_LABEL: &str = "leakcheck.run";

/// Label with the load group of a container.
pub(crate) const LOAD_LABEL: &str = "leakcheck.load";

/// Label with the emitter name of a container, which stamps its lines.
pub(crate) const EMITTER_LABEL: &str = "leakcheck.emitter";

/// One container of the load, or with a lifetime one series of containers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot {
    /// Load group.
    pub load: Load,
    /// Number within the group, from 1.
    pub number: u32,
}

/// Returns the slots of a scenario, with groups interleaved so that they start together.
#[must_use]
pub(crate) fn slots(scenario: &Scenario) -> Vec<Slot> {
    let most = scenario.load.iter().map(|l| l.containers).max().unwrap_or(0);
    (1..=most)
        .flat_map(|number| {
            scenario
                .load
                .iter()
                .filter(move |l| number <= l.containers)
                .map(move |l| Slot {
                    load: l.clone(),
                    number,
                })
        })
        .collect()
}

impl Slot {
    /// The emitter name of container number `generation` in this slot, from 0.
    #[must_use]
    pub(crate) fn emitter(&self, generation: u32) -> String {
        let width = self.load.containers.to_string().len().max(2);
        let name = format!("{}-{:0width$}", self.load.name, self.number);
        if generation == 0 {
            name
        } else {
            format!("{name}.{generation}")
        }
    }

    /// The settings of container number `generation`.
    #[must_use]
    pub(crate) fn container(&self, run_id: &str, image: &str, generation: u32) -> ContainerSpec {
        let load = &self.load;
        let emitter = self.emitter(generation);
        let command = match &load.image {
            Some(_) => load.command.clone(),
            None => noise_command(run_id, &emitter, load),
        };
        ContainerSpec {
            name: format!("leakcheck-{run_id}-{emitter}"),
            image: load.image.clone().unwrap_or_else(|| image.to_owned()),
            command,
            env: load.env.iter().map(|(k, v)| format!("{k}={v}")).collect(),
            labels: HashMap::from([
                (RUN_LABEL.to_owned(), run_id.to_owned()),
                (LOAD_LABEL.to_owned(), load.name.clone()),
                (EMITTER_LABEL.to_owned(), emitter),
            ]),
            memory: i64::try_from(load.memory.0).unwrap_or(i64::MAX),
            pids: i64::from(load.pids),
            tty: load.tty,
            log_driver: load.log.driver.clone(),
            log_options: log_options(&load.log),
        }
    }
}

/// The options of the log driver. Engine defaults such as `max-size=10m` drop old lines, which would count as lost by the
/// target. So json-file keeps everything unless the scenario sets options.
fn log_options(log: &LogConfig) -> HashMap<String, String> {
    if log.driver == "json-file" && log.options.is_empty() {
        return HashMap::from([("max-size".into(), "1000g".into()), ("max-file".into(), "1".into())]);
    }
    log.options.clone().into_iter().collect()
}

/// The command line of `leakcheck noise`.
fn noise_command(run_id: &str, emitter: &str, load: &Load) -> Vec<String> {
    let mut words = vec!["noise".to_owned()];
    for (name, value) in [
        ("--run", run_id.to_owned()),
        ("--emitter", emitter.to_owned()),
        ("--lines-per-second", load.lines_per_second.to_string()),
        ("--line-bytes", load.line_bytes.to_string()),
        ("--stderr-share", load.stderr_share.to_string()),
    ] {
        words.extend([name.to_owned(), value]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        let text = "name='t'\n[[load]]\nname='noisy'\ncontainers=3\nlines_per_second=20\nline_bytes=[80,400]\n[[load]]\nname='idle'\ncontainers=1\n[target]\nkind='capture'\n[limits]\nfds='growth < 5'\n";
        Scenario::parse(text).expect("a good scenario")
    }

    #[test]
    fn groups_are_interleaved() {
        let names: Vec<String> = slots(&scenario()).iter().map(|s| s.emitter(0)).collect();
        assert_eq!(names, ["noisy-01", "idle-01", "noisy-02", "noisy-03"]);
    }

    #[test]
    fn a_container_has_labels_limits_and_its_noise_command() {
        let slot = &slots(&scenario())[0];
        let spec = slot.container("k3", "img:1", 2);
        assert_eq!(spec.name, "leakcheck-k3-noisy-01.2");
        assert_eq!(spec.labels[RUN_LABEL], "k3");
        assert_eq!(spec.labels[EMITTER_LABEL], "noisy-01.2");
        assert_eq!(spec.memory, 32 << 20);
        assert_eq!(spec.command[..5], ["noise", "--run", "k3", "--emitter", "noisy-01.2"]);
        assert!(spec.command.windows(2).any(|w| w == ["--line-bytes", "80..400"]));
    }
}
