//! The address of a Docker engine: `unix:///var/run/docker.sock` or `tcp://127.0.0.1:2375`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Docker's default socket.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// An engine's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineAddress {
    /// A Unix socket.
    Unix(PathBuf),
    /// Plain HTTP: host and port.
    Tcp(String),
}

/// A text that is not an engine's address.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an engine address: write unix:///var/run/docker.sock or tcp://127.0.0.1:2375")]
pub struct AddressError(String);

impl Default for EngineAddress {
    fn default() -> Self {
        Self::Unix(PathBuf::from(DEFAULT_SOCKET))
    }
}

impl FromStr for EngineAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(PathBuf::from(path))),
            Some(("tcp" | "http", address)) if address.contains(':') => {
                Ok(Self::Tcp(address.trim_end_matches('/').to_owned()))
            }
            None if text.starts_with('/') => Ok(Self::Unix(PathBuf::from(text))),
            _ => Err(AddressError(text.to_owned())),
        }
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_printed_alike() {
        for text in ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2375"] {
            assert_eq!(text.parse::<EngineAddress>().expect(text).to_string(), text);
        }
        assert_eq!(
            "/run/d.sock".parse::<EngineAddress>().expect("a path"),
            EngineAddress::Unix("/run/d.sock".into())
        );
    }

    #[test]
    fn the_error_for_another_text_shows_the_format() {
        for text in ["", "docker.sock", "ssh://host", "tcp://host", "unix://relative"] {
            assert!(
                text.parse::<EngineAddress>()
                    .expect_err(text)
                    .to_string()
                    .contains("unix:///"),
                "{text}"
            );
        }
    }
}
