//! Discovery of containers, from the engine's events and lists.
//!
//! It subscribes first and lists second, so changes in between are in the events. Events can be lost: the engine drops them
//! for a slow reader, and sends none while it is away. So the containers are listed again after each gap and periodically.
//! Handling an event is fast: it starts a task at most.

mod events;
#[cfg(test)]
mod tests;

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
use crate::http::HttpError;
use crate::jitter::{Backoff, phase};
use crate::resume::Position;
use crate::sink::positions::Positions;
use crate::task::{Entry, TaskState, Tasks};
use crate::timestamp::Timestamp;
use events::EventStream;

/// The capacity of the channel of final reports.
const REPORTS: usize = 64;
/// The silence after which the event stream is replaced: on a quiet engine it may be silent for hours, but a half-open
/// connection is silent too.
const EVENTS_SILENCE_MAX: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The age at which an event stream counts as healthy; shorter ones increase the back-off.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// The largest number of removals that wait for a full queue. The positions of further ones stay in the position file until
/// the next start of the daemon.
const REMOVALS_MAX: usize = 10_000;

/// A container that is being followed.
struct Followed {
    /// Cancels its follower.
    cancel: CancellationToken,
    /// Its new name, if it was renamed.
    renamed: Option<String>,
    /// It was started again.
    restarted: bool,
    /// It was removed.
    removed: bool,
}

/// A container that is not being followed.
struct Stopped {
    position: Position,
    /// The number of the last list requested before it stopped; see [`Discovery::prune`].
    list: u64,
}

/// A response to a list request.
struct List {
    number: u64,
    /// The number of interruptions of the event stream at the request.
    interruptions: u64,
    containers: Result<Vec<Listed>, HttpError>,
}

/// The discovery task: it finds containers and starts their followers.
pub(crate) struct Discovery {
    shared: Arc<Shared>,
    filter: Filter,
    tasks: Tasks,
    cancel: CancellationToken,
    followed: HashMap<String, Followed>,
    stopped: HashMap<String, Stopped>,
    unreadable: HashSet<String>,
    /// Removed containers whose removal could not be queued yet.
    removals: Vec<String>,
    reports: mpsc::Receiver<Finished>,
    report_to: mpsc::Sender<Finished>,
    /// The pending list request; at most one.
    lists: JoinSet<List>,
    lists_requested: u64,
    /// The time of the next list request, if none is pending.
    list_due: Instant,
    /// The number of interruptions of the event stream.
    interruptions: u64,
    /// The number of interruptions that a list has reconciled.
    reconciled: u64,
    /// The number of followers started.
    started: u64,
    start: Timestamp,
    last_event: Option<Timestamp>,
}

