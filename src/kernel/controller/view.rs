//! What a controller shows of itself: cheap to clone, never changed after it was published.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kernel::domain::{GroupName, MemberId, Route};
use crate::kernel::ledger::Cluster;
use crate::kernel::zone::Zone;

/// The published state of one node.
#[derive(Clone, Debug)]
pub struct View {
    /// The node that shows it.
    pub member: MemberId,
    /// Raft index of the last applied entry.
    pub applied: u64,
    /// Raft term.
    pub term: u64,
    /// The leader, if one is known.
    pub leader: Option<MemberId>,
    /// Whether this node was in touch with a quorum when it published: for [`crate::kernel::zone::CutOff`].
    pub in_quorum: bool,
    /// The settings in force; absent until the first leader has logged them.
    pub cluster: Option<Arc<Cluster>>,
    /// Routes by group.
    pub routes: Arc<BTreeMap<GroupName, Route>>,
    /// Zones by origin, ready to be served.
    pub zones: Arc<BTreeMap<String, Arc<Zone>>>,
}
