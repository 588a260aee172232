//! The shell commands that a simulated container runs, as most tests use them: `echo`, `sleep`, `true`, `false`, `exit`,
//! and `sh -c` with these.

use std::time::Duration;

use leakcheck_model::stamp::Stream;

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Print(Stream, Vec<u8>),
    /// `None` sleeps forever.
    Sleep(Option<Duration>),
    /// Sets the exit code of the script, unless a later step sets another.
    Code(i32),
    Exit(i32),
}

/// A parsed command.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
    /// True for `while true; do …; done`: the steps repeat.
    pub(crate) is_loop: bool,
}

impl Script {
    /// Parses a command; `None` if it is not supported.
    pub(crate) fn parse(words: &[String]) -> Option<Self> {
        let (name, arguments) = words.split_first()?;
        match (name.rsplit('/').next().unwrap_or(name), arguments) {
            ("sh" | "bash" | "ash" | "dash", [flag, text, ..]) if flag == "-c" => Self::of_shell(text),
            (name, arguments) => {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                Some(Self {
                    steps: vec![command(name, &arguments, Stream::Stdout)?],
                    is_loop: false,
                })
            }
        }
    }

    fn of_shell(text: &str) -> Option<Self> {
        let text = text.trim();
        let body = ["while true; do", "while :; do"]
            .iter()
            .find_map(|begin| text.strip_prefix(begin));
        let body = match body {
            Some(body) => Some(body.trim().strip_suffix("done")?),
            None => None,
        };
        let mut steps = Vec::new();
        for part in body
            .unwrap_or(text)
            .split([';', '\n'])
            .flat_map(|part| part.split("&&"))
        {
            let mut words = words_of(part)?;
            let stream = if words.last().is_some_and(|word| word == ">&2" || word == "1>&2") {
                words.pop();
                Stream::Stderr
            } else {
                Stream::Stdout
            };
            if let Some((name, arguments)) = words.split_first() {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                steps.push(command(name, &arguments, stream)?);
            }
        }
        Some(Self {
            steps,
            is_loop: body.is_some(),
        })
    }
}

fn command(name: &str, arguments: &[&str], stream: Stream) -> Option<Step> {
    Some(match (name, arguments) {
        ("true" | ":", _) => Step::Code(0),
        ("false", _) => Step::Code(1),
        ("echo", ["-n", words @ ..]) => Step::Print(stream, words.join(" ").into_bytes()),
        ("echo", words) => Step::Print(stream, format!("{}\n", words.join(" ")).into_bytes()),
        ("sleep", ["infinity", ..]) => Step::Sleep(None),
        ("sleep", [time, ..]) => {
            let seconds: f64 = time.trim_end_matches('s').parse().ok()?;
            Step::Sleep(Some(Duration::try_from_secs_f64(seconds).ok()?))
        }
        ("exit", []) => Step::Exit(0),
        ("exit", [code, ..]) => Step::Exit(code.parse().ok()?),
        _ => return None,
    })
}

/// Splits a text into words and removes quotes; `None` if it needs shell expansion.
fn words_of(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut begun, mut quote) = (Vec::new(), String::new(), false, None);
    for letter in text.trim().chars() {
        match (letter, quote) {
            ('$' | '`' | '\\', None | Some('"')) | ('|' | '<' | '(' | '{', None) => return None,
            (letter, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => (quote, begun) = (Some(letter), true),
            (letter, None) if letter.is_whitespace() => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (letter, _) => {
                word.push(letter);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(words: &[&str]) -> Option<Script> {
        Script::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    fn say(text: &str) -> Step {
        Step::Print(Stream::Stdout, text.as_bytes().to_vec())
    }

    #[test]
    fn a_shell_line_is_split_into_steps() {
        let parsed = script(&["/bin/sh", "-c", "echo 'a  b' c; sleep 0.5 && echo -n oops >&2; exit 3"]).expect("known");
        let expected = vec![
            say("a  b c\n"),
            Step::Sleep(Some(Duration::from_millis(500))),
            Step::Print(Stream::Stderr, b"oops".to_vec()),
            Step::Exit(3),
        ];
        assert_eq!(
            parsed,
            Script {
                steps: expected,
                is_loop: false
            }
        );
    }

    #[test]
    fn a_loop_repeats() {
        let parsed = script(&["sh", "-c", "while true; do echo hi; sleep 1; done"]).expect("known");
        assert_eq!(
            parsed,
            Script {
                steps: vec![say("hi\n"), Step::Sleep(Some(Duration::from_secs(1)))],
                is_loop: true
            }
        );
    }

    #[test]
    fn commands_that_need_a_real_shell_are_not_supported() {
        for text in ["echo $HOME", "echo `date`", "cat x | sort", "nginx", "echo 'open"] {
            assert_eq!(script(&["sh", "-c", text]), None, "{text}");
        }
        assert_eq!(script(&["nginx"]), None);
        assert_eq!(
            script(&["echo", "$HOME"]),
            Some(Script {
                steps: vec![say("$HOME\n")],
                is_loop: false
            })
        );
    }
}
