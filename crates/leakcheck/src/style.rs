//! Colours, and lines on standard output and standard error. Colour is used only on a terminal that wants it.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};

/// A pass.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// A failure or an error.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// An undecided result or a note.
pub(crate) const DOUBT: Style = AnsiColor::Yellow.on_default().bold();
/// Secondary text.
pub(crate) const DIM: Style = Style::new().dimmed();
/// A name that stands out.
pub(crate) const BOLD: Style = Style::new().bold();
/// The end of a styled part.
pub(crate) const PLAIN: anstyle::Reset = anstyle::Reset;

/// Prints a line for people, on standard error.
pub(crate) fn print_line(line: &str) {
    // A closed standard error must not end a run.
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Prints a note: something to know that is not an error.
pub(crate) fn note(message: &str) {
    print_line(&format!("{DOUBT}note{PLAIN}: {message}"));
}

/// Prints styled text to standard output. A closed pipe is not an error.
pub(crate) fn print_styled(text: &str) {
    let mut out = anstream::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Prints plain text to standard output, for programs. A closed pipe (`| head`) is not an error.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Prints a value as JSON to standard output.
pub(crate) fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?));
    Ok(())
}
