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
    let (mut mantissa, mut point) = (0_u64, None);
    for (at, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let after_point = point.map_or(0, |at| digits.len() - at - 1);
    if digits.len() == usize::from(point.is_some()) {
        return None;
    }
    let size = mantissa as f64 / POWERS_OF_TEN[after_point];
    Some(if digits.len() < cell.len() { -size } else { size })
}

const POWERS_OF_TEN: [f64; EXACT] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
];

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
