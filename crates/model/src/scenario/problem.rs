//! What is wrong with a scenario, and where.

use std::ops::Range;

use crate::suggest::did_you_mean;

/// One problem of a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the file that it is about.
    pub span: Range<usize>,
    /// What is wrong, a lower-case fragment.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// How the TOML reader ends its complaint about a value that stands where a list must.
const A_LIST_WANTED: &str = ", expected a sequence";

impl Problem {
    /// What the TOML reader found, with a suggestion where a name was misspelt.
    pub(super) fn of_toml(error: &toml::de::Error, text: &str) -> Self {
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
            _ if message.ends_with(A_LIST_WANTED) => Some(as_list(&text[span.clone()])),
            _ => None,
        };
        let message = message.replace(A_LIST_WANTED, ", a list is wanted");
        let message = match message.split_once(", expected one of ") {
            Some((head, list)) if message.starts_with("unknown") => {
                format!("{head}; there are {list}")
            }
            _ => message,
        };
        Self { span, message, help }
    }

    /// A problem of sense at a value of the document.
    pub(super) fn at(text: &str, path: &[&str], message: impl Into<String>, help: impl Into<Option<String>>) -> Self {
        Self {
            span: place(text, path),
            message: message.into(),
            help: help.into(),
        }
    }
}

/// How a value is written as a list; the words of a command are its members.
fn as_list(value: &str) -> String {
    let words = value.trim_matches(['"', '\'']).split_whitespace();
    let words: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
    format!("write [{}]", words.join(", "))
}

/// Where the value at `path` stands in `text`; numbers index arrays. The nearest enclosing value if it is not written.
fn place(text: &str, path: &[&str]) -> Range<usize> {
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
