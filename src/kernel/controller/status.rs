//! `status` and `explain` as data: the API serves these as they are, the command line prints them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::domain::{
    AskId, CheckName, Epoch, GatewayName, GroupName, HealthState, LedgerTime, MemberId, MemberName,
    PlaneName, ServiceName, SiteName, WallTime,
};
use crate::kernel::health::Seen;
use crate::kernel::ledger::{Mode, PlacedBy};

/// `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The cluster's name.
    pub cluster: String,
    /// The node that answered.
    pub node: MemberName,
    /// The leader, if there is one.
    pub leader: Option<MemberName>,
    /// Whether the node that answered is in touch with a quorum, and its disk keeps up: then something can be decided, and what it
    /// shows is new.
    pub quorum: bool,
    /// Milliseconds for which the node that answered has been without a quorum; absent while it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_off_ms: Option<u64>,
    /// Raft term.
    pub term: u64,
    /// Raft index of the last applied entry.
    pub applied: u64,
    /// Ledger time.
    pub ledger_time: LedgerTime,
    /// Number of the configuration in force.
    pub config_version: u64,
    /// Things an operator should know, in words: two sites only, a file that differs, a lost observer.
    pub warnings: Vec<String>,
    /// The planes.
    pub planes: Vec<PlaneStatus>,
    /// The members, and the observers beside them.
    pub members: Vec<MemberStatus>,
    /// Open alarms by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alarms: BTreeMap<String, usize>,
    /// Questions to the observers that are open.
    #[serde(default)]
    pub open_questions: usize,
    /// The groups.
    pub groups: Vec<GroupStatus>,
    /// The gateways heard of.
    pub gateways: Vec<GatewayStatus>,
}

/// One plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlaneStatus {
    /// Its name.
    pub name: PlaneName,
    /// Where it stands.
    pub site: SiteName,
    /// Why it is drained, if it is.
    pub drained: Option<String>,
    /// By whom, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained_by: Option<PlacedBy>,
}

/// One member, or one observer beside the members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberStatus {
    /// Raft id.
    pub id: MemberId,
    /// Its name.
    pub name: MemberName,
    /// Where it stands.
    pub site: SiteName,
    /// `leader`, `follower`, `observer` (beside the members), `apart` (runs, and takes no part in consensus), or `lost` (fell silent, or was never
    /// heard by the node that answered).
    pub role: String,
    /// What it is for: `controller` (votes, probes, serves DNS and the API), `witness` (votes and probes) or `observer`
    /// (probes).
    #[serde(default)]
    pub kind: String,
    /// Whether it counts itself as isolated.
    pub isolated: bool,
    /// By how many milliseconds its wall clock is ahead of that of the node that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ms: Option<i64>,
    /// How many entries of the log it had not applied when it was last heard, of those that the node that answered has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
    /// For how many whole days its certificate is good; negative when it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_days: Option<i64>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupStatus {
    /// Its name.
    pub name: GroupName,
    /// The plane that its users are sent to.
    pub plane: PlaneName,
    /// As of this epoch.
    pub epoch: Epoch,
    /// Who decides.
    pub mode: Mode,
    /// What policy says now: `stay`, `hold`, `ask`, `switch`.
    pub decision: String,
    /// Why, in words.
    pub because: String,
    /// Whether it is frozen, and why.
    pub frozen: Option<String>,
    /// By whom, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_by: Option<PlacedBy>,
    /// The ask that waits for an answer, or for ballots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<AskId>,
    /// The switchover that is under way or stuck, if any.
    pub switchover: Option<String>,
    /// Its services.
    pub services: Vec<ServiceStatus>,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceStatus {
    /// Its name.
    pub name: ServiceName,
    /// Whether its outage takes the group out.
    pub critical: bool,
    /// By plane.
    pub planes: BTreeMap<PlaneName, ServiceOnPlane>,
}

/// One service on one plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceOnPlane {
    /// What the quorum says: `up`, `degraded`, `down`, `partial`, `no-data`.
    pub verdict: String,
    /// What each observer says.
    pub reports: BTreeMap<MemberName, HealthState>,
}

