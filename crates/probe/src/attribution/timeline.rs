//! The time in which a resource grew, and the events of that time that may have caused it.

/// The growth periods of all kinds of resources between two snapshots.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GrowthContext {
    /// For file descriptors.
    pub fds: GrowthPeriod,
    /// For tasks.
    pub tasks: GrowthPeriod,
    /// For threads.
    pub threads: GrowthPeriod,
    /// For child processes.
    pub children: GrowthPeriod,
    /// For resident memory.
    pub memory: GrowthPeriod,
}

/// The period in which one kind of resource grew.
#[derive(Clone, Debug, PartialEq)]
pub struct GrowthPeriod {
    /// The period in words: `between checkpoint 3 and 4`.
    pub when: Option<String>,
    /// The share of the growth that fell into the period.
    pub share: f64,
    /// Events of the period, in the singular, with their number: `("rotation", 550.0)`.
    pub causes: Vec<(&'static str, f64)>,
}

impl Default for GrowthPeriod {
    fn default() -> Self {
        Self {
            when: None,
            share: 1.0,
            causes: Vec::new(),
        }
    }
}

impl GrowthPeriod {
    /// Returns `; opened between checkpoint 3 and 4, 1.04 for each of 550 rotations`, or nothing if nothing is known.
    /// `show` formats a part of `total`.
    pub(super) fn describe(&self, verb: &str, total: f64, show: impl Fn(f64) -> String) -> String {
        let mut parts: Vec<String> = self.when.iter().map(|when| format!("{verb} {when}")).collect();
        for (event, count) in self.causes.iter().filter(|(_, count)| *count >= 1.0) {
            let plural = if *count < 1.5 { "" } else { "s" };
            let each = show(total * self.share / count);
            parts.push(format!("{each} for each of {count:.0} {event}{plural}"));
        }
        if parts.is_empty() {
            return String::new();
        }
        format!("; {}", parts.join(", "))
    }
}
