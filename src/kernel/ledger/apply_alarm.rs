//! Alarms, at apply: raised and cleared by the leader, acknowledged by people, told to others through notices that are
//! kept until each of those who are to be told has them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::apply_access::Done;
use super::apply_admin::{because, shortened};
use super::command::RequestKey;
use super::events::EventKind;
use super::limits;
use super::outcome::{Applied, Outcome, RefusalReason};
use super::state::{Entry, Ledger};
use crate::kernel::domain::{
    AlarmId, EventId, GroupName, Incarnation, MemberId, NotifyName, PlaneName, WallTime,
};

/// What an alarm is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmKind {
    /// A person is asked whether a group may be moved.
    Ask,
    /// A group's active plane is not well, and moving is held.
    Held,
    /// A group's budget of automatic switchovers is used up. Acknowledging it opens a new one.
    Budget,
    /// A plane flapped too often to be a target. Acknowledging it takes the plane as calm.
    Unstable,
    /// A switchover is stuck.
    Stuck,
    /// A member fell silent.
    MemberLost,
    /// A member cannot reach other sites.
    MemberIsolated,
    /// A member runs and takes no part in consensus: its disk failed, or its log is not that of the others.
    MemberApart,
    /// A member's clock differs.
    Clock,
    /// A member's certificate ends soon, or has ended.
    Certificate,
    /// A gateway fell silent.
    GatewayLost,
    /// A gateway is heard and does not follow the route.
    GatewayBehind,
    /// Somebody tries tokens at a member's API.
    Logins,
    /// Somebody who is to be told of alarms cannot be.
    Notify,
    /// More of a kind stands against the cluster than alarms of it are kept.
    More,
}

impl AlarmKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Ask,
        Self::Held,
        Self::Budget,
        Self::Unstable,
        Self::Stuck,
        Self::MemberLost,
        Self::MemberIsolated,
        Self::MemberApart,
        Self::Clock,
        Self::Certificate,
        Self::GatewayLost,
        Self::GatewayBehind,
        Self::Logins,
        Self::Notify,
        Self::More,
    ];

    /// Its name, as programs read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Held => "held",
            Self::Budget => "budget",
            Self::Unstable => "unstable",
            Self::Stuck => "stuck",
            Self::MemberLost => "member-lost",
            Self::MemberIsolated => "member-isolated",
            Self::MemberApart => "member-apart",
            Self::Clock => "clock",
            Self::Certificate => "certificate",
            Self::GatewayLost => "gateway-lost",
            Self::GatewayBehind => "gateway-behind",
            Self::Logins => "logins",
            Self::Notify => "notify",
            Self::More => "more",
        }
    }
}

/// What an alarm is raised for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What kind of thing.
    pub kind: AlarmKind,
    /// Which one: a group, a member, a gateway, a kind of alarm; with the kind it names the alarm.
    pub subject: String,
    /// The group that it concerns, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// The plane that it concerns, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plane: Option<PlaneName>,
    /// A sentence.
    pub text: String,
}

/// An open alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its id.
    pub id: AlarmId,
    /// What it was raised for.
    #[serde(flatten)]
    pub condition: Condition,
    /// When, by the wall clock of the leader.
    pub at: WallTime,
    /// By whom it was acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Done>,
}

/// What happened to an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It was raised.
    Raised,
    /// A person acknowledged it.
    Acknowledged,
    /// It is over.
    Cleared,
}

impl Phase {
    /// Its name, as programs read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Acknowledged => "acknowledged",
            Self::Cleared => "cleared",
        }
    }
}

/// What somebody is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The id of the event that says the same. Who is told twice knows it by this.
    pub id: EventId,
    /// What happened.
    pub phase: Phase,
    /// When, by the wall clock of the leader.
    pub at: WallTime,
    /// The alarm as it is then.
    pub alarm: Arc<Alarm>,
}

/// Open alarms, and what others are still to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarms {
    /// By id.
    pub open: BTreeMap<AlarmId, Arc<Alarm>>,
    /// Oldest first; those that everybody has are gone.
    pub notices: VecDeque<Arc<Notice>>,
    /// The last notice that each has.
    pub told: BTreeMap<NotifyName, EventId>,
}

