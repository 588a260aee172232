//! The expected attribution of a leak: kind of resource, names, and number per rotation or container start.

use leakcheck_model::RunResult;
use leakcheck_model::event::Attribution;

/// Allowed difference in kinds that do not leak. At one inspection six streams, a request and a scrape may be in progress, and
/// none of them at the other.
const IN_FLIGHT: f64 = 8.0;

/// The same as a share of the leak, because more is in progress on a busy machine.
const IN_FLIGHT_SHARE: f64 = 0.15;

/// Smallest share of the leak that must have the expected names.
const MIN_NAMED_SHARE: f64 = 0.8;

/// Allowed relative error of the number per rotation.
const TOLERANCE: f64 = 0.35;

/// The kinds, and the words after the number in their sentences.
const KINDS: [(&str, &str); 4] = [
    ("fds", "file descriptor"),
    ("tasks", "task"),
    ("threads", "thread"),
    ("children", "child process"),
];

/// The states of tasks by name, as the target reports them.
const STATES: [(&str, &str); 7] = [
    ("reader", "blocked in read"),
    ("waiter", "waiting for its reader"),
    ("attempt", "waiting for its reader"),
    ("loop", "waiting for its reader"),
    ("watcher", "waiting for the cancellation"),
    ("forgotten", "waiting for ever"),
    ("heartbeat", "waiting for ever"),
];

/// A cause that is not in a sentence: an expected rotation, for a target that counts none.
pub(super) const EXPECTED_ROTATION: &str = "expected rotation";

/// The texts that give the time: `since the baseline`, `between checkpoint 3 and 4`, `after checkpoint 4`.
const TIMES: [&str; 2] = ["since the baseline", "checkpoint"];

/// The expected attribution of one kind of resource.
pub(crate) struct ExpectedAttribution {
    /// `fds`, `tasks`, `threads`, `children`, `memory`.
    kind: &'static str,
    /// Names, with equal shares of the leak.
    names: &'static [&'static str],
    /// Possible peers of the sockets. Empty if there are none.
    peers: &'static [&'static str],
    /// Text that gives the time, if it must be more exact than since the baseline.
    when: Option<&'static str>,
    /// Number (bytes, for memory) per cause.
    each: Option<(f64, &'static str)>,
}

impl ExpectedAttribution {
    pub(super) const fn of(
        kind: &'static str,
        names: &'static [&'static str],
        each: Option<(f64, &'static str)>,
    ) -> Self {
        Self {
            kind,
            names,
            peers: &[],
            when: None,
            each,
        }
    }

