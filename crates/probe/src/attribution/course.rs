//! When a kind of thing grew, and how often that happened meanwhile which may have caused it.

/// What is known of the time between two snapshots, for each kind of thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Circumstances {
    /// Of file descriptors.
    pub fds: Course,
    /// Of tasks.
    pub tasks: Course,
    /// Of threads.
    pub threads: Course,
    /// Of child processes.
    pub children: Course,
    /// Of resident memory.
    pub memory: Course,
}

/// The time in which one kind of thing grew.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Which time, in words: `between checkpoint 3 and 4`.
    pub when: Option<String>,
    /// The share of the growth that fell into that time.
    pub share: f64,
    /// What happened in that time, in the singular, and how often: `("rotation", 550.0)`.
    pub causes: Vec<(&'static str, f64)>,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            when: None,
            share: 1.0,
            causes: Vec::new(),
        }
    }
}

impl Course {
    /// `; opened between checkpoint 3 and 4, 1.04 for each of 550 rotations`; `show` writes a share of `total`.
    pub(super) fn in_words(&self, verb: &str, total: f64, show: impl Fn(f64) -> String) -> String {
        let mut parts: Vec<String> = self.when.iter().map(|when| format!("{verb} {when}")).collect();
        for (what, count) in self.causes.iter().filter(|(_, count)| *count >= 1.0) {
            let several = if *count < 1.5 { "" } else { "s" };
            let each = show(total * self.share / count);
            parts.push(format!("{each} for each of {count:.0} {what}{several}"));
        }
        if parts.is_empty() {
            return String::new();
        }
        format!("; {}", parts.join(", "))
    }
}
