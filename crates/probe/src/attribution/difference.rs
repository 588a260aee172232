//! The growth between two snapshots.

use std::collections::{BTreeMap, HashMap};

use leakcheck_model::event::{Attribution, GrownFds, GrownTasks};

use super::group::{FdGroup, Groups};
use super::sentence;
use super::snapshot::Snapshot;
use super::timeline::{GrowthContext, GrowthPeriod};

/// The number of groups that are listed.
const MAX_LISTED: usize = 20;

/// The number of names of one pattern (`worker-1`, `worker-2`, …) from which they are shown as one (`worker-*`).
const MIN_OF_PATTERN: usize = 3;

impl Snapshot {
    /// Returns the growth since an earlier snapshot, with sentences that name it.
    #[must_use]
    pub fn since(&self, earlier: &Self, context: &GrowthContext) -> Attribution {
        between(earlier, self, context)
    }
}

fn between(before: &Snapshot, after: &Snapshot, context: &GrowthContext) -> Attribution {
    let mut attribution = Attribution::default();
    if let (Some(before), Some(after)) = (&before.fds, &after.fds) {
        let total = total(after) - total(before);
        attribution.fds = fds(before, after);
        let sentence = sentence::of_fds(total, &attribution.fds, &context.fds);
        attribution.sentences.extend(sentence);
    }
    if let (Some(before), Some(after)) = (&before.tasks, &after.tasks) {
        add("task", "", before, after, &context.tasks, &mut attribution);
    }
    let (then, now) = (&before.threads, &after.threads);
    add("thread", "thread ", then, now, &context.threads, &mut attribution);
    let (then, now) = (&before.children, &after.children);
    add(
        "child process",
        "child ",
        then,
        now,
        &context.children,
        &mut attribution,
    );
    let (grown, sentence) = sentence::of_memory(&before.memory, &after.memory, &context.memory);
    attribution.memory = grown.into_iter().take(MAX_LISTED).collect();
    attribution.sentences.extend(sentence);
    let is_blind = before.fds.is_none() || after.fds.is_none();
    if is_blind || !attribution.sentences.is_empty() {
        attribution.sentences.extend(unseen(before, after));
    }
    attribution
}

/// Returns a sentence about what could not be read in one of the two snapshots.
fn unseen(before: &Snapshot, after: &Snapshot) -> Option<String> {
    let mut all: Vec<&str> = before.unseen.iter().chain(&after.unseen).map(String::as_str).collect();
    all.sort_unstable();
    all.dedup();
    (!all.is_empty()).then(|| format!("not seen: {}", all.join("; ")))
}

fn fds(before: &BTreeMap<FdGroup, u64>, after: &BTreeMap<FdGroup, u64>) -> Vec<GrownFds> {
    let names = |groups: &BTreeMap<FdGroup, u64>| -> Groups {
        groups
            .iter()
            .map(|(g, n)| ((g.kind.clone(), g.peer.clone().unwrap_or_default()), *n))
            .collect()
    };
    let (before, after) = (names(before), names(after));
    let patterns = Patterns::of(before.keys().chain(after.keys()).map(|(_, peer)| peer));
    let shown = |groups: &Groups| regroup(groups, |(kind, peer)| (kind.clone(), patterns.show(peer)));
    let grown = growth(&shown(&before), &shown(&after));
    let listed = grown
        .into_iter()
        .take(MAX_LISTED)
        .map(|((kind, peer), grew_by)| GrownFds {
            kind,
            peer: Some(peer).filter(|p| !p.is_empty()),
            grew_by,
        });
    listed.collect()
}

