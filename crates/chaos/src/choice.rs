//! Which containers a fault strikes, and when within its time: chosen by its seed and the container's name alone, so
//! that the same seed breaks the same things in every run.

use leakcheck_model::scenario::Fault;

use crate::identity::Identity;

/// FNV-1a (Fowler, Noll & Vo), then the finalizer of splitmix64 (Steele, Lea & Flood 2014): portable and even.
fn hash(seed: u64, salt: u64, text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt;
    let folded = text.bytes().fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let z = (folded ^ (folded >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// From 0 to just under 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
fn fraction(seed: u64, salt: u64, text: &str) -> f64 {
    (hash(seed, salt, text) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Whether a fault is meant for this container.
pub(crate) fn strikes(fault: &Fault, who: &Identity) -> bool {
    let in_group = fault
        .containers
        .as_ref()
        .is_none_or(|group| who.group.as_ref() == Some(group));
    in_group
        && fault
            .share
            .is_none_or(|share| fraction(fault.seed, 1, &who.name) < share)
}

/// At which part of its time a fault strikes this container, if it strikes once.
pub(crate) fn moment(fault: &Fault, who: &Identity) -> f64 {
    fraction(fault.seed, 2, &who.name)
}

/// By which part of its delay the `number`th event is held back: half to one and a half, so that they overtake.
pub(crate) fn lateness(fault: &Fault, number: u64) -> f64 {
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
    fn a_share_strikes_about_that_many_and_always_the_same() {
        let struck = |seed| {
            (0..1000)
                .filter(|n| strikes(&fault(Some(0.2), None, seed), &named(*n, "idle")))
                .collect::<Vec<_>>()
        };
        assert!((150..250).contains(&struck(7).len()), "{}", struck(7).len());
        assert_eq!(struck(7), struck(7));
        assert_ne!(struck(7), struck(8));
    }

    #[test]
    fn a_group_is_struck_and_no_other() {
        let fault = fault(None, Some("idle"), 0);
        assert!(strikes(&fault, &named(1, "idle")) && !strikes(&fault, &named(1, "noisy")));
    }

    #[test]
    fn moments_are_spread_over_the_faults_time() {
        let moments: Vec<f64> = (0..1000)
            .map(|n| moment(&fault(None, None, 1), &named(n, "idle")))
            .collect();
        let early = moments.iter().filter(|m| **m < 0.5).count();
        assert!((400..600).contains(&early), "{early}");
        assert!(moments.iter().all(|m| (0.0..1.0).contains(m)));
    }
}
