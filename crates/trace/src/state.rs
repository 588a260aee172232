//! The state of a trace: created resources with their stacks, kept up to date through fork, exec and exit.

use std::collections::{HashMap, HashSet};

use nix::unistd::Pid;

use crate::calls::Creator;
use crate::proc;
use crate::registers::Registers;
use crate::space::{Images, Space};
use leakcheck_model::origins::Resource;

/// A stack of one address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StackKey {
    /// Index of the address space.
    pub space: usize,
    /// Index of the stack in it.
    pub stack: u32,
}

/// The creation of a descriptor or watch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Creation {
    /// Its stack; `None` if there were too many different stacks.
    pub stack: Option<StackKey>,
    /// The creating call; `None` for a descriptor made by `clone`.
    pub call: Option<&'static Creator>,
}

/// A traced process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Process {
    /// Index of its address space.
    pub space: usize,
    /// Creations by descriptor number. Closed ones stay until the number is used again.
    pub descriptors: HashMap<i32, Creation>,
    /// Descriptors that were open when the target started.
    pub initial: HashSet<i32>,
    /// Creations of inotify watches by descriptor and watch.
    pub watches: HashMap<(i32, i32), Creation>,
    parent: i32,
    forked_at: u64,
}

/// A traced thread.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Thread {
    /// Its process.
    pub process: i32,
    /// The stack that started it; `None` for the first thread of a process.
    pub started_by: Option<StackKey>,
    entered_at: u64,
    argument: u64,
}

/// The state of a trace.
pub(crate) struct State {
    /// Process id of the target.
    pub root: i32,
    /// Processes by id.
    pub processes: HashMap<i32, Process>,
    /// Threads by id.
    pub threads: HashMap<i32, Thread>,
    /// Stacks that started child processes, by child.
    pub children: HashMap<i32, (i32, StackKey)>,
    /// Address spaces.
    pub spaces: Vec<Space>,
    /// Number of creations by kind and stack.
    pub opened: HashMap<(Resource, StackKey), u64>,
    images: Images,
    clock: u64,
}

impl State {
    /// Makes the state before the target starts.
    pub(crate) fn new(root: i32) -> Self {
        let process = Process {
            initial: proc::descriptors(root).into_iter().map(|(n, _)| n).collect(),
            ..Process::default()
        };
        Self {
            root,
            processes: HashMap::from([(root, process)]),
            threads: HashMap::from([(
                root,
                Thread {
                    process: root,
                    ..Thread::default()
                },
            )]),
            children: HashMap::new(),
            spaces: vec![Space::new()],
            opened: HashMap::new(),
            images: Images::new(),
            clock: 0,
        }
    }

    /// Records that a thread enters a creating call.
    pub(crate) fn enter(&mut self, thread: Pid, argument: u64) {
        self.clock += 1;
        let clock = self.clock;
        let entry = self.thread(thread.as_raw());
        entry.entered_at = clock;
        entry.argument = argument;
    }

    /// Returns argument 0 of the current call of `thread`.
    pub(crate) fn entered_argument(&self, thread: Pid) -> u64 {
        self.threads.get(&thread.as_raw()).map_or(0, |t| t.argument)
    }

    /// Captures the stack of a stopped thread, and counts `count` creations of `resource`.
    pub(crate) fn capture(
        &mut self,
        thread: Pid,
        registers: &Registers,
        resource: Resource,
        count: u64,
    ) -> Option<StackKey> {
        let process = self.thread(thread.as_raw()).process;
        let space = self.processes.get(&process)?.space;
        let stack = self.spaces[space].capture(process, thread, registers, &mut self.images)?;
        let key = StackKey { space, stack };
        *self.opened.entry((resource, key)).or_default() += count;
        Some(key)
    }

    /// Records `descriptors` that `thread` created.
    pub(crate) fn created(&mut self, thread: Pid, descriptors: &[i32], creation: Creation) {
        let Thread {
            process, entered_at, ..
        } = *self.thread(thread.as_raw());
        for descriptor in descriptors {
            if let Some(owner) = self.processes.get_mut(&process) {
                owner.descriptors.insert(*descriptor, creation);
                owner.initial.remove(descriptor);
                owner.watches.retain(|(instance, _), _| instance != descriptor);
            }
            // A child that was forked during the call has the descriptor as well.
            for child in self.processes.values_mut() {
                if child.parent == process && child.forked_at > entered_at {
                    child.descriptors.entry(*descriptor).or_insert(creation);
                }
            }
        }
    }

    /// Records an inotify watch.
    pub(crate) fn watched(&mut self, thread: Pid, instance: i32, watch: i32, creation: Creation) {
        let process = self.thread(thread.as_raw()).process;
        if let Some(owner) = self.processes.get_mut(&process) {
            owner.watches.insert((instance, watch), creation);
        }
    }

    /// Records that a module was loaded into the space of `thread`.
    pub(crate) fn module_loaded(&mut self, thread: Pid) {
        let process = self.thread(thread.as_raw()).process;
        if let Some(space) = self.processes.get(&process).map(|p| p.space) {
            self.spaces[space].modules_changed();
        }
    }

    /// Records that the thread `parent` started the thread or process `new`.
    pub(crate) fn started(&mut self, parent: Pid, new: i32, registers: Option<&Registers>) {
        self.clock += 1;
        let owner = self.thread(parent.as_raw()).process;
        let is_process = proc::process_of(new).is_none_or(|process| process == new);
        let resource = if is_process { Resource::Child } else { Resource::Thread };
        let stack = registers.and_then(|r| self.capture(parent, r, resource, 1));
        if !is_process {
            let thread = self.threads.entry(new).or_default();
            thread.process = owner;
            thread.started_by = stack;
            return;
        }
        if let Some(stack) = stack {
            self.children.insert(new, (owner, stack));
        }
        self.threads.entry(new).or_default().process = new;
        let Some(copy) = self.processes.get(&owner).cloned() else {
            return;
        };
        let clock = self.clock;
        let child = self.processes.entry(new).or_default();
        // The child may have run before its parent's stop: its own creations are newer than the copy.
        for (descriptor, creation) in copy.descriptors {
            child.descriptors.entry(descriptor).or_insert(creation);
        }
        for (watch, creation) in copy.watches {
            child.watches.entry(watch).or_insert(creation);
        }
        child.initial.extend(copy.initial);
        child.space = copy.space;
        child.parent = owner;
        child.forked_at = clock;
    }

    /// Records that `process` executed another program. `former` is the previous id of the calling thread.
    pub(crate) fn executed(&mut self, process: i32, former: i32) {
        self.threads
            .retain(|tid, thread| thread.process != process || *tid == process);
        self.threads.remove(&former);
        self.threads.insert(
            process,
            Thread {
                process,
                ..Thread::default()
            },
        );
        self.spaces.push(Space::new());
        let space = self.spaces.len() - 1;
        let known = self.processes.entry(process).or_default();
        known.space = space;
    }

    /// Records that a thread has exited, and its process with the last thread.
    pub(crate) fn thread_exited(&mut self, tid: i32) {
        let Some(thread) = self.threads.remove(&tid) else {
            return;
        };
        if !self.threads.values().any(|t| t.process == thread.process) {
            self.processes.remove(&thread.process);
        }
    }

    fn thread(&mut self, tid: i32) -> &mut Thread {
        self.threads.entry(tid).or_insert_with(|| Thread {
            process: proc::process_of(tid).unwrap_or(tid),
            ..Thread::default()
        })
    }
}
