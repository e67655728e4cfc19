//! Alarms: once a second the leader looks at what stands against the cluster, and logs what is new and what is over.
//! All that it remembers is since when it has seen what; the ledger holds what stands.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::alarm_places::LeftOut;
use super::lead::Held;
use super::show::denied;
use super::{Controller, limits};
use crate::kernel::domain::{AlarmId, AskId, GroupName, MemberId, Moment, pairs};
use crate::kernel::ledger::{
    ALARMS_SINCE, Alarm, AlarmKind, Ask, AskState, Command, Condition, Evidence,
};
use crate::kernel::policy::{Decision, Hold};
use crate::kernel::switchover::State;

/// What an alarm is about: its kind and its subject.
pub(super) type About = (AlarmKind, String);

/// Since when the leader has seen what.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Alarming {
    /// When to look again.
    due: Moment,
    /// Conditions that are not alarms yet.
    #[serde(with = "pairs")]
    pub(super) seen: BTreeMap<About, Moment>,
    /// Alarms whose condition is not seen any more.
    gone: BTreeMap<AlarmId, Moment>,
    /// How many more of a kind than are kept this leader said that there are.
    pub(super) more: BTreeMap<AlarmKind, usize>,
    /// The last ask that was looked at, while not all were.
    looked_at: Option<AskId>,
    /// When a member last said that it turned logins away.
    pub(super) logins: BTreeMap<MemberId, Moment>,
}

impl Alarming {
    pub(super) const fn due(&self) -> Moment {
        self.due
    }
}

/// Conditions by what they are about.
#[derive(Default)]
pub(super) struct Conditions(pub(super) BTreeMap<About, Condition>);

impl Conditions {
    fn add(&mut self, kind: AlarmKind, subject: &str, text: String) -> &mut Condition {
        let subject = subject.to_owned();
        let condition =
            Condition { kind, subject: subject.clone(), group: None, plane: None, text };
        self.0.entry((kind, subject)).or_insert(condition)
    }

    fn add_of_group(&mut self, kind: AlarmKind, group: &GroupName, text: String) {
        self.add(kind, group.as_str(), text).group = Some(group.clone());
    }
}

impl Controller {
    /// The leader's look, when it is due.
    pub(super) fn watch_conditions(&mut self) {
        if self.now < self.leading.alarming.due {
            return;
        }
        self.leading.alarming.due = self.now + limits::ALARM_LOOK;
        if self.ledger.ruleset() < ALARMS_SINCE || self.ledger.config().is_none() {
            return;
        }
        self.end_by_time();
        self.watch_asks();
        let conditions = self.conditions();
        let (raised, left_out) = self.newly_raised(&conditions);
        let cleared = self.newly_cleared(&conditions, &left_out);
        if !raised.is_empty() || !cleared.is_empty() {
            self.leading.push_own(Command::Alarms { raised, cleared });
        }
    }

    /// What ends by itself ends when the log says that its time has come.
    fn end_by_time(&mut self) {
        let Some((since, time)) = self.leading.base else { return };
        let timer = self.ledger.next_timer();
        if timer.is_some_and(|timer| timer <= time + self.now.since(since))
            && self.leading.outbox.is_empty()
        {
            self.leading.push_own(Command::Tick {});
        }
    }

    /// Open alarms whose condition has been gone for long enough.
    fn newly_cleared(&mut self, conditions: &Conditions, left_out: &LeftOut) -> Vec<AlarmId> {
        let kept = Arc::clone(self.ledger.alarms_kept());
        let more: BTreeSet<&str> = left_out.keys().map(|kind| kind.as_str()).collect();
        let stands = |alarm: &Alarm| {
            let condition = &alarm.condition;
            let about = (condition.kind, condition.subject.clone());
            conditions.0.contains_key(&about)
                || (condition.kind == AlarmKind::More && more.contains(condition.subject.as_str()))
        };
        let now = self.now;
        let gone = &mut self.leading.alarming.gone;
        gone.retain(|id, _| kept.open.get(id).is_some_and(|alarm| !stands(alarm)));
        let mut cleared = Vec::new();
        for (id, alarm) in &kept.open {
            if stands(alarm) {
                continue;
            }
            let since = *gone.entry(*id).or_insert(now);
            let wait = if alarm.condition.kind == AlarmKind::Ask {
                std::time::Duration::ZERO
            } else {
                limits::ALARM_CLEARS
            };
            if now.since(since) >= wait {
                cleared.push(*id);
            }
        }
        cleared
    }

    fn conditions(&self) -> Conditions {
        let mut all = Conditions::default();
        self.conditions_of_groups(&mut all);
        self.conditions_of_members(&mut all);
        self.conditions_of_others(&mut all);
        all
    }

