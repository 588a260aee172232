//! An address space: its modules, unwinder and captured call stacks.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use framehop::{Module, Unwinder};
use nix::unistd::Pid;

use crate::elf::{Bytes, Image};
use crate::memory::Memory;
use crate::proc::{Mapping, executable_mappings, readable};
use crate::python::{Interpreter, PythonFrame};
use crate::registers::{Cache, Registers, Unwind};

/// Pages of the stack that are copied at once.
const STACK_PAGES: u64 = 3;
/// Largest number of frames per stack.
const MAX_FRAMES: usize = 128;
/// Largest number of different stacks per address space. Creations with further stacks count as unknown.
const MAX_STACKS: usize = 200_000;

/// A call stack, innermost frame first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Stack {
    /// Address of the next instruction in each frame.
    pub addresses: Box<[u64]>,
    /// Python frames, if the program is a Python interpreter.
    pub python: Box<[PythonFrame]>,
}

/// A loaded file.
#[derive(Clone, Debug)]
pub(crate) struct LoadedModule {
    /// Its mapping.
    pub mapping: Mapping,
    /// The path from which it can be read.
    pub file: PathBuf,
    image: Option<Arc<Image>>,
}

impl LoadedModule {
    /// Returns the virtual address in the file of the mapped `address`.
    pub(crate) fn file_address(&self, address: u64) -> Option<u64> {
        let offset = address - self.mapping.start + self.mapping.offset;
        self.image.as_ref()?.address_of(offset)
    }
}

/// ELF files by path, shared by all address spaces.
pub(crate) type Images = HashMap<PathBuf, Option<Arc<Image>>>;

/// The address space of one `execve`, shared by threads and forked children.
pub(crate) struct Space {
    /// Loaded executable mappings, by first address.
    pub modules: Vec<LoadedModule>,
    /// All stacks by index.
    pub stacks: Vec<Stack>,
    index: HashMap<Stack, u32>,
    unwinder: Unwind<Bytes>,
    cache: Cache,
    interpreter: Option<Interpreter>,
    stale: bool,
}

impl Space {
    /// Makes an empty space. Modules are read at the first capture.
    pub(crate) fn new() -> Self {
        Self {
            modules: Vec::new(),
            stacks: Vec::new(),
            index: HashMap::new(),
            unwinder: Unwind::new(),
            cache: Cache::new(),
            interpreter: None,
            stale: true,
        }
    }

    /// Notes that a module was loaded.
    pub(crate) fn modules_changed(&mut self) {
        self.stale = true;
    }

    /// Captures the call stack of a stopped thread and returns its index; `None` if there are too many different stacks.
    pub(crate) fn capture(
        &mut self,
        process: i32,
        thread: Pid,
        registers: &Registers,
        images: &mut Images,
    ) -> Option<u32> {
        if self.stale {
            self.reload(process, images);
        }
        let memory = Memory::of(thread);
        let copy = memory.stack(registers.stack_pointer(), STACK_PAGES);
        let addresses = registers.unwind(&self.unwinder, &mut self.cache, MAX_FRAMES, |address| {
            copy.word(address)
        });
        let python = match &mut self.interpreter {
            Some(interpreter) => interpreter.frames(memory, thread.as_raw()),
            None => Vec::new(),
        };
        let stack = Stack {
            addresses: addresses.into(),
            python: python.into(),
        };
        if let Some(known) = self.index.get(&stack) {
            return Some(*known);
        }
        if self.stacks.len() >= MAX_STACKS {
            return None;
        }
        let id = u32::try_from(self.stacks.len()).ok()?;
        self.stacks.push(stack.clone());
        self.index.insert(stack, id);
        Some(id)
    }

    /// Returns the module that contains `address`.
    pub(crate) fn module_at(&self, address: u64) -> Option<&LoadedModule> {
        self.modules
            .iter()
            .find(|m| (m.mapping.start..m.mapping.end).contains(&address))
    }

    /// Returns the Python interpreter of this space.
    pub(crate) fn interpreter(&self) -> Option<&Interpreter> {
        self.interpreter.as_ref()
    }

    fn reload(&mut self, process: i32, images: &mut Images) {
        self.stale = false;
        for mapping in executable_mappings(process) {
            if self.modules.iter().any(|m| m.mapping == mapping) {
                continue;
            }
            // A new module may overlap unloaded ones.
            let replaced: Vec<u64> = self
                .modules
                .iter()
                .filter(|m| m.mapping.start < mapping.end && mapping.start < m.mapping.end)
                .map(|m| m.mapping.start)
                .collect();
            for start in replaced {
                self.modules.retain(|m| m.mapping.start != start);
                self.unwinder.remove_module(start);
            }
            let Some(path) = mapping.path.clone() else { continue };
            let file = readable(process, &path);
            let image = images
                .entry(path.clone())
                .or_insert_with(|| Image::read(&file).map(Arc::new))
                .clone();
            let loaded = LoadedModule { mapping, file, image };
            if let Some(image) = &loaded.image
                && let Some(address) = image.address_of(loaded.mapping.offset)
            {
                self.unwinder.add_module(Module::new(
                    path.to_string_lossy().into_owned(),
                    loaded.mapping.start..loaded.mapping.end,
                    loaded.mapping.start.wrapping_sub(address),
                    image.unwind_info(),
                ));
            }
            if self.interpreter.is_none() {
                self.interpreter = Interpreter::detect(&path, &loaded.file, |address| {
                    let first = loaded.image.as_ref()?.address_of(loaded.mapping.offset)?;
                    Some(loaded.mapping.start.wrapping_sub(first).wrapping_add(address))
                });
            }
            self.modules.push(loaded);
        }
    }
}