/// One gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayStatus {
    /// Its name.
    pub name: GatewayName,
    /// Milliseconds since it was last heard.
    pub silent_ms: u64,
    /// Which epoch of each group it follows.
    pub groups: BTreeMap<GroupName, Epoch>,
}

/// One switchover, whole: `GET /v1/switchovers/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SwitchoverRecord {
    /// Its id.
    pub id: String,
    /// The group.
    pub group: GroupName,
    /// From this plane.
    pub from: PlaneName,
    /// To this one.
    pub to: PlaneName,
    /// `planned`, `forced`, `automatic` or `approved`.
    pub kind: String,
    /// `planned`, `prechecking`, `routing`, `verifying`, `done`, `undoing`, `undone`, `stuck`, `overtaken`.
    pub state: String,
    /// The epoch it was based on.
    pub base: Epoch,
    /// The epoch of the new route, once there is one.
    pub epoch: Option<Epoch>,
    /// Who or what asked for it.
    pub by: String,
    /// Why, in words.
    pub cause: String,
    /// The ballots that decided it: observer → service → plane → state.
    pub ballots: BTreeMap<MemberName, BTreeMap<ServiceName, BTreeMap<PlaneName, HealthState>>>,
    /// The rules by which it was decided; absent in records of rulesets below 3, like the two that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruleset: Option<u32>,
    /// The number of the configuration that was in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_version: Option<u64>,
    /// What each guard said when it was decided: what bars Biplane from moving a group by itself, and no operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<GuardStatus>,
    /// Prechecks that a forced switchover skipped.
    pub skipped: Vec<String>,
    /// When each step was taken.
    pub steps: Vec<StepRecord>,
    /// Who had not shown the new epoch when it ended.
    pub converging: Vec<String>,
    /// How it ended, or what a person has to do.
    pub outcome: String,
}

/// One step of a switchover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepRecord {
    /// `detected`, `decided`, `routed`, `verified`, …
    pub step: String,
    /// Ledger time.
    pub at: LedgerTime,
    /// Wall clock of the leader that logged it.
    pub wall: WallTime,
}

/// `GET /v1/explain/{group}`: why the group is where it is, and what would have to be true for another answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The group, as in `status`.
    pub group: GroupStatus,
    /// Each guard with its value: name, whether it holds, in words.
    pub guards: Vec<GuardStatus>,
    /// What would have to be true to switch.
    pub would_switch_if: Vec<String>,
    /// The last switchover of the group.
    pub last: Option<SwitchoverRecord>,
    /// The open question about the group, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<QuestionStatus>,
    /// The critical services of the group on each plane, summed up from verdicts.
    #[serde(default)]
    pub sums: BTreeMap<PlaneName, String>,
    /// What each observer says and has seen.
    #[serde(default)]
    pub observers: BTreeMap<MemberName, ObserverExplained>,
    /// This node's own last probes: service → plane → check → in words.
    pub probes: BTreeMap<ServiceName, BTreeMap<PlaneName, BTreeMap<CheckName, String>>>,
}

/// One guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardStatus {
    /// `source`, `target`, `drain`, `flap`, `freeze`, `dwell`, `budget`, `in-flight`, `sites`, `mode`.
    pub guard: String,
    /// Whether it lets a switch pass.
    pub open: bool,
    /// Its value, in words.
    pub value: String,
}

/// A question to the observers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuestionStatus {
    /// Its id.
    pub id: String,
    /// Why it was asked.
    pub why: String,
    /// When, by the wall clock of the leader.
    pub asked: WallTime,
}

/// One observer, in an explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObserverExplained {
    /// Where it stands.
    pub site: SiteName,
    /// Whether its words count: it is neither silent nor isolated.
    pub counts: bool,
    /// Why they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What it reports: service → plane.
    pub reports: BTreeMap<ServiceName, BTreeMap<PlaneName, HealthState>>,
    /// Its ballot for the open question: service → plane; absent while it has not voted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ballot: Option<BTreeMap<ServiceName, BTreeMap<PlaneName, HealthState>>>,
    /// Its checks with their thresholds and last samples: service → plane → check, of the group's first fifty services;
    /// absent when it did not answer in time, or was not asked: a stale read asks nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<Seen>,
}