/// Adds the growth of threads, tasks or children. A thread that waits in another call than before is no growth.
fn add(what: &str, prefix: &str, before: &Groups, after: &Groups, period: &GrowthPeriod, to: &mut Attribution) {
    let patterns = Patterns::of(before.keys().chain(after.keys()).map(|(name, _)| name));
    let shown = |groups: &Groups| regroup(groups, |(name, state)| (patterns.show(name), state.clone()));
    let (before, after) = (shown(before), shown(after));
    let by_name = |groups: &Groups| regroup(groups, |(name, _)| (name.clone(), String::new()));
    let names: HashMap<String, i64> = growth(&by_name(&before), &by_name(&after))
        .into_iter()
        .map(|((name, _), n)| (name, n))
        .collect();
    let mut listed = Vec::new();
    for ((name, state), grew_by) in growth(&before, &after).into_iter().take(MAX_LISTED) {
        if let Some(of_name) = names.get(&name) {
            let state = Some(state).filter(|s| !s.is_empty());
            listed.push(GrownTasks {
                name,
                state,
                grew_by: grew_by.min(*of_name),
            });
        }
    }
    to.sentences.extend(sentence::of_tasks(
        what,
        total(&after) - total(&before),
        &listed,
        period,
    ));
    to.tasks.extend(listed.into_iter().map(|t| GrownTasks {
        name: format!("{prefix}{}", t.name),
        ..t
    }));
}

fn total<K>(groups: &BTreeMap<K, u64>) -> i64 {
    groups.values().sum::<u64>().cast_signed()
}

fn regroup(groups: &Groups, key: impl Fn(&(String, String)) -> (String, String)) -> Groups {
    let mut out = Groups::new();
    for (k, n) in groups {
        *out.entry(key(k)).or_default() += n;
    }
    out
}

/// Returns the groups that grew, the largest growth first.
fn growth(before: &Groups, after: &Groups) -> Vec<((String, String), i64)> {
    let mut grown: Vec<_> = after
        .iter()
        .map(|(key, n)| {
            (
                key.clone(),
                n.cast_signed() - before.get(key).copied().unwrap_or(0).cast_signed(),
            )
        })
        .filter(|(_, n)| *n > 0)
        .collect();
    grown.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    grown
}

/// Patterns of names that differ only in their numbers or ids.
struct Patterns {
    /// The number of different names by pattern.
    names: HashMap<String, usize>,
}

impl Patterns {
    fn of<'n>(names: impl Iterator<Item = &'n String>) -> Self {
        let mut counts = HashMap::new();
        let distinct: std::collections::BTreeSet<&String> = names.collect();
        for name in distinct {
            *counts.entry(pattern(name)).or_default() += 1;
        }
        Self { names: counts }
    }

    fn show(&self, name: &str) -> String {
        let pattern = pattern(name);
        if self.names.get(&pattern).is_some_and(|n| *n >= MIN_OF_PATTERN) {
            pattern
        } else {
            name.to_owned()
        }
    }
}

