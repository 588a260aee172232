//! Numbers for people: values in their unit, rates per minute, lengths of time.
//!
//! The terminal, the reports and the judge's messages all format numbers here, so that they never differ.

use std::fmt;

use crate::units::{Bytes, Unit};

/// Binary multiples of a byte, largest first (IEC 80000-13).
const BINARY_MULTIPLES: [(&str, f64); 4] = [
    ("TiB", 1_099_511_627_776.0),
    ("GiB", 1_073_741_824.0),
    ("MiB", 1_048_576.0),
    ("KiB", 1024.0),
];
/// Share of a multiple from which a value is shown in it: below, it would not round to 1.
const ROUNDS_UP: f64 = 1023.5 / 1024.0;
/// Smaller numbers are shown as 0.
const SMALLEST: f64 = 5e-5;

impl Unit {
    /// Returns the multiple of the unit that suits numbers up to `largest`: its symbol and its size.
    #[must_use]
    pub fn scale(self, largest: f64) -> (&'static str, f64) {
        match self {
            Self::Count => ("", 1.0),
            Self::Bytes => BINARY_MULTIPLES
                .into_iter()
                .find(|(_, size)| largest.abs() >= size * ROUNDS_UP)
                .unwrap_or(("B", 1.0)),
        }
    }

    /// Formats a value: `120`, `12.50`, `3.40 MiB`, `2 GiB`.
    #[must_use]
    pub fn format(self, value: f64) -> String {
        match self.scale(value) {
            ("", _) => number(value),
            (symbol, size) => format!("{} {symbol}", number(value / size)),
        }
    }

    /// Formats a difference with its sign: `+4`, `-0.50`, `0`.
    #[must_use]
    pub fn format_signed(self, value: f64) -> String {
        let text = self.format(value);
        if value > 0.0 && text.bytes().any(|b| matches!(b, b'1'..=b'9')) {
            format!("+{text}")
        } else {
            text
        }
    }

    /// Formats a rate: `+2.01/min`.
    #[must_use]
    pub fn format_rate(self, per_min: f64) -> String {
        format!("{}/min", self.format_signed(per_min))
    }

    /// Formats both ends of an interval in one multiple: `1.90 to 2.10 MiB`.
    #[must_use]
    pub fn format_interval(self, low: f64, high: f64) -> String {
        let (symbol, size) = self.scale(low.abs().max(high.abs()));
        let text = format!("{} to {}", number(low / size), number(high / size));
        if symbol.is_empty() {
            text
        } else {
            format!("{text} {symbol}")
        }
    }
}

impl fmt::Display for Bytes {
    #[expect(clippy::cast_precision_loss, reason = "rounded to two decimals")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Unit::Bytes.format(self.0 as f64))
    }
}

/// Formats a number: whole numbers without decimals, others with two to four significant digits.
///
/// ```
/// use leakcheck_model::format::number;
/// assert_eq!(number(120.0), "120");
/// assert_eq!(number(1.987_6), "1.99");
/// assert_eq!(number(1_234_567.0), "1,234,567");
/// ```
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let size = value.abs();
    if size < SMALLEST {
        return "0".into();
    }
    let decimals = match size {
        _ if size.fract() == 0.0 || size >= 1000.0 => 0,
        _ if size >= 100.0 => 1,
        _ if size >= 0.1 => 2,
        _ if size >= 0.01 => 3,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    let text = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => whole,
        _ => &text,
    };
    if size < 10_000.0 {
        text.to_owned()
    } else {
        grouped(text)
    }
}

