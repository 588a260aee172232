//! Which containers there are: events for what happens, lists for what is.
//!
//! Subscribe first, then list: whatever happens in between is in the events. Events can be lost (the engine drops them for
//! a slow reader, and all of them while it is away), so the list is asked for again after every gap and now and then.
//! Reading events does no work that could make it slow: each one at most starts a task.

mod events;
#[cfg(test)]
mod reconciling;

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::chunk::Identity;
use crate::engine::{Event, Listed};
use crate::filter::Filter;
use crate::follower::{Finished, Follower, Outcome, Shared};
use crate::jitter::{Backoff, phase};
use crate::seam::Position;
use crate::sink::Positions;
use crate::task::{Doing, Entry, Tasks};
use crate::timestamp::Timestamp;
use crate::wire::WireError;
use events::EventStream;

/// Followers that report their end at one time.
const REPORTS: usize = 64;
/// Events are silent for hours on a quiet engine; a half-open connection is silent too. So it is replaced this often.
const EVENTS_SILENCE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Events that came for this long are a connection that holds; one that breaks at once is tried ever less often.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// Containers that are gone and that the sink could not be told of, kept for later. Beyond these their positions stay in
/// the position file until the daemon begins the next time, finds them gone, and forgets them then.
const FORGOTTEN_MAX: usize = 10_000;

/// A container that is being followed.
struct Followed {
    /// Ends its follower alone.
    cancel: CancellationToken,
    /// It has another name now.
    renamed: Option<String>,
    /// It was started again meanwhile.
    again: bool,
    /// It was removed meanwhile.
    destroyed: bool,
}

/// A container that is not being followed now.
struct Stopped {
    position: Position,
    /// The number of the last list that had been asked for when this was entered; see [`Discovery::prune`].
    list: u64,
}

/// A list on its way, or arrived.
struct List {
    number: u64,
    /// How often events had been cut off when it was asked for.
    cuts: u64,
    containers: Result<Vec<Listed>, WireError>,
}

/// Finds containers and starts their followers.
pub(crate) struct Discovery {
    shared: Arc<Shared>,
    filter: Filter,
    tasks: Tasks,
    cancel: CancellationToken,
    followed: HashMap<String, Followed>,
    stopped: HashMap<String, Stopped>,
    unreadable: HashSet<String>,
    /// Containers that are gone and of which the sink could not be told yet.
    forgotten: Vec<String>,
    reports: mpsc::Receiver<Finished>,
    report_to: mpsc::Sender<Finished>,
    /// The list on its way: one at most.
    lists: JoinSet<List>,
    lists_asked: u64,
    /// When the next list is due, if none is on its way.
    list_due: Instant,
    /// How often events were cut off, and how many of these times a list has made up for.
    cuts: u64,
    reconciled: u64,
    started: u64,
    start: Timestamp,
    last_event: Option<Timestamp>,
}

impl Discovery {
    /// `resume`: where delivery ended in an earlier run.
    pub(crate) fn new(shared: Arc<Shared>, tasks: Tasks, cancel: CancellationToken, resume: Positions) -> Self {
        let (report_to, reports) = mpsc::channel(REPORTS);
        let start = (shared.clock)();
        let stopped = resume
            .into_iter()
            .map(|(id, position)| (id, Stopped { position, list: 0 }))
            .collect();
        Self {
            filter: Filter::new(&shared.config),
            shared,
            tasks,
            cancel,
            followed: HashMap::new(),
            stopped,
            unreadable: HashSet::new(),
            forgotten: Vec::new(),
            reports,
            report_to,
            lists: JoinSet::new(),
            lists_asked: 0,
            list_due: Instant::now(),
            cuts: 0,
            reconciled: 0,
            started: 0,
            start,
            last_event: None,
        }
    }

