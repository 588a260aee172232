//! The stamp that every noise line carries, so that a lost, repeated, swapped or torn line can be named.
//!
//! `lc1 RUN EMITTER STREAM SEQUENCE PAYLOAD #CRC32`, for example
//! `lc1 k3v9 noisy-07 o 42 abcdef #9d5e0f3a`. The checksum covers every byte before ` #`. No byte of a stamped line is
//! escaped by JSON, so that a stamp is found in any file by scanning its bytes.

/// What a stamped line begins with.
pub const MARK: &[u8] = b"lc1 ";

/// Shortest line that holds any stamp; shorter `line_bytes` are refused by the scenario.
pub const MIN_LINE_BYTES: usize = 72;

/// Longest stamped line (issue: 1 MiB lines), with room for its stamp.
pub const MAX_LINE_BYTES: usize = (1 << 20) + MIN_LINE_BYTES;

/// Bytes after the payload: ` #` and eight hexadecimal digits.
const TAIL: usize = 10;

/// Which stream of the container a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output (`o` in the stamp).
    Stdout,
    /// Standard error (`e` in the stamp).
    Stderr,
}

/// Who wrote a line, and which of its lines it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp<'a> {
    /// The run's id.
    pub run: &'a str,
    /// The container's name within the run; a replaced container has another.
    pub emitter: &'a str,
    /// Standard output or standard error.
    pub stream: Stream,
    /// 1, 2, 3, … for each emitter and stream.
    pub sequence: u64,
    /// If this is the emitter's last line: how many lines it wrote to each stream, this one included.
    pub end: Option<Sent>,
}

/// How many lines an emitter wrote, its last line included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// To standard output.
    pub stdout: u64,
    /// To standard error.
    pub stderr: u64,
}

/// Why bytes that begin like a stamp are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorruptStamp;

/// Writes the lines of one emitter to one stream. What all of them begin with is put together once, and so is its checksum.
#[derive(Clone, Debug)]
pub struct Writer {
    heading: Box<[u8]>,
    checksum: u32,
}

impl Writer {
    /// A writer of the lines that this emitter of this run writes to this stream.
    #[must_use]
    pub fn new(run: &str, emitter: &str, stream: Stream) -> Self {
        let stream = match stream {
            Stream::Stdout => &b" o "[..],
            Stream::Stderr => b" e ",
        };
        let heading = [MARK, run.as_bytes(), b" ", emitter.as_bytes(), stream].concat();
        Self {
            checksum: crc32fast::hash(&heading),
            heading: heading.into(),
        }
    }

    /// Appends a stamped line with its newline to `out`; `length` is the line's length without the newline
    /// (or the shortest possible, if it is less than that). `filler` supplies the payload and is repeated as needed.
    pub fn line(&self, out: &mut Vec<u8>, sequence: u64, length: usize, filler: &[u8]) {
        let start = out.len();
        out.reserve(length.max(MIN_LINE_BYTES) + 1);
        self.begin(out, sequence);
        let mut left = length.saturating_sub(out.len() - start + TAIL).max(1);
        while left > 0 {
            let piece = &filler[..left.min(filler.len())];
            out.extend_from_slice(piece);
            left -= piece.len();
        }
        self.seal(out, start);
    }

    /// Appends the emitter's last line, which says how many it wrote; `sent` includes this line.
    pub fn end(&self, out: &mut Vec<u8>, sent: Sent) {
        let start = out.len();
        self.begin(out, sent.stdout);
        out.extend_from_slice(b"end");
        for count in [sent.stdout, sent.stderr] {
            out.push(b':');
            out.extend_from_slice(in_decimal(count, &mut [0; DIGITS]));
        }
        self.seal(out, start);
    }

    fn begin(&self, out: &mut Vec<u8>, sequence: u64) {
        out.extend_from_slice(&self.heading);
        out.extend_from_slice(in_decimal(sequence, &mut [0; DIGITS]));
        out.push(b' ');
    }

    fn seal(&self, out: &mut Vec<u8>, start: usize) {
        let mut checksum = crc32fast::Hasher::new_with_initial(self.checksum);
        checksum.update(&out[start + self.heading.len()..]);
        let mut tail = *b" #00000000\n";
        for (digits, byte) in tail[2..TAIL].chunks_exact_mut(2).zip(checksum.finalize().to_be_bytes()) {
            digits.copy_from_slice(&HEXADECIMAL[usize::from(byte)]);
        }
        out.extend_from_slice(&tail);
    }
}

