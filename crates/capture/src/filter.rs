//! The selection of containers by name patterns and labels.

use std::collections::HashMap;

use crate::config::Config;

/// The label that excludes a container if its value is `false`.
const OPT_OUT: &str = "leakcheck.capture";

/// A filter by name and labels.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    include: Vec<String>,
    exclude: Vec<String>,
    labels: Vec<String>,
}

impl Filter {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            include: config.include.clone(),
            exclude: config.exclude.clone(),
            labels: config.labels.clone(),
        }
    }

    /// Returns `true` if the name patterns select `name`.
    pub(crate) fn selects_name(&self, name: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, name));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }

    /// Returns `true` if a container with this name and these labels is selected. The attributes of an event contain the labels.
    pub(crate) fn selects(&self, name: &str, labels: &HashMap<String, String>) -> bool {
        self.selects_name(name)
            && labels.get(OPT_OUT).is_none_or(|value| value != "false")
            && self.labels.iter().all(|wanted| match wanted.split_once('=') {
                Some((key, value)) => labels.get(key).is_some_and(|has| has == value),
                None => labels.contains_key(wanted),
            })
    }
}

/// Returns `true` if `name` matches `pattern`, in which `*` matches any text and `?` any character. Only the last `*` is
/// retried, so it is linear in practice.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, n) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_like_shell_patterns() {
        for (pattern, name, expected) in [
            ("web", "web", true),
            ("web", "web1", false),
            ("web*", "web1", true),
            ("*-db", "a-b-db", true),
            ("*-db", "a-db-b", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn all_labels_are_required_and_the_opt_out_label_wins() {
        let config = Config {
            labels: vec!["run=1".into(), "any".into()],
            exclude: vec!["no*".into()],
            ..Config::default()
        };
        let filter = Filter::new(&config);
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        assert!(filter.selects("x", &labels(&[("run", "1"), ("any", "")])));
        assert!(!filter.selects("x", &labels(&[("run", "2"), ("any", "")])));
        assert!(!filter.selects("x", &labels(&[("run", "1")])));
        assert!(!filter.selects("nope", &labels(&[("run", "1"), ("any", "")])));
        assert!(!filter.selects("x", &labels(&[("run", "1"), ("any", ""), (OPT_OUT, "false")])));
    }
}
