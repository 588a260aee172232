//! Detects ports of the target that another process already serves.
//!
//! Otherwise the answers of that process would be measured as the target's.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use leakcheck_model::Scenario;
use leakcheck_model::scenario::{Port, TargetKind};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Time-out of a connection over loopback, which answers or refuses at once.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// A port of 127.0.0.1 that is in use before the target is started.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error(
    "port {port} of 127.0.0.1 is in use before the target is started: {what} would come from another process; stop that one, \
     or let the target listen on `{{port}}`, which is free"
)]
pub struct PortConflict {
    /// The port.
    pub port: u16,
    /// The use of the port: readiness, metrics or traffic.
    pub what: &'static str,
}

impl PortConflict {
    /// Returns true if the port decides whether the target is ready.
    pub(crate) fn is_readiness(&self) -> bool {
        self.what == "readiness"
    }
}

/// Fails if the port of the target's readiness check is already in use.
///
/// # Errors
/// [`PortConflict`].
pub async fn check_ports_free(scenario: &Scenario) -> Result<(), PortConflict> {
    let conflict = port_conflicts(scenario)
        .await
        .into_iter()
        .find(PortConflict::is_readiness);
    conflict.map_or(Ok(()), Err)
}

/// Returns all ports of the scenario's command that are already in use, readiness first.
pub(crate) async fn port_conflicts(scenario: &Scenario) -> Vec<PortConflict> {
    let mut found: Vec<PortConflict> = Vec::new();
    for candidate in fixed_ports(scenario) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, candidate.port));
        let is_known = found.iter().any(|f| f.port == candidate.port);
        if !is_known && is_in_use(address).await {
            found.push(candidate);
        }
    }
    found
}

/// Returns true if a process listens at `address`. A connection to a free ephemeral port may connect to itself, which does not
/// count.
async fn is_in_use(address: SocketAddr) -> bool {
    match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
        Ok(Ok(connected)) => connected.local_addr().ok() != Some(address),
        _ => false,
    }
}

/// The fixed ports that a run uses of its command.
fn fixed_ports(scenario: &Scenario) -> Vec<PortConflict> {
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
    .filter_map(|(port, what)| Some(PortConflict { port: port?, what }))
    .collect()
}

/// The fixed loopback port of a URL; `None` for `{port}`, which is replaced by a free one.
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
    fn only_fixed_loopback_ports_are_checked() {
        assert_eq!(port_of("http://127.0.0.1:8001/metrics"), Some(8001));
        assert_eq!(port_of("http://localhost:80"), Some(80));
        assert_eq!(port_of("http://127.0.0.1:{port}/metrics"), None);
        assert_eq!(port_of("http://example.org:80/"), None);
        assert_eq!(port_of("http://127.0.0.1/"), None);
    }

    #[tokio::test]
    async fn a_port_in_use_is_found() {
        // Keep the port reserved: a closed one may be reused by another process at once.
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
        let port = socket.local_addr().expect("its address").port();
        let toml = format!(
            "name = \"x\"\n[[load]]\nname = \"a\"\ncontainers = 1\n[target]\nkind = \"command\"\ncommand = [\"sleep\", \"9\"]\n\
             ready = {{ url = \"http://127.0.0.1:{port}/healthz\" }}\n[limits]\nfds = \"max < 9\"\n"
        );
        let scenario = Scenario::parse(&toml).expect("a scenario");
        assert_eq!(port_conflicts(&scenario).await, []);
        let _listener = socket.listen(1).expect("listens");
        let what = "readiness";
        assert_eq!(port_conflicts(&scenario).await, [PortConflict { port, what }]);
    }
}
