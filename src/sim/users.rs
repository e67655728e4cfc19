//! Users, as far as DNS leads them: resolvers that ask the nodes' servers and keep an answer for its time to live, and
//! users who go where the kept answer says.

use std::collections::BTreeMap;

use super::queue::{Micros, SECOND};
use crate::kernel::controller::View;
use crate::kernel::domain::GroupName;

/// How many resolvers there are.
pub const RESOLVERS: usize = 2;

/// What a resolver keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    plane: usize,
    until: Micros,
}

/// One resolver. It asks one node's server until that falls silent, then the next.
#[derive(Clone, Debug)]
pub struct Resolver {
    /// The node whose server it asks.
    pub server: usize,
    kept: BTreeMap<GroupName, Kept>,
}

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The addresses of this plane, to be kept for so long.
    Plane(usize, Micros),
    /// The name has no address: nothing that a server may say.
    Empty,
    /// It does not know the name.
    Unknown,
}

impl Resolver {
    /// A resolver that knows nothing yet.
    pub const fn new(server: usize) -> Self {
        Self { server, kept: BTreeMap::new() }
    }

    /// Where it sends users of a group now, if its answer is still good.
    pub fn fresh(&self, group: &GroupName, now: Micros) -> Option<usize> {
        self.kept.get(group).filter(|kept| kept.until > now).map(|kept| kept.plane)
    }

    /// Where it sends them when no server answers: an old answer is better than none (RFC 8767).
    pub fn stale(&self, group: &GroupName) -> Option<usize> {
        self.kept.get(group).map(|kept| kept.plane)
    }

    /// Keeps an answer. True when it leads elsewhere than before.
    pub fn keep(&mut self, group: &GroupName, plane: usize, until: Micros) -> bool {
        let before = self.kept.insert(group.clone(), Kept { plane, until });
        before.map(|before| before.plane) != Some(plane)
    }
}

/// What the DNS server of a node that shows this says of a group.
pub fn answer(view: &View, group: &GroupName) -> Answer {
    for (origin, zone) in view.zones.iter() {
        let Some(set) = zone.names.get(&format!("{group}.{origin}")) else { continue };
        let Some(first) = set.a.first() else { return Answer::Empty };
        // The planes' addresses differ in their last octet: 192.0.2.1 and 192.0.2.2.
        let plane = usize::from(first.octets()[3].saturating_sub(1)).min(1);
        return Answer::Plane(plane, Micros::from(zone.ttl) * SECOND);
    }
    Answer::Unknown
}
