//! The tracer: runs a command, follows its processes and threads, and records each creation with its stack.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::calls::{Creator, Reports};
use crate::memory::{Memory, u32_at, u64_at};
use crate::naming::Names;
use crate::perf_map;
use crate::registers::Registers;
use crate::state::{Creation, State};
use crate::survivors::Survivors;
use leakcheck_model::origins::{Frame, Origin, Origins, Resource};

/// Interval between checks for a stack that has grown enough.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Time between SIGTERM and SIGKILL, after the growth was found.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// Largest number of reported origins.
const MAX_ORIGINS: usize = 50;

/// An error that prevents a trace.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The launcher did not start.
    #[error("cannot start `{0}`")]
    Start(String, #[source] io::Error),
    /// The kernel does not permit tracing.
    #[error(
        "cannot trace the target: check that ptrace is allowed (kernel.yama.ptrace_scope, seccomp profile of the container)"
    )]
    Attach(#[source] Errno),
    /// Waiting for the target failed.
    #[error("cannot wait for the target")]
    Wait(#[source] Errno),
}

/// A command to trace, and the condition to stop.
#[derive(Clone, Debug)]
pub struct Traced {
    /// Program and arguments of the launcher, which must call [`crate::exec_traced`] with the command.
    pub launcher: Vec<OsString>,
    /// Time after the start at which the existing resources become the baseline.
    pub baseline_after: Duration,
    /// Growth of a single stack at which the target is ended. `None`: no such condition.
    pub until: Option<u64>,
}

/// Runs a command, and returns the origins of the resources that it created and did not release.
///
/// SIGTERM, SIGINT and SIGHUP are forwarded to the target after a snapshot of the survivors. The trace ends with the target.
///
/// # Errors
///
/// If the launcher cannot be started or traced.
pub fn trace(traced: &Traced) -> Result<Origins, Error> {
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    // The threads below inherit the mask; the launcher resets it for the target.
    signals.thread_block().map_err(Error::Attach)?;
    let child = start(traced)?;
    let root = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    let shared = Arc::new(Shared {
        state: Mutex::new(State::new(root.as_raw())),
        snapshots: Mutex::new(Snapshots::default()),
    });
    {
        let shared = Arc::clone(&shared);
        thread::spawn(move || forward_signals(&shared, &signals, root));
    }
    {
        let (shared, traced) = (Arc::clone(&shared), traced.clone());
        thread::spawn(move || check_growth(&shared, &traced, root));
    }
    Tracer { root, shared: &shared }.run()?;
    let origins = shared.origins();
    let state = lock(&shared.state);
    perf_map::remove(&state.children.keys().copied().chain([state.root]).collect());
    Ok(origins)
}

fn start(traced: &Traced) -> Result<Child, Error> {
    let (program, arguments) = traced
        .launcher
        .split_first()
        .ok_or_else(|| Error::Start(String::new(), io::ErrorKind::InvalidInput.into()))?;
    let child = Command::new(program)
        .args(arguments)
        .spawn()
        .map_err(|e| Error::Start(program.to_string_lossy().into_owned(), e))?;
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    // The launcher stops itself, so that it can be seized before it executes the target.
    waitpid(pid, Some(WaitPidFlag::WUNTRACED)).map_err(Error::Wait)?;
    let options = Options::PTRACE_O_TRACESECCOMP
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACEEXIT
        | Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(pid, options).map_err(Error::Attach)?;
    kill(pid, Signal::SIGCONT).map_err(Error::Attach)?;
    Ok(child)
}

/// The state, shared by the threads for tracing, signals and the growth check.
struct Shared {
    state: Mutex<State>,
    snapshots: Mutex<Snapshots>,
}

#[derive(Default)]
struct Snapshots {
    baseline: Option<Survivors>,
    last: Option<Survivors>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Takes the last snapshot of the survivors, once, before the target ends.
    fn take_final_snapshot(&self) {
        let state = lock(&self.state);
        let mut snapshots = lock(&self.snapshots);
        if snapshots.last.is_none() {
            snapshots.last = Some(Survivors::of(&state));
        }
    }

    fn origins(&self) -> Origins {
        let state = lock(&self.state);
        let snapshots = lock(&self.snapshots);
        let last = snapshots.last.clone().unwrap_or_default();
        let mut names = Names::new(&state.spaces, state.root);
        // Stacks that differ only in addresses are one origin.
        let mut merged: BTreeMap<(Resource, Vec<Frame>), Origin> = BTreeMap::new();
        for ((resource, key), (open, kind)) in &last.known {
            let stack = names.stack(*key);
            let baseline = snapshots
                .baseline
                .as_ref()
                .and_then(|b| b.known.get(&(*resource, *key)));
            let opened = state.opened.get(&(*resource, *key)).copied().unwrap_or(*open);
            let origin = merged.entry((*resource, stack.clone())).or_insert_with(|| Origin {
                resource: *resource,
                kind: kind.clone(),
                opened: 0,
                open: 0,
                baseline: 0,
                stack,
            });
            origin.open += open;
            origin.opened += opened;
            origin.baseline += baseline.map_or(0, |(count, _)| *count);
        }
        let mut origins: Vec<Origin> = merged.into_values().collect();
        origins.sort_by_key(|o| std::cmp::Reverse((o.growth(), o.open)));
        origins.truncate(MAX_ORIGINS);
        let unsupported = state
            .spaces
            .iter()
            .filter_map(|s| s.interpreter())
            .find(|i| !i.is_supported());
        let notes = unsupported.map(|i| {
            let version = &i.version;
            format!(
                "frames of Python {version} cannot be read (only 3.11 is supported): the stacks show the interpreter's functions"
            )
        });
        Origins {
            origins,
            unknown: last.unknown,
            notes: notes.into_iter().collect(),
        }
    }
}

fn forward_signals(shared: &Shared, signals: &SigSet, root: Pid) {
    while let Ok(signal) = signals.wait() {
        shared.take_final_snapshot();
        if kill(root, signal).is_err() {
            return;
        }
    }
}

fn check_growth(shared: &Shared, traced: &Traced, root: Pid) {
    thread::sleep(traced.baseline_after);
    let baseline = Survivors::of(&lock(&shared.state));
    lock(&shared.snapshots).baseline = Some(baseline.clone());
    let Some(until) = traced.until else { return };
    loop {
        let began = Instant::now();
        let now = Survivors::of(&lock(&shared.state));
        let grew = now.known.iter().any(|(key, (count, _))| {
            let before = baseline.known.get(key).map_or(0, |(count, _)| *count);
            *count >= before + until
        });
        if grew {
            shared.take_final_snapshot();
            let _ = kill(root, Signal::SIGTERM);
            thread::sleep(STOP_WITHIN);
            let _ = kill(root, Signal::SIGKILL);
            return;
        }
        // A check of many descriptors is slow, so the pause grows with it.
        thread::sleep(CHECK_INTERVAL.max(began.elapsed() * 20));
    }
}

struct Tracer<'s> {
    root: Pid,
    shared: &'s Shared,
}

