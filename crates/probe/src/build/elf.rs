//! The build id and the dynamic loader of an ELF executable (elf(5)). The build id is a note of type 3 named GNU, which the
//! linker makes from the contents.

use std::fs::File;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// The number of bytes of a table or note that are read; real ones have a few hundred.
const MAX_PART_BYTES: u64 = 64 << 10;

/// The segment type of the path of the dynamic loader.
const PT_INTERP: u32 = 3;

/// The segment type of notes.
const PT_NOTE: u32 = 4;

/// The note type of the build id.
const NT_GNU_BUILD_ID: u32 = 3;

/// Returns the build id in hexadecimal; `None` if there is none, or the file is no 64-bit little-endian ELF.
pub(super) fn build_id(file: &File) -> Option<String> {
    in_segments(file, PT_NOTE, |notes, align| {
        in_notes(notes, if align == 8 { 8 } else { 4 })
    })
}

/// Returns the dynamic loader; `None` if the file is static, or no 64-bit little-endian ELF.
#[must_use]
pub fn interpreter(file: &File) -> Option<PathBuf> {
    in_segments(file, PT_INTERP, |text, _| {
        let path = text.split(|b| *b == 0).next()?.to_vec();
        Some(PathBuf::from(std::ffi::OsString::from_vec(path)))
    })
}

/// Returns the first result of `read` for a segment of this type, which it gets together with the alignment.
fn in_segments<T>(file: &File, wanted: u32, read: impl Fn(&[u8], u64) -> Option<T>) -> Option<T> {
    let head = part(file, 0, 64)?;
    if head.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (table, size, count) = (u64_at(&head, 32)?, u16_at(&head, 54)?, u16_at(&head, 56)?);
    let headers = part(file, table, u64::from(size) * u64::from(count))?;
    headers.chunks_exact(usize::from(size.max(56))).find_map(|header| {
        if u32_at(header, 0)? != wanted {
            return None;
        }
        let segment = part(file, u64_at(header, 8)?, u64_at(header, 32)?)?;
        read(&segment, u64_at(header, 48)?)
    })
}

fn in_notes(mut notes: &[u8], align: usize) -> Option<String> {
    loop {
        let (name, text) = (u32_at(notes, 0)? as usize, u32_at(notes, 4)? as usize);
        let start = 12 + name.next_multiple_of(align.min(4));
        let start = start.next_multiple_of(align);
        let end = start.checked_add(text)?;
        if u32_at(notes, 8)? == NT_GNU_BUILD_ID && notes.get(12..12 + name)? == b"GNU\0" {
            return Some(notes.get(start..end)?.iter().map(|b| format!("{b:02x}")).collect());
        }
        notes = notes.get(end.next_multiple_of(align)..)?;
    }
}

fn part(file: &File, at: u64, length: u64) -> Option<Vec<u8>> {
    let length = usize::try_from(length.min(MAX_PART_BYTES)).ok()?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, at).ok()?;
    Some(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    #[test]
    fn a_note_behind_another_is_found() {
        let mut notes = Vec::new();
        notes.extend_from_slice(&[4, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0]);
        notes.extend_from_slice(b"GNU\0\x01\x02\x03\0");
        notes.extend_from_slice(&[4, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0]);
        notes.extend_from_slice(b"GNU\0\xde\xad\xbe\xef");
        assert_eq!(in_notes(&notes, 4), Some("deadbeef".into()));
    }

    #[test]
    fn a_shell_script_has_no_build_id_and_no_loader() {
        for bytes in [
            &b"#!/bin/sh\nexit 0\n"[..],
            b"",
            b"\x7fELF",
            &[b"\x7fELF\x02\x01", &[0xff; 100][..]].concat(),
        ] {
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(bytes).expect("written");
            assert_eq!((build_id(&file), interpreter(&file)), (None, None));
        }
    }

    #[test]
    fn the_test_executable_names_its_loader_if_it_is_dynamic() {
        let file = File::open(std::env::current_exe().expect("our path")).expect("ours");
        if let Some(loader) = interpreter(&file) {
            assert!(
                loader.is_file() && loader.to_string_lossy().contains("ld"),
                "{loader:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = in_notes(&bytes, 4);
            let _ = in_notes(&bytes, 8);
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(b"\x7fELF\x02\x01").and_then(|()| file.write_all(&bytes)).expect("written");
            let _ = (build_id(&file), interpreter(&file));
        }
    }
}
