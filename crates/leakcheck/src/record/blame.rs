//! Who must be said to have leaked: the kind of thing, its names, and how many for each rotation or container start.

use leakcheck_model::RunResult;
use leakcheck_model::event::Attribution;

/// Things of the kinds that a row does not name may differ by this many: on a busy machine the streams of all six containers
/// are being replaced at one look and a request and a scrape are in flight, and none of them at the other.
const IN_FLIGHT: f64 = 8.0;

/// The same as a share of what leaked: on a busy machine more is in flight.
const IN_FLIGHT_SHARE: f64 = 0.15;

/// The share of what leaked that must have the names of the row.
const MOST: f64 = 0.8;

/// How far the number for each rotation may be off, relatively.
const OFF: f64 = 0.35;

/// The kinds, and how a sentence of each begins behind its number.
const KINDS: [(&str, &str); 4] = [
    ("fds", "file descriptor"),
    ("tasks", "task"),
    ("threads", "thread"),
    ("children", "child process"),
];

/// What tasks of these names wait in, as the target tells it.
const STATES: [(&str, &str); 7] = [
    ("reader", "blocked in read"),
    ("waiter", "waiting for its reader"),
    ("attempt", "waiting for its reader"),
    ("loop", "waiting for its reader"),
    ("watcher", "waiting for the cancellation"),
    ("forgotten", "waiting for ever"),
    ("heartbeat", "waiting for ever"),
];

/// A cause that no sentence tells: the rotations that the schedule leads one to expect, where the target counts none.
pub(super) const DUE: &str = "rotation that was due";

/// A sentence tells when it was, by one of these: `since the baseline`, `between checkpoint 3 and 4`, `after checkpoint 4`.
const WHEN: [&str; 2] = ["since the baseline", "checkpoint"];

/// One kind of thing that leaks.
pub(crate) struct Blame {
    /// `fds`, `tasks`, `threads`, `children`, `memory`.
    kind: &'static str,
    /// What it is called; several in equal shares.
    names: &'static [&'static str],
    /// What is at their other end: one of these; nothing is said of it if there are none.
    peers: &'static [&'static str],
    /// When they came, if it must be known better than since the baseline.
    when: Option<&'static str>,
    /// How many (of memory: bytes) for each of what.
    each: Option<(f64, &'static str)>,
}

impl Blame {
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

    /// With one of these at the other end.
    pub(super) const fn to(self, peers: &'static [&'static str]) -> Self {
        Self { peers, ..self }
    }

    /// At a time that the sentence tells so.
    pub(super) const fn when(self, when: &'static str) -> Self {
        Self {
            when: Some(when),
            ..self
        }
    }

    /// What is wrong with how this is told.
    fn wrong(&self, who: &Attribution) -> Option<String> {
        let grown = grown(who, self.kind);
        let all: f64 = grown.iter().map(|(_, n)| n).sum();
        // From 0, since the sum of nothing is -0.
        let of = |name: &str| grown.iter().filter(|(n, _)| n == name).fold(0.0, |sum, (_, n)| sum + n);
        let share = 1.0 / self.names.len() as f64;
        for name in self.names {
            if of(name) <= 0.0 || of(name) < MOST * share * all {
                return Some(format!("{} of {all} {} that grew are `{name}`", of(name), self.kind));
            }
        }
        let Some(sentence) = who.sentences.iter().find(|s| is_of(s, self.kind)) else {
            return Some(format!("no sentence tells of {}", self.kind));
        };
        // As people read it: `unix sockets to docker.sock`.
        let readable = |name: &str| sentence.contains(&name.replace('-', " "));
        if !self.names.iter().all(|name| readable(name)) {
            return Some(format!("`{sentence}` does not name {}", self.names.join(", ")));
        }
        self.wrong_ends(who, sentence)
            .or_else(|| self.wrong_states(who))
            .or_else(|| self.wrong_time(sentence))
            .or_else(|| self.wrong_number(sentence))
    }

    /// What is wrong with what is said to be at the other end.
    fn wrong_ends(&self, who: &Attribution, sentence: &str) -> Option<String> {
        if self.peers.is_empty() {
            return None;
        }
        let ours = who
            .fds
            .iter()
            .filter(|g| self.names.contains(&&*g.kind) && g.grew_by > 0);
        let is_right = |peer: &Option<String>| peer.as_deref().is_some_and(|p| self.peers.contains(&p));
        let (right, all) = ours.fold((0, 0), |(right, all), g| {
            (right + if is_right(&g.peer) { g.grew_by } else { 0 }, all + g.grew_by)
        });
        let told = self.peers.iter().any(|peer| sentence.contains(peer));
        let is_wrong = !told || (right as f64) < MOST * all as f64;
        is_wrong.then(|| format!("`{sentence}`: {right} of {all} lead to {}", self.peers.join(" or ")))
    }

    /// What is wrong with what the tasks are said to wait in.
    fn wrong_states(&self, who: &Attribution) -> Option<String> {
        if self.kind != "tasks" {
            return None;
        }
        let state = |name: &str| STATES.iter().find(|(n, _)| *n == name).map(|(_, state)| *state);
        self.names.iter().find_map(|name| {
            let expected = state(name)?;
            let ours = who.tasks.iter().filter(|g| g.name == *name && g.grew_by > 0);
            let (right, all) = ours.fold((0, 0), |(right, all), g| {
                let is_right = g.state.as_deref() == Some(expected);
                (right + if is_right { g.grew_by } else { 0 }, all + g.grew_by)
            });
            let is_wrong = (right as f64) < MOST * all as f64;
            is_wrong.then(|| format!("{right} of {all} `{name}` are {expected}"))
        })
    }

    fn wrong_time(&self, sentence: &str) -> Option<String> {
        let is_told = match self.when {
            Some(when) => sentence.contains(when),
            None => WHEN.iter().any(|when| sentence.contains(when)),
        };
        (!is_told).then(|| format!("`{sentence}` should tell {}", self.when.unwrap_or("when it was")))
    }

    fn wrong_number(&self, sentence: &str) -> Option<String> {
        let (expected, cause) = self.each.filter(|(_, cause)| *cause != DUE)?;
        let Some((each, count)) = each_of(sentence, cause) else {
            return Some(format!("`{sentence}` does not count by {cause}"));
        };
        (!is_near(each, expected, count))
            .then(|| format!("`{sentence}` should count about {expected} for each {cause}"))
    }

    /// What is wrong with how many there are said to be, against what was counted at every tick. Memory has no count.
    fn wrong_total(&self, result: &RunResult) -> Option<String> {
        let metric = result.metrics.get(self.kind)?;
        let counted = metric.last? - metric.baseline?;
        let who = result.attribution.as_ref()?;
        let sentence = who.sentences.iter().find(|s| is_of(s, self.kind))?;
        let told: f64 = sentence.strip_prefix('+')?.split(' ').next()?.parse().ok()?;
        let allowed = IN_FLIGHT.max(IN_FLIGHT_SHARE * counted);
        if (told - counted).abs() > allowed {
            return Some(format!("`{sentence}`, and {counted} more were counted"));
        }
        let (expected, _) = self.each.filter(|(_, cause)| *cause == DUE)?;
        let due = result.expected_rotations.filter(|due| *due > 0.0)?;
        let is_wrong = !is_near(told / due, expected, due);
        is_wrong
            .then(|| format!("`{sentence}` should be about {expected} for each of {due:.0} rotations that were due"))
    }
}