impl Discovery {
    /// Creates the task. `resume` holds the positions of earlier runs.
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
            removals: Vec::new(),
            reports,
            report_to,
            lists: JoinSet::new(),
            lists_requested: 0,
            list_due: Instant::now(),
            interruptions: 0,
            reconciled: 0,
            started: 0,
            start,
            last_event: None,
        }
    }

    /// Runs until it is cancelled and every follower has reported.
    pub(crate) async fn run(mut self, entry: Arc<Entry>) {
        let cancel = self.cancel.clone();
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        while !cancel.is_cancelled() {
            entry.set(TaskState::Connecting);
            let Some(opened) = self.subscribe().await else { break };
            let error = match opened {
                Ok(events) => {
                    self.shared.engine_is_available();
                    entry.set(TaskState::Reading);
                    let opened_at = Instant::now();
                    let ended = self.handle_events(events).await;
                    if opened_at.elapsed() >= HEALTHY_AFTER {
                        backoff.reset();
                    }
                    match ended {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            self.interruptions += 1;
            self.shared.engine_is_away();
            tracing::warn!(endpoint = %self.shared.client.endpoint(), %error, "event stream of the engine is interrupted");
            entry.set(TaskState::BackingOff);
            self.wait(backoff.pause()).await;
        }
        entry.set(TaskState::Ending);
        while !self.followed.is_empty() {
            let Some(finished) = self.reports.recv().await else {
                break;
            };
            self.followed.remove(&finished.id);
        }
    }

    /// Subscribes to events while receiving reports; `None` when cancelled.
    async fn subscribe(&mut self) -> Option<Result<EventStream, HttpError>> {
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

    /// Pauses while receiving reports.
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

    /// Handles one event stream. Returns `Ok` when cancelled or when the stream should be replaced.
    async fn handle_events(&mut self, mut events: EventStream) -> Result<(), HttpError> {
        let cancel = self.cancel.clone();
        let mut cancelled = pin!(cancel.cancelled());
        let shared = Arc::clone(&self.shared);
        let mut silence = pin!(sleep(EVENTS_SILENCE_MAX));
        // Changes before this subscription are in the list that follows it.
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
                    silence.as_mut().reset(Instant::now() + EVENTS_SILENCE_MAX);
                }
                Some(list) = self.lists.join_next() => {
                    // A list task neither panics nor is aborted.
                    if let Ok(list) = list {
                        self.on_list(list);
                    }
                    list_due.as_mut().reset(self.list_due);
                }
                () = &mut list_due, if self.lists.is_empty() => self.request_list(),
                () = &mut silence => return Ok(()),
            }
        }
    }

    fn request_list(&mut self) {
        self.lists_requested += 1;
        let (number, interruptions, shared) = (self.lists_requested, self.interruptions, Arc::clone(&self.shared));
        self.lists.spawn(self.tasks.listed("list", None, |entry| async move {
            entry.set(TaskState::Connecting);
            let containers = shared.client.list(&shared.config.labels).await;
            List {
                number,
                interruptions,
                containers,
            }
        }));
    }

    /// Handles an event. The subscription repeats some events up to `known_until`, which earlier ones had sent.
    fn on_event(&mut self, event: Event, known_until: Option<Timestamp>) {
        let repeated = known_until.is_some_and(|known| event.time_nano > 0 && event.time_nano <= known.as_nanos());
        if event.time_nano > 0 {
            self.last_event = Some(Timestamp::from_nanos(event.time_nano));
        }
        let Event { action, actor, .. } = event;
        let name = actor.attributes.get("name").map_or(actor.id.as_str(), String::as_str);
        match action.as_str() {
            "start" | "restart" | "unpause" if self.filter.selects(name, &actor.attributes) => {
                let name = name.to_owned();
                match self.followed.get_mut(&actor.id) {
                    // Its follower may be about to report the end of the run before.
                    Some(followed) => followed.restarted |= action == "start" && !repeated,
                    None => self.follow(&actor.id, &name),
                }
            }
            "rename" => {
                if let Some(followed) = self.followed.get_mut(&actor.id) {
                    // Records carry the name, so it is followed anew from its position.
                    followed.renamed = Some(name.to_owned());
                    followed.cancel.cancel();
                }
            }
            "destroy" => {
                self.unreadable.remove(&actor.id);
                if let Some(followed) = self.followed.get_mut(&actor.id) {
                    followed.removed = true;
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
            interruptions,
            containers,
        } = list;
        let now = Instant::now();
        let containers = match containers {
            Ok(containers) => containers,
            Err(error) => {
                tracing::warn!(%error, "failed to list containers");
                // Repeating at once would add load to an engine in trouble.
                self.list_due = now + LONGEST_PAUSE;
                return;
            }
        };
        // A list requested before an interruption does not reconcile it.
        self.list_due = if interruptions < self.interruptions {
            now
        } else {
            now + self.shared.config.relist_every
        };
        let is_gap = interruptions > self.reconciled;
        self.reconciled = self.reconciled.max(interruptions);
        let is_first = !self.shared.ready.load(Ordering::Relaxed);
        for container in &containers {
            let (id, name) = (&container.id, container.name());
            let labels = container.labels.as_ref();
            if container.never_ran()
                || !labels.map_or_else(
                    || self.filter.selects(name, &HashMap::new()),
                    |labels| self.filter.selects(name, labels),
                )
            {
                continue;
            }
            let known = self.stopped.contains_key(id);
            // A stopped container is read if it may have unread lines: it stopped between two runs of the daemon, or while
            // events were lost, or it started and stopped unnoticed.
            let may_be_unread = if known { is_first || is_gap } else { !is_first };
            if container.is_live() || may_be_unread {
                self.follow(id, name);
            } else if !known {
                // It stopped before the daemon started; only lines of later runs are delivered.
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
        self.queue_removals();
        if is_first {
            tracing::info!(containers = self.followed.len(), "following");
            self.shared.ready.store(true, Ordering::Relaxed);
        }
    }

    /// Removes stopped containers that are not in the list, unless they stopped after it was requested.
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

    /// Queues the removal of a container's position, or keeps it for later if the queue is full.
    fn forget(&mut self, id: String) {
        if self.removals.len() < REMOVALS_MAX {
            self.removals.push(id);
        }
        self.queue_removals();
    }

    fn queue_removals(&mut self) {
        while let Some(id) = self.removals.pop() {
            if !self.shared.queue.forget(id.clone()) {
                self.removals.push(id);
                return;
            }
        }
    }

    fn start_position(&self) -> Position {
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
            .map_or_else(|| self.start_position(), |stopped| stopped.position);
        let cancel = self.cancel.child_token();
        self.followed.insert(
            id.to_owned(),
            Followed {
                cancel: cancel.clone(),
                renamed: None,
                restarted: false,
                removed: false,
            },
        );
        let identity = Arc::new(Identity::new(id.to_owned(), name.to_owned()));
        let (shared, cancel, report_to) = (Arc::clone(&self.shared), cancel, self.report_to.clone());
        // Counted from one: at phase zero a stream would be replaced at once.
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
            Some(new) => self.filter.selects_name(&new).then_some(new),
            None => (followed.restarted && outcome == Outcome::Stopped).then_some(name),
        };
        match outcome {
            Outcome::Gone => self.forget(id),
            _ if followed.removed => self.forget(id),
            Outcome::Unreadable => {
                self.unreadable.insert(id);
            }
            Outcome::Stopped | Outcome::Cancelled => {
                self.stopped.insert(
                    id.clone(),
                    Stopped {
                        position,
                        list: self.lists_requested,
                    },
                );
                if let Some(name) = follow_as {
                    self.follow(&id, &name);
                }
            }
        }
    }
}
