//! When to look at a run that is going on.
//!
//! Apart from the verdict: the looks are fixed before the run, because each spends its share of the error.

/// Looks at a long run, minutes; after the last, every five minutes.
const LOOKS_MIN: [f64; 13] = [
    2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 18.0, 21.0, 25.0, 30.0,
];
const THEN_EVERY_MIN: f64 = 5.0;

/// No look before this: an internal cycle of the target of half a minute looks like growth while it is seen once or twice.
const FIRST_LOOK_S: f64 = 120.0;

/// Rotations before the first look.
const FIRST_LOOK_ROTATIONS: f64 = 4.0;

/// Nobody plans more looks than this.
const LOOKS_MOST: usize = 1000;

/// Seconds since the target was ready at which a run of `planned_s` is looked at before its end, with a rotation every
/// `period_s` if there is one. Empty for runs too short to be looked at.
#[must_use]
pub fn looks_s(planned_s: f64, period_s: Option<f64>) -> Vec<f64> {
    let first_s =
        FIRST_LOOK_S.max(period_s.map_or(0.0, |period_s| FIRST_LOOK_ROTATIONS * period_s));
    let last = LOOKS_MIN[LOOKS_MIN.len() - 1];
    let later = (1..LOOKS_MOST).map(|i| last + THEN_EVERY_MIN * i as f64);
    LOOKS_MIN
        .into_iter()
        .chain(later)
        .map(|minutes| minutes * 60.0)
        .skip_while(|look_s| *look_s < first_s)
        .take_while(|look_s| *look_s < planned_s)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_minutes_are_looked_at_three_times_before_their_end() {
        assert_eq!(looks_s(300.0, Some(30.0)), [120.0, 180.0, 240.0]);
        assert_eq!(looks_s(300.0, None), [120.0, 180.0, 240.0]);
    }

    #[test]
    fn four_rotations_come_first() {
        assert_eq!(looks_s(600.0, Some(60.0))[0], 240.0);
        assert_eq!(looks_s(600.0, Some(61.0))[0], 300.0);
    }

    #[test]
    fn a_short_run_is_judged_at_its_end_only() {
        assert!(looks_s(120.0, None).is_empty());
        assert!(looks_s(f64::NAN, None).is_empty());
        assert_eq!(looks_s(120.1, None), [120.0]);
    }

    #[test]
    fn a_long_run_is_looked_at_every_five_minutes() {
        let looks = looks_s(3600.0, None);
        assert_eq!(
            looks[12..],
            [1800.0, 2100.0, 2400.0, 2700.0, 3000.0, 3300.0]
        );
    }
}
