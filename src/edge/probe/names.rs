//! Names to addresses.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use super::fault::short;
use super::limits;
use crate::kernel::domain::{Endpoint, ProbeFault};

/// Where the system lists its name servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Asks the system's name servers; also reads its hosts file.
pub(super) struct Names {
    resolver: Result<TokioResolver, String>,
}

impl Names {
    /// The name servers of `/etc/resolv.conf`, read once.
    pub(super) fn of_system() -> Self {
        match std::fs::read_to_string(RESOLV_CONF) {
            Ok(text) => Self::of_servers(&name_servers(&text)),
            Err(error) => Self { resolver: Err(format!("cannot read {RESOLV_CONF}: {error}")) },
        }
    }

    /// These name servers.
    pub(super) fn of_servers(servers: &[SocketAddr]) -> Self {
        if servers.is_empty() {
            let why = format!("no name server in {RESOLV_CONF}; write addresses, or add one");
            return Self { resolver: Err(why) };
        }
        let servers = servers.iter().map(|server| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = server.port();
            }
            NameServerConfig::new(server.ip(), true, connections)
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        let mut options = ResolverOpts::default();
        // Endpoints are written in full: no search list, and the name as it stands.
        options.ndots = 0;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.timeout = limits::NAME_TIMEOUT;
        options.attempts = 1;
        options.cache_size = limits::NAMES;
        options.positive_max_ttl = Some(limits::NAME_TTL);
        // A remembered "no such name" would be older than the question that a probe answers.
        options.negative_max_ttl = Some(std::time::Duration::ZERO);
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build();
        Self { resolver: resolver.map_err(|error| error.to_string()) }
    }

    /// The addresses of an endpoint. Only a name server's "there is no such name" speaks against it.
    pub(super) async fn addresses(
        &self,
        endpoint: &Endpoint,
    ) -> Result<Vec<SocketAddr>, ProbeFault> {
        if let Some(ip) = endpoint.ip() {
            return Ok(vec![SocketAddr::new(ip, endpoint.port)]);
        }
        let host = &endpoint.host;
        let resolver = self.resolver.as_ref().map_err(|why| ProbeFault::NotProbed(short(why)))?;
        match resolver.lookup_ip(format!("{host}.")).await {
            Ok(found) => {
                let sockets = found.iter().map(|ip| SocketAddr::new(ip, endpoint.port));
                let sockets: Vec<SocketAddr> = sockets.take(limits::ADDRESSES).collect();
                if sockets.is_empty() {
                    let what = format_args!("{host} has no address");
                    return Err(ProbeFault::Unresolved(short(what)));
                }
                Ok(sockets)
            }
            Err(error) if error.is_nx_domain() => {
                Err(ProbeFault::Unresolved(short(format_args!("there is no name {host}"))))
            }
            Err(error) if error.is_no_records_found() => {
                Err(ProbeFault::Unresolved(short(format_args!("{host} has no address"))))
            }
            Err(error) => Err(ProbeFault::NotProbed(short(format_args!(
                "no name server of this node could say where {host} is: {error}"
            )))),
        }
    }
}

/// The `nameserver` lines of a resolv.conf(5).
fn name_servers(text: &str) -> Vec<SocketAddr> {
    let addresses = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        if words.next() != Some("nameserver") {
            return None;
        }
        words.next()?.parse::<IpAddr>().ok()
    });
    addresses.map(|ip| SocketAddr::new(ip, 53)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_from_resolv_conf() {
        let text = "# nameserver 192.0.2.9\nsearch example\nnameserver 192.0.2.1\nnameserver  ::1 #x\nnameserver nonsense\n";
        let expected: Vec<SocketAddr> = vec![
            "192.0.2.1:53".parse().expect("an address"),
            "[::1]:53".parse().expect("an address"),
        ];
        assert_eq!(name_servers(text), expected);
    }
}