/// Replaces each number, and each id of twelve or more hexadecimal digits, by `*`.
fn pattern(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String| {
        let is_id = word.len() >= 12 && word.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id {
            out.push('*');
        } else {
            let mut in_number = false;
            for c in word.chars() {
                if !c.is_ascii_digit() {
                    out.push(c);
                } else if !in_number {
                    out.push('*');
                }
                in_number = c.is_ascii_digit();
            }
        }
        word.clear();
    };
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c);
        } else {
            flush(&mut word, &mut out);
            out.push(c);
        }
    }
    flush(&mut word, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(list: &[(&str, &str, u64)]) -> Groups {
        list.iter()
            .map(|(name, state, n)| (((*name).to_owned(), (*state).to_owned()), *n))
            .collect()
    }

    fn descriptors(list: &[(&str, &str, u64)]) -> Snapshot {
        let group = |kind: &str, peer: &str| FdGroup::of(kind, Some(peer.to_owned()).filter(|p| !p.is_empty()));
        Snapshot {
            fds: Some(list.iter().map(|(k, p, n)| (group(k, p), *n)).collect()),
            ..Snapshot::default()
        }
    }

    #[test]
    fn the_leak_of_the_case_study_is_described_in_a_sentence() {
        let before = descriptors(&[("unix-socket", "docker.sock", 55), ("pipe", "", 2)]);
        let after = descriptors(&[("unix-socket", "docker.sock", 625), ("pipe", "", 4)]);
        let context = GrowthContext {
            fds: GrowthPeriod {
                when: Some("between checkpoint 3 and 4".into()),
                causes: vec![("rotation", 550.0)],
                ..GrowthPeriod::default()
            },
            ..GrowthContext::default()
        };
        let attribution = after.since(&before, &context);
        assert_eq!(
            attribution.sentences,
            [
                "+572 file descriptors: 570 are unix sockets to docker.sock, 2 are pipes; opened between checkpoint 3 and 4, \
              1.04 for each of 550 rotations"
            ]
        );
        assert_eq!(
            (attribution.fds[0].kind.as_str(), attribution.fds[0].grew_by),
            ("unix-socket", 570)
        );
    }

    #[test]
    fn numbered_names_are_one_group_even_if_one_of_them_existed_before() {
        let before = descriptors(&[("file", "/tmp/cache-1", 1), ("file", "/etc/a.conf", 1)]);
        let after = descriptors(&[
            ("file", "/tmp/cache-1", 1),
            ("file", "/tmp/cache-2", 1),
            ("file", "/tmp/cache-33", 1),
            ("file", "/etc/a.conf", 1),
        ]);
        let fds = after.since(&before, &GrowthContext::default()).fds;
        assert_eq!(
            fds,
            [GrownFds {
                kind: "file".into(),
                peer: Some("/tmp/cache-*".into()),
                grew_by: 2
            }]
        );
        assert_eq!(pattern("/containers/0123456789abcdef/x.log"), "/containers/*/x.log");
    }

    #[test]
    fn a_thread_that_waits_in_another_call_is_no_growth() {
        let before = Snapshot {
            threads: groups(&[("worker", "futex", 2)]),
            ..Snapshot::default()
        };
        let after = Snapshot {
            threads: groups(&[("worker", "epoll_wait", 2)]),
            ..Snapshot::default()
        };
        assert_eq!(after.since(&before, &GrowthContext::default()), Attribution::default());
    }

    #[test]
    fn tasks_threads_and_children_are_listed_separately() {
        let before = Snapshot {
            tasks: Some(groups(&[("reader", "reading", 5)])),
            ..Snapshot::default()
        };
        let after = Snapshot {
            tasks: Some(groups(&[("reader", "reading", 25), ("sink", "idle", 1)])),
            threads: groups(&[
                ("blocking-1", "read", 1),
                ("blocking-2", "read", 1),
                ("blocking-3", "read", 1),
            ]),
            children: groups(&[("helper", "zombie", 4)]),
            ..Snapshot::default()
        };
        let sentences = after.since(&before, &GrowthContext::default()).sentences;
        assert_eq!(
            sentences,
            [
                "+21 tasks: 20 are `reader` (reading), 1 is `sink` (idle)",
                "+3 threads: 3 are `blocking-*` (read)",
                "+4 child processes: 4 are `helper` (zombie)",
            ]
        );
    }

    #[test]
    fn resources_that_were_not_read_are_not_reported_as_growth() {
        let after = descriptors(&[("pipe", "", 9)]);
        assert_eq!(
            after.since(&Snapshot::default(), &GrowthContext::default()),
            Attribution::default()
        );
        let before = Snapshot {
            unseen: vec!["the file descriptors are too many".into()],
            ..Snapshot::default()
        };
        let sentences = after.since(&before, &GrowthContext::default()).sentences;
        assert_eq!(sentences, ["not seen: the file descriptors are too many"]);
    }

    #[test]
    fn only_the_growth_within_a_period_is_attributed_to_its_events() {
        // 57 grew in all, 50 of them while 10 containers started
        let context = GrowthContext {
            fds: GrowthPeriod {
                when: Some("after checkpoint 2".into()),
                share: 50.0 / 57.0,
                causes: vec![("rotation", 500.0), ("container start", 10.0)],
            },
            ..GrowthContext::default()
        };
        let sentences = descriptors(&[("pipe", "", 57)])
            .since(&descriptors(&[]), &context)
            .sentences;
        let expected = "+57 file descriptors: 57 are pipes; opened after checkpoint 2, 0.10 for each of 500 rotations, \
                        5.00 for each of 10 container starts";
        assert_eq!(sentences, [expected]);
    }
}