impl Tracer<'_> {
    fn run(&self) -> Result<(), Error> {
        loop {
            match waitpid(None, Some(WaitPidFlag::__WALL)) {
                Ok(status) => {
                    if self.handle(status) {
                        return Ok(());
                    }
                }
                Err(Errno::EINTR) => {}
                // No child is left.
                Err(Errno::ECHILD) => return Ok(()),
                Err(error) => return Err(Error::Wait(error)),
            }
        }
    }

    /// Handles one stop, and returns true if the target has ended. Errors of killed threads are ignored.
    fn handle(&self, status: WaitStatus) -> bool {
        match status {
            WaitStatus::PtraceEvent(thread, signal, event) => self.event(thread, signal, event),
            WaitStatus::PtraceSyscall(thread) => {
                self.call_returned(thread);
                let _ = ptrace::cont(thread, None);
            }
            WaitStatus::Stopped(thread, signal) => {
                let _ = ptrace::cont(thread, signal);
            }
            WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, ..) => {
                lock(&self.shared.state).thread_exited(thread.as_raw());
                return thread == self.root;
            }
            WaitStatus::Continued(_) | WaitStatus::StillAlive => {}
        }
        false
    }

    fn event(&self, thread: Pid, signal: Signal, event: i32) {
        let message = || ptrace::getevent(thread).ok().and_then(|m| i32::try_from(m).ok());
        match event {
            e if e == Event::PTRACE_EVENT_SECCOMP as i32 => {
                let argument = entry_argument(thread);
                lock(&self.shared.state).enter(thread, argument);
                let _ = ptrace::syscall(thread, None);
                return;
            }
            e if [
                Event::PTRACE_EVENT_CLONE,
                Event::PTRACE_EVENT_FORK,
                Event::PTRACE_EVENT_VFORK,
            ]
            .map(|e| e as i32)
            .contains(&e) =>
            {
                if let Some(new) = message() {
                    let registers = Registers::of(thread);
                    lock(&self.shared.state).started(thread, new, registers.as_ref());
                }
            }
            e if e == Event::PTRACE_EVENT_EXEC as i32 => {
                if let Some(former) = message() {
                    lock(&self.shared.state).executed(thread.as_raw(), former);
                }
            }
            e if e == Event::PTRACE_EVENT_EXIT as i32 && thread == self.root => {
                self.shared.take_final_snapshot();
            }
            e if e == Event::PTRACE_EVENT_STOP as i32 => {
                let stops = [Signal::SIGSTOP, Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU];
                if stops.contains(&signal) && crate::launch::listen(thread) {
                    return;
                }
            }
            _ => {}
        }
        let _ = ptrace::cont(thread, None);
    }

    /// Records the creations of the call from which `thread` returns.
    fn call_returned(&self, thread: Pid) {
        let Some(registers) = Registers::of(thread) else { return };
        if registers.result() < 0 {
            return;
        }
        let mut state = lock(&self.shared.state);
        if registers.call() == libc::SYS_mmap {
            state.module_loaded(thread);
            return;
        }
        let Some(call) = Creator::of(registers.call()) else {
            return;
        };
        let entered = state.entered_argument(thread);
        let argument = |index| {
            if index == 0 && entered != 0 {
                entered
            } else {
                registers.argument(index)
            }
        };
        let memory = Memory::of(thread);
        let descriptors = match call.reports {
            Reports::Result => vec![result_descriptor(&registers)],
            Reports::Pair(index) => pair(memory, argument(index)),
            Reports::Message(index) => received(memory, argument(index)),
            Reports::Watch => {
                let instance = argument(0) as i32;
                let stack = state.capture(thread, &registers, Resource::InotifyWatch, 1);
                let creation = Creation {
                    stack,
                    call: Some(call),
                };
                state.watched(thread, instance, result_descriptor(&registers), creation);
                return;
            }
        };
        if descriptors.is_empty() {
            return;
        }
        let stack = state.capture(thread, &registers, Resource::Descriptor, descriptors.len() as u64);
        state.created(
            thread,
            &descriptors,
            Creation {
                stack,
                call: Some(call),
            },
        );
    }
}

