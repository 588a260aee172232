//! Import cycles between the files of one crate, found from the paths in their text.

use std::collections::BTreeSet;

use crate::workspace::Source;

/// One description per set of files that import each other.
pub(crate) fn cycles(sources: &[Source]) -> Vec<String> {
    let edges: Vec<BTreeSet<usize>> = sources.iter().map(|source| imported(source, sources)).collect();
    let reach: Vec<BTreeSet<usize>> = (0..sources.len()).map(|start| reachable(start, &edges)).collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for start in 0..sources.len() {
        if !reach[start].contains(&start) || !seen.insert(start) {
            continue;
        }
        let members: Vec<usize> = reach[start]
            .iter()
            .copied()
            .filter(|m| reach[*m].contains(&start))
            .collect();
        let arrows: Vec<String> = members
            .iter()
            .map(|from| {
                let to = edges[*from].iter().filter(|to| members.contains(to));
                let names: Vec<String> = to.map(|t| sources[*t].path.display().to_string()).collect();
                format!("{} -> {}", sources[*from].path.display(), names.join(", "))
            })
            .collect();
        seen.extend(members);
        found.push(arrows.join("\n    "));
    }
    found
}

fn reachable(start: usize, edges: &[BTreeSet<usize>]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(file) = open.pop() {
        open.extend(edges[file].iter().copied().filter(|next| reached.insert(*next)));
    }
    reached
}

/// Indices of the files that `source` imports from: by `crate::`, `super::`, `self::`, or the name of a child module.
fn imported(source: &Source, sources: &[Source]) -> BTreeSet<usize> {
    let code = without_reexports(&source.code());
    let children: BTreeSet<&str> = sources
        .iter()
        .filter(|s| s.module.len() == source.module.len() + 1 && s.module.starts_with(&source.module))
        .filter_map(|s| s.module.last().map(String::as_str))
        .collect();
    let mut targets = BTreeSet::new();
    for path in paths(&code) {
        let (mut module, rest) = match path[0].as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (source.module.clone(), &path[1..]),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                let kept = source.module.len().saturating_sub(ups);
                (source.module[..kept].to_vec(), &path[ups..])
            }
            child if children.contains(child) => (source.module.clone(), &path[..]),
            _ => continue,
        };
        for part in rest {
            let mut deeper = module.clone();
            deeper.push(part.clone());
            if !sources.iter().any(|s| s.module == deeper) {
                break;
            }
            module = deeper;
        }
        targets.extend(sources.iter().position(|s| s.module == module && s.path != source.path));
    }
    targets
}

/// Leaves out `pub use …;` and `pub(crate) use …;`: a parent that re-exports its children does not need them.
fn without_reexports(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(begin) = rest.find("pub") {
        let (before, statement) = rest.split_at(begin);
        kept.push_str(before);
        let behind_pub = statement["pub".len()..].trim_start();
        let behind_scope = match behind_pub.strip_prefix('(') {
            Some(scope) => scope.split_once(')').map_or("", |(_, behind)| behind.trim_start()),
            None => behind_pub,
        };
        let end = match behind_scope.starts_with("use ") {
            true => statement.find(';').map_or(statement.len(), |end| end + 1),
            false => "pub".len(),
        };
        rest = &statement[end..];
    }
    kept + rest
}

/// The paths in `code`, with `{…}` groups expanded: `crate::a::{b, c::d}` gives `crate::a::b` and `crate::a::c::d`.
fn paths(code: &str) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = is_name(&tokens[at]) && tokens.get(at + 1).is_some_and(|t| t == "::");
        if begins && (at == 0 || tokens[at - 1] != "::") {
            at = path(&tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path or group that begins at `at`, and returns the index behind it.
fn path(tokens: &[String], mut at: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut parts = prefix.to_vec();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|t| t != "}") {
                    let before = at;
                    at = if is_name(&tokens[at]) {
                        path(tokens, at, &parts, found)
                    } else {
                        at + 1
                    };
                    at = at.max(before + 1);
                }
                return at + 1;
            }
            Some(name) if is_name(name) => {
                parts.push(name.to_owned());
                at += 1;
            }
            _ => break,
        }
        if tokens.get(at).is_some_and(|t| t == "::") {
            at += 1;
        } else {
            break;
        }
    }
    found.push(parts);
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Names, `::` and braces; string literals are left out.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        if is_name(rest) {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            tokens.push(rest[..end].to_owned());
            rest = &rest[end..];
        } else if let Some(behind) = rest.strip_prefix("::") {
            tokens.push("::".to_owned());
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix('"') {
            rest = behind_string(behind);
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    tokens
}

fn behind_string(text: &str) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file(module: &[&str], text: &str) -> Source {
        Source {
            path: PathBuf::from(module.join("/")),
            module: module.iter().map(|m| (*m).to_owned()).collect(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_cycle_through_a_third_file_is_found() {
        let files = [
            file(&["a"], "use crate::b::B;"),
            file(&["b"], "use crate::c::{self, x::C};"),
            file(&["c"], "fn f() { super::a::go() }"),
        ];
        assert_eq!(cycles(&files).len(), 1);
        assert!(cycles(&files[..2]).is_empty());
    }

    #[test]
    fn a_child_that_uses_its_parent_is_a_cycle_if_the_parent_uses_it() {
        let parent = file(&["a"], "mod b;\nuse b::B;");
        let child = file(&["a", "b"], "use super::A;");
        assert_eq!(cycles(&[parent, child]).len(), 1);
        let parent = file(&["a"], "mod b;");
        let child = file(&["a", "b"], "use super::A;");
        assert!(cycles(&[parent, child]).is_empty());
    }

    #[test]
    fn a_parent_that_only_reexports_its_child_may_be_used_by_it() {
        let parent = file(&["a"], "mod b;\npub(crate) use b::{B, C};\npub struct A;");
        let child = file(&["a", "b"], "use super::A;");
        assert!(cycles(&[parent, child]).is_empty());
    }

    #[test]
    fn comments_strings_and_tests_do_not_count() {
        let files = [
            file(
                &["a"],
                "// crate::b\nlet x = \"crate::b::c\";\n#[cfg(test)]\nmod tests { use crate::b::B; }",
            ),
            file(&["b"], "use crate::a::A;"),
        ];
        assert!(cycles(&files).is_empty());
    }
}
