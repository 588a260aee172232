//! Markdown markup: escaping, folds, and the icon of a verdict.

use leakcheck_model::Verdict;

/// Returns an icon, shown beside the name of the verdict.
pub(super) fn icon(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Invalid => "🚫",
        Verdict::Inconclusive => "❔",
    }
}

/// Returns a section that is collapsed at first.
pub(super) fn folded(title: &str, text: &str) -> String {
    format!(
        "<details><summary>{title}</summary>\n\n{}\n\n</details>",
        text.trim_end()
    )
}

/// Escapes text so that it cannot become markup or break a table row. Text between backticks stays code.
pub(super) fn escape(text: &str) -> String {
    let paired = text.matches('`').count().is_multiple_of(2);
    let mut in_code = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '`' if paired => {
                in_code = !in_code;
                out.push('`');
            }
            '`' => out.push('\''),
            '|' => out.push_str("\\|"),
            '\n' | '\r' => out.push(' '),
            _ if in_code => out.push(c),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '*' | '_' | '[' | ']' | '#' | '\\' if needs_backslash(c, text) => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// Returns false for an underscore inside a word, which Markdown reads as plain text.
fn needs_backslash(c: char, text: &str) -> bool {
    c != '_' || text.starts_with('_') || text.ends_with('_') || text.contains(" _") || text.contains("_ ")
}