    /// Works until it is cancelled and every follower has reported.
    pub(crate) async fn run(mut self, entry: Arc<Entry>) {
        let cancel = self.cancel.clone();
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        while !cancel.is_cancelled() {
            entry.set(Doing::Connecting);
            let Some(opened) = self.subscribe().await else { break };
            let error = match opened {
                Ok(events) => {
                    self.shared.engine_answers();
                    entry.set(Doing::Reading);
                    let began = Instant::now();
                    let watched = self.watch(events).await;
                    if began.elapsed() >= HEALTHY_AFTER {
                        backoff.reset();
                    }
                    match watched {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            self.cuts += 1;
            self.shared.engine_is_away();
            tracing::warn!(endpoint = %self.shared.client.endpoint(), %error, "events of the engine are cut off");
            entry.set(Doing::BackingOff);
            self.wait(backoff.pause()).await;
        }
        entry.set(Doing::Ending);
        while !self.followed.is_empty() {
            let Some(finished) = self.reports.recv().await else {
                break;
            };
            self.followed.remove(&finished.id);
        }
    }

    /// Subscribes to events, and meanwhile followers may report; `None` when cancelled.
    async fn subscribe(&mut self) -> Option<Result<EventStream, WireError>> {
        let (shared, cancel) = (Arc::clone(&self.shared), self.cancel.clone());
        let mut opening = pin!(EventStream::open(
            &shared.client,
            &shared.config.labels,
            self.last_event
        ));
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return None,
                opened = &mut opening => return Some(opened),
                Some(finished) = self.reports.recv() => self.on_finished(finished),
            }
        }
    }

    /// A pause in which followers may still report.
    async fn wait(&mut self, pause: Duration) {
        let cancel = self.cancel.clone();
        let mut pause = pin!(sleep(pause));
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                () = &mut pause => return,
                Some(finished) = self.reports.recv() => self.on_finished(finished),
            }
        }
    }

    /// Watches one events stream; `Ok` when it was cancelled or is due to be replaced.
    async fn watch(&mut self, mut events: EventStream) -> Result<(), WireError> {
        let cancel = self.cancel.clone();
        let mut cancelled = pin!(cancel.cancelled());
        let shared = Arc::clone(&self.shared);
        let mut silence = pin!(sleep(EVENTS_SILENCE));
        // What happened before this subscription is in the list that is asked for after it.
        self.list_due = Instant::now();
        let mut list_due = pin!(sleep_until(self.list_due));
        let known_until = self.last_event;
        loop {
            tokio::select! {
                biased;
                () = &mut cancelled => return Ok(()),
                Some(finished) = self.reports.recv() => self.on_finished(finished),
                batch = events.read(shared.client.buffers()) => {
                    for event in batch? {
                        self.on_event(event, known_until);
                    }
                    silence.as_mut().reset(Instant::now() + EVENTS_SILENCE);
                }
                Some(list) = self.lists.join_next() => {
                    // A list task neither panics nor is aborted while we wait for it.
                    if let Ok(list) = list {
                        self.on_list(list);
                    }
                    list_due.as_mut().reset(self.list_due);
                }
                () = &mut list_due, if self.lists.is_empty() => self.ask_for_list(),
                () = &mut silence => return Ok(()),
            }
        }
    }

    fn ask_for_list(&mut self) {
        self.lists_asked += 1;
        let (number, cuts, shared) = (self.lists_asked, self.cuts, Arc::clone(&self.shared));
        self.lists.spawn(self.tasks.listed("list", None, |entry| async move {
            entry.set(Doing::Connecting);
            let containers = shared.client.list(&shared.config.labels).await;
            List {
                number,
                cuts,
                containers,
            }
        }));
    }

    /// `known_until`: events up to this time were there before the present subscription, which repeats the last of them.
    fn on_event(&mut self, event: Event, known_until: Option<Timestamp>) {
        let repeated = known_until.is_some_and(|known| event.time_nano > 0 && event.time_nano <= known.as_nanos());
        if event.time_nano > 0 {
            self.last_event = Some(Timestamp::from_nanos(event.time_nano));
        }
        let Event { action, actor, .. } = event;
        let name = actor.attributes.get("name").map_or(actor.id.as_str(), String::as_str);
        match action.as_str() {
            "start" | "restart" | "unpause" if self.filter.wants(name, &actor.attributes) => {
                let name = name.to_owned();
                match self.followed.get_mut(&actor.id) {
                    // Its follower may be about to say that it stopped.
                    Some(followed) => followed.again |= action == "start" && !repeated,
                    None => self.follow(&actor.id, &name),
                }
            }
            "rename" => {
                if let Some(followed) = self.followed.get_mut(&actor.id) {
                    // Its records carry the name, so it is followed anew from where it is.
                    followed.renamed = Some(name.to_owned());
                    followed.cancel.cancel();
                }
            }
            "destroy" => {
                self.unreadable.remove(&actor.id);
                if let Some(followed) = self.followed.get_mut(&actor.id) {
                    followed.destroyed = true;
                } else if self.stopped.remove(&actor.id).is_some() {
                    self.forget(actor.id);
                }
            }
            _ => {}
        }
    }

    fn on_list(&mut self, list: List) {
        let List {
            number,
            cuts,
            containers,
        } = list;
        let now = Instant::now();
        let containers = match containers {
            Ok(containers) => containers,
            Err(error) => {
                tracing::warn!(%error, "failed to list containers");
                // Not at once: whatever ails the engine would be made worse.
                self.list_due = now + LONGEST_PAUSE;
                return;
            }
        };
        // One that was asked for before events were cut off says nothing about what happened meanwhile.
        self.list_due = if cuts < self.cuts {
            now
        } else {
            now + self.shared.config.relist_every
        };
        let gap = cuts > self.reconciled;
        self.reconciled = self.reconciled.max(cuts);
        let first = !self.shared.ready.load(Ordering::Relaxed);
        for container in &containers {
            let (id, name) = (&container.id, container.name());
            let labels = container.labels.as_ref();
            if container.never_ran()
                || !labels.map_or_else(
                    || self.filter.wants(name, &HashMap::new()),
                    |labels| self.filter.wants(name, labels),
                )
            {
                continue;
            }
            let known = self.stopped.contains_key(id);
            // A stopped one is read if it has something that was not read: it stopped while we were away (an earlier
            // run knew it, or events were lost), or it came and went unseen.
            let unread = if known { first || gap } else { !first };
            if container.is_live() || unread {
                self.follow(id, name);
            } else if !known {
                // Nobody asked for the logs of what was over before we began; if it runs again, that is new.
                self.stopped.insert(
                    id.clone(),
                    Stopped {
                        position: Position::starting_at(self.start),
                        list: number,
                    },
                );
            }
        }
        self.prune(&containers, number);
        self.tell_of_forgotten();
        if first {
            tracing::info!(containers = self.followed.len(), "following");
            self.shared.ready.store(true, Ordering::Relaxed);
        }
    }

    /// Forgets stopped containers that the engine no longer has, unless they stopped after the list was asked for.
    fn prune(&mut self, containers: &[Listed], number: u64) {
        let present: HashSet<&str> = containers.iter().map(|container| container.id.as_str()).collect();
        let absent = |id: &String| !present.contains(id.as_str());
        let gone: Vec<String> = self
            .stopped
            .iter()
            .filter(|(id, stopped)| stopped.list < number && absent(id))
            .map(|(id, _)| id.clone())
            .collect();
        self.unreadable.retain(|id| present.contains(id.as_str()));
        for id in gone {
            self.stopped.remove(&id);
            self.forget(id);
        }
    }

    /// Has the sink forget a container, now or, if its queue is full, after a later list: nothing here may wait for it.
    fn forget(&mut self, id: String) {
        if self.forgotten.len() < FORGOTTEN_MAX {
            self.forgotten.push(id);
        }
        self.tell_of_forgotten();
    }

    fn tell_of_forgotten(&mut self) {
        while let Some(id) = self.forgotten.pop() {
            if !self.shared.queue.forget(id.clone()) {
                self.forgotten.push(id);
                return;
            }
        }
    }

    fn beginning(&self) -> Position {
        if self.shared.config.from_beginning {
            Position::default()
        } else {
            Position::starting_at(self.start)
        }
    }

    fn follow(&mut self, id: &str, name: &str) {
        if self.unreadable.contains(id) {
            return;
        }
        if self.followed.contains_key(id) {
            return;
        }
        let position = self
            .stopped
            .remove(id)
            .map_or_else(|| self.beginning(), |stopped| stopped.position);
        let cancel = self.cancel.child_token();
        self.followed.insert(
            id.to_owned(),
            Followed {
                cancel: cancel.clone(),
                renamed: None,
                again: false,
                destroyed: false,
            },
        );
        let identity = Arc::new(Identity::new(id.to_owned(), name.to_owned()));
        let (shared, cancel, report_to) = (Arc::clone(&self.shared), cancel, self.report_to.clone());
        // Counted from one: at phase nought a stream would be replaced as soon as it is there.
        self.started += 1;
        let first_rotation = phase(self.started, shared.config.rotate_every);
        self.tasks.spawn("follower", Some(Arc::clone(&identity)), move |entry| {
            Follower::new(shared, identity, position, entry, cancel, first_rotation).run(report_to)
        });
    }

    fn on_finished(&mut self, finished: Finished) {
        let Finished {
            id,
            name,
            position,
            outcome,
        } = finished;
        let Some(followed) = self.followed.remove(&id) else {
            return;
        };
        let follow_as = match followed.renamed {
            Some(new) => self.filter.wants_name(&new).then_some(new),
            None => (followed.again && outcome == Outcome::Stopped).then_some(name),
        };
        match outcome {
            Outcome::Gone => self.forget(id),
            _ if followed.destroyed => self.forget(id),
            Outcome::Unreadable => {
                self.unreadable.insert(id);
            }
            Outcome::Stopped | Outcome::Cancelled => {
                self.stopped.insert(
                    id.clone(),
                    Stopped {
                        position,
                        list: self.lists_asked,
                    },
                );
                if let Some(name) = follow_as {
                    self.follow(&id, &name);
                }
            }
        }
    }
}
