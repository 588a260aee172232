//! Parses a cell as a number.

/// Spellings of a missing value.
const MISSING: [&str; 5] = ["na", "n/a", "null", "none", "-"];

/// Parses a cell: `None` if it is not a number, `Some(None)` if the value is missing. `NaN` and infinity are missing values.
pub(super) fn number(cell: &[u8]) -> Option<Option<f64>> {
    if cell.is_empty() {
        return Some(None);
    }
    let text = std::str::from_utf8(cell).ok()?;
    match text.parse::<f64>() {
        Ok(value) => Some(value.is_finite().then_some(value)),
        Err(_) => MISSING
            .iter()
            .any(|missing| text.eq_ignore_ascii_case(missing))
            .then_some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_a_number_or_missing_or_broken() {
        for (cell, value) in [
            ("", None),
            ("n/a", None),
            ("-", None),
            ("NaN", None),
            ("5.", Some(5.0)),
            (".5", Some(0.5)),
            ("1e3", Some(1000.0)),
        ] {
            assert_eq!(number(cell.as_bytes()), Some(value), "{cell}");
        }
        for broken in [".", "-.", "1.2.3", "12x", "--1", "1,5"] {
            assert_eq!(number(broken.as_bytes()), None, "{broken}");
        }
    }
}
