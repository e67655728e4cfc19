//! A block of ports for one world, and the cluster file that uses it.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::planes::PLANES;
use super::{NAME, NODES};

/// Blocks of a hundred ports, below those that the system hands out, above those of the demo's documents.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_000;
/// This port of a block is held as long as its world lives.
const CLAIM: u16 = 99;

const SITES: [&str; 3] = ["east", "west", "third"];
const SERVICES: [&str; 3] = ["web", "cart", "pay"];

/// A block.
#[derive(Debug)]
pub(super) struct Ports {
    base: u16,
    _claim: TcpListener,
}

impl Ports {
    pub(super) fn claim() -> Self {
        let claim = |base: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, base + CLAIM)).ok();
        (FIRST..LAST)
            .step_by(100)
            .find_map(|base| Some(Self { base, _claim: claim(base)? }))
            .expect("a free block of ports")
    }

    fn local(&self, port: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.base + port))
    }

    fn of_node(&self, ten: u16, node: usize) -> SocketAddr {
        self.local(ten + 1 + u16::try_from(node).expect("small"))
    }

    pub(super) fn api(&self, node: usize) -> SocketAddr {
        self.of_node(0, node)
    }

    pub(super) fn member(&self, node: usize) -> SocketAddr {
        self.of_node(10, node)
    }

    pub(super) fn dns(&self, node: usize) -> SocketAddr {
        self.of_node(20, node)
    }

    pub(super) fn gateway_admin(&self) -> SocketAddr {
        self.local(60)
    }

    pub(super) fn gateway(&self) -> SocketAddr {
        self.local(80)
    }

    pub(super) fn service(&self, plane: usize, service: usize) -> SocketAddr {
        let last = 11 + u8::try_from(plane).expect("small");
        let port = self.base + 90 + u16::try_from(service).expect("small");
        SocketAddr::from(([127, 0, 0, last], port))
    }

    /// Automatic, three sites, eager checks.
    pub(super) fn cluster_file(&self) -> String {
        let mut text = String::from("cluster = \"world\"\n");
        for (plane, site) in PLANES.iter().zip(SITES) {
            let _ = writeln!(text, "[planes.{plane}]\nsite = \"{site}\"");
        }
        for (node, name) in NODES.iter().enumerate() {
            let (site, id, member) = (SITES[node], node + 1, self.of_node(10, node));
            let (api, dns) = (self.api(node), self.dns(node));
            let _ = writeln!(
                text,
                "[members.{name}]\nid = {id}\nsite = \"{site}\"\nmember = \"{member}\"\napi = \"{api}\"\ndns = \"{dns}\""
            );
        }
        let both = |service: usize| {
            let (east, west) = (self.service(0, service), self.service(1, service));
            format!("{{ east = \"{east}\", west = \"{west}\" }}")
        };
        let eager = "interval = \"200ms\"\nfast_interval = \"100ms\"\ntimeout = \"200ms\"\nfall = 2\nrise = 2";
        for (index, service) in SERVICES.iter().enumerate() {
            let endpoints = both(index);
            let _ = writeln!(
                text,
                "[services.{service}]\nendpoints = {endpoints}\n[services.{service}.checks.page]\nkind = \"http\"\npath = \"/\"\n{eager}"
            );
        }
        let (upstream, front_door) = (both(0), self.gateway());
        let _ = write!(
            text,
            "[groups.shop]\nservices = [\"web\", \"cart\", \"pay\"]\nmode = \"auto\"\ndwell = \"0s\"\n\
             budget = {{ switches = 500, window = \"1h\" }}\nflap_limit = {{ downs = 50, window = \"1s\" }}\n\
             [routes.shop]\ngroup = \"shop\"\nupstream = {upstream}\nfront_door = \"{front_door}\"\n\
             [zones.\"world.test\"]\nttl = 1\nname_servers = {{ \"ns1.world.test\" = [\"127.0.0.1\"] }}\n\
             mname = \"ns1.world.test\"\nrname = \"ops.world.test\"\n\
             [zones.\"world.test\".names.\"{NAME}\"]\ngroup = \"shop\"\neast = [\"127.0.0.11\"]\nwest = [\"127.0.0.12\"]\n\
             [timing]\ntick = \"10ms\"\nheartbeat = \"50ms\"\nelection_min = \"200ms\"\nelection_max = \"400ms\"\n\
             observer_silence = \"1s\"\nreference_interval = \"500ms\"\nverify_timeout = \"3s\"\nrequest_timeout = \"2s\"\n"
        );
        text
    }
}
