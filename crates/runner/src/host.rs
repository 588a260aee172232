//! Where a Docker engine listens: `unix:///var/run/docker.sock` or `tcp://127.0.0.1:2375`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The socket that Docker listens on unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// An engine's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A Unix socket.
    Unix(PathBuf),
    /// Plain HTTP: host and port.
    Tcp(String),
}

/// An address that is none.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an engine's address: write unix:///var/run/docker.sock or tcp://127.0.0.1:2375")]
pub struct HostError(String);

impl Default for Host {
    fn default() -> Self {
        Self::Unix(PathBuf::from(DEFAULT_SOCKET))
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let wrong = || HostError(text.to_owned());
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(PathBuf::from(path))),
            Some(("tcp" | "http", address)) if address.contains(':') => {
                Ok(Self::Tcp(address.trim_end_matches('/').to_owned()))
            }
            None if text.starts_with('/') => Ok(Self::Unix(PathBuf::from(text))),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Host {
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
            assert_eq!(text.parse::<Host>().expect(text).to_string(), text);
        }
        assert_eq!(
            "/run/d.sock".parse::<Host>().expect("a path"),
            Host::Unix("/run/d.sock".into())
        );
    }

    #[test]
    fn what_is_no_address_is_told_what_one_looks_like() {
        for text in ["", "docker.sock", "ssh://host", "tcp://host", "unix://relative"] {
            assert!(
                text.parse::<Host>().expect_err(text).to_string().contains("unix:///"),
                "{text}"
            );
        }
    }
}
