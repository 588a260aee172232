//! Times in filters: a duration before now, a Unix time, or a date (moby, `timetypes.GetTimestamp`).

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Nanos;
use crate::query::nanos_of;

/// Parses a time into nanoseconds. A date without a zone is in the zone of this machine.
pub(crate) fn read(text: &str, now: Nanos) -> Option<Nanos> {
    if let Some(ago) = go_duration(text) {
        return Some(now.saturating_sub(ago));
    }
    if let Ok(at) = nanos_of(text) {
        return Some(at);
    }
    let at = text.parse::<Timestamp>().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        civil.to_zoned(TimeZone::system()).ok().map(|zoned| zoned.timestamp())
    })?;
    Nanos::try_from(at.as_nanosecond()).ok()
}

/// Parses `1h30m`, `1.5s`, `300ms` or `0` (Go, `time.ParseDuration`).
fn go_duration(text: &str) -> Option<Nanos> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total = SignedDuration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let seconds = match &rest[..unit] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        rest = &rest[unit..];
        total = total.checked_add(SignedDuration::try_from_secs_f64(number * seconds).ok()?)?;
    }
    (!text.is_empty())
        .then(|| Nanos::try_from(total.as_nanos()).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_age_a_unix_time_or_a_date() {
        const SECOND: Nanos = 1_000_000_000;
        let now = 1_800_000_000 * SECOND;
        for (text, expected) in [
            ("10m", Some(now - 600 * SECOND)),
            ("1h30m", Some(now - 5400 * SECOND)),
            ("1.5s", Some(now - 3 * SECOND / 2)),
            ("0s", Some(now)),
            ("1600000000", Some(1_600_000_000 * SECOND)),
            ("1600000000.5", Some(1_600_000_000 * SECOND + SECOND / 2)),
            ("2020-01-01T00:00:00Z", Some(1_577_836_800 * SECOND)),
            ("2020-01-01T00:00:00.5+01:00", Some(1_577_833_200 * SECOND + SECOND / 2)),
            ("abc", None),
            ("10 parsecs", None),
            ("", None),
        ] {
            assert_eq!(read(text, now), expected, "{text}");
        }
        assert!(read("2020-01-01", now).is_some(), "a day in the zone of this machine");
    }
}
