//! The three networks that every Docker engine has. They exist by name only; nothing is connected to them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::clock::{self, Nanos};
use crate::registry::Ids;

/// The networks.
pub(crate) struct Networks {
    created: Nanos,
    /// Name, driver, id.
    all: [(&'static str, &'static str, String); 3],
}

/// A container's connection to a network.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Endpoint {
    #[serde(rename = "IPAMConfig")]
    ipam_config: Option<()>,
    #[serde(rename = "Links")]
    links: Option<()>,
    #[serde(rename = "Aliases")]
    aliases: Option<()>,
    #[serde(rename = "NetworkID")]
    network_id: String,
    #[serde(rename = "EndpointID")]
    endpoint_id: String,
    #[serde(rename = "Gateway")]
    gateway: &'static str,
    #[serde(rename = "IPAddress")]
    ip_address: &'static str,
    #[serde(rename = "IPPrefixLen")]
    ip_prefix_len: u8,
    #[serde(rename = "IPv6Gateway")]
    ipv6_gateway: &'static str,
    #[serde(rename = "GlobalIPv6Address")]
    global_ipv6_address: &'static str,
    #[serde(rename = "GlobalIPv6PrefixLen")]
    global_ipv6_prefix_len: u8,
    #[serde(rename = "MacAddress")]
    mac_address: &'static str,
    #[serde(rename = "DriverOpts")]
    driver_opts: Option<()>,
}

impl Networks {
    pub(crate) fn new(ids: &Ids) -> Self {
        let network = |name, driver| (name, driver, ids.next());
        Self {
            created: clock::now(),
            all: [
                network("bridge", "bridge"),
                network("host", "host"),
                network("none", "null"),
            ],
        }
    }

    /// Returns name, driver and id of the network for a container's network mode.
    pub(crate) fn named(&self, mode: &str) -> Option<&(&'static str, &'static str, String)> {
        let name = if mode == "default" { "bridge" } else { mode };
        self.all
            .iter()
            .find(|(n, _, id)| *n == name || (name.len() >= 12 && id.starts_with(name)))
    }

    /// Returns the `Networks` of a container. `endpoint` is `None` before its first start.
    pub(crate) fn of(&self, mode: &str, endpoint: Option<&str>, alive: bool) -> BTreeMap<String, Endpoint> {
        let Some((name, _, id)) = self.named(mode) else {
            return BTreeMap::new();
        };
        let endpoint = Endpoint {
            ipam_config: None,
            links: None,
            aliases: None,
            network_id: endpoint.map(|_| id.clone()).unwrap_or_default(),
            endpoint_id: endpoint.filter(|_| alive).unwrap_or_default().to_owned(),
            gateway: "",
            ip_address: "",
            ip_prefix_len: 0,
            ipv6_gateway: "",
            global_ipv6_address: "",
            global_ipv6_prefix_len: 0,
            mac_address: "",
            driver_opts: None,
        };
        BTreeMap::from([((*name).to_owned(), endpoint)])
    }

    /// Returns the body of `GET /networks`.
    pub(crate) fn list(&self) -> Value {
        self.all.iter().map(|network| self.inspect(network)).collect()
    }

    pub(crate) fn inspect(&self, (name, driver, id): &(&'static str, &'static str, String)) -> Value {
        json!({
            "Name": name, "Id": id, "Created": clock::rfc3339(self.created), "Scope": "local", "Driver": driver,
            "EnableIPv6": false, "IPAM": { "Driver": "default", "Options": null, "Config": [] }, "Internal": false,
            "Attachable": false, "Ingress": false, "ConfigFrom": { "Network": "" }, "ConfigOnly": false,
            "Containers": {}, "Options": {}, "Labels": {},
        })
    }
}
