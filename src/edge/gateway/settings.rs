//! What a gateway is started with.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::limits;
use crate::kernel::domain::{GatewayName, Incarnation, ServiceName};

/// A gateway's own settings; what it carries where comes from the route table.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// Its name, in hints and reports.
    pub name: GatewayName,
    /// Of this process.
    pub incarnation: Incarnation,
    /// Where it listens, and for which route. Port 0 takes a free one.
    pub listeners: Vec<(SocketAddr, ServiceName)>,
    /// Where it answers `/healthz`, `/readyz`, `/routes` and `/metrics`; nowhere if absent.
    pub admin: Option<SocketAddr>,
    /// A plane must take a connection within this, or the other one is tried.
    pub connect_timeout: Duration,
    /// Connections carried at once.
    pub connections: usize,
}

impl GatewaySettings {
    /// Defaults: no listener yet, admin port 127.0.0.1:7460.
    pub fn new(name: GatewayName, incarnation: Incarnation) -> Self {
        Self {
            name,
            incarnation,
            listeners: Vec::new(),
            admin: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 7460))),
            connect_timeout: limits::CONNECT,
            connections: limits::CONNECTIONS,
        }
    }
}

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A port could not be taken.
    #[error(
        "cannot listen on {address} for {what}: {source}; choose another address ({key} in gateway.toml: each gateway \
         of a host needs its own), or stop what holds it"
    )]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// A route's name, or `admin`.
        what: String,
        /// Where it is written.
        key: String,
        /// What the system said.
        source: io::Error,
    },
}
