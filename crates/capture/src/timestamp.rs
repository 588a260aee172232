//! Engine timestamps: nanoseconds since the Unix epoch.
//!
//! Each log frame begins with one, so parsing must take nanoseconds only. `since` must carry all nine digits; with whole seconds
//! each new stream would repeat or lose lines.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The length of `2006-01-02T15:04:05.000000000Z`, the fixed form in which the Docker Engine writes timestamps
/// (`RFC3339NanoFixed` in its source).
pub(crate) const FIXED_LEN: usize = 30;
/// The length of `2006-01-02T15:04:05`, the part that changes once a second.
const SECOND_LEN: usize = 19;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A time of the engine's clock, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Timestamp(i64);

impl Timestamp {
    /// The time before all others; requests leave `since` out.
    pub(crate) const BEGINNING: Self = Self(i64::MIN);

    pub(crate) const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    pub(crate) const fn as_nanos(self) -> i64 {
        self.0
    }

    pub(crate) fn now() -> Self {
        let now = jiff::Timestamp::now().as_nanosecond();
        Self(i64::try_from(now).unwrap_or(i64::MAX))
    }

    pub(crate) const fn is_beginning(self) -> bool {
        self.0 == i64::MIN
    }

    pub(crate) const fn saturating_sub(self, nanos: i64) -> Self {
        if self.is_beginning() {
            self
        } else {
            Self(self.0.saturating_sub(nanos))
        }
    }

    /// Returns the nanoseconds from `self` to `later`; 0 if `later` is not later.
    pub(crate) const fn behind(self, later: Self) -> i64 {
        let gap = later.0.saturating_sub(self.0);
        if gap < 0 { 0 } else { gap }
    }

    /// Writes the fixed RFC 3339 form with nine digits.
    pub(crate) fn write_rfc3339(self, out: &mut Vec<u8>) {
        use std::io::Write as _;
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{time:.9}");
    }

    /// Parses any RFC 3339 timestamp.
    pub(crate) fn parse_rfc3339(text: &[u8]) -> Option<Self> {
        let time: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
        Some(Self(i64::try_from(time.as_nanosecond()).ok()?))
    }
}

/// Formats the time for the engine's `since` parameter: `SECONDS.NANOSECONDS`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_beginning() {
            return f.write_str("0");
        }
        write!(
            f,
            "{}.{:09}",
            self.0.div_euclid(NANOS_PER_SECOND),
            self.0.rem_euclid(NANOS_PER_SECOND)
        )
    }
}

/// A parser of the timestamps of frames. It caches the last second, which most neighbours share.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    second: [u8; SECOND_LEN],
    second_as_nanos: i64,
}

impl Reader {
    /// Returns the timestamp at the start of `text` and its length with the space behind it; `None` if there is none.
    pub(crate) fn read(&mut self, text: &[u8]) -> Option<(Timestamp, usize)> {
        if let Some(nanos) = fixed_fraction(text) {
            let head: &[u8; SECOND_LEN] = text.first_chunk()?;
            if *head != self.second {
                let whole = Timestamp::parse_rfc3339(&text[..FIXED_LEN])?;
                self.second = *head;
                self.second_as_nanos = whole.0 - nanos;
            }
            return Some((Timestamp(self.second_as_nanos + nanos), FIXED_LEN + 1));
        }
        // The form of another engine, up to the first space; 64 bytes hold any RFC 3339 timestamp.
        let end = memchr::memchr(b' ', &text[..text.len().min(64)])?;
        Some((Timestamp::parse_rfc3339(&text[..end])?, end + 1))
    }
}

/// A writer of timestamps in the fixed form. It caches the last second, as [`Reader`] does.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// The last timestamp written.
    text: Vec<u8>,
    second: i64,
}

impl Writer {
    /// Appends `time` to `out`.
    pub(crate) fn write(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        let second = time.0.div_euclid(NANOS_PER_SECOND);
        if second != self.second || self.text.is_empty() {
            self.text.clear();
            time.write_rfc3339(&mut self.text);
            self.second = second;
        } else {
            let mut rest = time.0.rem_euclid(NANOS_PER_SECOND);
            for digit in self.text[SECOND_LEN + 1..FIXED_LEN - 1].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        out.extend_from_slice(&self.text);
    }
}

/// Returns the nine digits after the dot, if `text` begins with the fixed form and a space.
fn fixed_fraction(text: &[u8]) -> Option<i64> {
    if text.len() <= FIXED_LEN || text[SECOND_LEN] != b'.' || text[FIXED_LEN - 1] != b'Z' || text[FIXED_LEN] != b' ' {
        return None;
    }
    text[SECOND_LEN + 1..FIXED_LEN - 1].iter().try_fold(0_i64, |sum, byte| {
        byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> i64 {
        Reader::default().read(text.as_bytes()).unwrap().0.as_nanos()
    }

    #[test]
    fn the_fixed_form_is_read_to_the_nanosecond() {
        // 2026-11-22T20:25:47Z is 1 795 379 147 s after the epoch (`date -ud … +%s`).
        assert_eq!(nanos("2026-11-22T20:25:47.123456789Z line"), 1_795_379_147_123_456_789);
        assert_eq!(nanos("2026-11-22T20:25:47.000000001Z "), 1_795_379_147_000_000_001);
    }

    #[test]
    fn other_rfc3339_forms_are_read_too() {
        assert_eq!(nanos("2026-11-22T20:25:47Z x"), 1_795_379_147_000_000_000);
        assert_eq!(nanos("2026-11-22T21:25:47.5+01:00 x"), 1_795_379_147_500_000_000);
    }

    #[test]
    fn the_remembered_second_does_not_leak_into_the_next() {
        let mut reader = Reader::default();
        let first = reader.read(b"2026-11-22T20:25:47.999999999Z a").unwrap().0;
        let second = reader.read(b"2026-11-22T20:25:48.000000000Z b").unwrap().0;
        assert_eq!(second.as_nanos() - first.as_nanos(), 1);
    }

    #[test]
    fn the_fixed_form_is_written_as_the_library_writes_it_within_a_second_and_across_seconds() {
        let mut writer = Writer::default();
        for nanos in [
            0,
            1,
            999_999_999,
            1_000_000_000,
            -1,
            1_795_379_147_123_456_789,
            1_795_379_147_000_000_100,
        ] {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            writer.write(Timestamp::from_nanos(nanos), &mut ours);
            Timestamp::from_nanos(nanos).write_rfc3339(&mut theirs);
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn text_without_a_timestamp_is_refused() {
        assert_eq!(
            Reader::default().read(b"hello world, this is no timestamp at all"),
            None
        );
        assert_eq!(Reader::default().read(b"2026-11-22T20:25:47.12345678xZ line"), None);
        assert_eq!(Reader::default().read(b""), None);
    }

    #[test]
    fn since_and_rfc3339_keep_all_nine_digits() {
        let time = Timestamp::from_nanos(1_795_379_147_000_000_001);
        assert_eq!(time.to_string(), "1795379147.000000001");
        let mut text = Vec::new();
        time.write_rfc3339(&mut text);
        assert_eq!(text, b"2026-11-22T20:25:47.000000001Z");
        assert_eq!(Timestamp::parse_rfc3339(&text), Some(time));
    }
}