fn result_descriptor(registers: &Registers) -> i32 {
    i32::try_from(registers.result()).unwrap_or(-1)
}

/// Returns argument 0 at the entry of a call, on architectures whose exit overwrites it; else 0.
#[cfg(target_arch = "x86_64")]
fn entry_argument(_: Pid) -> u64 {
    0
}

/// Returns argument 0 at the entry of a call, on architectures whose exit overwrites it; else 0.
#[cfg(not(target_arch = "x86_64"))]
fn entry_argument(thread: Pid) -> u64 {
    Registers::of(thread).map_or(0, |r| r.argument(0))
}

/// Reads the two descriptors at `address`.
fn pair(memory: Memory, address: u64) -> Vec<i32> {
    memory
        .word(address)
        .map(|word| vec![word as u32 as i32, (word >> 32) as i32])
        .unwrap_or_default()
}

/// Reads the descriptors in the control data of the `msghdr` at `address` (SCM_RIGHTS).
fn received(memory: Memory, address: u64) -> Vec<i32> {
    const CONTROL: usize = 32;
    const CONTROL_LENGTH: usize = 40;
    const MAX_CONTROL: usize = 4096;
    let find = || {
        let header = memory.bytes(address, CONTROL_LENGTH + 8)?;
        let length = usize::try_from(u64_at(&header, CONTROL_LENGTH)?).ok()?;
        if !(16..=MAX_CONTROL).contains(&length) {
            return None;
        }
        memory.bytes(u64_at(&header, CONTROL)?, length)
    };
    let control = find().unwrap_or_default();
    let mut descriptors = Vec::new();
    let mut at = 0;
    while let (Some(length), Some(level), Some(kind)) = (
        u64_at(&control, at),
        u32_at(&control, at + 8),
        u32_at(&control, at + 12),
    ) {
        let Ok(length) = usize::try_from(length) else { break };
        if length < 16 || at + length > control.len() {
            break;
        }
        if level == libc::SOL_SOCKET as u32 && kind == libc::SCM_RIGHTS as u32 {
            let numbers = control[at + 16..at + length].chunks_exact(4);
            descriptors.extend(numbers.map(|n| i32::from_le_bytes([n[0], n[1], n[2], n[3]])));
        }
        at += length.next_multiple_of(8);
    }
    descriptors
}
