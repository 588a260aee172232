//! Leaks that begin near the end of a run fail or stay undecided, and never pass.

#[path = "../examples/judge_quality/random.rs"]
mod random;
#[expect(dead_code, reason = "the generator of `judge_quality` makes more than is used here")]
#[path = "../examples/judge_quality/trace.rs"]
mod trace;

use leakcheck_judge::{Assessment, Code, Outcome, Series, TestSpec, assess};
use trace::{Kind, Setting, make};

const LIMIT: f64 = 2.0;

/// Rounded noise, uniform over 10, that is the same in every run.
fn noise(seed: u64, i: usize) -> f64 {
    let mixed = (i as u64 + 1 + seed * 100_003).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let share = ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1_u64 << 53) as f64;
    (share - 0.5) * 10.0
}

fn series(seed: u64, seconds: usize, value: impl Fn(f64) -> f64) -> Series {
    let times: Vec<f64> = (0..=seconds).map(|i| i as f64).collect();
    let values = times
        .iter()
        .enumerate()
        .map(|(i, t)| (1400.0 + value(*t) + noise(seed, i)).round())
        .collect();
    Series::new(times, values).expect("in order")
}

fn judged(series: &Series) -> Assessment {
    assess(series, &TestSpec::at_most(LIMIT, series.span_s()).rotating_every(30.0))
}

#[test]
fn an_explosion_in_the_last_eighty_seconds_does_not_pass() {
    for onset in [0.85, 0.87, 0.9, 0.92, 0.94, 0.96, 0.97] {
        for seconds in [600_usize, 900, 1800] {
            for seed in 0..5 {
                let onset_s = onset * seconds as f64;
                let trace = series(seed, seconds, |t| 200.0 / 60.0 * (t - onset_s).max(0.0));
                let assessment = judged(&trace);
                assert_ne!(
                    assessment.outcome,
                    Outcome::Pass,
                    "{seconds} s, from {onset}, seed {seed}: {:?}",
                    assessment.growth
                );
            }
        }
    }
}

#[test]
fn an_excursion_at_the_end_does_not_pass() {
    // Thirty seconds of 300 more: a burst or the beginning of a leak, which is still undecided.
    let assessment = judged(&series(1, 900, |t| if t > 870.0 { 300.0 } else { 0.0 }));
    assert_eq!(assessment.outcome, Outcome::Inconclusive, "{:?}", assessment.reason);
    assert_eq!(assessment.reason.code, Code::StraddlesLimit);
    assert!(
        assessment.reason.sentence.contains("at the end"),
        "{}",
        assessment.reason.sentence
    );
    // The same excursion a minute earlier is a burst.
    let over = judged(&series(
        1,
        900,
        |t| if (810.0..840.0).contains(&t) { 300.0 } else { 0.0 },
    ));
    assert_eq!(over.outcome, Outcome::Pass, "{:?}", over.reason);
}

#[test]
fn no_generated_trace_that_explodes_at_its_end_passes() {
    for (minutes, period_s) in [(10.0, 30.0), (15.0, 60.0), (30.0, 60.0)] {
        for seed in 0..60 {
            let trace = make(
                Setting {
                    kind: Kind::VeryLate,
                    rate: 200.0,
                    minutes,
                    spacing_s: 1.0,
                    period_s,
                    held_out: false,
                    extra_minutes: 0.0,
                },
                seed,
            );
            let spec = TestSpec::at_most(LIMIT, minutes * 60.0).rotating_every(period_s);
            let assessment = assess(&trace.series, &spec);
            assert_ne!(
                assessment.outcome,
                Outcome::Pass,
                "{minutes} min, seed {seed}, from {:.0} s: {:?}",
                trace.onset_s,
                assessment.growth
            );
        }
    }
}

#[test]
fn the_smallest_late_leak_of_a_pass_does_not_pass() {
    let (mut passed, mut unseen) = (0, Vec::new());
    let kinds = [
        Kind::Const,
        Kind::Ar1,
        Kind::WarmUp,
        Kind::SawRotation,
        Kind::PoolStep,
        Kind::Burst,
    ];
    for (minutes, period_s) in [(2.0, 5.0), (5.0, 20.0), (10.0, 30.0), (30.0, 60.0)] {
        for kind in kinds {
            for seed in 0..40 {
                let setting = Setting {
                    kind,
                    rate: 0.0,
                    minutes,
                    spacing_s: 1.0,
                    period_s,
                    held_out: false,
                    extra_minutes: 0.0,
                };
                let sound = make(setting, seed).series;
                let spec = TestSpec::at_most(LIMIT, minutes * 60.0).rotating_every(period_s);
                let assessment = assess(&sound, &spec);
                if assessment.outcome != Outcome::Pass {
                    continue;
                }
                let late = assessment.smallest_late_leak.expect("given with every pass");
                let onset_s = minutes * 60.0 - late.window_s;
                let leaking = |(t, v): (&f64, &f64)| v + (late.per_min / 60.0 * (t - onset_s).max(0.0)).round();
                let values = sound.t_s().iter().zip(sound.value()).map(leaking).collect();
                let series = Series::new(sound.t_s().to_vec(), values).expect("in order");
                passed += 1;
                if assess(&series, &spec).outcome == Outcome::Pass {
                    unseen.push(format!(
                        "{kind:?} {minutes} min, seed {seed}: {:.2}/min in {:.0} s",
                        late.per_min, late.window_s
                    ));
                }
            }
        }
    }
    assert!(
        passed > 400 && unseen.len() * 100 <= passed,
        "{} of {passed}:\n{}",
        unseen.len(),
        unseen.join("\n")
    );
}
