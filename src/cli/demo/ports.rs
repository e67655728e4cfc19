//! Where the demo lives on loopback: a block of a hundred ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use super::super::exit::Failure;

/// The controllers, in order.
pub(super) const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];
/// The planes, in the order of the cluster file. The first is home.
pub(super) const PLANES: [&str; 2] = ["east", "west"];
/// The services of each plane, in the order of their ports.
pub(super) const SERVICES: [&str; 3] = ["web", "cart", "pay"];

/// The first block; its ports are in the documents.
const FIRST: u16 = 7400;
/// Below the ports that the system hands to outgoing connections.
const LAST: u16 = 32_000;
/// The demo holds this port of its block as long as it lives, so that two never share a block.
const CLAIM: u16 = 99;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A block of ports that was free, and is held.
#[derive(Debug)]
pub(super) struct Block {
    base: u16,
    _claim: TcpListener,
}

impl Block {
    /// The first free block from 7400 on.
    pub(super) fn claim() -> Result<Self, Failure> {
        (FIRST..=LAST).step_by(100).find_map(Self::claim_at).ok_or_else(|| {
            Failure::failed(
                format!("no block of a hundred ports is free on loopback from {FIRST} to {LAST}"),
                "see what holds them: ss -lntup",
            )
        })
    }

    fn claim_at(base: u16) -> Option<Self> {
        let claim = TcpListener::bind((LOCALHOST, base + CLAIM)).ok()?;
        let block = Self { base, _claim: claim };
        let free = block.tcp().all(|address| TcpListener::bind(address).is_ok())
            && (0..NODES.len()).all(|node| UdpSocket::bind(block.dns(node)).is_ok());
        free.then_some(block)
    }

    /// Every TCP address of the demo.
    fn tcp(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let nodes = (0..NODES.len()).flat_map(|n| [self.api(n), self.member(n), self.dns(n)]);
        let planes = (0..PLANES.len()).flat_map(move |plane| {
            (0..SERVICES.len()).map(move |service| self.service(plane, service))
        });
        nodes.chain([self.gateway(), self.gateway_admin()]).chain(planes)
    }

    /// The first port.
    pub(super) const fn base(&self) -> u16 {
        self.base
    }

    /// Where a node's API is.
    pub(super) fn api(&self, node: usize) -> SocketAddr {
        self.of_node(0, node)
    }

    /// Where the other members reach a node.
    pub(super) fn member(&self, node: usize) -> SocketAddr {
        self.of_node(10, node)
    }

    /// Where a node's DNS server is.
    pub(super) fn dns(&self, node: usize) -> SocketAddr {
        self.of_node(20, node)
    }

    fn of_node(&self, ten: u16, node: usize) -> SocketAddr {
        let node = u16::try_from(node).expect("there are three nodes");
        SocketAddr::new(LOCALHOST, self.base + ten + 1 + node)
    }

    /// Where users enter.
    pub(super) fn gateway(&self) -> SocketAddr {
        SocketAddr::new(LOCALHOST, self.base + 80)
    }

    /// Where the gateway tells of itself.
    pub(super) fn gateway_admin(&self) -> SocketAddr {
        SocketAddr::new(LOCALHOST, self.base + 60)
    }

    /// A plane's own address.
    pub(super) fn plane(plane: usize) -> Ipv4Addr {
        let plane = u8::try_from(plane).expect("there are two planes");
        Ipv4Addr::new(127, 0, 0, 11 + plane)
    }

    /// Where a plane serves a service.
    pub(super) fn service(&self, plane: usize, service: usize) -> SocketAddr {
        let service = u16::try_from(service).expect("there are three services");
        SocketAddr::new(Self::plane(plane).into(), self.base + 90 + service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_demos_never_share_a_block() {
        let (a, b) = (Block::claim().unwrap(), Block::claim().unwrap());
        assert_ne!(a.base(), b.base());
        assert!(Block::claim_at(a.base()).is_none());
    }

    #[test]
    fn a_block_with_one_taken_port_is_passed_over() {
        let block = Block::claim().unwrap();
        let (base, dns) = (block.base(), block.dns(2));
        drop(block);
        let _taken = UdpSocket::bind(dns).unwrap();
        assert!(Block::claim_at(base).is_none());
    }

    #[test]
    fn the_first_block_has_the_ports_of_the_documents() {
        let claim = TcpListener::bind("127.0.0.1:0").unwrap();
        let block = Block { base: FIRST, _claim: claim };
        let said =
            [block.api(0), block.member(1), block.dns(2), block.gateway(), block.service(1, 0)]
                .map(|address| address.to_string());
        let meant = [
            "127.0.0.1:7401",
            "127.0.0.1:7412",
            "127.0.0.1:7423",
            "127.0.0.1:7480",
            "127.0.0.12:7490",
        ];
        assert_eq!(said, meant);
    }
}
