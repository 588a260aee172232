//! An error with its causes, in one line: the one place where they are joined.

use std::error::Error;

/// The error and whatever caused it, from the outermost to the innermost; a cause that is said already is not said again.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl std::fmt::Display for Layer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|inner| inner as &dyn Error)
        }
    }

    #[test]
    fn each_cause_is_said_once() {
        let inner = Layer("connection refused", None);
        let middle = Layer("connection refused", Some(Box::new(inner)));
        let outer = Layer("failed to read http://x", Some(Box::new(middle)));
        assert_eq!(error_chain(&outer), "failed to read http://x: connection refused");
    }
}
