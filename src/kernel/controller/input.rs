//! What can happen to a controller.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::domain::{
    AlarmId, AskId, Epoch, GatewayName, GroupName, Incarnation, MemberId, PlaneName, PrincipalName,
    ProbeResult, ServiceName, WallTime, as_text,
};
use crate::kernel::ledger::{Cluster, TokenChange};
use crate::kernel::zone::EpochRecord;

/// One event. `now` is read after the input was taken from the queue, anew for each input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// Time passed: the moment of the last `WaitUntil` has come (or it is called early; no harm).
    TimePassed,
    /// A frame from an authenticated member.
    Peer {
        /// The member, as its certificate says.
        from: MemberId,
        /// The bytes of one `Output::Send`.
        frame: Bytes,
    },
    /// A frame to this member could not be delivered.
    PeerUnreachable(MemberId),
    /// A bulk frame to this member was delivered, or was not.
    BulkSent {
        /// The receiver.
        to: MemberId,
        /// Whether all of it arrived.
        delivered: bool,
    },
    /// This persist, and every one before it, is durable.
    Persisted {
        /// Number of the batch.
        number: u64,
    },
    /// The disk failed: the store takes no more writes until the process starts again.
    DiskFailed(String),
    /// A probe ended.
    Probed(ProbeResult),
    /// An effect ended.
    Receipt(Receipt),
    /// A client asks.
    Request(#[serde(with = "as_text")] ClientRequest),
    /// The data plane saw something that speaks against a route.
    Hint(DataPlaneHint),
    /// A gateway says which routes it follows.
    Gateway(GatewayReport),
    /// Logins that this node's API turned away since it last said so.
    LoginsFailed {
        /// How many.
        count: u64,
        /// The address of the last one.
        from: String,
    },
    /// What the wall clock says. The shell tells it before the first other input and every second.
    WallClock(WallTime),
    /// The process is asked to stop: hand leadership over.
    Stopping,
    /// This node's cluster file has changed. It is compared with what is in force, and nothing else comes of it.
    ClusterFile(#[serde(with = "as_text")] Arc<Cluster>),
}

impl Input {
    /// Its kind, in a word: a label of metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::TimePassed => "time",
            Self::Peer { .. } => "peer",
            Self::PeerUnreachable(_) => "unreachable",
            Self::BulkSent { .. } => "bulk",
            Self::Persisted { .. } => "persisted",
            Self::DiskFailed(_) => "disk-failed",
            Self::Probed(_) => "probe",
            Self::Receipt(_) => "receipt",
            Self::Request(_) => "request",
            Self::Hint(_) => "hint",
            Self::Gateway(_) => "gateway",
            Self::WallClock(_) => "wall-clock",
            Self::LoginsFailed { .. } => "logins",
            Self::Stopping => "stopping",
            Self::ClusterFile(_) => "cluster-file",
        }
    }
}

/// Numbers the requests that one process took; never reused in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// A client's request, authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRequest {
    /// Echoed by the reply.
    pub id: RequestId,
    /// Who asks: a token's name.
    pub principal: String,
    /// What for.
    pub action: Action,
}

/// What a client may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A linearizable read: the reply's view holds everything acknowledged before the request arrived.
    Read,
    /// What this node knows now, without asking the others: works without a quorum, and may be old.
    Look,
    /// The same as a read, with what every observer has seen of this group's services.
    Explain(GroupName),
    /// Move groups.
    Switch(SwitchRequest),
    /// Nothing automatic for these groups (all, when empty) until thawed.
    Freeze {
        /// Which groups.
        groups: Vec<GroupName>,
        /// On or off.
        on: bool,
        /// Why.
        reason: String,
        /// For how long, in milliseconds; until thawed when absent.
        for_ms: Option<u64>,
        /// Whether switchovers under way turn back, as far as their route has not changed.
        abort: bool,
    },
    /// Answer an ask.
    Answer {
        /// Which.
        ask: AskId,
        /// Yes or no.
        approve: bool,
        /// Why.
        reason: String,
    },
    /// A person has seen an alarm.
    Acknowledge {
        /// Which.
        alarm: AlarmId,
        /// What is done about it.
        reason: String,
    },
    /// Another configuration takes the place of the one in force.
    Configure(Arc<ConfigRequest>),
    /// Make or revoke a token.
    Token {
        /// Whose.
        name: PrincipalName,
        /// What happens to it.
        change: TokenChange,
    },
    /// A plane is not to be chosen.
    Drain {
        /// Which plane.
        plane: PlaneName,
        /// On or off.
        on: bool,
        /// Why.
        reason: String,
        /// For how long, in milliseconds; until lifted when absent.
        for_ms: Option<u64>,
    },
}

/// A configuration for the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRequest {
    /// The cluster file, as it was written.
    pub text: String,
    /// The same, checked.
    pub cluster: Arc<Cluster>,
    /// The number of the configuration that its author saw; refused when it is no longer in force. Only a dry run may
    /// leave it out.
    pub base: Option<u64>,
    /// Only say what would change.
    pub dry_run: bool,
    /// Why.
    pub reason: String,
}

/// Planned: graceful, prechecked. Forced: the source is given up, prechecks are skipped and listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SwitchKind {
    /// Stops at any failed precheck.
    #[default]
    Planned,
    /// Skips the prechecks, and the record lists them.
    Forced,
}

/// An operator's switch of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRequest {
    /// The group.
    pub group: GroupName,
    /// To where; the other plane when absent.
    pub to: Option<PlaneName>,
    /// Planned or forced.
    pub kind: SwitchKind,
    /// The epoch that the operator saw; refused when it is no longer current.
    pub epoch: Option<Epoch>,
    /// Only say what would happen.
    pub dry_run: bool,
    /// Why.
    pub reason: String,
    /// Repeating a request with the same key (same principal, same body) is the same request.
    pub idempotency_key: Option<String>,
}

/// A connect failure or a reset that a gateway saw. It asks; it never votes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DataPlaneHint {
    /// Who saw it.
    pub gateway: GatewayName,
    /// On the way to which route.
    pub route: ServiceName,
    /// At which plane.
    pub plane: PlaneName,
}

/// What a gateway follows now. Sent on every change and every second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayReport {
    /// Its name.
    pub gateway: GatewayName,
    /// Of its process.
    pub incarnation: Incarnation,
    /// Which epoch of each group it has carried out.
    pub groups: BTreeMap<GroupName, Epoch>,
    /// Connections lost since the process started: neither plane took them, or they were cut.
    pub connections_failed: u64,
}

/// What came of an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Of the order.
    pub id: super::output::EffectId,
    /// What was seen, or why nothing was.
    pub outcome: Result<ReceiptOutcome, String>,
}

/// What an effect saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReceiptOutcome {
    /// The epoch record that a DNS server answered.
    Dns(EpochRecord),
    /// The front door answered.
    FrontDoor,
    /// Somebody took what he was told.
    Told,
}
