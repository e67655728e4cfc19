//! What a controller shows of itself: cheap to clone, never changed after it was published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::domain::{
    Endpoint, Epoch, GatewayName, GroupName, MemberId, Moment, PlaneName, Route, ServiceName,
    WallTime,
};
use crate::kernel::health::{Prober, Seen};
use crate::kernel::ledger::{Cluster, Ledger, OnSwitch};
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
    /// Whether this node was in touch with a quorum when it published, and its disk with it: for
    /// [`crate::kernel::zone::CutOff`], and for those who follow it.
    pub in_quorum: bool,
    /// Since when it was not, if it was not.
    pub cut_off_since: Moment,
    /// When each other member was last heard by this process.
    pub heard: BTreeMap<MemberId, Moment>,
    /// When this process started.
    pub started: Moment,
    /// This node's wall clock when the view was made.
    pub wall: WallTime,
    /// What the members told of themselves.
    pub cards: BTreeMap<MemberId, MemberCard>,
    /// The settings in force; absent until the first leader has logged them.
    pub cluster: Option<Arc<Cluster>>,
    /// Routes by group.
    pub routes: Arc<BTreeMap<GroupName, Route>>,
    /// Zones by origin, ready to be served.
    pub zones: Arc<BTreeMap<String, Arc<Zone>>>,
    /// What the cluster has agreed.
    pub ledger: Arc<Ledger>,
    /// The gateways heard of: which epoch of each group they follow, and when they said so.
    pub gateways: BTreeMap<GatewayName, (BTreeMap<GroupName, Epoch>, Moment)>,
    /// This node's probes; only in the answer to a read.
    pub prober: Option<Arc<Prober>>,
    /// What each observer has seen of a group's services; only in the answer to who wants it explained.
    pub seen: BTreeMap<MemberId, Arc<Seen>>,
    /// The members that take no part in consensus though they run, as far as this node knows; itself, too.
    pub apart: BTreeSet<MemberId>,
    /// The last entry that each other member said it had applied.
    pub applied_by: BTreeMap<MemberId, u64>,
    /// What people should know of this node.
    pub warnings: Vec<String>,
}

/// What a member told of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberCard {
    /// By how much its wall clock is ahead of that of the node that shows it, as it seemed last; its message may have been
    /// late.
    pub clock_ms: i64,
    /// The smallest of the last such differences, as many as it takes to be sure: what is judged.
    pub clock_least_ms: i64,
    /// Whether it was told often enough to be sure that this is no late message.
    pub clock_sure: bool,
    /// Until when its certificate is good.
    pub certificate_until: Option<WallTime>,
}

/// What gateways follow: `GET /v1/routes`, and each event of `GET /v1/watch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteTable {
    /// Grows whenever the table changes; the same number means the same table on every node.
    pub revision: u64,
    /// By the route's name.
    pub routes: BTreeMap<ServiceName, RouteEntry>,
}

/// One route that gateways carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteEntry {
    /// The group it follows.
    pub group: GroupName,
    /// Where to now.
    pub plane: PlaneName,
    /// As of this epoch.
    pub epoch: Epoch,
    /// What to do with connections to the old plane at the change that led to this epoch: a forced or
    /// automatic switchover always says `cut`.
    pub on_switch: OnSwitch,
    /// Upstream by plane.
    pub upstream: BTreeMap<PlaneName, Endpoint>,
}
