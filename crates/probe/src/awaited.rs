//! A text that is awaited in the target's own output: `ready = { log = "listening on" }`.

use std::path::{Path, PathBuf};

use memchr::memmem::Finder;

use crate::tail::{CHUNK, Looked, Tail};

/// Most bytes read in one look; a target that writes more before it is ready is read on in the next.
const LOOK_BYTES: usize = 4 << 20;

/// A text that is looked for in a file as it grows; no byte is searched twice, but for those that may be its beginning.
#[derive(Debug)]
pub struct AwaitedText {
    path: PathBuf,
    text: Finder<'static>,
    tail: Option<Tail>,
    /// The end of what was read: it may be the beginning of the text.
    rest: Vec<u8>,
    seen: bool,
}

impl AwaitedText {
    /// For a file that need not exist yet.
    #[must_use]
    pub fn new(path: &Path, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: Finder::new(text).into_owned(),
            tail: None,
            rest: Vec::new(),
            seen: false,
        }
    }

    /// Reads on; whether the text was there, now or before.
    pub fn is_there(&mut self) -> bool {
        if self.tail.is_none() {
            self.tail = Tail::open(&self.path).ok();
        }
        let Some(tail) = &mut self.tail else { return false };
        let mut buffer = vec![0; CHUNK];
        let mut read = 0;
        while !self.seen && read < LOOK_BYTES {
            match tail.read(&mut buffer) {
                Ok(Looked::Read(0)) | Err(_) => break,
                Ok(Looked::Read(length)) => {
                    self.rest.extend_from_slice(&buffer[..length]);
                    self.seen = self.text.find(&self.rest).is_some();
                    let keep = self.text.needle().len().saturating_sub(1);
                    self.rest.drain(..self.rest.len().saturating_sub(keep));
                    read += length;
                }
                Ok(Looked::Truncated) => self.rest.clear(),
            }
        }
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_text_is_found_also_where_it_was_written_in_two_pieces() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("target.log");
        let mut awaited = AwaitedText::new(&path, "listening on");
        assert!(!awaited.is_there(), "there is no file yet");
        let mut log = std::fs::File::create(&path).expect("created");
        log.write_all(b"starting\nnow list").expect("written");
        assert!(!awaited.is_there());
        log.write_all(b"ening on :80\n").expect("written");
        assert!(awaited.is_there());
        log.set_len(0).expect("truncated");
        assert!(awaited.is_there(), "what was seen was seen");
    }
}
