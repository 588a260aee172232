//! "Did you mean …": the nearest of the words that would have been right.

/// The candidate nearest to `word`, if it is near enough to be a slip of the finger: Jaro–Winkler >= 0.75, or one letter
/// too many, too few, wrong or out of place, which in a short word is less than that.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (likeness(word, candidate), candidate))
        .filter(|(score, _)| *score >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

fn likeness(word: &str, candidate: &str) -> f64 {
    let one_slip = word.len() > 1 && strsim::osa_distance(word, candidate) <= 1;
    strsim::jaro_winkler(word, candidate).max(if one_slip { 0.8 } else { 0.0 })
}

/// `"did you mean `x`?"`, or nothing.
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!("did you mean `{near}`?"))
}

/// A hint behind what it belongs to: `"; did you mean `x`?"`, or nothing.
#[must_use]
pub fn appended(hint: &str) -> String {
    if hint.is_empty() {
        String::new()
    } else {
        format!("; {hint}")
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        assert_eq!(nearest("warmup", ["warm_up", "measure"]), Some("warm_up"));
        assert_eq!(nearest("fsd", ["fds", "rss"]), Some("fds"));
        assert_eq!(nearest("zzz", ["warm_up", "measure"]), None);
    }
}
