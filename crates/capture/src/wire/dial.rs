//! Opening a connection: where the engine listens, and how often to knock.
//!
//! A trait stands between, so that tests answer over memory instead of a socket.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};

use super::AnyWire;
use crate::jitter;

/// Where Docker listens unless told otherwise.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// A full listen backlog answers EAGAIN at once; this often we try again.
const KNOCKS: u32 = 20;
const KNOCK_PAUSE: Duration = Duration::from_millis(10);

/// A connection on its way.
pub(crate) type Dialling<'a> = Pin<Box<dyn Future<Output = io::Result<AnyWire>> + Send + 'a>>;

/// Something that opens connections to one engine.
pub(crate) trait Dial: Send + Sync + 'static {
    /// Opens a connection.
    fn dial(&self) -> Dialling<'_>;
    /// For messages.
    fn endpoint(&self) -> String;
}

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Unix(PathBuf),
    Tcp(String),
}

/// An engine address of a form that we do not speak.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("engine address `{0}` is neither unix:///PATH nor tcp://HOST:PORT (TLS and SSH are not supported)")]
pub struct EndpointError(String);

impl Endpoint {
    /// The engine at `uri`, or at `DOCKER_HOST`, or at the default socket.
    ///
    /// # Errors
    /// [`EndpointError`] if the address is of no known form.
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

    async fn knock(&self) -> io::Result<AnyWire> {
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

impl Dial for Endpoint {
    fn dial(&self) -> Dialling<'_> {
        Box::pin(async move {
            for _ in 1..KNOCKS {
                match self.knock().await {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        tokio::time::sleep(jitter::around(KNOCK_PAUSE)).await;
                    }
                    done => return done,
                }
            }
            self.knock().await
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
    fn the_usual_forms_of_an_engine_address_are_understood() {
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
    fn an_address_that_we_cannot_speak_to_is_refused_by_name() {
        for uri in ["ssh://host", "unix://", "npipe://x", "docker"] {
            assert_eq!(Endpoint::parse(uri), Err(EndpointError(uri.to_owned())));
        }
    }
}
