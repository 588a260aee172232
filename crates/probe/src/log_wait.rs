//! A wait for a text in the output of the target: `ready = { log = "listening on" }`.

use std::path::{Path, PathBuf};

use memchr::memmem::Finder;

use crate::tail::{CHUNK, Outcome, Tail};

/// The number of bytes that one call reads; the next call continues.
const MAX_READ_BYTES: usize = 4 << 20;

/// A search for a text in a growing file. It keeps only the bytes that may be the beginning of the text.
#[derive(Debug)]
pub struct LogWait {
    path: PathBuf,
    text: Finder<'static>,
    tail: Option<Tail>,
    /// The end of the bytes read so far, which may be the beginning of the text.
    rest: Vec<u8>,
    found: bool,
}

impl LogWait {
    /// Creates a search in a file that need not exist yet.
    #[must_use]
    pub fn new(path: &Path, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: Finder::new(text).into_owned(),
            tail: None,
            rest: Vec::new(),
            found: false,
        }
    }

    /// Reads on. Returns `true` once the text was found.
    pub fn poll(&mut self) -> bool {
        if self.tail.is_none() {
            self.tail = Tail::open(&self.path).ok();
        }
        let Some(tail) = &mut self.tail else { return false };
        let mut buffer = vec![0; CHUNK];
        let mut read = 0;
        while !self.found && read < MAX_READ_BYTES {
            match tail.read(&mut buffer) {
                Ok(Outcome::Read(0)) | Err(_) => break,
                Ok(Outcome::Read(length)) => {
                    self.rest.extend_from_slice(&buffer[..length]);
                    self.found = self.text.find(&self.rest).is_some();
                    let keep = self.text.needle().len().saturating_sub(1);
                    self.rest.drain(..self.rest.len().saturating_sub(keep));
                    read += length;
                }
                Ok(Outcome::Truncated) => self.rest.clear(),
            }
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_text_that_was_written_in_two_pieces_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("target.log");
        let mut wait = LogWait::new(&path, "listening on");
        assert!(!wait.poll(), "there is no file yet");
        let mut log = std::fs::File::create(&path).expect("created");
        log.write_all(b"starting\nnow list").expect("written");
        assert!(!wait.poll());
        log.write_all(b"ening on :80\n").expect("written");
        assert!(wait.poll());
        log.set_len(0).expect("truncated");
        assert!(wait.poll(), "a text that was found stays found");
    }
}
