//! Python frames, read from the memory of the CPython interpreter.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use object::{Object, ObjectSymbol, ReadCache};

use crate::memory::{Memory, u32_at, u64_at};
use leakcheck_model::origins::Frame;

const MAX_FRAMES: usize = 64;
const MAX_THREADS: usize = 5_000;
const MAX_STRING: usize = 4096;
const MAX_LINE_TABLE: usize = 1 << 20;

/// Offsets in CPython 3.11's structures, from its headers (`pycore_runtime.h`, `pycore_interp.h`, `pycore_frame.h`, `code.h`).
mod offsets {
    pub(super) const RUNTIME_INTERPRETERS_HEAD: u64 = 40;
    pub(super) const INTERPRETER_THREADS_HEAD: u64 = 16;
    pub(super) const THREAD_NEXT: usize = 8;
    pub(super) const THREAD_CFRAME: usize = 56;
    pub(super) const THREAD_NATIVE_ID: usize = 160;
    pub(super) const THREAD_SIZE: usize = 168;
    pub(super) const CFRAME_CURRENT: u64 = 8;
    pub(super) const FRAME_CODE: usize = 32;
    pub(super) const FRAME_PREVIOUS: usize = 48;
    pub(super) const FRAME_INSTRUCTION: usize = 56;
    pub(super) const FRAME_SIZE: usize = 72;
    pub(super) const CODE_FIRST_LINE: usize = 72;
    pub(super) const CODE_FILE: usize = 112;
    pub(super) const CODE_QUALIFIED_NAME: usize = 128;
    pub(super) const CODE_LINE_TABLE: usize = 136;
    pub(super) const CODE_INSTRUCTIONS: u64 = 184;
    pub(super) const STRING_LENGTH: usize = 16;
    pub(super) const STRING_STATE: usize = 32;
    pub(super) const STRING_HEAD: usize = 72;
    pub(super) const STRING_ASCII_DATA: u64 = 48;
    pub(super) const BYTES_LENGTH: u64 = 16;
    pub(super) const BYTES_DATA: u64 = 32;
}

/// A frame: a function and an instruction in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PythonFrame {
    function: u32,
    /// Index of the code unit.
    instruction: u32,
}

#[derive(Debug)]
struct Function {
    name: String,
    file: String,
    first_line: u32,
    line_table: Vec<u8>,
}

/// The interpreter of one address space.
pub(crate) struct Interpreter {
    /// `major.minor` from the file's name.
    pub version: String,
    /// Address of `_PyRuntime`; `None` for an unsupported version.
    runtime: Option<u64>,
    functions: Vec<Function>,
    /// Functions by address of the code object, with its pointers: other pointers mean that the address was reused.
    codes: HashMap<u64, ([u64; 4], u32)>,
}

impl Interpreter {
    /// Recognizes an interpreter by the name of a loaded file (`python3.11`, `libpython3.11.so.1.0`).
    ///
    /// `loaded_address` maps an address of the file to the process.
    pub(crate) fn detect(path: &Path, file: &Path, loaded_address: impl Fn(u64) -> Option<u64>) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let version = name.strip_prefix("libpython").or_else(|| name.strip_prefix("python"))?;
        let version: String = version
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        let version = version.trim_end_matches('.').to_owned();
        if !version.starts_with("3.") {
            return None;
        }
        let runtime = if version == "3.11" {
            // The runtime may be in the library instead of the executable.
            Some(loaded_address(symbol(file, "_PyRuntime")?)?)
        } else {
            None
        };
        Some(Self {
            version,
            runtime,
            functions: Vec::new(),
            codes: HashMap::new(),
        })
    }

    /// Returns true if the frames of this version can be read.
    pub(crate) fn is_supported(&self) -> bool {
        self.runtime.is_some()
    }

    /// Returns the Python frames of the thread `tid`, innermost first; empty if there are none or the memory is inconsistent.
    pub(crate) fn frames(&mut self, memory: Memory, tid: i32) -> Vec<PythonFrame> {
        let mut frames = Vec::new();
        let Some(mut next) = self.runtime.and_then(|runtime| current_frame(memory, runtime, tid)) else {
            return frames;
        };
        while next != 0 && frames.len() < MAX_FRAMES {
            let Some(bytes) = memory.bytes(next, offsets::FRAME_SIZE) else {
                break;
            };
            let word = |offset| u64_at(&bytes, offset).unwrap_or(0);
            let code = word(offsets::FRAME_CODE);
            let offset = word(offsets::FRAME_INSTRUCTION).wrapping_sub(code + offsets::CODE_INSTRUCTIONS);
            let (Some(function), Ok(instruction)) = (self.function(memory, code), u32::try_from(offset / 2)) else {
                break;
            };
            frames.push(PythonFrame { function, instruction });
            next = word(offsets::FRAME_PREVIOUS);
        }
        frames
    }

    /// Returns the name and line of a frame.
    pub(crate) fn name(&self, frame: PythonFrame) -> Option<Frame> {
        let function = self.functions.get(frame.function as usize)?;
        Some(Frame {
            function: function.name.clone(),
            file: Some(function.file.clone()),
            line: line_of(&function.line_table, function.first_line, frame.instruction),
            ..Frame::default()
        })
    }

    fn function(&mut self, memory: Memory, code: u64) -> Option<u32> {
        let head = memory.bytes(code, offsets::CODE_LINE_TABLE + 8)?;
        let pointers = [
            u64_at(&head, offsets::CODE_FILE)?,
            u64_at(&head, offsets::CODE_QUALIFIED_NAME)?,
            u64_at(&head, offsets::CODE_LINE_TABLE)?,
            u64::from(u32_at(&head, offsets::CODE_FIRST_LINE)?),
        ];
        if let Some((known, function)) = self.codes.get(&code)
            && *known == pointers
        {
            return Some(*function);
        }
        let [file, name, table, first_line] = pointers;
        let function = Function {
            name: string(memory, name)?,
            file: string(memory, file)?,
            first_line: u32::try_from(first_line).ok()?,
            line_table: byte_string(memory, table)?,
        };
        let index = u32::try_from(self.functions.len()).ok()?;
        self.functions.push(function);
        self.codes.insert(code, (pointers, index));
        Some(index)
    }
}

