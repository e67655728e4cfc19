//! The view as lists of what waits for a person.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view::View;
use crate::kernel::domain::{
    AlarmId, AskId, Epoch, GroupName, LedgerTime, PlaneName, SwitchoverId, WallTime,
};
use crate::kernel::ledger::{Alarm, AlarmKind, Ask, AskState, Done};

/// One ask: `GET /v1/asks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskStatus {
    /// Its id.
    pub id: AskId,
    /// May this group
    pub group: GroupName,
    /// be moved there?
    pub to: PlaneName,
    /// The epoch of the route that is asked about.
    pub base: Epoch,
    /// What speaks against the active plane.
    pub cause: String,
    /// When it was asked.
    pub at: WallTime,
    /// `open`, `approved`, `denied`, `switched`, `over`.
    pub state: String,
    /// Milliseconds of ledger time that are left: to answer, or for ballots once approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u64>,
    /// Who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Done>,
    /// The switchover that carried it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switchover: Option<SwitchoverId>,
    /// Why it is over without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One open alarm: `GET /v1/alarms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlarmStatus {
    /// Its id.
    pub id: AlarmId,
    /// What kind of thing.
    pub kind: AlarmKind,
    /// Which one: a group, a member, a gateway.
    pub subject: String,
    /// The group that it concerns, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// The plane that it concerns, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plane: Option<PlaneName>,
    /// A sentence.
    pub text: String,
    /// When it was raised.
    pub at: WallTime,
    /// By whom it was acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Done>,
}

impl View {
    /// Every ask that the ledger still holds, newest first.
    pub fn asks(&self) -> Vec<AskStatus> {
        let now = self.ledger.time();
        self.ledger.asks().values().rev().map(|ask| ask_status(ask, now)).collect()
    }

    /// One of them.
    pub fn ask(&self, id: AskId) -> Option<AskStatus> {
        let now = self.ledger.time();
        self.ledger.asks().get(&id).map(|ask| ask_status(ask, now))
    }

    /// Every open alarm, oldest first.
    pub fn alarms(&self) -> Vec<AlarmStatus> {
        let open = &self.ledger.alarms_kept().open;
        open.values().map(|alarm| alarm_status(alarm)).collect()
    }

    /// How many alarms of each kind are open.
    pub fn alarms_by_kind(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for alarm in self.ledger.alarms_kept().open.values() {
            *counts.entry(alarm.condition.kind.as_str().to_owned()).or_default() += 1;
        }
        counts
    }

    /// What waits for a person, in words.
    pub(super) fn waiting(&self) -> impl Iterator<Item = String> {
        let open = |ask: &&std::sync::Arc<Ask>| ask.state == AskState::Open {};
        let asks = self.ledger.asks().values().filter(open).count();
        let unseen = |alarm: &&std::sync::Arc<Alarm>| alarm.acknowledged.is_none();
        let alarms = self.ledger.alarms_kept().open.values().filter(unseen).count();
        let counted = |count: usize, one: &str, more: &str, command: &str| {
            let what = if count == 1 { one } else { more };
            (count > 0).then(|| format!("{count} {what}: `biplane {command}`"))
        };
        let asks = counted(asks, "ask waits for an answer", "asks wait for an answer", "pending");
        let alarms = counted(
            alarms,
            "alarm that nobody has acknowledged",
            "alarms that nobody has acknowledged",
            "alarms",
        );
        asks.into_iter().chain(alarms)
    }
}

fn ask_status(ask: &Ask, now: LedgerTime) -> AskStatus {
    let left_ms = ask.state.live().then(|| ask.until.0.saturating_sub(now.0));
    let (mut answered, mut switchover, mut why) = (None, None, None);
    match &ask.state {
        AskState::Open {} => {}
        AskState::Approved { done, .. } | AskState::Denied { done } => {
            answered = Some(done.clone());
        }
        AskState::Switched { switchover: id } => switchover = Some(*id),
        AskState::Over { why: reason } => why = Some(reason.clone()),
    }
    AskStatus {
        id: ask.id,
        group: ask.group.clone(),
        to: ask.to.clone(),
        base: ask.base,
        cause: ask.cause.clone(),
        at: ask.at,
        state: ask.state.word().to_owned(),
        left_ms,
        answered,
        switchover,
        why,
    }
}

fn alarm_status(alarm: &Alarm) -> AlarmStatus {
    let condition = &alarm.condition;
    AlarmStatus {
        id: alarm.id,
        kind: condition.kind,
        subject: condition.subject.clone(),
        group: condition.group.clone(),
        plane: condition.plane.clone(),
        text: condition.text.clone(),
        at: alarm.at,
        acknowledged: alarm.acknowledged.clone(),
    }
}
