//! The commands and scenarios in the documentation exist and are valid.

use std::path::Path;

use tempfile::TempDir;

use crate::harness::{output, root, stderr};

/// The pages, each with its path and text.
fn documents() -> Vec<(String, String)> {
    let mut files = vec![root().join("README.md"), root().join("examples/README.md")];
    let docs = std::fs::read_dir(root().join("docs")).expect("docs").flatten();
    files.extend(
        docs.map(|f| f.path())
            .filter(|p| p.extension().is_some_and(|e| e == "md")),
    );
    let read = |path: &Path| std::fs::read_to_string(path).expect("readable");
    files
        .iter()
        .map(|path| (path.display().to_string(), read(path)))
        .collect()
}

/// The fenced blocks of a language in a page.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("```{language}\n");
    let begun = text.split(fence.as_str()).skip(1);
    begun.filter_map(|rest| rest.split("```").next()).collect()
}

/// All `leakcheck …` commands in shell blocks and in backticks, each split into words.
fn commands(text: &str) -> Vec<Vec<String>> {
    let lines = blocks(text, "sh").into_iter().flat_map(str::lines);
    let inline = text.split('`').skip(1).step_by(2).filter(|code| !code.contains('\n'));
    let typed = lines
        .chain(inline)
        .map(|line| line.split(" #").next().unwrap_or_default());
    let typed = typed.flat_map(|line| line.split("&&").flat_map(|part| part.split(" | ")));
    typed
        .filter_map(|part| {
            let part = part.trim().trim_start_matches("LEAK=1 ");
            let part = part
                .strip_prefix("cargo run --release -- ")
                .or_else(|| part.strip_prefix("leakcheck "))?;
            let words: Vec<String> = part.split_whitespace().map(str::to_owned).collect();
            (!words.is_empty()).then_some(words)
        })
        .collect()
}

#[test]
fn every_command_and_option_in_the_documentation_exists() {
    let mut seen = 0;
    for (file, text) in documents() {
        for words in commands(&text) {
            let name = words[0].trim_end_matches([',', ';', '.']);
            // `leakcheck run|watch` is two commands.
            for name in name.split(['|', '\\']).filter(|n| !n.is_empty() && !n.starts_with('-')) {
                let help = output(&[name, "--help"]);
                assert!(help.status.success(), "{file}: leakcheck {name}: {}", stderr(&help));
                let help = String::from_utf8(help.stdout).expect("text");
                let own = words.iter().take_while(|w| *w != "--").filter(|w| w.starts_with("--"));
                for option in own {
                    let end = option[2..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
                    let option = end.map_or(option.as_str(), |end| &option[..end + 2]);
                    assert!(help.contains(option), "{file}: leakcheck {name} has no {option}");
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn every_scenario_that_a_command_reads_exists() {
    for (file, text) in documents() {
        for words in commands(&text) {
            for word in words
                .iter()
                .filter(|w| w.starts_with("scenarios/") && w.ends_with(".toml"))
            {
                assert!(root().join(word).is_file(), "{file}: {word}");
            }
        }
    }
}

#[test]
fn every_whole_scenario_in_the_documentation_is_valid() {
    let mut seen = 0;
    for (file, text) in documents() {
        for block in blocks(&text, "toml").iter().filter(|block| block.contains("name = ")) {
            if !block.contains("[limits]") || block.contains('…') {
                continue;
            }
            let folder = TempDir::new().expect("scratch");
            let path = folder.path().join("scenario.toml");
            std::fs::write(&path, block).expect("written");
            let checked = output(&["check", &path.display().to_string()]);
            assert!(checked.status.success(), "{file}:\n{block}\n{}", stderr(&checked));
            seen += 1;
        }
    }
    assert!(seen >= 2, "{seen}");
}

#[test]
fn the_scenario_reference_has_every_key_of_the_schema() {
    let schema = std::fs::read_to_string(root().join("schema/scenario.schema.json")).expect("the schema");
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    let page = std::fs::read_to_string(root().join("docs/scenario-reference.md")).expect("the page");
    let definitions = schema["$defs"].as_object().expect("definitions");
    let tables = definitions.values().chain([&schema]);
    let keys: Vec<&String> = tables
        .filter_map(|table| table["properties"].as_object())
        .flat_map(|properties| properties.keys())
        .collect();
    assert!(keys.len() > 50, "{keys:?}");
    let missing: Vec<_> = keys.iter().filter(|key| !page.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "docs/scenario-reference.md lacks {missing:?}");
}

#[test]
fn the_readme_fits_on_two_screens() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    assert!(readme.lines().count() <= 130, "{} lines", readme.lines().count());
}