    fn conditions_of_groups(&self, all: &mut Conditions) {
        for ask in self.ledger.asks().values().filter(|ask| ask.state == AskState::Open {}) {
            let (group, to, cause) = (&ask.group, &ask.to, &ask.cause);
            let text = format!(
                "may {group} be moved to {to}? {cause}: `biplane approve {group}` or `deny`"
            );
            all.add_of_group(AlarmKind::Ask, group, text);
        }
        for group in self.held_groups() {
            self.condition_of_held(group, all);
        }
        for (group, plane) in self.ledger.unstable_planes() {
            let text = format!(
                "{plane} flapped too often to be a target of {group}; `biplane ack` takes it as calm"
            );
            let subject = format!("{group} on {plane}");
            let condition = all.add(AlarmKind::Unstable, &subject, text);
            condition.group = Some(group);
            condition.plane = Some(plane);
        }
        let stuck = self.ledger.switchovers().values().filter(|s| s.state == State::Stuck);
        for switchover in stuck {
            let last = self.ledger.groups().get(&switchover.group).and_then(|g| g.switchover);
            if last == Some(switchover.id) {
                let text = format!("{} is stuck: {}", switchover.id, switchover.outcome);
                all.add_of_group(AlarmKind::Stuck, &switchover.group, text);
            }
        }
    }

    /// Groups that may be held, because a question about them is open or ended without a move: those with an open alarm,
    /// and so many of the others. To judge all of ten thousand every second would cost more than it tells.
    pub(super) fn held_groups(&self) -> BTreeSet<&GroupName> {
        let (held, backoff) = (&self.leading.held, &self.leading.backoff);
        let open = self.ledger.alarms_kept().open.values();
        let open = open.filter_map(|alarm| {
            let group = alarm.condition.group.as_ref()?;
            (held.contains_key(group) || backoff.contains_key(group)).then_some(group)
        });
        let most = limits::HELD_LOOKED_AT;
        open.chain(held.keys().take(most)).chain(backoff.keys().take(most)).collect()
    }

    fn condition_of_held(&self, group: &GroupName, all: &mut Conditions) {
        if let Some((ask, done)) = self.ledger.denied(group) {
            let text = format!("{group} is not moved: {}", denied(ask, done));
            return all.add_of_group(AlarmKind::Held, group, text);
        }
        let Some(reasons) = self.held_by(group) else { return };
        let budget = reasons.iter().any(|hold| matches!(hold, Hold::Budget { .. }));
        let text = format!("{group} is not moved: {}", Decision::Hold(reasons));
        all.add_of_group(AlarmKind::Held, group, text);
        if budget {
            let text = format!(
                "{group}: the budget of automatic switchovers is used up; `biplane ack` opens a new one"
            );
            all.add_of_group(AlarmKind::Budget, group, text);
        }
    }

    /// Why a group is not moved though its plane is not well. Between two questions, of which the later come ever more
    /// slowly, reports say it: an alarm stands for as long as its cause.
    fn held_by(&self, group: &GroupName) -> Option<Vec<Hold>> {
        let state = self.ledger.groups().get(group)?;
        let evidence = match state.question {
            Some(question) => {
                let told = self.leading.held.get(group)?;
                (!matches!(told, Held::Voting(_))).then_some(Evidence::Ballots(question))?
            }
            None if self.ledger.in_flight(group) => return None,
            None => {
                self.speaks_against(group)?;
                Evidence::Reports
            }
        };
        match self.ledger.decision(group, evidence)? {
            Decision::Hold(reasons) => Some(reasons),
            Decision::Switch | Decision::Ask | Decision::Stay => None,
        }
    }

    fn conditions_of_members(&self, all: &mut Conditions) {
        let Some(config) = self.ledger.config() else { return };
        let cards = self.all_cards();
        let wall = self.wall_now();
        for (id, known, _) in config.all_observers() {
            let (id, name) = (&id, known.as_str());
            let voter = config.members.contains_key(id);
            let what = if voter { "member" } else { "observer" };
            let state = self.ledger.observers().get(id);
            if self.apart.contains(id) {
                let text = format!("member {name} runs and takes no part: its log says why");
                all.add(AlarmKind::MemberApart, name, text);
            } else if state.is_some_and(|state| state.lost) || self.never_heard(*id) {
                let text = if voter {
                    format!("member {name} fell silent: its words do not count")
                } else {
                    format!("observer {name} is not heard: its word counts for nothing")
                };
                all.add(AlarmKind::MemberLost, name, text);
            } else if state.is_some_and(|state| state.isolated) {
                let text =
                    format!("{what} {name} cannot reach other sites: its votes do not count");
                all.add(AlarmKind::MemberIsolated, name, text);
            }
            let card = cards.get(id);
            let shown = super::show::card_warnings(known, card, wall);
            if let Some(text) = shown.clock {
                all.add(AlarmKind::Clock, name, text);
            }
            if let Some(text) = shown.certificate {
                all.add(AlarmKind::Certificate, name, text);
            }
            let knocked = self.leading.alarming.logins.get(id);
            if knocked.is_some_and(|at| self.now.since(*at) < limits::LOGINS_STAND) {
                let text = format!(
                    "tokens that are not good are tried at member {name}: `biplane events`"
                );
                all.add(AlarmKind::Logins, name, text);
            }
        }
    }

