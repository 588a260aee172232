//! Interpreted programs: the script is made from the source, and the interpreter is not.

use std::path::{Path, PathBuf};

/// Names of programs that run scripts, without their versions (`python3.12` is `python`).
const INTERPRETERS: [&str; 22] = [
    "python", "pypy", "ruby", "perl", "node", "nodejs", "deno", "bun", "php", "java", "lua", "Rscript", "julia", "sh",
    "bash", "dash", "zsh", "ksh", "busybox", "env", "nice", "timeout",
];

/// Returns `true` for a program that runs scripts.
#[must_use]
pub fn is_interpreter(program: &Path) -> bool {
    let name = program.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    INTERPRETERS.contains(&bare)
}

/// Returns the script of an interpreter's command line: the first word that names a file, relative to `folder`.
#[must_use]
pub fn script_among(words: &[String], folder: &Path) -> Option<PathBuf> {
    let files = words.iter().skip(1).filter(|word| !word.starts_with('-'));
    files.map(|word| folder.join(word)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_is_recognized_by_name_in_any_version() {
        for (name, expected) in [
            ("/usr/bin/python3.12", true),
            ("bash", true),
            ("node", true),
            ("nodeagent", false),
            ("./agent", false),
            ("sleep", false),
        ] {
            assert_eq!(is_interpreter(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn the_script_is_the_first_word_that_names_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("agent.py"), "").expect("written");
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let found = script_among(&words("python3 -u agent.py --port 7"), folder.path());
        assert_eq!(found, Some(folder.path().join("agent.py")));
        assert_eq!(script_among(&words("python3 -m agent"), folder.path()), None);
    }
}
