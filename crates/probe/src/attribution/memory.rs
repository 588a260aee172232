//! Resident memory by kind of mapping.

use std::collections::BTreeMap;
use std::io::Read as _;

use procfs::process::{MMapPath, MemoryMap, MemoryMaps};
use procfs::{FromBufRead as _, ProcResult};

use crate::process::{Process, ProcessError};

/// The number of bytes of /proc/PID/smaps that are read: some 15 000 mappings. The kernel holds the memory lock of the
/// process while it walks each of them.
const MAX_BYTES: u64 = 16 << 20;

/// Returns the resident bytes of all mappings by kind.
pub(super) fn groups(process: &Process) -> Result<BTreeMap<String, u64>, ProcessError> {
    process.read("smaps", |proc| {
        let mut text = Vec::new();
        proc.open_relative("smaps")?.take(MAX_BYTES).read_to_end(&mut text)?;
        sum(&text)
    })
}

fn sum(smaps: &[u8]) -> ProcResult<BTreeMap<String, u64>> {
    // A last line that was cut off at the limit is left out.
    let whole = memchr::memrchr(b'\n', smaps).map_or(0, |end| end + 1);
    let mut groups = BTreeMap::new();
    for mapping in MemoryMaps::from_buf_read(&smaps[..whole])? {
        let bytes = mapping.extension.map.get("Rss").copied().unwrap_or_default();
        if bytes > 0 {
            *groups.entry(kind(&mapping)).or_default() += bytes;
        }
    }
    Ok(groups)
}

fn kind(mapping: &MemoryMap) -> String {
    match &mapping.pathname {
        MMapPath::Anonymous => "anonymous memory".into(),
        MMapPath::Heap => "the heap".into(),
        MMapPath::Stack | MMapPath::TStack(_) => "the stack".into(),
        MMapPath::Vdso => "vdso".into(),
        MMapPath::Vvar => "vvar".into(),
        MMapPath::Vsyscall => "vsyscall".into(),
        MMapPath::Vsys(_) => "shared memory".into(),
        MMapPath::Path(path) => path.display().to_string(),
        MMapPath::Other(name) => name.clone(),
        MMapPath::Rollup => "rollup".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "55d0-55d1 r-xp 00000000 fd:00 12      /usr/bin/agent\nSize: 8 kB\nRss: 4 kB\nVmFlags: rd ex\n\
        55d2-55d3 rw-p 00000000 00:00 0      [heap]\nRss:  100 kB\n\
        7f00-7f01 rw-p 00000000 00:00 0 \nRss: 8 kB\n7f02-7f03 rw-p 00000000 00:00 0 \nRss: 8 kB\n";

    #[test]
    fn mappings_of_a_kind_are_added_up_and_a_cut_line_is_left_out() {
        for text in [TEXT.to_owned(), format!("{TEXT}7f04-7f05 rw")] {
            let groups = sum(text.as_bytes()).expect("the kernel's format");
            let expected = [
                ("/usr/bin/agent", 4096),
                ("anonymous memory", 16384),
                ("the heap", 102_400),
            ];
            assert_eq!(groups, expected.map(|(k, v)| (k.to_owned(), v)).into());
        }
    }
}
