//! Units: durations and sizes as users write them, and the unit of a metric.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The unit of a metric's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A plain number.
    #[default]
    Count,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// Returns `B` for bytes and an empty text for counts.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Bytes => "B",
        }
    }
}

/// A duration, never negative: `"250ms"`, `"30s"`, `"5m"`, `"1h30m"`, `"1.5h"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(pub Duration);

/// A text that is not a duration.
#[derive(Debug, thiserror::Error)]
pub enum DurationError {
    /// A number without a unit.
    #[error("`{0}` has no unit: write `{0}s` for seconds or `{0}m` for minutes")]
    NoUnit(String),
    /// A text of another form.
    #[error("`{0}` is not a duration: write for example `30s`, `5m` or `1h30m`")]
    NotADuration(String),
}

impl HumanDuration {
    /// The empty duration.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// Makes a duration of `n` whole seconds.
    #[must_use]
    pub const fn seconds(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// Returns the duration in seconds.
    #[must_use]
    pub fn as_secs(self) -> f64 {
        self.0.as_secs_f64()
    }

    /// Returns the duration in minutes.
    #[must_use]
    pub fn as_minutes(self) -> f64 {
        self.0.as_secs_f64() / 60.0
    }
}

impl FromStr for HumanDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let text = text.trim();
        if text.parse::<f64>().is_ok() {
            return Err(DurationError::NoUnit(text.to_owned()));
        }
        let wrong = || DurationError::NotADuration(text.to_owned());
        let parsed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
        Duration::try_from(parsed).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0s");
        }
        for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
            let rest = match unit {
                "h" => millis,
                "m" => millis % 3_600_000,
                "s" => millis % 60_000,
                _ => millis % 1000,
            };
            if rest / size > 0 {
                write!(f, "{}{unit}", rest / size)?;
            }
        }
        Ok(())
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_number(deserializer, "a duration such as \"30s\"")
    }
}

/// A number of bytes: `"16KiB"`, `"1 MiB"`, `"10MB"`, `"512 B"` or a bare number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A text that is not a size.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a size: write for example `64 KiB`, `1 MiB` or `10 MB`")]
pub struct BytesError(String);

/// Returns the bytes in one `unit`, or `None` if it is not a unit of size. IEC 80000-13: Ki = 1024, k = 1000.
#[must_use]
pub fn bytes_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "" | "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    })
}

/// Splits `"1.5 MiB"` into its number and its unit.
#[must_use]
pub fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | '_')))
        .unwrap_or(text.len());
    let number: f64 = text[..end].replace('_', "").parse().ok()?;
    number.is_finite().then(|| (number, text[end..].trim()))
}

impl FromStr for Bytes {
    type Err = BytesError;

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be within 0..2^53"
    )]
    fn from_str(text: &str) -> Result<Self, BytesError> {
        let wrong = || BytesError(text.to_owned());
        let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
        let bytes = number * bytes_in(unit).ok_or_else(wrong)?;
        if (0.0..9.0e15).contains(&bytes) {
            Ok(Self(bytes.round() as u64))
        } else {
            Err(wrong())
        }
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Exact, so that reading it back gives the same size.
        match self.0 {
            n if n > 0 && n.is_multiple_of(1 << 20) => serializer.collect_str(&format_args!("{} MiB", n >> 20)),
            n if n > 0 && n.is_multiple_of(1 << 10) => serializer.collect_str(&format_args!("{} KiB", n >> 10)),
            n => serializer.collect_str(&format_args!("{n} B")),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_number(deserializer, "a size such as \"1 MiB\"")
    }
}

/// Parses text with `FromStr`. A bare number is parsed as its text, so that the error can name the missing unit.
fn text_or_number<'de, D, T>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct Visitor<T>(&'static str, std::marker::PhantomData<T>);
    impl<T: FromStr<Err: fmt::Display>> serde::de::Visitor<'_> for Visitor<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
        fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }
        fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }
        fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }
    }
    deserializer.deserialize_any(Visitor(expected, std::marker::PhantomData))
}

macro_rules! schema_as_text {
    ($($type:ty, $name:literal, $pattern:literal, $example:literal;)*) => {$(
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": ["string", "integer"], "pattern": $pattern, "examples": [$example] })
            }
        }
    )*};
}
schema_as_text! {
    HumanDuration, "Duration", "^[0-9.]+ ?[a-zµ]+", "30s";
    Bytes, "Size", "^[0-9.]+ ?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$", "1 MiB";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed() {
        for (text, seconds) in [
            ("250ms", 0.25),
            ("30s", 30.0),
            ("5m", 300.0),
            ("1h30m", 5400.0),
            ("1.5h", 5400.0),
            ("0s", 0.0),
        ] {
            assert_eq!(text.parse::<HumanDuration>().expect(text).as_secs(), seconds, "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_an_error_that_names_the_units() {
        let error = "30".parse::<HumanDuration>().expect_err("no unit").to_string();
        assert!(error.contains("30s"), "{error}");
        assert!("-3s".parse::<HumanDuration>().is_err());
        assert!("soon".parse::<HumanDuration>().is_err());
    }

    #[test]
    fn durations_print_as_they_are_parsed() {
        for text in ["250ms", "30s", "5m", "1h30m", "1m30s", "0s"] {
            assert_eq!(text.parse::<HumanDuration>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn sizes_are_parsed_in_decimal_and_binary_units() {
        for (text, bytes) in [
            ("1 MiB", 1_048_576),
            ("1MB", 1_000_000),
            ("16KiB", 16384),
            ("7", 7),
            ("1.5 KiB", 1536),
        ] {
            assert_eq!(text.parse::<Bytes>().expect(text).0, bytes, "{text}");
        }
        assert!("3 bananas".parse::<Bytes>().is_err());
        assert_eq!(Bytes(1_572_864).to_string(), "1.50 MiB");
    }
}
