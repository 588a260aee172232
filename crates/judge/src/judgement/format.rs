//! Numbers in messages.

use leakcheck_model::Unit;

/// Formats a number with its unit: bytes as KiB or MiB.
pub(super) fn amount(x: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes if x.abs() >= 1_048_576.0 => format!("{} MiB", number(x / 1_048_576.0)),
        Unit::Bytes => format!("{} KiB", number(x / 1024.0)),
        Unit::Count => number(x),
    }
}

/// Formats a whole number without decimals, any other with the decimals that its size needs.
pub(super) fn number(x: f64) -> String {
    let decimals = match x.abs() {
        a if (a - a.round()).abs() < 1e-9 => 0,
        a if a >= 100.0 => 1,
        a if a >= 0.1 => 2,
        _ => 4,
    };
    // "-0" becomes "0".
    let text = format!("{x:.decimals$}");
    if text.trim_start_matches(['-', '0', '.']).is_empty() {
        "0".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_decimals_as_they_need() {
        for (x, shown) in [
            (0.0, "0"),
            (-0.000_01, "0"),
            (3.0, "3"),
            (0.05, "0.0500"),
            (0.1, "0.10"),
            (99.5, "99.50"),
            (100.0, "100"),
            (100.25, "100.2"),
            (-2.5, "-2.50"),
        ] {
            assert_eq!(number(x), shown);
        }
        assert_eq!(amount(512.0, Unit::Bytes), "0.50 KiB");
        assert_eq!(amount(1_048_576.0, Unit::Bytes), "1 MiB");
        assert_eq!(amount(1_048_575.0, Unit::Bytes), "1024.0 KiB");
        assert_eq!(amount(1_048_576.0, Unit::Count), "1048576");
    }
}