    /// Expects one of these peers.
    pub(super) const fn to(self, peers: &'static [&'static str]) -> Self {
        Self { peers, ..self }
    }

    /// Expects this text for the time.
    pub(super) const fn when(self, when: &'static str) -> Self {
        Self {
            when: Some(when),
            ..self
        }
    }

    /// Returns a difference between the attribution and the expected one.
    fn mismatch(&self, attribution: &Attribution) -> Option<String> {
        let grown = grown(attribution, self.kind);
        let all: f64 = grown.iter().map(|(_, n)| n).sum();
        // The fold starts at 0, because an empty sum of floats is -0.
        let of = |name: &str| grown.iter().filter(|(n, _)| n == name).fold(0.0, |sum, (_, n)| sum + n);
        let share = 1.0 / self.names.len() as f64;
        for name in self.names {
            if of(name) <= 0.0 || of(name) < MIN_NAMED_SHARE * share * all {
                return Some(format!("{} of {all} {} that grew are `{name}`", of(name), self.kind));
            }
        }
        let Some(sentence) = attribution.sentences.iter().find(|s| is_of(s, self.kind)) else {
            return Some(format!("no sentence about {}", self.kind));
        };
        // `unix-socket` is written `unix socket` in sentences.
        let has_name = |name: &str| sentence.contains(&name.replace('-', " "));
        if !self.names.iter().all(|name| has_name(name)) {
            return Some(format!("`{sentence}` does not name {}", self.names.join(", ")));
        }
        self.peer_mismatch(attribution, sentence)
            .or_else(|| self.state_mismatch(attribution))
            .or_else(|| self.time_mismatch(sentence))
            .or_else(|| self.number_mismatch(sentence))
    }

    fn peer_mismatch(&self, attribution: &Attribution, sentence: &str) -> Option<String> {
        if self.peers.is_empty() {
            return None;
        }
        let sockets = attribution
            .fds
            .iter()
            .filter(|g| self.names.contains(&&*g.kind) && g.grew_by > 0);
        let is_right = |peer: &Option<String>| peer.as_deref().is_some_and(|p| self.peers.contains(&p));
        let (right, all) = sockets.fold((0, 0), |(right, all), g| {
            (right + if is_right(&g.peer) { g.grew_by } else { 0 }, all + g.grew_by)
        });
        let is_named = self.peers.iter().any(|peer| sentence.contains(peer));
        let is_wrong = !is_named || (right as f64) < MIN_NAMED_SHARE * all as f64;
        is_wrong.then(|| format!("`{sentence}`: {right} of {all} lead to {}", self.peers.join(" or ")))
    }

    fn state_mismatch(&self, attribution: &Attribution) -> Option<String> {
        if self.kind != "tasks" {
            return None;
        }
        let state = |name: &str| STATES.iter().find(|(n, _)| *n == name).map(|(_, state)| *state);
        self.names.iter().find_map(|name| {
            let expected = state(name)?;
            let tasks = attribution.tasks.iter().filter(|g| g.name == *name && g.grew_by > 0);
            let (right, all) = tasks.fold((0, 0), |(right, all), g| {
                let is_right = g.state.as_deref() == Some(expected);
                (right + if is_right { g.grew_by } else { 0 }, all + g.grew_by)
            });
            let is_wrong = (right as f64) < MIN_NAMED_SHARE * all as f64;
            is_wrong.then(|| format!("{right} of {all} `{name}` are {expected}"))
        })
    }

    fn time_mismatch(&self, sentence: &str) -> Option<String> {
        let has_time = match self.when {
            Some(when) => sentence.contains(when),
            None => TIMES.iter().any(|when| sentence.contains(when)),
        };
        (!has_time).then(|| format!("`{sentence}` should contain {}", self.when.unwrap_or("a time")))
    }

    fn number_mismatch(&self, sentence: &str) -> Option<String> {
        let (expected, cause) = self.each.filter(|(_, cause)| *cause != EXPECTED_ROTATION)?;
        let Some((each, count)) = each_of(sentence, cause) else {
            return Some(format!("`{sentence}` does not count by {cause}"));
        };
        (!is_near(each, expected, count))
            .then(|| format!("`{sentence}` should count about {expected} for each {cause}"))
    }

    /// Compares the number in the sentence with the metric. Memory has no count.
    fn total_mismatch(&self, result: &RunResult) -> Option<String> {
        let metric = result.metrics.get(self.kind)?;
        let counted = metric.last? - metric.baseline?;
        let attribution = result.attribution.as_ref()?;
        let sentence = attribution.sentences.iter().find(|s| is_of(s, self.kind))?;
        let stated: f64 = sentence.strip_prefix('+')?.split(' ').next()?.parse().ok()?;
        let allowed = IN_FLIGHT.max(IN_FLIGHT_SHARE * counted);
        if (stated - counted).abs() > allowed {
            return Some(format!("`{sentence}`, and {counted} more were counted"));
        }
        let (expected, _) = self.each.filter(|(_, cause)| *cause == EXPECTED_ROTATION)?;
        let rotations = result.expected_rotations.filter(|n| *n > 0.0)?;
        let is_wrong = !is_near(stated / rotations, expected, rotations);
        is_wrong
            .then(|| format!("`{sentence}` should be about {expected} for each of {rotations:.0} expected rotations"))
    }
}

/// Returns whether a number per cause is as expected, for `count` causes.
fn is_near(each: f64, expected: f64, count: f64) -> bool {
    (each - expected).abs() <= TOLERANCE * expected || (each - expected).abs() * count <= IN_FLIGHT
}

/// Returns a difference between a result's attribution and the expected ones, or `None` if it is exactly as expected.
pub(crate) fn mismatch(expected: &[ExpectedAttribution], result: &RunResult) -> Option<String> {
    let attribution = result.attribution.clone().unwrap_or_default();
    let first = expected.iter().find_map(|expected| {
        expected
            .mismatch(&attribution)
            .or_else(|| expected.total_mismatch(result))
    });
    first.or_else(|| {
        // The allowance depends on counts, not on bytes.
        let leaked = expected
            .iter()
            .filter(|e| e.kind != "memory")
            .map(|e| grown(&attribution, e.kind).iter().map(|(_, n)| n).sum::<f64>());
        let allowed = IN_FLIGHT.max(IN_FLIGHT_SHARE * leaked.fold(0.0, f64::max));
        let others = KINDS
            .iter()
            .filter(|(kind, _)| expected.iter().all(|e| e.kind != *kind));
        others
            .map(|(kind, _)| (kind, grown(&attribution, kind).iter().map(|(_, n)| n).sum::<f64>()))
            .find(|(_, more)| *more > allowed)
            .map(|(kind, more)| format!("the growth of {more} {kind} is unexpected"))
    })
}

