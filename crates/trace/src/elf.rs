//! The sections of an ELF file that unwinding needs, read once per file.

use std::fs::File;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use framehop::ExplicitModuleSectionInfo;
use object::{Object, ObjectSection, ObjectSegment, ReadCache, SegmentFlags};

/// Shared bytes of a section.
#[derive(Clone, Debug)]
pub(crate) struct Bytes(Arc<[u8]>);

impl Default for Bytes {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// The parts of an ELF file that unwinding and naming need.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    sections: Vec<(&'static str, Range<u64>, Option<Bytes>)>,
    /// (offset in the file, size in the file, address) of the loaded segments.
    segments: Vec<(u64, u64, u64)>,
}

const UNWIND_SECTIONS: [(&str, bool); 6] = [
    (".text", true),
    (".eh_frame", true),
    (".eh_frame_hdr", true),
    (".debug_frame", true),
    (".got", false),
    (".plt", false),
];

impl Image {
    /// Reads the file at `path`; `None` if it is no readable ELF file.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let cache = ReadCache::new(File::open(path).ok()?);
        let file = object::File::parse(&cache).ok()?;
        let sections = UNWIND_SECTIONS
            .into_iter()
            .filter_map(|(name, with_data)| {
                let section = file.section_by_name(name)?;
                let range = section.address()..section.address() + section.size();
                let data = || Some(Bytes(section.uncompressed_data().ok()?.as_ref().into()));
                Some((name, range, with_data.then(data).flatten()))
            })
            .collect();
        let segments = file
            .segments()
            .filter(|segment| matches!(segment.flags(), SegmentFlags::Elf { .. }))
            .map(|segment| {
                let (offset, size) = segment.file_range();
                (offset, size, segment.address())
            })
            .collect();
        Some(Self { sections, segments })
    }

    /// Returns the virtual address in the file, before relocation, of the byte at `offset`.
    pub(crate) fn address_of(&self, offset: u64) -> Option<u64> {
        self.segments
            .iter()
            // A mapping begins at a page boundary, which may lie before its segment.
            .find(|(start, size, _)| (start & !0xfff..start + size).contains(&offset))
            .map(|(start, _, address)| address.wrapping_add(offset.wrapping_sub(*start)))
    }

    /// Returns the sections in framehop's format.
    pub(crate) fn unwind_info(&self) -> ExplicitModuleSectionInfo<Bytes> {
        let range = |name| self.section(name).map(|(range, _)| range);
        let data = |name| self.section(name).and_then(|(_, data)| data);
        ExplicitModuleSectionInfo {
            base_svma: 0,
            text_svma: range(".text"),
            text: data(".text"),
            got_svma: range(".got"),
            eh_frame_svma: range(".eh_frame"),
            eh_frame: data(".eh_frame"),
            eh_frame_hdr_svma: range(".eh_frame_hdr"),
            eh_frame_hdr: data(".eh_frame_hdr"),
            debug_frame: data(".debug_frame"),
            ..ExplicitModuleSectionInfo::default()
        }
    }

    fn section(&self, name: &str) -> Option<(Range<u64>, Option<Bytes>)> {
        let (_, range, data) = self.sections.iter().find(|(n, ..)| *n == name)?;
        Some((range.clone(), data.clone()))
    }
}
