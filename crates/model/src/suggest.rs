//! Suggestions for misspelt names.

/// Returns the candidate most similar to `word`, if it may be a typo of it.
///
/// That is a Jaro–Winkler similarity of at least 0.75, or one edit, which can be less than that in a short word.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (similarity(word, candidate), candidate))
        .filter(|(score, _)| *score >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

fn similarity(word: &str, candidate: &str) -> f64 {
    let is_one_edit = word.len() > 1 && strsim::osa_distance(word, candidate) <= 1;
    strsim::jaro_winkler(word, candidate).max(if is_one_edit { 0.8 } else { 0.0 })
}

/// Returns `"did you mean `x`?"`, or an empty text.
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!("did you mean `{near}`?"))
}

/// Formats a hint for the end of a message: `"; did you mean `x`?"`, or an empty text.
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
    fn typos_have_suggestions() {
        assert_eq!(nearest("warmup", ["warm_up", "measure"]), Some("warm_up"));
        assert_eq!(nearest("fsd", ["fds", "rss"]), Some("fds"));
        assert_eq!(nearest("zzz", ["warm_up", "measure"]), None);
    }
}
