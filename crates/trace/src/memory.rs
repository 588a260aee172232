//! Reads of a traced process's memory.

use std::io::IoSliceMut;

use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

const PAGE: u64 = 4096;

/// The memory of one process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pid: Pid,
}

impl Memory {
    /// Makes a reader of the memory of the process or thread `pid`.
    pub(crate) fn of(pid: Pid) -> Self {
        Self { pid }
    }

    /// Fills `buffer` from `address`; returns the number of bytes read, 0 if nothing is mapped there.
    pub(crate) fn read(self, address: u64, buffer: &mut [u8]) -> usize {
        let length = buffer.len();
        let Ok(base) = usize::try_from(address) else { return 0 };
        let remote = [RemoteIoVec { base, len: length }];
        process_vm_readv(self.pid, &mut [IoSliceMut::new(buffer)], &remote).unwrap_or(0)
    }

    /// Returns `length` bytes at `address`; `None` if fewer are mapped.
    pub(crate) fn bytes(self, address: u64, length: usize) -> Option<Vec<u8>> {
        let mut buffer = vec![0; length];
        (self.read(address, &mut buffer) == length).then_some(buffer)
    }

    /// Returns the 64-bit word at `address`.
    pub(crate) fn word(self, address: u64) -> Option<u64> {
        let mut word = [0; 8];
        (self.read(address, &mut word) == 8).then(|| u64::from_le_bytes(word))
    }

    /// Copies the stack from `pointer` upwards: at most `pages` pages, and no further than the mapping.
    pub(crate) fn stack(self, pointer: u64, pages: u64) -> StackCopy {
        let end = (pointer / PAGE + pages) * PAGE;
        let mut bytes = vec![0; usize::try_from(end - pointer).unwrap_or(0)];
        let read = self.read(pointer, &mut bytes);
        bytes.truncate(read);
        StackCopy {
            pointer,
            bytes,
            memory: self,
        }
    }
}

/// A copied part of a stack. Other addresses are read from the process.
#[derive(Debug)]
pub(crate) struct StackCopy {
    pointer: u64,
    bytes: Vec<u8>,
    memory: Memory,
}

impl StackCopy {
    /// Returns the 64-bit word at `address`.
    pub(crate) fn word(&self, address: u64) -> Option<u64> {
        let copied = address
            .checked_sub(self.pointer)
            .and_then(|offset| usize::try_from(offset).ok())
            .and_then(|offset| self.bytes.get(offset..offset + 8))
            .and_then(|word| word.try_into().ok())
            .map(u64::from_le_bytes);
        copied.or_else(|| self.memory.word(address))
    }
}

/// Returns the little-endian 64-bit number at `offset` of `bytes`.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let word = bytes.get(offset..offset.checked_add(8)?)?;
    Some(u64::from_le_bytes(word.try_into().ok()?))
}

/// Returns the little-endian 32-bit number at `offset` of `bytes`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let half = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(half.try_into().ok()?))
}
