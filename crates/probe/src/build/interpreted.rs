//! Programs that are interpreted: what is built from the source is the file that the interpreter reads, and not the interpreter.

use std::path::{Path, PathBuf};

/// Programs that run other programs' files, by the letters that their names begin with (`python3.12` is `python`).
const INTERPRETERS: [&str; 22] = [
    "python", "pypy", "ruby", "perl", "node", "nodejs", "deno", "bun", "php", "java", "lua", "Rscript", "julia", "sh",
    "bash", "dash", "zsh", "ksh", "busybox", "env", "nice", "timeout",
];

/// Whether this is a program that runs others.
#[must_use]
pub fn is_interpreter(program: &Path) -> bool {
    let name = program.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    INTERPRETERS.contains(&bare)
}

/// The file that an interpreter is told to run: the first of its words that is one, in `folder`.
#[must_use]
pub fn program_among(words: &[String], folder: &Path) -> Option<PathBuf> {
    let files = words.iter().skip(1).filter(|word| !word.starts_with('-'));
    files.map(|word| folder.join(word)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_is_known_by_its_name_whatever_its_version() {
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
    fn its_program_is_the_first_word_that_is_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("agent.py"), "").expect("written");
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let found = program_among(&words("python3 -u agent.py --port 7"), folder.path());
        assert_eq!(found, Some(folder.path().join("agent.py")));
        assert_eq!(program_among(&words("python3 -m agent"), folder.path()), None);
    }
}
