//! Selection: which containers a fault affects, and when within its time. Both depend only on the fault's seed and the
//! container's name, so the same seed breaks the same streams in every run.

use leakcheck_model::scenario::Fault;

use crate::identity::Identity;

/// FNV-1a (Fowler, Noll & Vo), then the finalizer of splitmix64 (Steele, Lea & Flood 2014): portable and uniform.
fn hash(seed: u64, salt: u64, text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt;
    let folded = text.bytes().fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let z = (folded ^ (folded >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns a pseudo-random number from 0 to just under 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
fn fraction(seed: u64, salt: u64, text: &str) -> f64 {
    (hash(seed, salt, text) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Reports whether a fault affects this container.
pub(crate) fn selects(fault: &Fault, container: &Identity) -> bool {
    let in_group = fault
        .containers
        .as_ref()
        .is_none_or(|group| container.group.as_ref() == Some(group));
    in_group
        && fault
            .share
            .is_none_or(|share| fraction(fault.seed, 1, &container.name) < share)
}

/// Returns the fraction of the fault's time after which it hits this container, for faults that hit once.
pub(crate) fn trigger_point(fault: &Fault, container: &Identity) -> f64 {
    fraction(fault.seed, 2, &container.name)
}

/// Returns the factor, from 0.5 to 1.5, by which the delay of the `number`th event varies, so that events overtake each other.
pub(crate) fn delay_factor(fault: &Fault, number: u64) -> f64 {
    0.5 + fraction(fault.seed, number.wrapping_add(3), "event")
}

#[cfg(test)]
mod tests {
    use super::*;
    use leakcheck_model::HumanDuration;
    use leakcheck_model::scenario::FaultKind;

    fn fault(share: Option<f64>, group: Option<&str>, seed: u64) -> Fault {
        Fault {
            at: HumanDuration::ZERO,
            length: HumanDuration::seconds(1),
            kind: FaultKind::Reset,
            containers: group.map(str::to_owned),
            share,
            seed,
            after: None,
            status: None,
        }
    }

    fn named(number: u32, group: &str) -> Identity {
        Identity {
            name: format!("{group}-{number}"),
            group: Some(group.to_owned()),
        }
    }

    #[test]
    fn a_share_selects_about_that_many_containers_and_always_the_same() {
        let selected = |seed| {
            (0..1000)
                .filter(|n| selects(&fault(Some(0.2), None, seed), &named(*n, "idle")))
                .collect::<Vec<_>>()
        };
        assert!((150..250).contains(&selected(7).len()), "{}", selected(7).len());
        assert_eq!(selected(7), selected(7));
        assert_ne!(selected(7), selected(8));
    }

    #[test]
    fn only_containers_of_the_group_are_selected() {
        let fault = fault(None, Some("idle"), 0);
        assert!(selects(&fault, &named(1, "idle")) && !selects(&fault, &named(1, "noisy")));
    }

    #[test]
    fn trigger_points_are_spread_over_the_faults_time() {
        let points: Vec<f64> = (0..1000)
            .map(|n| trigger_point(&fault(None, None, 1), &named(n, "idle")))
            .collect();
        let early = points.iter().filter(|point| **point < 0.5).count();
        assert!((400..600).contains(&early), "{early}");
        assert!(points.iter().all(|point| (0.0..1.0).contains(point)));
    }
}