    /// A member of which this process has never heard, though it was up for long enough.
    fn never_heard(&self, id: MemberId) -> bool {
        id != self.me
            && !self.heard.contains_key(&id)
            && self.now.since(self.started) > self.timing().observer_silence
    }

    fn conditions_of_others(&self, all: &mut Conditions) {
        for (name, heard) in &self.gateways {
            let silent = self.now.since(heard.at);
            if silent > limits::GATEWAY_LOST && silent < limits::GATEWAY_FORGOTTEN {
                let text =
                    format!("gateway {name} fell silent: see its log and its way to the API");
                all.add(AlarmKind::GatewayLost, name.as_str(), text);
            }
            if let Some(text) = self.behind_in_words(name, heard) {
                all.add(AlarmKind::GatewayBehind, name.as_str(), text);
            }
        }
        for (name, why) in self.notifying.failing() {
            let text = format!("`{name}` cannot be told of alarms: {why}");
            all.add(AlarmKind::Notify, name.as_str(), text);
        }
    }

    /// Asks die with their cause; what was approved is asked about anew until ballots decide. Who denied is not asked again
    /// before its time, but may be when the cause was gone in between. So many at a time, one after the other.
    fn watch_asks(&mut self) {
        let current = |ask: &&Arc<Ask>| {
            let denied = matches!(ask.state, AskState::Denied { .. });
            let group = self.ledger.groups().get(&ask.group);
            ask.state.live() || (denied && group.is_some_and(|state| state.ask == Some(ask.id)))
        };
        let after = self.leading.alarming.looked_at.map_or(Bound::Unbounded, Bound::Excluded);
        let asks: Vec<Arc<Ask>> = self
            .ledger
            .asks()
            .range((after, Bound::Unbounded))
            .map(|(_, ask)| ask)
            .filter(current)
            .take(limits::ASKS_LOOKED_AT)
            .cloned()
            .collect();
        let whole = asks.len() < limits::ASKS_LOOKED_AT;
        self.leading.alarming.looked_at = asks.last().map(|ask| ask.id).filter(|_| !whole);
        for ask in asks {
            match self.why_over(&ask) {
                Some(why) => {
                    let why = why.to_owned();
                    self.leading.push_own(Command::AskOver { ask: ask.id, why });
                }
                None if matches!(ask.state, AskState::Approved { .. }) => {
                    self.ask_soon(&ask.group);
                }
                None => {}
            }
        }
    }

    /// Why there is nothing to ask about any more, if there is not.
    fn why_over(&self, ask: &Ask) -> Option<&'static str> {
        let route = self.ledger.routes().get(&ask.group);
        if route.is_none_or(|route| route.epoch != ask.base) {
            return Some("the route has changed since");
        }
        let facts = self.ledger.facts(&ask.group, Evidence::Reports)?;
        // Reports may come later than the ballots that say the same: whoever asked by those would ask again at once.
        let question = self.ledger.groups().get(&ask.group).and_then(|state| state.question);
        let voted = question.and_then(|q| self.ledger.facts(&ask.group, Evidence::Ballots(q)));
        let voted_out = voted
            .is_some_and(|voted| voted.source.out(voted.out_when, voted.policy.degraded_is_out));
        (facts.source.good() && !voted_out).then_some("the active plane is well again")
    }

    /// An ask took a step: what was approved is asked about at once, of all observers.
    pub(super) fn lead_ask(&mut self, id: AskId) {
        let Some(ask) = self.ledger.asks().get(&id).cloned() else { return };
        self.leading.asking_people.remove(&ask.group);
        self.leading.alarming.due = self.now;
        if let AskState::Approved { done, .. } = &ask.state {
            self.leading.backoff.remove(&ask.group);
            self.leading.ask_at.remove(&ask.group);
            if !self.leading.asking.contains(&ask.group) {
                let why = format!("{} approved {id}", done.by);
                self.ask_about([ask.group.clone()].into(), &why);
            }
        }
    }
}

/// How long a condition stands until it is an alarm: what passes by itself in a moment wakes nobody.
pub(super) const fn patience(kind: AlarmKind) -> std::time::Duration {
    match kind {
        AlarmKind::Ask | AlarmKind::Stuck | AlarmKind::Logins | AlarmKind::Notify => {
            std::time::Duration::ZERO
        }
        AlarmKind::GatewayBehind => limits::GATEWAY_BEHIND,
        _ => limits::ALARM_STANDS,
    }
}