impl Alarms {
    /// Nothing stands and nobody was ever told anything.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.notices.is_empty() && self.told.is_empty()
    }

    /// The open alarms of a kind, oldest first.
    pub fn of_kind(&self, kind: AlarmKind) -> impl Iterator<Item = &Arc<Alarm>> {
        self.open.values().filter(move |alarm| alarm.condition.kind == kind)
    }

    /// The open alarm about this.
    pub fn about(&self, kind: AlarmKind, subject: &str) -> Option<&Arc<Alarm>> {
        self.of_kind(kind).find(|alarm| alarm.condition.subject == subject)
    }

    /// How many more alarms of a kind there is room for. Each kind has places of its own, so that what outsiders can
    /// make up takes none of what is said of members, groups and planes.
    pub fn room_for(&self, kind: AlarmKind) -> usize {
        limits::ALARMS_OF_KIND.saturating_sub(self.of_kind(kind).count())
    }

    /// The next notice that somebody lacks.
    pub fn next_for(&self, target: &NotifyName) -> Option<&Arc<Notice>> {
        let told = self.told.get(target).copied().unwrap_or_default();
        self.notices.iter().find(|notice| notice.id > told)
    }

    fn newest(&self) -> EventId {
        let told = self.told.values().max().copied().unwrap_or_default();
        self.notices.back().map_or(told, |notice| notice.id.max(told))
    }

    /// One notice too many: the oldest of the kind that has the most goes, so that no kind pushes out another.
    fn forget_a_notice(&mut self) {
        let mut counts: BTreeMap<AlarmKind, usize> = BTreeMap::new();
        for notice in &self.notices {
            *counts.entry(notice.alarm.condition.kind).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count).map(|(kind, _)| kind);
        let of_most = |notice: &Arc<Notice>| Some(notice.alarm.condition.kind) == most;
        if let Some(oldest) = self.notices.iter().position(of_most) {
            self.notices.remove(oldest);
        }
    }
}

impl Ledger {
    /// The leader raises and clears. What stands already, or does not stand, is passed over; how many more there are
    /// may be told anew.
    pub(super) fn alarms(
        &mut self,
        entry: &mut Entry,
        raised: Vec<Condition>,
        cleared: Vec<AlarmId>,
    ) {
        if self.knows_no_alarms(entry, "alarms") {
            return;
        }
        for id in cleared {
            let alarm = Arc::make_mut(&mut self.alarms).open.remove(&id);
            if let Some(alarm) = alarm {
                self.tell_alarm(entry, Phase::Cleared, &alarm, None);
            }
        }
        #[cfg(feature = "mutants")]
        let raised = self.in_own_order(raised);
        for condition in raised {
            let kind = condition.kind;
            match self.alarms.about(kind, &condition.subject).map(|known| known.id) {
                Some(known) if kind == AlarmKind::More => self.count_anew(known, condition.text),
                Some(_) => {}
                None if self.alarms.room_for(kind) > 0 => self.raise_alarm(entry, condition),
                None => {}
            }
        }
    }

    /// Another number of the same is no news, and nobody is woken by it.
    fn count_anew(&mut self, id: AlarmId, text: String) {
        if let Some(alarm) = Arc::make_mut(&mut self.alarms).open.get_mut(&id) {
            Arc::make_mut(alarm).condition.text = shortened(text);
        }
    }

    fn raise_alarm(&mut self, entry: &mut Entry, condition: Condition) {
        let id = AlarmId { index: entry.index, nth: entry.raised };
        entry.raised += 1;
        let condition = Condition { text: shortened(condition.text), ..condition };
        let alarm = Arc::new(Alarm { id, condition, at: self.wall, acknowledged: None });
        Arc::make_mut(&mut self.alarms).open.insert(id, Arc::clone(&alarm));
        self.tell_alarm(entry, Phase::Raised, &alarm, None);
    }

    pub(super) fn acknowledge(
        &mut self,
        entry: &mut Entry,
        (request, by): (RequestKey, String),
        id: AlarmId,
        reason: String,
    ) {
        if self.knows_no_alarms(entry, "acknowledge") {
            return;
        }
        if let Some(outcome) = self.settled.outcome(&request).cloned() {
            return entry.applied.push(Applied::Settled(request, outcome));
        }
        let done = Done { by, at: self.wall };
        let known = Arc::make_mut(&mut self.alarms).open.get_mut(&id);
        let Some(alarm) = known.map(Arc::make_mut) else {
            let refused = Outcome::Refused(RefusalReason::NoSuchAlarm(id));
            return self.settle(entry, request, refused);
        };
        // The first to take it has it.
        if alarm.acknowledged.is_none() {
            alarm.acknowledged = Some(done);
            let alarm = Arc::new(alarm.clone());
            self.take_acknowledgement(entry, &alarm);
            self.tell_alarm(entry, Phase::Acknowledged, &alarm, Some(&shortened(reason)));
        }
        self.settle(entry, request, Outcome::Done {});
    }