/// Whether a number for each of `count` is what it should be.
fn is_near(each: f64, expected: f64, count: f64) -> bool {
    (each - expected).abs() <= OFF * expected || (each - expected).abs() * count <= IN_FLIGHT
}

/// What is wrong with how a run tells who leaked; `None` if every kind of the row is told rightly, and no other is.
pub(crate) fn wrong(blames: &[Blame], result: &RunResult) -> Option<String> {
    let who = result.attribution.clone().unwrap_or_default();
    let told = blames
        .iter()
        .find_map(|blame| blame.wrong(&who).or_else(|| blame.wrong_total(result)));
    told.or_else(|| {
        // Bytes are no measure of how many requests may be in flight.
        let leaked = blames
            .iter()
            .filter(|b| b.kind != "memory")
            .map(|b| grown(&who, b.kind).iter().map(|(_, n)| n).sum::<f64>());
        let allowed = IN_FLIGHT.max(IN_FLIGHT_SHARE * leaked.fold(0.0, f64::max));
        let others = KINDS.iter().filter(|(kind, _)| blames.iter().all(|b| b.kind != *kind));
        others
            .map(|(kind, _)| (kind, grown(&who, kind).iter().map(|(_, n)| n).sum::<f64>()))
            .find(|(_, more)| *more > allowed)
            .map(|(kind, more)| format!("{more} {kind} are said to have grown too"))
    })
}

/// What grew of a kind, by name.
fn grown(who: &Attribution, kind: &str) -> Vec<(String, f64)> {
    let prefix = match kind {
        "threads" => "thread ",
        "children" => "child ",
        _ => "",
    };
    match kind {
        "fds" => who.fds.iter().map(|g| (g.kind.clone(), g.grew_by as f64)).collect(),
        "memory" => who.memory.iter().map(|g| (g.kind.clone(), g.grew_by as f64)).collect(),
        _ => {
            let of_kind = who.tasks.iter().filter(|g| match prefix {
                "" => !g.name.starts_with("thread ") && !g.name.starts_with("child "),
                prefix => g.name.starts_with(prefix),
            });
            let name = |name: &str| name.trim_start_matches(prefix).to_owned();
            of_kind.map(|g| (name(&g.name), g.grew_by as f64)).collect()
        }
    }
}

