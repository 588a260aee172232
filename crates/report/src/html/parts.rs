//! Parts that several sections of the page share: badges of verdicts, and text with code.

use leakcheck_model::Verdict;
use maud::{Markup, html};

/// The state of the run when its page is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunState {
    Running,
    Ended,
}

impl RunState {
    /// Returns true if an outcome may still change, because more samples may follow.
    pub(super) fn is_open(self, outcome: Verdict) -> bool {
        self == Self::Running && matches!(outcome, Verdict::Invalid | Verdict::Inconclusive)
    }
}

/// Renders a verdict as a coloured word.
pub(super) fn badge(verdict: Verdict, state: RunState) -> Markup {
    if state.is_open(verdict) {
        return html! { span.badge.running { "not yet" } };
    }
    html! { span class=(format!("badge {}", verdict.name())) { (verdict.name()) } }
}

/// Renders text in which backticks mark code.
pub(super) fn code(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    let paired = parts.len() % 2 == 1;
    html! {
        @if paired {
            @for (i, part) in parts.iter().enumerate() {
                @if i % 2 == 1 { code { (part) } } @else { (part) }
            }
        } @else { (text) }
    }
}
