//! The query of a request, with Docker's formats for booleans, numbers and times.

use crate::clock::Nanos;
use crate::error::ApiError;

/// The decoded parameters of a query. The first value of a name counts, as in Go's `FormValue`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (percent_decode(name), percent_decode(value)))
                .collect(),
        )
    }

    /// Returns the value, or an empty text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// Returns all values of a repeatable name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns true if a flag is set (moby, `httputils.BoolValue`: any other text is true).
    pub(crate) fn flag(&self, name: &str) -> bool {
        let value = self.text(name).trim().to_ascii_lowercase();
        !matches!(value.as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// Parses a whole number; `None` if it is not given.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.text(name) {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| ApiError::internal(format_args!("strconv.Atoi: parsing {text:?}: invalid syntax"))),
        }
    }

    /// Parses a time `SECONDS[.FRACTION]`; `None` if it is not given. The caller decides whether 0 means "no time".
    pub(crate) fn time(&self, name: &str) -> Result<Option<Nanos>, ApiError> {
        let text = self.text(name);
        if text.is_empty() {
            return Ok(None);
        }
        nanos_of(text).map(Some)
    }
}

/// Parses `SECONDS[.FRACTION]` into nanoseconds.
pub(crate) fn nanos_of(text: &str) -> Result<Nanos, ApiError> {
    let wrong = |part: &str| ApiError::internal(format_args!("strconv.ParseInt: parsing {part:?}: invalid syntax"));
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().map_err(|_| wrong(seconds))?;
    let mut nanos = 0;
    if !fraction.is_empty() {
        let value: i64 = fraction.parse().map_err(|_| wrong(fraction))?;
        // Nine digits are nanoseconds; fewer are filled up with zeros (moby, `timetypes.ParseTimestamps`).
        let digits = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
        nanos = match digits {
            0..=9 => value * 10_i64.pow(9 - digits),
            _ => value / 10_i64.saturating_pow(digits - 9),
        };
    }
    Ok(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// Decodes `%XX` and `+`; bytes that are no UTF-8 are replaced.
pub(crate) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        out.push(match (byte, tail) {
            (b'+', _) => b' ',
            (b'%', [a, b, after @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                rest = after;
                let hex = |digit: &u8| {
                    (*digit as char)
                        .to_digit(16)
                        .and_then(|d| u8::try_from(d).ok())
                        .unwrap_or(0)
                };
                hex(a) * 16 + hex(b)
            }
            _ => *byte,
        });
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Encodes as Go's `url.QueryEscape`, which `details` of log lines use.
pub(crate) fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_as_docker_reads_them() {
        for (text, expected) in [
            ("a=1", true),
            ("a=True", true),
            ("a=true", true),
            ("a=0", false),
            ("a=false", false),
            ("a=", false),
            ("b=1", false),
        ] {
            assert_eq!(Query::parse(text).flag("a"), expected, "{text}");
        }
    }

    #[test]
    fn a_time_has_a_fraction_down_to_the_nanosecond() {
        for (text, nanos) in [
            ("1.5", Some(1_500_000_000)),
            ("1795358170.431026866", Some(1_795_358_170_431_026_866)),
            ("1.000000001", Some(1_000_000_001)),
            ("1.0000000019", Some(1_000_000_001)),
            ("0", Some(0)),
        ] {
            assert_eq!(
                Query::parse(&format!("since={text}")).time("since"),
                Ok(nanos),
                "{text}"
            );
        }
        let error = Query::parse("since=abc").time("since").expect_err("no number");
        assert_eq!(
            error,
            ApiError::internal("strconv.ParseInt: parsing \"abc\": invalid syntax")
        );
    }

    #[test]
    fn percent_signs_are_decoded_and_nothing_is_lost() {
        assert_eq!(percent_decode("%7B%22a%22%7d+%zz%4"), "{\"a\"} %zz%4");
        assert_eq!(query_escape("a b/ü"), "a+b%2F%C3%BC");
    }
}