    /// Two guards end by an acknowledgement: a person has looked.
    fn take_acknowledgement(&mut self, entry: &mut Entry, alarm: &Alarm) {
        let Some(group) = &alarm.condition.group else { return };
        match alarm.condition.kind {
            AlarmKind::Budget => {
                if let Some(state) = Arc::make_mut(&mut self.groups).get_mut(group) {
                    state.automatic.clear();
                }
            }
            AlarmKind::Unstable => self.take_as_calm(group, alarm.condition.plane.as_ref()),
            _ => return,
        }
        entry.applied.push(Applied::Guards);
    }

    fn take_as_calm(&mut self, group: &GroupName, plane: Option<&PlaneName>) {
        let Some(config) = self.config.clone() else { return };
        let plane = plane.and_then(|plane| config.plane_index(plane));
        let (Some(plane), Some(group)) = (plane, config.groups.get(group)) else { return };
        let flaps = Arc::make_mut(&mut self.flaps);
        for service in &group.services {
            if let Some(times) = flaps.get_mut(service) {
                times[plane].clear();
            }
        }
    }

    /// An event for those who follow, a notice for those who are to be told.
    fn tell_alarm(
        &mut self,
        entry: &mut Entry,
        phase: Phase,
        alarm: &Arc<Alarm>,
        reason: Option<&str>,
    ) {
        let Condition { kind, subject, text, group, .. } = &alarm.condition;
        let id = alarm.id;
        let said = match phase {
            Phase::Raised => format!("{id} {}: {text}", kind.as_str()),
            Phase::Cleared => format!("{id} {} of {subject} is over", kind.as_str()),
            Phase::Acknowledged => {
                let by = alarm.acknowledged.as_ref().map_or("", |done| done.by.as_str());
                format!("{id} acknowledged by {by}{}", because(reason.unwrap_or_default()))
            }
        };
        entry.applied.push(Applied::Alarm(id, phase));
        let Some(event) = self.tell(entry, EventKind::Alarm, group.clone(), said) else { return };
        if self.config.as_ref().is_none_or(|config| config.notify.is_empty()) {
            return;
        }
        let notice = Notice { id: event, phase, at: self.wall, alarm: Arc::clone(alarm) };
        let alarms = Arc::make_mut(&mut self.alarms);
        alarms.notices.push_back(Arc::new(notice));
        if alarms.notices.len() > limits::NOTICES_KEPT {
            alarms.forget_a_notice();
        }
    }

    /// Somebody has a notice, and all before it.
    pub(super) fn notified(&mut self, entry: &mut Entry, target: NotifyName, notice: EventId) {
        if self.knows_no_alarms(entry, "notified") {
            return;
        }
        let Some(config) = self.config.clone() else { return };
        if !config.notify.contains_key(&target) || notice > self.alarms.newest() {
            return;
        }
        let alarms = Arc::make_mut(&mut self.alarms);
        let told = alarms.told.entry(target).or_default();
        *told = notice.max(*told);
        let all = config.notify.keys().map(|name| alarms.told.get(name).copied());
        let all = all.min().flatten().unwrap_or_default();
        while alarms.notices.front().is_some_and(|notice| notice.id <= all) {
            alarms.notices.pop_front();
        }
    }

    /// Who is to be told is another: history is not for those who are new.
    pub(super) fn take_notify(&mut self) {
        let Some(config) = self.config.clone() else { return };
        if self.alarms.told.is_empty() && config.notify.is_empty() {
            return;
        }
        let newest = self.alarms.newest();
        let alarms = Arc::make_mut(&mut self.alarms);
        alarms.told.retain(|name, _| config.notify.contains_key(name));
        for name in config.notify.keys() {
            alarms.told.entry(name.clone()).or_insert(newest);
        }
        if config.notify.is_empty() {
            alarms.notices.clear();
        }
    }

    /// The last that the log holds of what a member said of failed logins.
    pub fn logins_told(&self, member: MemberId) -> Option<(Incarnation, u64)> {
        self.logins.get(&member).copied()
    }

    /// Somebody tried tokens that are not good, or came without one, at a member's API.
    pub(super) fn logins_failed(
        &mut self,
        entry: &mut Entry,
        member: MemberId,
        word: (Incarnation, u64),
        count: u64,
        from: &str,
    ) {
        if self.knows_no_alarms(entry, "logins-failed") {
            return;
        }
        let Some(config) = self.config.clone() else { return };
        let Some(known) = config.members.get(&member) else { return };
        let heard = self.logins.get(&member).copied();
        if heard.is_some_and(|heard| heard >= word) {
            return;
        }
        self.logins.insert(member, word);
        let from: String = from.chars().take(limits::ADDRESS_CHARS).collect();
        let text = format!("{count} failed logins at {}, the last from {from}", known.name);
        self.tell(entry, EventKind::Login, None, text);
        entry.applied.push(Applied::Logins(member));
    }
}
