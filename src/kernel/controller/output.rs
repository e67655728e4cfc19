//! What a controller wants done. The shell makes no choices: it does what an output says and returns a
//! receipt as an input.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::input::RequestId;
use super::view::View;
use crate::kernel::consensus::PersistBatch;
use crate::kernel::domain::{
    Endpoint, Epoch, EventId, GroupName, MemberId, Moment, NotifyName, ProbeOrder, Timer,
};
use crate::kernel::ledger::{AuditRecord, Change, Notify};

/// One wish.
#[derive(Clone, Debug)]
pub enum Output {
    /// Write this atomically and durably, then say [`super::Input::Persisted`]. Batches are written in order.
    Persist(PersistBatch),
    /// Send a frame to a member. It may be lost; if the shell knows that it was, it says so.
    Send {
        /// The receiver.
        to: MemberId,
        /// The bytes.
        frame: Bytes,
        /// Which connection.
        traffic: Traffic,
    },
    /// Start a probe.
    Probe(ProbeOrder),
    /// Carry out an effect on the world.
    Perform(EffectOrder),
    /// Answer a client.
    Reply {
        /// The request.
        id: RequestId,
        /// The answer.
        response: Response,
    },
    /// The published state changed: routes, zones, status. Everything in it is committed and durable.
    Publish(Arc<View>),
    /// An entry was applied: keep it for those who ask later.
    Audit(AuditRecord),
    /// Something worth telling: logs and metrics.
    Event(Event),
    /// How long something took: metrics.
    Measured {
        /// What.
        what: Measure,
        /// How long.
        took: Duration,
    },
    /// Nothing to do until then, and why. Always the last output.
    WaitUntil(Moment, Timer),
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// From a proposal of this leader to its entry's apply here.
    Commit,
    /// From when this node knew an entry to be committed to its apply here.
    Apply,
    /// One step of a switchover that ended, by ledger time: its name as in the record.
    Step(String),
}

/// The kinds of [`Output`]: a journal names them by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// [`Output::Persist`].
    Persist = 1,
    /// [`Output::Send`].
    Send = 2,
    /// [`Output::Probe`].
    Probe = 3,
    /// [`Output::Perform`].
    Perform = 4,
    /// [`Output::Reply`].
    Reply = 5,
    /// [`Output::Publish`].
    Publish = 6,
    /// [`Output::Event`].
    Event = 7,
    /// [`Output::WaitUntil`].
    WaitUntil = 8,
    /// [`Output::Measured`].
    Measured = 9,
    /// [`Output::Audit`].
    Audit = 10,
}

impl Output {
    /// Which kind this is.
    pub const fn kind(&self) -> OutputKind {
        match self {
            Self::Persist(_) => OutputKind::Persist,
            Self::Send { .. } => OutputKind::Send,
            Self::Probe(_) => OutputKind::Probe,
            Self::Perform(_) => OutputKind::Perform,
            Self::Reply { .. } => OutputKind::Reply,
            Self::Publish(_) => OutputKind::Publish,
            Self::Event(_) => OutputKind::Event,
            Self::WaitUntil(..) => OutputKind::WaitUntil,
            Self::Measured { .. } => OutputKind::Measured,
            Self::Audit(_) => OutputKind::Audit,
        }
    }
}

/// Which of the two connections to a member a frame takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Small, urgent.
    Normal,
    /// Snapshots. The shell answers with [`super::Input::BulkSent`].
    Bulk,
}

/// Numbers the effects that one process ordered; never reused in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectId(pub u64);

/// "Do this."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectOrder {
    /// Echoed by the receipt.
    pub id: EffectId,
    /// What to do.
    pub effect: Effect,
    /// The receipt says "timed out" after this long.
    pub timeout: Duration,
}

/// The effects on the world that a shared group needs: verification, asked from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask a member's DNS server, over the network, for the TXT record `_biplane.NAME`.
    AskDns {
        /// The member asked.
        member: MemberId,
        /// Its DNS address.
        server: SocketAddr,
        /// NAME, without the `_biplane` label.
        name: String,
    },
    /// Connect to the front door and see that it answers.
    KnockFrontDoor {
        /// Where.
        endpoint: Endpoint,
    },
    /// Tell somebody of an alarm, or that the cluster lives.
    Notify {
        /// Whom: this node's own file holds the secret or the program.
        target: NotifyName,
        /// How.
        settings: Notify,
        /// The notice's id; none for a sign of life.
        id: Option<EventId>,
        /// What, as JSON.
        body: String,
    },
}

/// The answer to a client.
#[derive(Clone, Debug)]
pub enum Response {
    /// The state, linearizable.
    Read(Arc<View>),
    /// Committed: the switchover with this id stands in the ledger.
    Accepted {
        /// Its id, as in `/v1/switchovers/{id}`.
        switchover: String,
        /// Whether an earlier request with the same idempotency key made it.
        repeated: bool,
    },
    /// Committed, and there is nothing to follow.
    Done,
    /// Committed: the configuration with this number is in force.
    Configured {
        /// Its number.
        version: u64,
        /// Whether it took the place of another; not when the same text was in force already.
        changed: bool,
    },
    /// What a configuration would change.
    ConfigPlan(ConfigPlan),
    /// What a switch would do: the steps, each precheck with what is known of it now.
    Plan(Plan),
    /// Understood and not done.
    Refused(Refusal),
    /// It may or may not have happened. Never "failed".
    Unknown {
        /// What to do: the URL that settles it.
        settle: String,
    },
}

/// What a dry run shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The group.
    pub group: GroupName,
    /// The epoch it is based on.
    pub epoch: Epoch,
    /// From this plane.
    pub from: String,
    /// To this one.
    pub to: String,
    /// The steps, in order.
    pub steps: Vec<String>,
    /// What would stop it now; empty when nothing would.
    pub obstacles: Vec<String>,
}

/// What a dry run of a configuration shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigPlan {
    /// The number of the configuration that it is compared with: the one in force.
    pub version: u64,
    /// What would change.
    pub changes: Vec<Change>,
    /// How many changes there are; more than are listed, if there are very many.
    pub all: usize,
    /// Whether this very text is in force already: putting it in force again changes nothing.
    #[serde(default)]
    pub in_force: bool,
    /// Why it would be refused now, if it would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
}

/// Why a request was refused, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// For programs.
    pub kind: RefusalKind,
    /// For people: what is wrong.
    pub why: String,
    /// For people: what to do.
    pub next: String,
}

/// Classes of refusal; the API maps each to a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// 404: no such group, plane or switchover.
    NotFound,
    /// 412: the epoch is no longer current.
    StaleEpoch,
    /// 412: the configuration is no longer in force.
    StaleConfiguration,
    /// 409: a guard forbids it now.
    Conflict,
    /// 422: the same idempotency key with another body, or a senseless request.
    Unprocessable,
    /// 503: no leader, no quorum, or too many requests at once.
    Unavailable,
}

/// How loud an event is: would you wake someone?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the curious.
    Debug,
    /// A change that users may see.
    Info,
    /// Would you wake someone at 3 a.m.?
    Warn,
    /// This node cannot go on.
    Error,
}

/// Something worth telling. `kind` is a fixed word for programs, `text` a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How loud.
    pub level: Level,
    /// A fixed word: `leader`, `question`, `decision`, `switchover`, `observer`, …
    pub kind: &'static str,
    /// A sentence.
    pub text: String,
    /// The group it concerns.
    pub group: Option<GroupName>,
}