/// The growth of a kind, by name.
fn grown(attribution: &Attribution, kind: &str) -> Vec<(String, f64)> {
    let prefix = match kind {
        "threads" => "thread ",
        "children" => "child ",
        _ => "",
    };
    match kind {
        "fds" => attribution
            .fds
            .iter()
            .map(|g| (g.kind.clone(), g.grew_by as f64))
            .collect(),
        "memory" => attribution
            .memory
            .iter()
            .map(|g| (g.kind.clone(), g.grew_by as f64))
            .collect(),
        _ => {
            let of_kind = attribution.tasks.iter().filter(|g| match prefix {
                "" => !g.name.starts_with("thread ") && !g.name.starts_with("child "),
                prefix => g.name.starts_with(prefix),
            });
            let name = |name: &str| name.trim_start_matches(prefix).to_owned();
            of_kind.map(|g| (name(&g.name), g.grew_by as f64)).collect()
        }
    }
}

/// Returns whether a sentence is about this kind.
fn is_of(sentence: &str, kind: &str) -> bool {
    let Some((_, text)) = sentence.strip_prefix('+').and_then(|s| s.split_once(' ')) else {
        return false;
    };
    match KINDS.iter().find(|(name, _)| *name == kind) {
        Some((_, begins)) => text.starts_with(begins),
        // `+120.0 MiB of resident memory`
        None => text.contains("of resident memory"),
    }
}

/// Parses `0.50 for each of 359 rotations`: the number (bytes, for memory) and the count.
fn each_of(sentence: &str, cause: &str) -> Option<(f64, f64)> {
    let parts = sentence.split(", ").flat_map(|part| part.split("; "));
    parts
        .filter_map(|part| part.split_once(" for each of "))
        .find_map(|(each, of)| {
            let (count, name) = of.split_once(' ')?;
            if name.trim_end_matches('s') != cause {
                return None;
            }
            let (number, unit) = each.split_once(' ').unwrap_or((each, ""));
            let unit = match unit {
                "KiB" => 1024.0,
                "MiB" => 1_048_576.0,
                _ => 1.0,
            };
            Some((number.parse::<f64>().ok()? * unit, count.parse().ok()?))
        })
}

#[cfg(test)]
mod tests {
    use leakcheck_model::event::{GrownFds, GrownTasks};

    use super::*;

    const READERS: ExpectedAttribution = ExpectedAttribution::of("tasks", &["reader"], Some((0.5, "rotation")));
    const STREAMS: ExpectedAttribution = ExpectedAttribution::of("fds", &["unix-socket"], Some((0.5, "rotation")));

    fn result(sockets: i64, readers: i64, threads: i64, rotations: u32) -> RunResult {
        let tasks = [("reader", readers), ("thread worker", threads)];
        let each = |n: i64| n as f64 / f64::from(rotations);
        let table =
            leakcheck_model::Record::from_table("run".into(), leakcheck_model::Samples::default(), Vec::new(), None);
        let mut result = leakcheck_judge::summarize(&table, leakcheck_judge::judge(&table));
        result.attribution = Some(Attribution {
            sentences: vec![
                format!(
                    "+{sockets} file descriptors: {sockets} are unix sockets to docker.sock; opened in the 45 s since the \
                     baseline, {:.2} for each of {rotations} rotations",
                    each(sockets)
                ),
                format!(
                    "+{readers} tasks: {readers} are `reader` (blocked in read); begun in the 45 s since the baseline, \
                     {:.2} for each of {rotations} rotations",
                    each(readers)
                ),
            ],
            fds: vec![GrownFds {
                kind: "unix-socket".into(),
                peer: Some("docker.sock".into()),
                grew_by: sockets,
            }],
            tasks: tasks
                .iter()
                .filter(|(_, n)| *n > 0)
                .map(|(name, n)| GrownTasks {
                    name: (*name).into(),
                    state: (*name == "reader").then(|| "blocked in read".into()),
                    grew_by: *n,
                })
                .collect(),
            ..Attribution::default()
        });
        result
    }

