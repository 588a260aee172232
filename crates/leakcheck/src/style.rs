//! How people's output looks: on standard error, with colour where a terminal wants it.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};

/// Good news.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Bad news.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Doubt.
pub(crate) const DOUBT: Style = AnsiColor::Yellow.on_default().bold();
/// Of less weight.
pub(crate) const DIM: Style = Style::new().dimmed();
/// Headings.
pub(crate) const BOLD: Style = Style::new().bold();
/// Back to normal.
pub(crate) const PLAIN: anstyle::Reset = anstyle::Reset;

/// A line for people, on standard error.
pub(crate) fn say(line: &str) {
    // A closed standard error must not end a run.
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Something to know that is no error.
pub(crate) fn note(what: &str) {
    say(&format!("{DOUBT}note{PLAIN}: {what}"));
}

/// What was asked for, on standard output, with colour where a terminal wants it. A closed pipe is no error.
pub(crate) fn print_styled(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Output for programs, on standard output. A closed pipe (`| head`) is no error.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
