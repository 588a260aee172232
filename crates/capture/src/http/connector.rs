//! Connections to the engine, behind a trait so that tests answer over memory instead of a socket.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::jitter;

/// The socket of a default Docker installation.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// Attempts to connect: a full listen backlog answers EAGAIN at once.
const CONNECT_ATTEMPTS: u32 = 20;
const CONNECT_RETRY_PAUSE: Duration = Duration::from_millis(10);

/// A bidirectional byte stream.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A connection to the engine.
pub(crate) type Connection = Box<dyn ByteStream>;

/// A connection attempt.
pub(crate) type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Connection>> + Send + 'a>>;

/// A factory of connections to one engine.
pub(crate) trait Connector: Send + Sync + 'static {
    /// Opens a connection.
    fn connect(&self) -> Connecting<'_>;
    /// Returns the engine's address for messages.
    fn endpoint(&self) -> String;
}

/// The address of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Unix(PathBuf),
    Tcp(String),
}

/// An engine address of an unsupported form.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("engine address `{0}` is neither unix:///PATH nor tcp://HOST:PORT (TLS and SSH are not supported)")]
pub struct EndpointError(String);

impl Endpoint {
    /// Returns the engine at `uri`, otherwise that of `DOCKER_HOST`, otherwise that of the default socket.
    ///
    /// # Errors
    /// [`EndpointError`] if the form of the address is not supported.
    pub(crate) fn find(uri: Option<&str>) -> Result<Self, EndpointError> {
        let from_environment = std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
        match uri.map(str::to_owned).or(from_environment) {
            None => Ok(Self::Unix(DEFAULT_SOCKET.into())),
            Some(uri) => Self::parse(&uri),
        }
    }

    fn parse(uri: &str) -> Result<Self, EndpointError> {
        match uri.split_once("://") {
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            Some(("tcp" | "http", host)) if !host.is_empty() => Ok(Self::Tcp(host.trim_end_matches('/').to_owned())),
            None if uri.starts_with('/') => Ok(Self::Unix(uri.into())),
            _ => Err(EndpointError(uri.to_owned())),
        }
    }

    async fn connect_once(&self) -> io::Result<Connection> {
        match self {
            Self::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Self::Tcp(host) => {
                let stream = TcpStream::connect(host.as_str()).await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
        }
    }
}

impl Connector for Endpoint {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async move {
            for _ in 1..CONNECT_ATTEMPTS {
                match self.connect_once().await {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        tokio::time::sleep(jitter::around(CONNECT_RETRY_PAUSE)).await;
                    }
                    done => return done,
                }
            }
            self.connect_once().await
        })
    }

    fn endpoint(&self) -> String {
        match self {
            Self::Unix(path) => format!("unix://{}", path.display()),
            Self::Tcp(host) => format!("tcp://{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supported_engine_addresses_are_parsed() {
        assert_eq!(
            Endpoint::parse("unix:///run/x.sock"),
            Ok(Endpoint::Unix("/run/x.sock".into()))
        );
        assert_eq!(Endpoint::parse("/run/x.sock"), Ok(Endpoint::Unix("/run/x.sock".into())));
        assert_eq!(
            Endpoint::parse("tcp://127.0.0.1:2375"),
            Ok(Endpoint::Tcp("127.0.0.1:2375".into()))
        );
        assert_eq!(Endpoint::parse("http://h:1/"), Ok(Endpoint::Tcp("h:1".into())));
    }

    #[test]
    fn unsupported_engine_addresses_are_errors_that_name_them() {
        for uri in ["ssh://host", "unix://", "npipe://x", "docker"] {
            assert_eq!(Endpoint::parse(uri), Err(EndpointError(uri.to_owned())));
        }
    }
}