    #[test]
    fn the_expected_attribution_has_no_mismatch() {
        assert_eq!(mismatch(&[STREAMS, READERS], &result(180, 181, 2, 360)), None);
    }

    #[test]
    fn another_number_name_or_kind_is_a_mismatch() {
        let found =
            |expected: &[ExpectedAttribution], result: &RunResult| mismatch(expected, result).unwrap_or_default();
        assert!(found(&[STREAMS, READERS], &result(360, 181, 2, 360)).contains("should count about 0.5"));
        assert!(found(&[STREAMS], &result(180, 181, 2, 360)).contains("the growth of 181 tasks is unexpected"));
        assert!(found(&[STREAMS, READERS], &result(180, 180, 90, 360)).contains("90 threads"));
        let other = ExpectedAttribution::of("tasks", &["waiter"], None);
        assert_eq!(
            found(&[STREAMS, other], &result(180, 181, 2, 360)),
            "0 of 181 tasks that grew are `waiter`"
        );
        assert!(
            found(
                &[STREAMS, ExpectedAttribution::of("fds", &["inotify"], None)],
                &result(180, 0, 0, 360)
            )
            .contains("inotify")
        );
    }

    #[test]
    fn another_peer_state_time_or_total_is_a_mismatch() {
        let found = |expected: ExpectedAttribution, result: &RunResult| {
            mismatch(&[expected, READERS], result).unwrap_or_default()
        };
        let right = result(180, 181, 2, 360);
        assert_eq!(found(STREAMS.to(&["docker.sock"]), &right), "");
        assert!(found(STREAMS.to(&["engine.sock"]), &right).contains("0 of 180 lead to engine.sock"));
        assert!(found(STREAMS.when("checkpoint"), &right).contains("should contain checkpoint"));
        let mut other = right.clone();
        if let Some(attribution) = &mut other.attribution {
            attribution.tasks[0].state = Some("reading".into());
        }
        assert!(found(STREAMS, &other).contains("0 of 181 `reader` are blocked in read"));
        let mut counted = right;
        let fds = counted.metrics.entry("fds".into()).or_default();
        (fds.baseline, fds.last) = (Some(20.0), Some(201.0));
        assert_eq!(found(STREAMS, &counted), "");
        counted.metrics.entry("fds".into()).or_default().last = Some(400.0);
        assert!(found(STREAMS, &counted).contains("380 more were counted"));
    }

    #[test]
    fn a_leak_without_counted_rotations_is_compared_with_the_expected_ones() {
        let expected = |each: f64| ExpectedAttribution::of("fds", STREAMS.names, Some((each, EXPECTED_ROTATION)));
        let mut run = result(180, 181, 2, 360);
        let fds = run.metrics.entry("fds".into()).or_default();
        (fds.baseline, fds.last) = (Some(20.0), Some(200.0));
        run.expected_rotations = Some(180.0);
        assert_eq!(mismatch(&[expected(1.0), READERS], &run), None);
        let found = mismatch(&[expected(2.0), READERS], &run).unwrap_or_default();
        assert!(found.contains("about 2 for each of 180 expected rotations"), "{found}");
    }

    #[test]
    fn a_memory_leak_allows_no_other_growth() {
        let memory = ExpectedAttribution::of("memory", &["the heap"], None);
        let mut run = result(180, 0, 0, 360);
        if let Some(attribution) = &mut run.attribution {
            attribution.memory = vec![leakcheck_model::event::GrownMemory {
                kind: "the heap".into(),
                grew_by: 100 << 20,
            }];
            attribution.sentences.push(
                "+100.0 MiB of resident memory: 100.0 MiB in the heap; taken in the 45 s since the baseline".into(),
            );
        }
        let found = mismatch(&[memory], &run).unwrap_or_default();
        assert!(found.contains("the growth of 180 fds is unexpected"), "{found}");
    }

    #[test]
    fn amounts_of_memory_are_read_in_their_unit() {
        let sentence = "+120.0 MiB of resident memory: 120.0 MiB in the heap; taken in the 45 s since the baseline, 256.0 KiB \
                        for each of 480 rotations";
        assert_eq!(each_of(sentence, "rotation"), Some((262_144.0, 480.0)));
        assert!(is_of(sentence, "memory") && !is_of(sentence, "tasks"));
    }
}
