//! Stamped lines, by which lost, repeated, reordered and torn lines are detected.
//!
//! The format is `lc1 RUN EMITTER STREAM SEQUENCE PAYLOAD #CRC32`, for example `lc1 k3v9 noisy-07 o 42 abcdef #9d5e0f3a`.
//! The checksum covers all bytes before ` #`. JSON escapes no byte of a stamped line, so stamps can be found in any file.

/// The beginning of every stamped line.
pub const PREFIX: &[u8] = b"lc1 ";

/// Length of the shortest line with any stamp, and minimum of `line_bytes`.
pub const MIN_LINE_BYTES: usize = 72;

/// Length of the longest line: 1 MiB and a stamp.
pub const MAX_LINE_BYTES: usize = (1 << 20) + MIN_LINE_BYTES;

/// Bytes after the payload: ` #` and eight hexadecimal digits.
const TAIL: usize = 10;

/// An output stream of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output (`o` in the stamp).
    Stdout,
    /// Standard error (`e` in the stamp).
    Stderr,
}

/// The origin and sequence number of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp<'a> {
    /// Id of the run.
    pub run: &'a str,
    /// Name of the container within the run. A replacement has a different name.
    pub emitter: &'a str,
    /// Stream that the line was written to.
    pub stream: Stream,
    /// Number of the line in its emitter and stream, from 1.
    pub sequence: u64,
    /// In the last line of an emitter: its numbers of lines, including this one.
    pub end: Option<Sent>,
}

/// The numbers of lines of an emitter, including its last line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Lines on standard output.
    pub stdout: u64,
    /// Lines on standard error.
    pub stderr: u64,
}

/// Bytes that begin like a stamped line and are truncated or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorruptStamp;

/// A writer of stamped lines for one emitter and stream. The common beginning and its checksum are computed once.
#[derive(Clone, Debug)]
pub struct Writer {
    heading: Box<[u8]>,
    checksum: u32,
}

impl Writer {
    /// Makes a writer for a stream of an emitter.
    #[must_use]
    pub fn new(run: &str, emitter: &str, stream: Stream) -> Self {
        let stream = match stream {
            Stream::Stdout => &b" o "[..],
            Stream::Stderr => b" e ",
        };
        let heading = [PREFIX, run.as_bytes(), b" ", emitter.as_bytes(), stream].concat();
        Self {
            checksum: crc32fast::hash(&heading),
            heading: heading.into(),
        }
    }

    /// Appends a stamped line and a newline to `out`.
    ///
    /// `length` is the length of the line without the newline; a shorter one than possible is increased. The payload
    /// repeats `filler`.
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

    /// Appends the last line of the emitter with its numbers of lines; `sent` includes this line.
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

/// The hexadecimal digits of every byte.
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

/// Formats a number without the cost of `fmt`, for every line of the load.
fn in_decimal(mut value: u64, digits: &mut [u8; DIGITS]) -> &[u8] {
    let mut first = DIGITS;
    while first == DIGITS || value > 0 {
        first -= 1;
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    &digits[first..]
}

/// Parses the stamped line at the beginning of `bytes`, and returns its stamp and its length without the newline.
///
/// # Errors
/// If the line is truncated, or its checksum does not match.
pub fn read(bytes: &[u8]) -> Result<(Stamp<'_>, usize), CorruptStamp> {
    let window = &bytes[..bytes.len().min(MAX_LINE_BYTES)];
    // A payload contains neither '#' nor a newline.
    let hash = window
        .iter()
        .position(|b| matches!(b, b'#' | b'\n'))
        .ok_or(CorruptStamp)?;
    let end = hash + 9;
    if window[hash] != b'#' || hash < 1 || window.len() < end || window[hash - 1] != b' ' {
        return Err(CorruptStamp);
    }
    // `from_str_radix` would accept capitals and a sign, which are changed bytes.
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let crc = std::str::from_utf8(&window[hash + 1..end])
        .ok()
        .filter(|hex| hex.as_bytes().iter().all(is_digit))
        .and_then(|hex| u32::from_str_radix(hex, 16).ok());
    if crc != Some(crc32fast::hash(&window[..hash - 1])) {
        return Err(CorruptStamp);
    }
    let text = std::str::from_utf8(&window[..hash - 1]).map_err(|_| CorruptStamp)?;
    let mut fields = text.splitn(6, ' ');
    let mut field = || fields.next().ok_or(CorruptStamp);
    let _prefix = field()?;
    let (run, emitter) = (field()?, field()?);
    let stream = match field()? {
        "o" => Stream::Stdout,
        "e" => Stream::Stderr,
        _ => return Err(CorruptStamp),
    };
    let sequence = field()?.parse().map_err(|_| CorruptStamp)?;
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
            end: end_of(field()?),
        },
        end,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_written_line_can_be_read() {
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
    fn the_last_line_has_the_numbers_of_lines() {
        let mut line = Vec::new();
        Writer::new("k3v9", "noisy-07", Stream::Stdout).end(&mut line, Sent { stdout: 9, stderr: 2 });
        assert_eq!(
            read(&line).expect("a whole line").0.end,
            Some(Sent { stdout: 9, stderr: 2 })
        );
    }

    #[test]
    fn a_checksum_in_capitals_is_an_error() {
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
        fn a_changed_or_missing_byte_is_an_error(at in 4usize..100, to in 0u8..128, cut in 4usize..100) {
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