/// Each byte in two digits.
const HEXADECIMAL: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut all = [[0; 2]; 256];
    let mut byte = 0;
    while byte < all.len() {
        all[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    all
};

/// Digits of the largest count.
const DIGITS: usize = 20;

/// Without the machinery of formatting: this is written for each line of the load.
fn in_decimal(mut value: u64, digits: &mut [u8; DIGITS]) -> &[u8] {
    let mut first = DIGITS;
    while first == DIGITS || value > 0 {
        first -= 1;
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    &digits[first..]
}

/// Reads the stamp at the beginning of `bytes`; returns it with its length (the newline not included).
///
/// # Errors
/// [`CorruptStamp`] if the bytes begin like a stamp but do not end like one, or the checksum does not match.
pub fn read(bytes: &[u8]) -> Result<(Stamp<'_>, usize), CorruptStamp> {
    let window = &bytes[..bytes.len().min(MAX_LINE_BYTES)];
    // A payload has no '#', a newline would have ended the line.
    let hash = window
        .iter()
        .position(|b| matches!(b, b'#' | b'\n'))
        .ok_or(CorruptStamp)?;
    let end = hash + 9;
    if window[hash] != b'#' || hash < 1 || window.len() < end || window[hash - 1] != b' ' {
        return Err(CorruptStamp);
    }
    // As it is written: `from_str_radix` would take capitals and a sign too, which are changed bytes.
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let crc = std::str::from_utf8(&window[hash + 1..end])
        .ok()
        .filter(|hex| hex.as_bytes().iter().all(is_digit))
        .and_then(|hex| u32::from_str_radix(hex, 16).ok());
    if crc != Some(crc32fast::hash(&window[..hash - 1])) {
        return Err(CorruptStamp);
    }
    let text = std::str::from_utf8(&window[..hash - 1]).map_err(|_| CorruptStamp)?;
    let mut words = text.splitn(6, ' ');
    let mut word = || words.next().ok_or(CorruptStamp);
    let _mark = word()?;
    let (run, emitter) = (word()?, word()?);
    let stream = match word()? {
        "o" => Stream::Stdout,
        "e" => Stream::Stderr,
        _ => return Err(CorruptStamp),
    };
    let sequence = word()?.parse().map_err(|_| CorruptStamp)?;
    let end_of = |payload: &str| {
        let (stdout, stderr) = payload.strip_prefix("end:")?.split_once(':')?;
        Some(Sent {
            stdout: stdout.parse().ok()?,
            stderr: stderr.parse().ok()?,
        })
    };
    Ok((
        Stamp {
            run,
            emitter,
            stream,
            sequence,
            end: end_of(word()?),
        },
        end,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_reads_back_as_it_was_written() {
        let mut line = Vec::new();
        Writer::new("k3v9", "noisy-07", Stream::Stderr).line(&mut line, 42, 120, b"abcdefghij");
        assert_eq!(line.len(), 121);
        let (stamp, length) = read(&line).expect("a whole line");
        assert_eq!(
            (
                stamp.run,
                stamp.emitter,
                stamp.stream,
                stamp.sequence,
                stamp.end,
                length
            ),
            ("k3v9", "noisy-07", Stream::Stderr, 42, None, 120)
        );
    }

    #[test]
    fn the_last_line_says_how_many_there_were() {
        let mut line = Vec::new();
        Writer::new("k3v9", "noisy-07", Stream::Stdout).end(&mut line, Sent { stdout: 9, stderr: 2 });
        assert_eq!(
            read(&line).expect("a whole line").0.end,
            Some(Sent { stdout: 9, stderr: 2 })
        );
    }

    #[test]
    fn a_checksum_in_capitals_is_a_changed_one() {
        for number in 0..100 {
            let mut line = Vec::new();
            Writer::new("run", "noisy-01", Stream::Stdout).line(&mut line, number, 100, b"xyz");
            let digits = line.len() - 9..line.len() - 1;
            let capitals = line[digits.clone()].to_ascii_uppercase();
            let is_changed = capitals != line[digits.clone()];
            line[digits].copy_from_slice(&capitals);
            assert_eq!(read(&line).is_err(), is_changed, "{}", String::from_utf8_lossy(&line));
        }
    }

    proptest! {
        #[test]
        fn a_changed_or_missing_byte_is_noticed(at in 4usize..100, to in 0u8..128, cut in 4usize..100) {
            let mut line = Vec::new();
            Writer::new("run", "noisy-01", Stream::Stdout).line(&mut line, 7, 100, b"xyz");
            let mut changed = line.clone();
            changed[at] = to;
            prop_assert!(changed == line || read(&changed).is_err());
            prop_assert!(read(&line[..cut]).is_err());
        }

        #[test]
        fn any_bytes_can_be_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
