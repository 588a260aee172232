//! Wall-clock time in nanoseconds, and Docker's formats for it.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Nanoseconds since the Unix epoch; fits until 2262.
pub(crate) type Nanos = i64;

/// Docker's text for a missing time.
pub(crate) const NEVER: &str = "0001-01-01T00:00:00Z";

pub(crate) fn now() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Nanos::try_from(since.as_nanos()).unwrap_or(Nanos::MAX)
}

fn timestamp(at: Nanos) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(at)).unwrap_or_default()
}

/// Formats a time as RFC 3339 with as many digits as needed, as `docker inspect` does.
pub(crate) fn rfc3339(at: Nanos) -> String {
    timestamp(at).to_string()
}

/// Returns the current time as an HTTP `Date` header writes it.
pub(crate) fn http_date() -> String {
    timestamp(now()).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A formatter for log timestamps: RFC 3339 with nine digits. It caches the text of the last second, which many lines
/// share.
#[derive(Default)]
pub(crate) struct Stamper {
    second: Option<i64>,
    text: String,
}

impl Stamper {
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, at: Nanos) {
        let (second, mut nanos) = (at.div_euclid(1_000_000_000), at.rem_euclid(1_000_000_000));
        if self.second != Some(second) {
            self.second = Some(second);
            self.text = timestamp(second * 1_000_000_000)
                .strftime("%Y-%m-%dT%H:%M:%S.")
                .to_string();
        }
        out.extend_from_slice(self.text.as_bytes());
        let mut digits = [b'0'; 9];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(nanos % 10).unwrap_or(0);
            nanos /= 10;
        }
        out.extend_from_slice(&digits);
        out.push(b'Z');
    }
}

/// Formats a duration like `docker ps` (docker/go-units, `HumanDuration`).
pub(crate) fn human(nanos: Nanos) -> String {
    let seconds = nanos.max(0) / 1_000_000_000;
    let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600);
    match seconds {
        0 => "Less than a second".into(),
        1 => "1 second".into(),
        2..60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".into(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".into(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 14 => format!("{} days", hours / 24),
        _ if hours < 24 * 60 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_timestamp_has_nine_digits_whatever_its_value() {
        let mut stamper = Stamper::default();
        for (at, text) in [
            (1_795_380_259_000_000_007, "2026-11-22T20:44:19.000000007Z"),
            (1_795_380_259_100_000_000, "2026-11-22T20:44:19.100000000Z"),
            (1_795_380_260_999_999_999, "2026-11-22T20:44:20.999999999Z"),
        ] {
            let mut out = Vec::new();
            stamper.write(&mut out, at);
            assert_eq!(String::from_utf8(out).expect("ASCII"), text);
        }
    }

    #[test]
    fn times_are_said_in_the_words_of_docker_ps() {
        for (seconds, words) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (150, "2 minutes"),
            (3600, "About an hour"),
            (7200, "2 hours"),
            (3 * 86_400, "3 days"),
        ] {
            assert_eq!(human(seconds * 1_000_000_000), words);
        }
    }
}
