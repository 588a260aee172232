//! Symbolization of the stacks in the result, at the end of a trace.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolized, Symbolizer};

use crate::go::PcLineTable;
use crate::library::{is_library, is_python_library};
use crate::perf_map::PerfMap;
use crate::space::Space;
use crate::state::StackKey;
use leakcheck_model::origins::Frame;

/// A symbolizer for all files in a trace.
pub(crate) struct Names<'s> {
    spaces: &'s [Space],
    perf_map: PerfMap,
    symbolizer: Symbolizer,
    go_tables: HashMap<PathBuf, Option<PcLineTable>>,
    named: HashMap<(usize, u64), Vec<Frame>>,
}

impl<'s> Names<'s> {
    /// Makes a symbolizer for the stacks of `spaces`. `root` is the process whose perf map is read.
    pub(crate) fn new(spaces: &'s [Space], root: i32) -> Self {
        Self {
            spaces,
            perf_map: PerfMap::read(root),
            symbolizer: Symbolizer::builder().enable_auto_reload(false).build(),
            go_tables: HashMap::new(),
            named: HashMap::new(),
        }
    }

    /// Returns the frames of a stack, innermost first. Python frames come first; the interpreter's own count as library code.
    pub(crate) fn stack(&mut self, key: StackKey) -> Vec<Frame> {
        let spaces = self.spaces;
        let space = &spaces[key.space];
        let stack = &space.stacks[key.stack as usize];
        let mut frames: Vec<Frame> = stack
            .python
            .iter()
            .filter_map(|frame| space.interpreter()?.name(*frame))
            .map(|frame| Frame {
                library: frame.file.as_deref().is_some_and(is_python_library),
                ..frame
            })
            .collect();
        let native: Vec<Frame> = stack
            .addresses
            .iter()
            .flat_map(|a| self.address(key.space, *a))
            .collect();
        // If the frames of the script are known, those of its interpreter are library code.
        let is_script = !frames.is_empty() || native.iter().any(|f| f.module.is_none() && f.file.is_some());
        frames.extend(native.into_iter().map(|frame| Frame {
            library: frame.library || (is_script && frame.module.is_some()),
            ..frame
        }));
        frames
    }

    /// Returns the frames at `address`, inlined ones first.
    fn address(&mut self, space: usize, address: u64) -> Vec<Frame> {
        // Every address is a return address; the call is before it.
        let address = address.saturating_sub(1);
        if let Some(known) = self.named.get(&(space, address)) {
            return known.clone();
        }
        let spaces = self.spaces;
        let frames = match spaces[space].module_at(address) {
            None => vec![self.perf_map.name(address).unwrap_or_else(|| Frame {
                function: format!("anonymous+{address:#x}"),
                library: true,
                ..Frame::default()
            })],
            Some(module) => {
                let path = module.mapping.path.clone().unwrap_or_default();
                let offset = module.file_address(address);
                let mut frames = offset
                    .map(|offset| self.symbolizer_frames(&module.file, offset))
                    .unwrap_or_default();
                let go = self
                    .go_tables
                    .entry(module.file.clone())
                    .or_insert_with(|| PcLineTable::read(&module.file))
                    .as_ref();
                if frames.iter().all(|f| f.line.is_none())
                    && let Some(frame) = go.zip(offset).and_then(|(table, offset)| table.name(offset))
                {
                    frames = vec![frame];
                }
                if frames.is_empty() {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    frames.push(Frame {
                        function: format!("{name}+{:#x}", offset.unwrap_or(address)),
                        ..Frame::default()
                    });
                }
                let is_go = go.is_some();
                for frame in &mut frames {
                    frame.module = Some(path.to_string_lossy().into_owned());
                    frame.library = is_library(frame, is_go);
                }
                frames
            }
        };
        self.named.insert((space, address), frames.clone());
        frames
    }

    fn symbolizer_frames(&self, file: &Path, offset: u64) -> Vec<Frame> {
        let source = Source::Elf(Elf::new(file));
        match self.symbolizer.symbolize_single(&source, Input::VirtOffset(offset)) {
            Ok(Symbolized::Sym(symbol)) => frames_of(&symbol),
            _ => Vec::new(),
        }
    }
}

fn frames_of(symbol: &Sym<'_>) -> Vec<Frame> {
    let frame = |name: &str, code: Option<&CodeInfo<'_>>| Frame {
        function: name.to_owned(),
        file: code.map(|c| c.to_path().display().to_string()),
        line: code.and_then(|c| c.line),
        ..Frame::default()
    };
    let outer = frame(&symbol.name, symbol.code_info.as_deref());
    let inlined = symbol.inlined.iter().map(|i| frame(&i.name, i.code_info.as_ref()));
    let mut frames: Vec<Frame> = std::iter::once(outer).chain(inlined).collect();
    frames.reverse();
    frames
}
