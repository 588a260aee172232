//! An error and its sources on one line.

use std::error::Error;

/// Joins the messages of an error and its sources, outermost first. A source whose text is already there is left out.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let message = inner.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        source = inner.source();
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
    fn repeated_messages_appear_once() {
        let inner = Layer("connection refused", None);
        let middle = Layer("connection refused", Some(Box::new(inner)));
        let outer = Layer("failed to read http://x", Some(Box::new(middle)));
        assert_eq!(error_chain(&outer), "failed to read http://x: connection refused");
    }
}
