//! Reads a scenario file, applies overrides, and renders problems with the file's line and a caret.

use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anyhow::{Context as _, Result, anyhow};
use leakcheck_model::Scenario;
use leakcheck_model::scenario::{Problem, override_keys};

use crate::style;

/// Reads the scenario at `path` with `--set` overrides applied.
///
/// # Errors
/// If the file cannot be read, or all problems of the scenario with their places in the file.
pub(crate) fn read(path: &Path, sets: &[String]) -> Result<Scenario> {
    if path.is_dir() {
        return Err(anyhow!(
            "{} is a folder, not a scenario file{}",
            path.display(),
            suggestion(path)
        ));
    }
    let text = std::fs::read_to_string(path).with_context(|| {
        let hint = if path.exists() {
            ""
        } else {
            " (`leakcheck init FILE` writes a template)"
        };
        format!("failed to read the scenario {}{hint}", path.display())
    })?;
    // The file is checked before the overrides, so that problems are shown at its own lines.
    let as_written = Scenario::parse(&text).map_err(|problems| anyhow!(render(&problems, &text, path)))?;
    for renamed in Scenario::deprecations(&text) {
        style::note(&format!("{}: {}", path.display(), renamed.message));
    }
    if sets.is_empty() {
        return Ok(as_written);
    }
    let overridden = override_keys(&text, sets)?;
    Scenario::parse(&overridden).map_err(|problems| {
        let name = format!(
            "{} with {}",
            path.display(),
            sets.iter().map(|s| format!("--set {s}")).collect::<Vec<_>>().join(" ")
        );
        anyhow!(render(&problems, &overridden, Path::new(&name)))
    })
}

/// Renders problems with their lines.
fn render(problems: &[Problem], text: &str, path: &Path) -> String {
    let name = path.display().to_string();
    let groups: Vec<Group<'_>> = problems
        .iter()
        .map(|problem| {
            let snippet = Snippet::source(text)
                .path(name.as_str())
                .annotation(AnnotationKind::Primary.span(problem.span.clone()));
            let group = Level::ERROR.primary_title(problem.message.as_str()).element(snippet);
            match &problem.help {
                Some(help) => group.element(Level::HELP.message(help.as_str())),
                None => group,
            }
        })
        .collect();
    let count = problems.len();
    let plural = if count == 1 { "" } else { "s" };
    let colour = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    format!(
        "{count} problem{plural} in {name}; nothing was started\n{}",
        renderer.render(&groups)
    )
}

/// Suggests the scenario files in a folder.
fn suggestion(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<String> = entries
        .map(|entry| folder.join(entry.file_name()))
        .filter(|path| path.is_file() && path.extension().is_some_and(|e| e == "toml"))
        .map(|path| path.display().to_string())
        .collect();
    files.sort();
    match files.as_slice() {
        [] => "; `leakcheck init` writes a template".into(),
        [only] => format!("; did you mean {only}?"),
        all => format!("; it contains {}", all.join(", ")),
    }
}