/// Formats a count with separated thousands: `1,234,567`.
#[must_use]
pub fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// Separates the thousands of a whole number.
fn grouped(text: &str) -> String {
    let (sign, digits) = text.split_at(usize::from(text.starts_with('-')));
    let mut out = sign.to_owned();
    for (i, digit) in digits.char_indices() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats a length of time: `45 s`, `5 min`, `1 h 30 min`, `2 min 5 s`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "–".into();
    }
    if seconds.abs() < 10.0 && seconds.fract() != 0.0 {
        return format!("{} s", number(seconds));
    }
    let (sign, [h, m, s]) = parts(seconds);
    let parts: Vec<String> = [(h, "h"), (m, "min"), (s, "s")]
        .into_iter()
        .filter(|(n, unit)| *n > 0 && !(h > 0 && *unit == "s"))
        .map(|(n, unit)| format!("{n} {unit}"))
        .collect();
    if parts.is_empty() {
        return "0 s".into();
    }
    format!("{sign}{}", parts.join(" "))
}

/// Formats a time on the run's clock: `0:30`, `12:05`, `1:02:05`.
#[must_use]
pub fn clock(seconds: f64) -> String {
    match parts(seconds) {
        (sign, [0, m, s]) => format!("{sign}{m}:{s:02}"),
        (sign, [h, m, s]) => format!("{sign}{h}:{m:02}:{s:02}"),
    }
}

/// Splits rounded seconds into a sign, hours, minutes and seconds.
fn parts(seconds: f64) -> (&'static str, [u64; 3]) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded and not negative; saturates"
    )]
    let whole = seconds.abs().round() as u64;
    let sign = if seconds <= -0.5 { "-" } else { "" };
    (sign, [whole / 3600, whole / 60 % 60, whole % 60])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_and_rates_have_the_digits_that_matter() {
        for (value, text) in [
            (120.0, "120"),
            (0.0, "0"),
            (-0.000_01, "0"),
            (0.000_4, "0.0004"),
            (0.05, "0.050"),
            (1.987_654, "1.99"),
            (0.034_56, "0.035"),
            (-12.345, "-12.35"),
            (99.5, "99.50"),
            (150.26, "150.3"),
            (1_234_567.0, "1,234,567"),
            (-20_000.4, "-20,000"),
            (2.0, "2"),
            (1.999_9, "2"),
        ] {
            assert_eq!(Unit::Count.format(value), text, "{value}");
        }
        assert_eq!(Unit::Count.format(f64::NAN), "–");
    }

    #[test]
    fn bytes_are_shown_in_the_multiple_that_is_easy_to_read() {
        for (value, text) in [
            (-0.0, "0 B"),
            (512.0, "512 B"),
            (1023.0, "1023 B"),
            (1_048_575.0, "1 MiB"),
            (3_670_016.0, "3.50 MiB"),
            (2_147_483_648.0, "2 GiB"),
            (-1_649_267_441_664.0, "-1.50 TiB"),
        ] {
            assert_eq!(Unit::Bytes.format(value), text, "{value}");
        }
        assert_eq!(Unit::Bytes.format_rate(-2048.0), "-2 KiB/min");
        assert_eq!(Unit::Bytes.format_interval(512.0, 1_048_576.0), "0.0005 to 1 MiB");
        assert_eq!(Bytes(1_572_864).to_string(), "1.50 MiB");
    }

    #[test]
    fn a_growth_has_its_sign_and_no_growth_has_none() {
        assert_eq!(Unit::Count.format_rate(2.0), "+2/min");
        assert_eq!(Unit::Count.format_rate(-2.0), "-2/min");
        assert_eq!(Unit::Count.format_rate(0.000_01), "0/min");
        assert_eq!(Unit::Count.format_rate(-0.000_01), "0/min");
    }

    #[test]
    fn times_read_like_a_clock() {
        for (seconds, length, time) in [
            (0.0, "0 s", "0:00"),
            (1.5, "1.50 s", "0:02"),
            (45.0, "45 s", "0:45"),
            (300.0, "5 min", "5:00"),
            (125.0, "2 min 5 s", "2:05"),
            (5400.0, "1 h 30 min", "1:30:00"),
        ] {
            assert_eq!(duration(seconds), length);
            assert_eq!(clock(seconds), time);
        }
    }
}
