//! Numbers as people read them: values in their unit, rates per minute, times since the start.
//!
//! Every format for people takes its numbers from here, so that the terminal's summary, the charts and the pages say the same.

/// Which unit a metric's values have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    Count,
    /// Bytes, shown in KiB, MiB or GiB.
    Bytes,
}

impl Unit {
    /// From a metric's unit in the record (`B` or empty).
    #[must_use]
    pub fn of(symbol: &str) -> Self {
        if symbol == "B" { Self::Bytes } else { Self::Count }
    }

    /// The multiple of the unit in which numbers up to `largest` are easy to read: its symbol and its size.
    #[must_use]
    pub fn multiple(self, largest: f64) -> (&'static str, f64) {
        match self {
            Self::Count => ("", 1.0),
            Self::Bytes => [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
                .into_iter()
                .map(|(symbol, size)| (symbol, f64::from(size)))
                .find(|(_, size)| largest.abs() >= *size)
                .unwrap_or(("B", 1.0)),
        }
    }

    /// `120`, `12.5`, `3.40 MiB`.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        let (symbol, size) = self.multiple(value);
        match symbol {
            "" => number(value),
            _ => format!("{} {symbol}", number(value / size)),
        }
    }

    /// The same with its sign: `+4`, `-0.5`, `0`.
    #[must_use]
    pub fn show_signed(self, value: f64) -> String {
        let text = self.show(value);
        if value > 0.0 && text.bytes().any(|b| matches!(b, b'1'..=b'9')) {
            format!("+{text}")
        } else {
            text
        }
    }

    /// `+2.01/min`.
    #[must_use]
    pub fn show_rate(self, per_min: f64) -> String {
        format!("{}/min", self.show_signed(per_min))
    }

    /// `1.9 to 2.1`, in one multiple of the unit.
    #[must_use]
    pub fn show_interval(self, low: f64, high: f64) -> String {
        let (symbol, size) = self.multiple(low.abs().max(high.abs()));
        let text = format!("{} to {}", number(low / size), number(high / size));
        if symbol.is_empty() {
            text
        } else {
            format!("{text} {symbol}")
        }
    }
}

/// Whole numbers whole, others with about three digits that matter, thousands apart by a thin space's plain cousin.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let size = value.abs();
    if size < 5e-4 {
        return "0".into();
    }
    let decimals = if size >= 1e15 || (size.fract() == 0.0 && size >= 1.0) || size >= 1000.0 {
        0
    } else if size >= 100.0 {
        1
    } else if size >= 0.1 {
        2
    } else {
        3
    };
    let text = format!("{value:.decimals$}");
    let text = match text.split_once('.') {
        Some((_, fraction)) if fraction.bytes().all(|b| b == b'0') => {
            text[..text.len() - fraction.len() - 1].to_owned()
        }
        _ => text,
    };
    if size < 10_000.0 { text } else { grouped(&text) }
}

/// `1234567` as `1,234,567`; what is no digit stays in front.
fn grouped(text: &str) -> String {
    let start = usize::from(text.starts_with('-'));
    let digits = &text[start..];
    let mut out = text[..start].to_owned();
    for (i, digit) in digits.char_indices() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its thousands apart: `1,234,567`.
#[must_use]
pub fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// A length of time: `45 s`, `5 min`, `1 h 30 min`, `2 min 5 s`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "–".into();
    }
    if seconds.abs() < 10.0 && seconds.fract() != 0.0 {
        return format!("{} s", number(seconds));
    }
    let sign = if seconds <= -0.5 { "-" } else { "" };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded and not negative; saturates"
    )]
    let whole = seconds.abs().round() as u64;
    let (h, m, s) = (whole / 3600, whole / 60 % 60, whole % 60);
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

/// A moment on the run's clock: `0:30`, `12:05`, `1:02:05`.
#[must_use]
pub fn clock(seconds: f64) -> String {
    let sign = if seconds <= -0.5 { "-" } else { "" };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded and not negative; saturates"
    )]
    let whole = seconds.abs().round() as u64;
    let (h, m, s) = (whole / 3600, whole / 60 % 60, whole % 60);
    if h > 0 {
        format!("{sign}{h}:{m:02}:{s:02}")
    } else {
        format!("{sign}{m}:{s:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_and_rates_have_the_digits_that_matter() {
        for (value, text) in [
            (120.0, "120"),
            (0.0, "0"),
            (-0.0001, "0"),
            (1.987_654, "1.99"),
            (0.034_56, "0.035"),
            (-12.345, "-12.35"),
            (150.26, "150.3"),
            (1_234_567.0, "1,234,567"),
            (-20_000.4, "-20,000"),
            (2.0, "2"),
            (1.999_9, "2"),
        ] {
            assert_eq!(Unit::Count.show(value), text, "{value}");
        }
        assert_eq!(Unit::Count.show(f64::NAN), "–");
    }

    #[test]
    fn bytes_come_in_the_multiple_that_is_easy_to_read() {
        assert_eq!(Unit::Bytes.show(3.5 * 1024.0 * 1024.0), "3.50 MiB");
        assert_eq!(Unit::Bytes.show_rate(-2048.0), "-2 KiB/min");
        assert_eq!(Unit::Bytes.show_interval(512.0, 1_048_576.0), "0 to 1 MiB");
        assert_eq!(Unit::Bytes.show(512.0), "512 B");
    }

    #[test]
    fn a_growth_has_its_sign_and_no_growth_has_none() {
        assert_eq!(Unit::Count.show_rate(2.0), "+2/min");
        assert_eq!(Unit::Count.show_rate(-2.0), "-2/min");
        assert_eq!(Unit::Count.show_rate(0.000_1), "0/min");
    }

    #[test]
    fn times_read_like_a_clock() {
        for (seconds, length, moment) in [
            (0.0, "0 s", "0:00"),
            (1.5, "1.50 s", "0:02"),
            (45.0, "45 s", "0:45"),
            (300.0, "5 min", "5:00"),
            (125.0, "2 min 5 s", "2:05"),
            (5400.0, "1 h 30 min", "1:30:00"),
        ] {
            assert_eq!(duration(seconds), length);
            assert_eq!(clock(seconds), moment);
        }
    }
}
