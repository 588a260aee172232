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

/// A decimal such as `-12.5`; `None` for whatever else may be a number.
fn plain(cell: &[u8]) -> Option<f64> {
    leading(cell)
        .filter(|&(_, length)| length == cell.len())
        .map(|(value, _)| value)
}

/// Longest decimal whose digits are an exact `f64` (below 2^53), as is the power of ten that they are divided by: the quotient is
/// then the nearest there is [Clinger 1990].
const EXACT: usize = 15;

/// The decimal that a text begins with, and its length: what ends it is not looked at.
pub(super) fn leading(text: &[u8]) -> Option<(f64, usize)> {
    let sign = usize::from(text.first() == Some(&b'-'));
    let (mut mantissa, mut length, mut point) = (0_i64, 0, None);
    // One byte more than is exact, so that a longer one is not taken for its beginning.
    for &byte in text[sign..].iter().take(EXACT + 1) {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            mantissa = mantissa * 10 + i64::from(digit);
        } else if byte == b'.' && point.is_none() {
            point = Some(length + 1);
        } else {
            break;
        }
        length += 1;
    }
    if length > EXACT || length == usize::from(point.is_some()) {
        return None;
    }
    let after_point = point.map_or(0, |after| length - after);
    let size = mantissa as f64 / POWERS_OF_TEN[after_point];
    Some((if sign == 1 { -size } else { size }, sign + length))
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

        #[test]
        fn a_decimal_ends_where_its_digits_do(decimal in "-?[0-9]{1,7}[.][0-9]{0,7}", after in "([,;\n\t x-][0-9.]{0,9})?") {
            let found = leading(format!("{decimal}{after}").as_bytes());
            prop_assert_eq!(found.map(|(value, length)| (Ok(value), length)), Some((decimal.parse(), decimal.len())));
        }
    }
}