/// Returns the address of the innermost frame of the thread `tid`.
fn current_frame(memory: Memory, runtime: u64, tid: i32) -> Option<u64> {
    let interpreter = memory.word(runtime + offsets::RUNTIME_INTERPRETERS_HEAD)?;
    let mut thread = memory.word(interpreter + offsets::INTERPRETER_THREADS_HEAD)?;
    let mut found = None;
    for _ in 0..MAX_THREADS {
        if thread == 0 {
            break;
        }
        let state = memory.bytes(thread, offsets::THREAD_SIZE)?;
        // A thread under creation precedes its creator in the list and has the creator's id, so the last match counts.
        if u64_at(&state, offsets::THREAD_NATIVE_ID)? == u64::try_from(tid).ok()? {
            found = u64_at(&state, offsets::THREAD_CFRAME);
        }
        thread = u64_at(&state, offsets::THREAD_NEXT)?;
    }
    memory.word(found? + offsets::CFRAME_CURRENT)
}

fn string(memory: Memory, address: u64) -> Option<String> {
    let head = memory.bytes(address, offsets::STRING_HEAD)?;
    let length = usize::try_from(u64_at(&head, offsets::STRING_LENGTH)?).ok()?;
    if length > MAX_STRING {
        return None;
    }
    let state = u32_at(&head, offsets::STRING_STATE)?;
    let (kind, ascii) = (state >> 2 & 7, state >> 6 & 1 == 1);
    let data = address
        + if ascii {
            offsets::STRING_ASCII_DATA
        } else {
            offsets::STRING_HEAD as u64
        };
    let bytes = memory.bytes(data, length * kind as usize)?;
    match kind {
        1 => Some(bytes.iter().map(|b| char::from(*b)).collect()),
        2 => Some(String::from_utf16_lossy(
            &bytes
                .chunks_exact(2)
                .map(|c| u16::from_le_bytes([c[0], c[1]]))
                .collect::<Vec<_>>(),
        )),
        4 => bytes
            .chunks_exact(4)
            .map(|c| char::from_u32(u32::from_le_bytes([c[0], c[1], c[2], c[3]])))
            .collect(),
        _ => None,
    }
}

fn byte_string(memory: Memory, address: u64) -> Option<Vec<u8>> {
    let length = usize::try_from(memory.word(address + offsets::BYTES_LENGTH)?).ok()?;
    if length > MAX_LINE_TABLE {
        return None;
    }
    memory.bytes(address + offsets::BYTES_DATA, length)
}

/// Returns the line of code unit `instruction`, from CPython's location table (`Objects/locations.md`).
fn line_of(table: &[u8], first_line: u32, instruction: u32) -> Option<u32> {
    let mut bytes = table.iter().copied().peekable();
    let (mut line, mut unit) = (i64::from(first_line), 0);
    while let Some(head) = bytes.next() {
        let (code, length) = (head >> 3 & 15, u32::from(head & 7) + 1);
        let has_line = match code {
            0..=9 => {
                bytes.next();
                true
            }
            10..=12 => {
                line += i64::from(code - 10);
                bytes.next();
                bytes.next();
                true
            }
            13 | 14 => {
                let delta = varint(&mut bytes);
                line += if delta & 1 == 1 {
                    -(i64::from(delta >> 1))
                } else {
                    i64::from(delta >> 1)
                };
                if code == 14 {
                    for _ in 0..3 {
                        varint(&mut bytes);
                    }
                }
                true
            }
            _ => false,
        };
        unit += length;
        if instruction < unit {
            return if has_line { u32::try_from(line).ok() } else { None };
        }
    }
    None
}

/// Reads a varint: six bits per byte, lowest first.
fn varint(bytes: &mut impl Iterator<Item = u8>) -> u32 {
    let (mut value, mut shift) = (0, 0);
    for byte in bytes {
        value |= u32::from(byte & 63) << shift;
        shift += 6;
        if byte & 64 == 0 || shift > 26 {
            break;
        }
    }
    value
}

/// Returns the virtual address of a symbol in the file.
fn symbol(path: &Path, name: &str) -> Option<u64> {
    let cache = ReadCache::new(File::open(path).ok()?);
    let file = object::File::parse(&cache).ok()?;
    let all = file.dynamic_symbols().chain(file.symbols());
    all.filter(|s| s.is_definition())
        .find(|s| s.name() == Ok(name))
        .map(|s| s.address())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_follow_short_one_line_and_long_entries() {
        let head = |code: u8, length: u8| 128 | code << 3 | (length - 1);
        // Two units on line 10; three units one line further; one unit without a line; one unit three lines back.
        let table = [head(0, 2), 0, head(11, 3), 0, 0, head(15, 1), head(13, 1), 7];
        let lines: Vec<_> = (0..8).map(|unit| line_of(&table, 10, unit)).collect();
        let expected = [Some(10), Some(10), Some(11), Some(11), Some(11), None, Some(8), None];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_number_of_several_bytes_is_read_lowest_first() {
        assert_eq!(varint(&mut [0x41, 0x01].into_iter()), 65);
    }
}
