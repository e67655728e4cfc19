//! Addresses on which something listens: each is given away once, and who takes it again is told by whom it is taken.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::reader::Section;

/// Who took an address.
struct Owner {
    address: SocketAddr,
    key: &'static str,
    /// The section, in words: ` of member `a``; empty at the top of a file.
    of: String,
    path: String,
    /// 0 for what the file leaves out.
    line: usize,
}

/// The addresses that were given away so far.
#[derive(Default)]
pub(super) struct Taken {
    owners: Vec<Owner>,
    /// Whether one host listens on all of them: then an address of all interfaces takes the port of each.
    one_host: bool,
}

impl Taken {
    /// For the file of one process.
    pub(super) const fn on_one_host() -> Self {
        Self { owners: Vec::new(), one_host: true }
    }

    /// Notes the address under a key of this section, `of` in words, or the fault that it is taken.
    pub(super) fn take(
        &mut self,
        section: &Section<'_>,
        key: &'static str,
        of: &str,
        address: SocketAddr,
    ) {
        let place = section.place_of(key);
        let met = |owner: &&Owner| {
            owner.address == address || (self.one_host && meet(owner.address, address))
        };
        // Port 0 is whichever is free.
        if let Some(owner) = self.owners.iter().find(met).filter(|_| address.port() != 0) {
            let Owner { key: other, line, .. } = owner;
            let of = if owner.path == section.path { "" } else { &owner.of };
            let line = if *line == 0 { String::new() } else { format!(" (line {line})") };
            let what = if owner.address == address {
                format!("{address} is `{other}`{of} too{line}")
            } else {
                format!("{address} takes the port of {}, `{other}`{of}{line}", owner.address)
            };
            section.fault(&place, key, what, "write another port or address");
        }
        let line = if section.has(key) { section.line_of(&place) } else { 0 };
        let (of, path) = (of.to_owned(), section.path.clone());
        self.owners.push(Owner { address, key, of, path, line });
    }
}

/// Whether one host cannot listen on both: the port is the same, and one of them is every interface's.
fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let all = |address: SocketAddr| match address {
        SocketAddr::V4(address) => {
            *address.ip() == Ipv4Addr::UNSPECIFIED && other.is_ipv4() && one.is_ipv4()
        }
        SocketAddr::V6(address) => *address.ip() == Ipv6Addr::UNSPECIFIED,
    };
    one.port() == other.port() && (all(one) || all(other))
}