/// Whether a sentence tells of this kind.
fn is_of(sentence: &str, kind: &str) -> bool {
    let Some((_, what)) = sentence.strip_prefix('+').and_then(|s| s.split_once(' ')) else {
        return false;
    };
    match KINDS.iter().find(|(name, _)| *name == kind) {
        Some((_, begins)) => what.starts_with(begins),
        // `+120.0 MiB of resident memory`
        None => what.contains("of resident memory"),
    }
}

/// `0.50 for each of 359 rotations`: the number (in bytes, of memory) and the count.
fn each_of(sentence: &str, cause: &str) -> Option<(f64, f64)> {
    let parts = sentence.split(", ").flat_map(|part| part.split("; "));
    parts
        .filter_map(|part| part.split_once(" for each of "))
        .find_map(|(each, of)| {
            let (count, what) = of.split_once(' ')?;
            if what.trim_end_matches('s') != cause {
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

    const READERS: Blame = Blame::of("tasks", &["reader"], Some((0.5, "rotation")));
    const STREAMS: Blame = Blame::of("fds", &["unix-socket"], Some((0.5, "rotation")));

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
    fn what_is_told_rightly_is_right() {
        assert_eq!(wrong(&[STREAMS, READERS], &result(180, 181, 2, 360)), None);
    }

    #[test]
    fn another_number_another_name_and_another_kind_are_wrong() {
        let said = |blames: &[Blame], result: &RunResult| wrong(blames, result).unwrap_or_default();
        assert!(said(&[STREAMS, READERS], &result(360, 181, 2, 360)).contains("should count about 0.5"));
        assert!(said(&[STREAMS], &result(180, 181, 2, 360)).contains("181 tasks are said to have grown too"));
        assert!(said(&[STREAMS, READERS], &result(180, 180, 90, 360)).contains("90 threads"));
        let other = Blame::of("tasks", &["waiter"], None);
        assert_eq!(
            said(&[STREAMS, other], &result(180, 181, 2, 360)),
            "0 of 181 tasks that grew are `waiter`"
        );
        assert!(
            said(
                &[STREAMS, Blame::of("fds", &["inotify"], None)],
                &result(180, 0, 0, 360)
            )
            .contains("inotify")
        );
    }

    #[test]
    fn another_end_another_state_another_time_and_another_total_are_wrong() {
        let said = |blame: Blame, result: &RunResult| wrong(&[blame, READERS], result).unwrap_or_default();
        let right = result(180, 181, 2, 360);
        assert_eq!(said(STREAMS.to(&["docker.sock"]), &right), "");
        assert!(said(STREAMS.to(&["engine.sock"]), &right).contains("0 of 180 lead to engine.sock"));
        assert!(said(STREAMS.when("checkpoint"), &right).contains("should tell checkpoint"));
        let mut other = right.clone();
        if let Some(who) = &mut other.attribution {
            who.tasks[0].state = Some("reading".into());
        }
        assert!(said(STREAMS, &other).contains("0 of 181 `reader` are blocked in read"));
        let mut counted = right;
        let fds = counted.metrics.entry("fds".into()).or_default();
        (fds.baseline, fds.last) = (Some(20.0), Some(201.0));
        assert_eq!(said(STREAMS, &counted), "");
        counted.metrics.entry("fds".into()).or_default().last = Some(400.0);
        assert!(said(STREAMS, &counted).contains("380 more were counted"));
    }

    #[test]
    fn what_no_rotation_counts_is_counted_by_those_that_were_due() {
        let due = |each: f64| Blame::of("fds", STREAMS.names, Some((each, DUE)));
        let mut run = result(180, 181, 2, 360);
        let fds = run.metrics.entry("fds".into()).or_default();
        (fds.baseline, fds.last) = (Some(20.0), Some(200.0));
        run.expected_rotations = Some(180.0);
        assert_eq!(wrong(&[due(1.0), READERS], &run), None);
        let said = wrong(&[due(2.0), READERS], &run).unwrap_or_default();
        assert!(
            said.contains("about 2 for each of 180 rotations that were due"),
            "{said}"
        );
    }

    #[test]
    fn memory_that_leaks_excuses_no_other_kind() {
        let memory = Blame::of("memory", &["the heap"], None);
        let mut run = result(180, 0, 0, 360);
        if let Some(who) = &mut run.attribution {
            who.memory = vec![leakcheck_model::event::GrownMemory {
                kind: "the heap".into(),
                grew_by: 100 << 20,
            }];
            who.sentences.push(
                "+100.0 MiB of resident memory: 100.0 MiB in the heap; taken in the 45 s since the baseline".into(),
            );
        }
        let said = wrong(&[memory], &run).unwrap_or_default();
        assert!(said.contains("180 fds are said to have grown too"), "{said}");
    }

    #[test]
    fn amounts_of_memory_are_read_in_their_unit() {
        let sentence = "+120.0 MiB of resident memory: 120.0 MiB in the heap; taken in the 45 s since the baseline, 256.0 KiB \
                        for each of 480 rotations";
        assert_eq!(each_of(sentence, "rotation"), Some((262_144.0, 480.0)));
        assert!(is_of(sentence, "memory") && !is_of(sentence, "tasks"));
    }
}
