//! Types about the network.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One network interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Interface {
    /// Name.
    pub name: String,
    /// Operational state.
    pub state: String,
    /// MTU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u64>,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Receive errors.
    pub rx_errors: u64,
    /// Send errors.
    pub tx_errors: u64,
    /// Received and dropped.
    pub rx_dropped: u64,
    /// Dropped instead of being sent.
    pub tx_dropped: u64,
    /// Addresses with prefix length.
    pub addresses: Vec<String>,
}

/// The network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Network {
    /// Interfaces.
    pub interfaces: Vec<Interface>,
    /// Whether there is a default route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes_default: Option<bool>,
    /// Gateways of the default routes.
    pub gateways: Vec<String>,
    /// TCP sockets by state.
    pub tcp: BTreeMap<String, u64>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// Name resolution.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Resolver {
    /// Servers.
    pub nameservers: Vec<String>,
    /// Search domains.
    pub search: Vec<String>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}

/// A socket that waits for connections or datagrams.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Listener {
    /// `tcp`, `tcp6`, `udp`, `udp6`.
    pub proto: String,
    /// Local address.
    pub address: String,
    /// Local port.
    pub port: u64,
    /// Program, where it is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub program: String,
}

/// The sockets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Sockets {
    /// Sockets in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// TCP sockets without an owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_orphans: Option<u64>,
    /// TCP sockets that wait for stray segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_time_wait: Option<u64>,
    /// Memory of all TCP sockets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_memory_bytes: Option<u64>,
    /// Who listens.
    pub listening: Vec<Listener>,
    /// Bundle path that it was read from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub item: String,
}
