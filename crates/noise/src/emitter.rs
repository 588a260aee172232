//! The lines of one container: content, stream and length. Pure: no I/O and no clock.

use leakcheck_model::stamp::{Sent, Stream, Writer};

use crate::settings::Settings;

/// Source of the payloads, without characters that JSON escapes. The same 64 bytes are repeated, so that each of the first
/// 64 positions has 64 bytes.
const FILLER: &[u8; 128] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_\
abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/// The emitter of one container's lines.
#[derive(Clone, Debug)]
pub struct Emitter {
    stdout: Writer,
    stderr: Writer,
    min_length: usize,
    /// Number of possible lengths.
    lengths: u64,
    /// Share of the lines on standard error, in units of 2^-32.
    stderr_share: u64,
    sent: Sent,
    random: u64,
}

impl Emitter {
    /// Makes an emitter that has written nothing.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of 2^32, clamped"
    )]
    pub fn new(settings: &Settings) -> Self {
        let bytes = settings.line_bytes;
        let writer = |stream| Writer::new(&settings.run, &settings.emitter, stream);
        Self {
            stdout: writer(Stream::Stdout),
            stderr: writer(Stream::Stderr),
            min_length: bytes.min as usize,
            lengths: u64::from(bytes.max.saturating_sub(bytes.min)) + 1,
            stderr_share: (settings.stderr_share.clamp(0.0, 1.0) * 4_294_967_296.0) as u64,
            sent: Sent::default(),
            random: settings
                .seed
                .unwrap_or_else(|| u64::from(crc32fast::hash(settings.emitter.as_bytes()))),
        }
    }

    /// Appends the next line and its newline to `out`, and returns its stream.
    pub fn next_line(&mut self, out: &mut Vec<u8>) -> Stream {
        let (choice, length) = (self.next_random(), self.next_random());
        let stream = if choice >> 32 < self.stderr_share {
            Stream::Stderr
        } else {
            Stream::Stdout
        };
        let (writer, count) = match stream {
            Stream::Stdout => (&self.stdout, &mut self.sent.stdout),
            Stream::Stderr => (&self.stderr, &mut self.sent.stderr),
        };
        *count += 1;
        let length = self.min_length + usize::try_from(length % self.lengths).unwrap_or(0);
        let offset = usize::try_from(*count % 64).unwrap_or(0);
        writer.line(out, *count, length, &FILLER[offset..offset + 64]);
        stream
    }

    /// Appends the last line, for standard output. It contains the number of lines per stream, including itself.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.sent.stdout += 1;
        self.stdout.end(out, self.sent);
    }

    /// Returns the number of lines per stream so far.
    #[must_use]
    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// Returns the next number of splitmix64 (Steele, Lea & Flood 2014). A seed gives the same lines on every machine.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use leakcheck_model::stamp;

    use super::*;

    fn settings(arguments: &[&str]) -> Settings {
        Settings::from_arguments(arguments).expect("good arguments")
    }

    #[test]
    fn every_line_has_a_stamp_a_number_and_a_length_in_range() {
        let mut emitter = Emitter::new(&settings(&[
            "--emitter",
            "n-1",
            "--line-bytes",
            "80..400",
            "--stderr-share",
            "0.3",
        ]));
        let mut seen = Sent::default();
        for _ in 0..1000 {
            let mut line = Vec::new();
            let stream = emitter.next_line(&mut line);
            let (stamp, length) = stamp::read(&line).expect("a whole stamp");
            let count = if stream == Stream::Stdout {
                &mut seen.stdout
            } else {
                &mut seen.stderr
            };
            *count += 1;
            assert_eq!((stamp.sequence, stamp.stream, length + 1), (*count, stream, line.len()));
            assert!((80..=400).contains(&length), "{length}");
        }
        assert!((200..400).contains(&seen.stderr), "{seen:?}");
        let mut last = Vec::new();
        emitter.end(&mut last);
        assert_eq!(
            stamp::read(&last).expect("a whole stamp").0.end,
            Some(Sent {
                stdout: seen.stdout + 1,
                ..seen
            })
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_lines() {
        let write = |seed| {
            let mut emitter = Emitter::new(&settings(&["--line-bytes", "80..400", "--seed", seed]));
            let mut out = Vec::new();
            (0..50).for_each(|_| _ = emitter.next_line(&mut out));
            out
        };
        assert_eq!(write("7"), write("7"));
        assert_ne!(write("7"), write("8"));
    }
}
