//! A cell as a number.
//!
//! Apart, because a long table has millions of them: nearly all are plain decimals, which need none of what a parser of any number
//! that there may be does.

/// A cell: `None` if it is no number, `Some(None)` if nothing was seen.
pub(super) fn number(cell: &[u8]) -> Option<Option<f64>> {
    if cell.is_empty() {
        return Some(None);
    }
    if let Some(value) = plain(cell) {
        return Some(Some(value));
    }
    match std::str::from_utf8(cell).ok()?.parse::<f64>() {
        // `NaN` and `Inf` parse, and are nothing that was measured.
        Ok(value) => Some(value.is_finite().then_some(value)),
        Err(_) => ["na", "n/a", "null", "none", "-"]
            .iter()
            .any(|none| cell.eq_ignore_ascii_case(none.as_bytes()))
            .then_some(None),
    }
}

/// Longest decimal whose digits are an exact `f64` (below 2^53), as is the power of ten that they are divided by: the quotient is
/// then the nearest there is [Clinger 1990].
const EXACT: usize = 15;

/// A decimal such as `-12.5`; `None` for whatever else may be a number.
fn plain(cell: &[u8]) -> Option<f64> {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    if digits.len() > EXACT {
        return None;
    }
    let (mut mantissa, mut unit, mut seen, mut after_point) = (0_u64, 1_u64, false, false);
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
                unit *= if after_point { 10 } else { 1 };
                seen = true;
            }
            b'.' if !after_point => after_point = true,
            _ => return None,
        }
    }
    let size = if unit == 1 {
        mantissa as f64
    } else {
        mantissa as f64 / unit as f64
    };
    seen.then_some(if digits.len() < cell.len() { -size } else { size })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cell_is_a_number_or_nothing_or_broken() {
        for (cell, seen) in [
            ("", None),
            ("n/a", None),
            ("-", None),
            ("NaN", None),
            ("5.", Some(5.0)),
            (".5", Some(0.5)),
            ("1e3", Some(1000.0)),
        ] {
            assert_eq!(number(cell.as_bytes()), Some(seen), "{cell}");
        }
        for broken in [".", "-.", "1.2.3", "12x", "--1", "1,5"] {
            assert_eq!(number(broken.as_bytes()), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_decimal_is_what_the_standard_library_reads(cell in "-?[0-9]{0,16}[.]?[0-9]{0,16}") {
            if let Some(value) = plain(cell.as_bytes()) {
                prop_assert_eq!(Ok(value.to_bits()), cell.parse::<f64>().map(f64::to_bits));
            }
        }
    }
}
