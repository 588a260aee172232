//! Origins of leaked resources: the call stacks that created what still exists.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A kind of resource that can leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// An open file descriptor.
    Descriptor,
    /// A thread.
    Thread,
    /// A child process; one that has ended counts until it is waited for.
    Child,
    /// An inotify watch.
    InotifyWatch,
}

/// One frame of a call stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Frame {
    /// Function, or `module+0xoffset` if it has no name.
    pub function: String,
    /// Source file, as the debug information names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Path of the executable or library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// True for a runtime or a system library, which reports dim.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub library: bool,
}

/// Resources that were created with the same call stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Kind of resource.
    pub resource: Resource,
    /// Kind of descriptor (`socket`, `pipe`, `file`, …), name of a thread or of a creating call.
    pub kind: String,
    /// Number created.
    pub opened: u64,
    /// Number that still exists.
    pub open: u64,
    /// Number that existed when the target had started up.
    pub baseline: u64,
    /// Call stack of the creation, innermost frame first.
    pub stack: Vec<Frame>,
}

impl Frame {
    /// Returns `file:line`, or the module if there is no line.
    #[must_use]
    pub fn location(&self) -> String {
        match (&self.file, self.line, &self.module) {
            (Some(file), Some(line), _) => format!("{file}:{line}"),
            (Some(file), None, _) => file.clone(),
            (None, _, module) => module.clone().unwrap_or_default(),
        }
    }
}

impl Resource {
    /// Returns the noun for `count` of them.
    #[must_use]
    pub fn noun(self, count: u64) -> &'static str {
        match (self, count) {
            (Self::Descriptor, 1) => "descriptor",
            (Self::Descriptor, _) => "descriptors",
            (Self::Thread, 1) => "thread",
            (Self::Thread, _) => "threads",
            (Self::Child, 1) => "child process",
            (Self::Child, _) => "child processes",
            (Self::InotifyWatch, 1) => "inotify watch",
            (Self::InotifyWatch, _) => "inotify watches",
        }
    }
}

impl Origin {
    /// Returns the growth since the target had started up.
    #[must_use]
    pub fn growth(&self) -> u64 {
        self.open.saturating_sub(self.baseline)
    }

    /// Returns the innermost frame in the user's own code, one with a line first; without any, the innermost frame.
    #[must_use]
    pub fn place(&self) -> Option<&Frame> {
        let own = || self.stack.iter().filter(|f| !f.library);
        own()
            .find(|f| f.line.is_some())
            .or_else(|| own().next())
            .or_else(|| self.stack.first())
    }
}

/// All origins of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origins {
    /// Origins with survivors, the largest growth first.
    pub origins: Vec<Origin>,
    /// Resources that exist and whose creation was not seen, by kind.
    pub unknown: BTreeMap<Resource, u64>,
    /// Limits of this trace that a reader must know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
