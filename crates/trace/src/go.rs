//! Function names and lines of Go executables without symbols, from the `pclntab` of the Go runtime.

use std::fs::File;
use std::path::Path;

use object::{Object, ObjectSection, ObjectSymbol, ReadCache};

use crate::memory::{u32_at, u64_at};
use leakcheck_model::origins::Frame;

/// Magic numbers of Go 1.18 and of Go 1.20 and later.
const MAGIC: [u32; 2] = [0xffff_fff0, 0xffff_fff1];

/// The `pclntab` of one executable.
#[derive(Debug)]
pub(crate) struct PcLineTable {
    data: Vec<u8>,
    text: u64,
    minimum: u64,
}

/// Offsets of the header's fields, for eight-byte pointers.
mod header {
    pub(super) const MINIMUM: usize = 6;
    pub(super) const POINTER_SIZE: usize = 7;
    pub(super) const FUNCTIONS: usize = 8;
    pub(super) const TEXT: usize = 24;
    pub(super) const NAMES: usize = 32;
    pub(super) const UNITS: usize = 40;
    pub(super) const FILES: usize = 48;
    pub(super) const PC_TABLES: usize = 56;
    pub(super) const FUNCTION_TABLE: usize = 64;
}

impl PcLineTable {
    /// Reads the table of the file at `path`; `None` if it has none of a known version.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let cache = ReadCache::new(File::open(path).ok()?);
        let file = object::File::parse(&cache).ok()?;
        let section = [".gopclntab", ".data.rel.ro.gopclntab"]
            .into_iter()
            .find_map(|name| file.section_by_name(name))?;
        let data = section.uncompressed_data().ok()?.into_owned();
        if !MAGIC.contains(&u32_at(&data, 0)?) || *data.get(header::POINTER_SIZE)? != 8 {
            return None;
        }
        // Position-independent executables and Go 1.26 leave the field empty.
        let text = match u64_at(&data, header::TEXT)? {
            0 => file
                .symbols()
                .find(|s| s.name() == Ok("runtime.text"))
                .map(|s| s.address())
                .or_else(|| Some(file.section_by_name(".text")?.address()))?,
            text => text,
        };
        Some(Self {
            minimum: u64::from(*data.get(header::MINIMUM)?),
            data,
            text,
        })
    }

    /// Returns the function, file and line at a virtual address in the file.
    pub(crate) fn name(&self, address: u64) -> Option<Frame> {
        let offset = u32::try_from(address.checked_sub(self.text)?).ok()?;
        let table = self.field(header::FUNCTION_TABLE)?;
        let count = self.field(header::FUNCTIONS)?;
        let entry = |index: usize| u32_at(&self.data, table + index * 8);
        let (mut low, mut high) = (0, count);
        while low + 1 < high {
            let middle = usize::midpoint(low, high);
            if entry(middle)? <= offset {
                low = middle;
            } else {
                high = middle;
            }
        }
        let start = entry(low)?;
        if start > offset || entry(low + 1)? <= offset {
            return None;
        }
        let function = table + u32_at(&self.data, table + low * 8 + 4)? as usize;
        let field = |index: usize| u32_at(&self.data, function + index * 4);
        let name = self.string(self.field(header::NAMES)? + field(1)? as usize)?;
        let within = u64::from(offset - start);
        let line = self.value(field(6)?, within);
        let file = self.value(field(5)?, within).and_then(|number| {
            let unit = self.field(header::UNITS)? + (field(8)? as usize + usize::try_from(number).ok()?) * 4;
            self.string(self.field(header::FILES)? + u32_at(&self.data, unit)? as usize)
        });
        Some(Frame {
            function: name,
            file,
            line: line.and_then(|line| u32::try_from(line).ok()),
            ..Frame::default()
        })
    }

    /// Returns the value of a PC-value table at `offset` bytes after the function's entry.
    fn value(&self, table: u32, offset: u64) -> Option<i64> {
        let start = self.field(header::PC_TABLES)? + table as usize;
        let mut bytes = self.data.get(start..)?.iter().copied();
        let (mut value, mut at) = (-1, 0);
        for step in 0.. {
            let delta = varint(&mut bytes)?;
            if delta == 0 && step > 0 {
                return None;
            }
            value += if delta & 1 == 1 {
                !(delta as i64 >> 1)
            } else {
                delta as i64 >> 1
            };
            at += varint(&mut bytes)? * self.minimum;
            if offset < at {
                return Some(value);
            }
        }
        None
    }

    fn field(&self, offset: usize) -> Option<usize> {
        usize::try_from(u64_at(&self.data, offset)?).ok()
    }

    fn string(&self, offset: usize) -> Option<String> {
        let bytes = self.data.get(offset..)?;
        let end = bytes.iter().position(|b| *b == 0)?;
        Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }
}

/// Reads a varint: seven bits per byte, lowest first.
fn varint(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes.next()?;
        value |= u64::from(byte & 127).checked_shl(shift)?;
        if byte < 128 {
            return Some(value);
        }
        shift += 7;
    }
}
