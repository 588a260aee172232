//! The plan for people.

use leakcheck_model::HumanDuration;

use super::Plan;
use super::outlook::Outlook;
use crate::summary::human;

/// The plan in words and figures.
pub(super) fn of(plan: &Plan) -> String {
    let mut text = format!("{}\n", plan.scenario.name);
    let mut row = |name: &str, what: String| text.push_str(&format!("  {name:<10} {what}\n"));
    let schedule = &plan.scenario.schedule;
    row(
        "takes",
        format!(
            "about {}, {} of them measured; at most {}",
            plan.takes.least, schedule.measure, plan.takes.most
        ),
    );
    match &plan.rotations {
        Some(r) => row(
            "rotations",
            format!("{:.0} of each stream, {:.0} in all", r.per_stream, r.expected),
        ),
        None => row("rotations", "none: the scenario has no rotate_every".to_owned()),
    }
    if schedule.early_stop {
        row("looks", looks(&plan.looks_s));
    }
    for outlook in &plan.outlooks {
        text.push('\n');
        text.push_str(&limit(outlook));
    }
    if plan.outlooks.is_empty() {
        text.push_str("\n  no limit on growth: the others are decided by counting, whatever the length\n");
    }
    for hint in &plan.hints {
        text.push_str(&format!("\n  hint: {hint}\n"));
    }
    text
}

fn looks(looks_s: &[f64]) -> String {
    if looks_s.is_empty() {
        return "too short for growth to end it early".to_owned();
    }
    let shown: Vec<String> = looks_s.iter().take(6).map(|s| round_up(*s).to_string()).collect();
    let more = if looks_s.len() > 6 { ", …" } else { "" };
    format!("a certain fail ends it at {}{more}", shown.join(", "))
}

fn limit(outlook: &Outlook) -> String {
    let rate = |per_min: f64| {
        let per_rotation = outlook
            .per_rotation(per_min)
            .map_or(String::new(), |r| format!(" ({} a rotation)", human(r, outlook.unit)));
        format!("{}/min{per_rotation}", human(per_min, outlook.unit))
    };
    let verdict = match (outlook.is_decidable(), outlook.passed, outlook.proven) {
        (true, ..) => "can be decided",
        (_, Some(_), Some(_)) => "a sound target passes, but only a large leak fails",
        (_, None, Some(_)) => "only a large leak is decided; a sound target stays undecided",
        _ => "cannot be decided",
    };
    let supposed = match (outlook.is_decidable(), outlook.noise.measured) {
        (false, false) => ", if it is as noisy as is assumed here",
        _ => "",
    };
    let mut text = format!("  {}: {}   {verdict}{supposed}\n", outlook.metric, outlook.rule);
    let mut row = |name: &str, what: String| text.push_str(&format!("    {name:<22} {what}\n"));
    for obstacle in &outlook.obstacles {
        row("in the way", obstacle.clone());
    }
    row(
        "proves a leak of",
        match outlook.proven {
            Some(proven) => format!(
                "{} or more; no judge could prove less than {}",
                rate(proven),
                rate(outlook.bound_proven)
            ),
            None => format!("none; no judge could prove less than {}", rate(outlook.bound_proven)),
        },
    );
    row(
        "passes a growth of",
        match outlook.passed {
            Some(passed) => format!("{} or less", rate(passed)),
            None if outlook.bound_passed < 0.0 => {
                "none: with this noise no judge could exclude a leak so soon".to_owned()
            }
            None => "none: a sound target would mostly stay undecided".to_owned(),
        },
    );
    row(
        "sees a late leak of",
        format!(
            "{} or more, if it begins in the last eighth (at best)",
            rate(outlook.late)
        ),
    );
    let noise = outlook.noise;
    row(
        "noise",
        format!(
            "{}: standard deviation {}, forgotten in {:.0} s",
            if noise.measured { "measured" } else { "assumed" },
            human(noise.sd(1.0), outlook.unit),
            noise.tau_s
        ),
    );
    if let (false, Some(shortest)) = (outlook.is_decidable(), outlook.shortest_s) {
        let still = outlook.shortest_if_still_s.filter(|still| *still < shortest);
        let still = still.map_or(String::new(), |s| {
            format!(
                "; without noise a target that stands still passes after {} (`--noise-of RUN_DIR` knows)",
                round_up(s)
            )
        });
        row(
            "would be decided in",
            format!("{} of measuring{still}", round_up(shortest)),
        );
    }
    text
}

/// A length that people would write: whole seconds below two minutes, then half minutes, then whole ones; never shorter.
pub(super) fn round_up(seconds: f64) -> HumanDuration {
    let step = match seconds {
        s if s < 1.0 => return HumanDuration(std::time::Duration::from_secs_f64(s.max(0.0))),
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
    fn lengths_are_rounded_up_to_what_people_write() {
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
