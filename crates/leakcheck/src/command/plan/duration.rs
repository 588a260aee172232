//! Lengths of time as people write them.

use std::time::Duration;

use leakcheck_model::HumanDuration;

/// Rounds up to whole seconds below two minutes, to half minutes below ten, else to minutes.
pub(crate) fn round_up(seconds: f64) -> HumanDuration {
    let step = match seconds {
        s if s < 1.0 => return HumanDuration(Duration::from_secs_f64(s.max(0.0))),
        s if s <= 120.0 => 1.0,
        s if s <= 600.0 => 30.0,
        _ => 60.0,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, saturates"
    )]
    HumanDuration::seconds(((seconds / step - 1e-9).ceil() * step) as u64)
}

#[cfg(test)]
mod tests {
    use super::round_up;

    #[test]
    fn lengths_are_rounded_up() {
        for (seconds, written) in [
            (0.5, "500ms"),
            (20.0, "20s"),
            (20.2, "21s"),
            (181.0, "3m30s"),
            (600.0, "10m"),
            (601.0, "11m"),
        ] {
            assert_eq!(round_up(seconds).to_string(), written);
        }
    }
}
