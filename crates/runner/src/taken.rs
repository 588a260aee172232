//! Whether somebody else answers already where the target is to be asked: it would be called ready, and measured, for a
//! stranger's answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use leakcheck_model::Scenario;
use leakcheck_model::scenario::{Port, TargetKind};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// On the loopback a port answers or refuses at once.
const WITHIN: Duration = Duration::from_millis(500);

/// A port of this machine that is served before the target is started.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error(
    "port {port} of 127.0.0.1 is served before the target is started: {what} would be another process's; end that one, or let the \
     target serve `{{port}}`, which is free"
)]
pub struct Taken {
    /// The port.
    pub port: u16,
    /// What is asked there.
    pub what: &'static str,
}

impl Taken {
    /// Whether the target's readiness hangs on it, which is then nobody's.
    pub(crate) fn is_readiness(&self) -> bool {
        self.what == "readiness"
    }
}

/// Whether nobody serves the port by which the target is to be known as ready: to be asked before anything is started.
///
/// # Errors
/// [`Taken`], with which no run can begin.
pub async fn unserved(scenario: &Scenario) -> Result<(), Taken> {
    let found = taken(scenario).await.into_iter().find(Taken::is_readiness);
    found.map_or(Ok(()), Err)
}

/// The ports that are to tell of a started command and are served already by something else, readiness first.
pub(crate) async fn taken(scenario: &Scenario) -> Vec<Taken> {
    let mut found: Vec<Taken> = Vec::new();
    for asked in asked(scenario) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, asked.port));
        let is_known = found.iter().any(|f| f.port == asked.port);
        if !is_known && is_served(address).await {
            found.push(asked);
        }
    }
    found
}

/// Whether somebody answers there. A free port among those that the system gives out may be given to the very connection
/// that asks for it, which is then connected with itself.
async fn is_served(address: SocketAddr) -> bool {
    match timeout(WITHIN, TcpStream::connect(address)).await {
        Ok(Ok(connected)) => connected.local_addr().ok() != Some(address),
        _ => false,
    }
}

/// The fixed ports at which a command is asked something.
fn asked(scenario: &Scenario) -> Vec<Taken> {
    let target = &scenario.target;
    if target.kind != TargetKind::Command {
        return Vec::new();
    }
    let ready = target.ready.as_ref();
    let number = ready.and_then(|ready| match ready.port {
        Some(Port::Number(port)) => Some(port),
        _ => None,
    });
    let at = |url: Option<&String>| url.and_then(|url| port_of(url));
    let traffic = scenario.traffic.as_ref().and_then(|traffic| traffic.url.as_ref());
    [
        (number, "readiness"),
        (at(ready.and_then(|ready| ready.url.as_ref())), "readiness"),
        (at(target.metrics_url.as_ref()), "metrics"),
        (at(traffic), "traffic"),
    ]
    .into_iter()
    .filter_map(|(port, what)| Some(Taken { port: port?, what }))
    .collect()
}

/// The fixed port of this machine in a URL: none in `http://127.0.0.1:{port}/`, which is a free one.
fn port_of(url: &str) -> Option<u16> {
    let authority = url.strip_prefix("http://")?.split('/').next()?;
    let (host, port) = authority.rsplit_once(':')?;
    matches!(host, "127.0.0.1" | "localhost").then(|| port.parse().ok())?
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;

    use super::*;

    #[test]
    fn only_a_fixed_port_of_this_machine_can_be_taken() {
        assert_eq!(port_of("http://127.0.0.1:8001/metrics"), Some(8001));
        assert_eq!(port_of("http://localhost:80"), Some(80));
        assert_eq!(port_of("http://127.0.0.1:{port}/metrics"), None);
        assert_eq!(port_of("http://example.org:80/"), None);
        assert_eq!(port_of("http://127.0.0.1/"), None);
    }

    #[tokio::test]
    async fn a_port_is_found_once_it_is_served_before_the_target() {
        // A port that is ours all the time: one that was closed may be served on by a process that is just being started
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
        let port = socket.local_addr().expect("its address").port();
        let toml = format!(
            "name = \"x\"\n[[load]]\nname = \"a\"\ncontainers = 1\n[target]\nkind = \"command\"\ncommand = [\"sleep\", \"9\"]\n\
             ready = {{ url = \"http://127.0.0.1:{port}/healthz\" }}\n[limits]\nfds = \"max < 9\"\n"
        );
        let scenario = Scenario::parse(&toml).expect("a scenario");
        assert_eq!(taken(&scenario).await, []);
        let _listener = socket.listen(1).expect("listens");
        let what = "readiness";
        assert_eq!(taken(&scenario).await, [Taken { port, what }]);
    }
}
