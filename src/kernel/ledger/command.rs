//! What can be logged. Commands are self-describing JSON: unknown fields are kept in the bytes and ignored,
//! an unknown command is refused with a reason.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::apply_alarm::Condition;
use super::cluster::Cluster;
use crate::kernel::domain::{
    AccessRole, AlarmId, AskId, Epoch, EventId, GroupName, Incarnation, MemberId, NotifyName,
    PlaneName, PrincipalName, QuestionId, ServiceName, StatePair, SwitchoverId, WallTime,
};
use crate::kernel::switchover::{Event, Kind};

/// Names one request of one process for ever: (member, incarnation, counter).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestKey {
    /// The member that took it.
    pub member: MemberId,
    /// Of that member's process.
    pub incarnation: Incarnation,
    /// Counts that process's requests.
    pub counter: u64,
}

/// One group to move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The group.
    pub group: GroupName,
    /// To where.
    pub to: PlaneName,
    /// The epoch of the route that the decision saw.
    pub base: Epoch,
}

/// An operator's switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchCommand {
    /// Which request.
    pub request: RequestKey,
    /// Who.
    pub by: String,
    /// Planned or forced.
    pub kind: Kind,
    /// What.
    #[serde(rename = "move")]
    pub moved: Move,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// The client's idempotency key, if it gave one, and the SHA-256 of what it asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<(String, String)>,
}

/// A configuration takes the place of the one in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigCommand {
    /// Which request.
    pub request: RequestKey,
    /// Who.
    pub by: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// The number of the configuration that its author saw.
    pub base: u64,
    /// The cluster file, as it was written.
    pub text: String,
    /// The same, checked. Members' addresses in it are not used.
    pub cluster: Box<Cluster>,
}

/// What happens to a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenChange {
    /// It is made. The token itself stays with who made it.
    Create {
        /// What it may do.
        role: AccessRole,
        /// The groups that it may act on; all when empty.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        groups: BTreeSet<GroupName>,
        /// Hex of SHA-256 of the token.
        hash: String,
        /// It is good until then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<WallTime>,
    },
    /// It is good no more, and nor is anything else of its name.
    Revoke {},
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// The cluster's settings: configuration 1 by the first leader.
    Configure(Box<Cluster>),
    /// Another configuration takes the place of the one in force. Since ruleset 2.
    Reconfigure(ConfigCommand),
    /// The text of a configuration in force that has none yet. Since ruleset 2.
    ConfigText {
        /// The configuration's number.
        version: u64,
        /// The cluster file, as it was written.
        text: String,
    },
    /// Time passed.
    Tick {},
    /// What an observer sees now, as far as it is new.
    Report {
        /// Who.
        observer: MemberId,
        /// Of its process.
        incarnation: Incarnation,
        /// Counts that process's reports and ballots.
        seq: u64,
        /// Whether it cannot reach other sites.
        isolated: bool,
        /// Services whose states changed since the ledger last heard.
        states: BTreeMap<ServiceName, StatePair>,
    },
    /// The leader has not heard an observer for too long. Takes votes away, gives none.
    ObserverLost {
        /// Who.
        observer: MemberId,
        /// The process that fell silent.
        incarnation: Incarnation,
    },
    /// Every observer is asked about these groups.
    Question {
        /// Which groups.
        groups: BTreeSet<GroupName>,
        /// The configuration that the question is about.
        config: u64,
        /// What made the leader ask, for people.
        why: String,
    },
    /// An observer's answer, as far as it is new: its states replace those it gave before.
    Ballot {
        /// To which question.
        question: QuestionId,
        /// Who.
        observer: MemberId,
        /// Of its process.
        incarnation: Incarnation,
        /// Counts that process's reports and ballots.
        seq: u64,
        /// Whether it cannot reach other sites, by probes begun after the question.
        isolated: bool,
        /// States by probes begun after the question.
        states: BTreeMap<ServiceName, StatePair>,
    },
    /// The quorum's ballots are enough: move these groups. Ratified by every node at apply.
    Decide {
        /// The question whose ballots are counted.
        question: QuestionId,
        /// The groups.
        moves: Vec<Move>,
    },
    /// An operator moves a group.
    Switch(SwitchCommand),
    /// A switchover takes a step.
    Advance {
        /// Which.
        switchover: SwitchoverId,
        /// The event of the table.
        event: Event,
        /// For `route` of a planned or automatic one: the question whose ballots are counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<QuestionId>,
        /// Who has not shown the new epoch.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        converging: Vec<String>,
        /// What happened, or what a person has to do.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
    },
    /// Nothing automatic for these groups (all, when empty).
    Freeze {
        /// Which request.
        request: RequestKey,
        /// Who.
        by: String,
        /// Which groups.
        groups: BTreeSet<GroupName>,
        /// On or off.
        on: bool,
        /// Why.
        reason: String,
        /// For how long, in milliseconds; until thawed when absent. Since ruleset 3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
        /// Whether switchovers under way turn back, as far as their route has not changed. Since ruleset 3.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        abort: bool,
    },
    /// People are asked whether these groups may be moved: the ballots say so, and their mode is `ask`. Since ruleset 3.
    Ask {
        /// The question whose ballots are counted.
        question: QuestionId,
        /// The moves.
        moves: Vec<Move>,
    },
    /// What an ask was about is over. Since ruleset 3.
    AskOver {
        /// Which.
        ask: AskId,
        /// Why.
        why: String,
    },
    /// A person answers an ask. Since ruleset 3.
    Answer {
        /// Which request.
        request: RequestKey,
        /// Who.
        by: String,
        /// Which ask.
        ask: AskId,
        /// Yes or no.
        approve: bool,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// What stands against the cluster, as far as it is new, and what stands no more. Since ruleset 3.
    Alarms {
        /// New.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        raised: Vec<Condition>,
        /// Over.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        cleared: Vec<AlarmId>,
    },
    /// A person has seen an alarm. Since ruleset 3.
    Acknowledge {
        /// Which request.
        request: RequestKey,
        /// Who.
        by: String,
        /// Which alarm.
        alarm: AlarmId,
        /// What is done about it.
        #[serde(default)]
        reason: String,
    },
    /// Somebody has a notice, and all before it. Since ruleset 3.
    Notified {
        /// Who.
        target: NotifyName,
        /// The notice's id.
        notice: EventId,
    },
    /// Logins that a member turned away since it last said so. Since ruleset 3.
    LoginsFailed {
        /// Which member.
        member: MemberId,
        /// Of its process.
        incarnation: Incarnation,
        /// Counts what that process says of logins.
        seq: u64,
        /// How many.
        count: u64,
        /// The address of the last one.
        from: String,
    },
    /// Who may come in. Since ruleset 2.
    Token {
        /// Which request.
        request: RequestKey,
        /// Who.
        by: String,
        /// Whose.
        name: PrincipalName,
        /// What happens to it.
        change: TokenChange,
    },
    /// Every member knows these rules: they are in force from the next entry on. Never back.
    Raise {
        /// The ruleset.
        ruleset: u32,
    },
    /// A plane is not to be chosen.
    Drain {
        /// Which request.
        request: RequestKey,
        /// Who.
        by: String,
        /// Which plane.
        plane: PlaneName,
        /// On or off.
        on: bool,
        /// Why.
        reason: String,
        /// For how long, in milliseconds; until lifted when absent. Since ruleset 3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
}
