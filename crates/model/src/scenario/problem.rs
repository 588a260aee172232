//! Problems of a scenario file, with their places.

use std::ops::Range;

use crate::suggest::did_you_mean;

/// One problem of a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The bytes of the file that it refers to.
    pub span: Range<usize>,
    /// The problem, as a lower-case fragment.
    pub message: String,
    /// The remedy.
    pub help: Option<String>,
}

/// The end of the TOML reader's message about a single value in place of a list.
const EXPECTED_SEQUENCE: &str = ", expected a sequence";

impl Problem {
    /// Makes a problem of an error of the TOML reader, with a suggestion for a misspelt name.
    pub(super) fn from_toml(error: &toml::de::Error, text: &str) -> Self {
        let message = error.message().to_owned();
        let span = error.span().filter(|s| !s.is_empty()).unwrap_or_else(|| {
            let at = error.span().map_or(0, |s| s.start);
            let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
            at..end.max(at)
        });
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let help = match quoted.split_first() {
            Some((wrong, right)) if message.starts_with("unknown") && !right.is_empty() => {
                Some(did_you_mean(wrong, right.iter().copied())).filter(|h| !h.is_empty())
            }
            _ if message.ends_with(EXPECTED_SEQUENCE) => Some(as_list(&text[span.clone()])),
            _ => None,
        };
        let message = message.replace(EXPECTED_SEQUENCE, ", expected a list");
        let message = match message.split_once(", expected one of ") {
            Some((head, list)) if message.starts_with("unknown") => {
                format!("{head}; there are {list}")
            }
            _ => message,
        };
        Self { span, message, help }
    }

    /// Makes a problem of the value at `path`.
    pub(super) fn at(text: &str, path: &[&str], message: impl Into<String>, help: impl Into<Option<String>>) -> Self {
        Self {
            span: locate(text, path),
            message: message.into(),
            help: help.into(),
        }
    }
}

/// Suggests the list that a value should be; the words of a command become its members.
fn as_list(value: &str) -> String {
    let words = value.trim_matches(['"', '\'']).split_whitespace();
    let words: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
    format!("write [{}]", words.join(", "))
}

/// Finds the value at `path` in `text`, or the nearest enclosing value. Numbers index arrays.
fn locate(text: &str, path: &[&str]) -> Range<usize> {
    use toml::de::DeValue;
    let Ok(document) = toml::de::DeTable::parse(text) else {
        return 0..0;
    };
    let mut span = 0..text.find('\n').unwrap_or(text.len());
    let mut table = Some(document.get_ref());
    let mut array = None;
    for step in path {
        let next = match (table, array) {
            (Some(t), _) => t.iter().find(|(k, _)| k.get_ref() == step).map(|(_, v)| v),
            (_, Some(a)) => step
                .parse()
                .ok()
                .and_then(|i: usize| <[toml::Spanned<DeValue<'_>>]>::get(a, i)),
            _ => None,
        };
        let Some(value) = next else { break };
        span = value.span();
        (table, array) = match value.get_ref() {
            DeValue::Table(t) => (Some(t), None),
            DeValue::Array(a) => (None, Some(a.as_ref())),
            _ => (None, None),
        };
    }
    span
}
