//! The replicated state and its fold. Cheap to clone: the large parts are shared until they change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::apply_access::TokenState;
use super::apply_admin::Wish;
use super::apply_alarm::Alarms;
use super::apply_ask::Ask;
use super::apply_config::KeptConfig;
use super::audit::Audit;
use super::cluster::Cluster;
use super::command::{Command, RequestKey};
use super::envelope::Envelope;
use super::events::Events;
use super::limits;
use super::outcome::{Applied, Outcome, RefusalReason, Refused};
use super::settled::Settled;
use super::timers::Placed;
use crate::kernel::domain::{
    AskId, Epoch, GroupName, Incarnation, LedgerTime, MemberId, PlaneName, PrincipalName,
    QuestionId, Route, ServiceName, StatePair, SwitchoverId, WallTime,
};
use crate::kernel::switchover::Switchover;
use crate::kernel::zone::next_serial;

/// What the cluster has agreed of one group, beside its route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupState {
    /// The open question about it.
    pub question: Option<QuestionId>,
    /// Its last switchover, ended or not.
    pub switchover: Option<SwitchoverId>,
    /// When its route last changed; absent while it never has.
    pub changed_at: Option<LedgerTime>,
    /// Whether that change gave the old plane up, so that gateways cut what still goes there.
    pub cut: bool,
    /// When automatic switchovers of it were decided, oldest first.
    pub automatic: Vec<LedgerTime>,
    /// Why it is frozen.
    pub frozen: Option<String>,
    /// By whom, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_by: Option<Placed>,
    /// The ask about it: open, approved, or denied a while ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<AskId>,
}

/// What the cluster has heard of one observer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserverState {
    /// Its process.
    pub incarnation: Incarnation,
    /// The last word of it that counts.
    pub seq: u64,
    /// Whether it fell silent.
    pub lost: bool,
    /// Whether it cannot reach other sites.
    pub isolated: bool,
    /// Its reports.
    pub states: Arc<BTreeMap<ServiceName, StatePair>>,
}

/// One observer's answer to one question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    /// Its process.
    pub incarnation: Incarnation,
    /// Which of its words.
    pub seq: u64,
    /// Whether it cannot reach other sites.
    pub isolated: bool,
    /// Its states.
    pub states: BTreeMap<ServiceName, StatePair>,
}

/// A question and its ballots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// About which groups.
    pub groups: Arc<BTreeSet<GroupName>>,
    /// Of which configuration.
    pub config: u64,
    /// When it was asked.
    pub asked_at: LedgerTime,
    /// The same by the wall clock of the leader that asked.
    #[serde(default)]
    pub asked_wall: WallTime,
    /// When its window ends.
    pub until: LedgerTime,
    /// What made the leader ask.
    pub why: String,
    /// Whether ballots still count.
    pub open: bool,
    /// By observer.
    pub ballots: BTreeMap<MemberId, Arc<Ballot>>,
}

/// What the cluster has agreed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    pub(super) index: u64,
    pub(super) term: u64,
    pub(super) time: LedgerTime,
    pub(super) wall: WallTime,
    pub(super) generation: u32,
    /// 0 means 1: nothing was raised yet.
    #[serde(default)]
    pub(super) ruleset: u32,
    pub(super) config: Option<Arc<Cluster>>,
    pub(super) config_version: u64,
    /// Texts of the newest configurations, by number.
    #[serde(default, skip_serializing_if = "no_configs")]
    pub(super) configs: Arc<BTreeMap<u64, Arc<KeptConfig>>>,
    /// Tokens by name.
    #[serde(default, skip_serializing_if = "no_tokens")]
    pub(super) tokens: Arc<BTreeMap<PrincipalName, Arc<TokenState>>>,
    /// What happened, the newest of it.
    #[serde(default, skip_serializing_if = "no_events")]
    pub(super) events: Arc<Events>,
    /// Questions to people, the live ones and the newest of the others.
    #[serde(default, skip_serializing_if = "no_asks")]
    pub(super) asks: Arc<BTreeMap<AskId, Arc<Ask>>>,
    /// What stands against the cluster.
    #[serde(default, skip_serializing_if = "no_alarms")]
    pub(super) alarms: Arc<Alarms>,
    /// Who drained the planes, and until when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) drains: BTreeMap<PlaneName, Placed>,
    /// What each member last said of failed logins.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) logins: BTreeMap<MemberId, (Incarnation, u64)>,
    pub(super) revision: u64,
    pub(super) routes: Arc<BTreeMap<GroupName, Route>>,
    pub(super) groups: Arc<BTreeMap<GroupName, GroupState>>,
    pub(super) observers: BTreeMap<MemberId, ObserverState>,
    pub(super) questions: BTreeMap<QuestionId, Question>,
    pub(super) switchovers: Arc<BTreeMap<SwitchoverId, Arc<Switchover>>>,
    pub(super) drained: BTreeMap<PlaneName, String>,
    pub(super) flaps: Arc<BTreeMap<ServiceName, [Vec<LedgerTime>; 2]>>,
    pub(super) serials: BTreeMap<String, u32>,
    pub(super) settled: Arc<Settled>,
    pub(super) audit: Audit,
    /// Which group a service belongs to: follows from `config`.
    #[serde(skip)]
    pub(super) group_of: Arc<BTreeMap<ServiceName, GroupName>>,
    /// When the next thing ends by itself: follows from what does.
    #[serde(skip)]
    pub(super) next_timer: Option<LedgerTime>,
    /// Where and when it is applied, which no apply may ask: for the faults that do.
    #[cfg(feature = "mutants")]
    #[serde(skip)]
    pub(super) here: (u64, WallTime),
}

/// What is known while one entry is applied.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) index: u64,
    pub(super) term: u64,
    /// Switchovers that this entry decided so far.
    pub(super) decided: u32,
    /// Events that this entry made so far.
    pub(super) told: u32,
    /// Asks that this entry made so far.
    pub(super) asked: u32,
    /// Alarms that this entry raised so far.
    pub(super) raised: u32,
    /// Groups whose route changed.
    pub(super) routed: BTreeSet<GroupName>,
    pub(super) applied: Vec<Applied>,
}

impl Ledger {
    /// The rules by which commands are ratified: [`super::RULESET`] of the oldest member.
    pub fn ruleset(&self) -> u32 {
        self.ruleset.max(1)
    }

    /// Applies one committed entry. Total: what cannot be done is refused with a reason.
    ///
    /// # Panics
    /// When entries come out of order: that is a bug of consensus, and going on would lose history.
    pub fn apply(&mut self, index: u64, term: u64, data: &[u8]) -> Vec<Applied> {
        assert_eq!(index, self.index + 1, "entries are applied in order, without gaps");
        assert!(term >= self.term, "terms never go back along the log");
        let mut entry = Entry {
            index,
            term,
            decided: 0,
            told: 0,
            asked: 0,
            raised: 0,
            routed: BTreeSet::new(),
            applied: Vec::new(),
        };
        self.index = index;
        if term > self.term {
            self.term = term;
            self.close_questions(&mut entry, |_| true);
            self.mark_change_of_leader(term);
        }
        if data.is_empty() {
            return entry.applied;
        }
        self.audit.chain(index, term, data);
        match Envelope::decode(data) {
            Ok((envelope, unknown)) => self.apply_envelope(&mut entry, envelope, unknown),
            Err(why) => {
                let reason = RefusalReason::Unknown(why);
                entry.applied.push(Applied::Refused(Refused::Entry, reason));
            }
        }
        self.raise_serials(&entry.routed);
        self.forget_the_old();
        entry.applied
    }

    fn apply_envelope(
        &mut self,
        entry: &mut Entry,
        envelope: Envelope,
        unknown: Vec<(usize, String)>,
    ) {
        self.time = self.time.max(envelope.at);
        self.wall = self.wall.max(envelope.wall);
        #[cfg(feature = "mutants")]
        self.look_at_own_clock();
        let now = self.time;
        self.close_questions(entry, |question| question.until <= now);
        self.pass_time(entry);
        for (_, why) in unknown {
            entry.applied.push(Applied::Refused(Refused::Command, RefusalReason::Unknown(why)));
        }
        for command in envelope.commands {
            self.apply_command(entry, command);
        }
    }

    fn apply_command(&mut self, entry: &mut Entry, command: Command) {
        match command {
            Command::Configure(cluster) => self.configure(entry, *cluster),
            Command::Reconfigure(command) => self.reconfigure(entry, command),
            Command::ConfigText { version, text } => self.keep_text(entry, version, text),
            Command::Tick {} => {}
            Command::Token { request, by, name, change } => {
                self.token(entry, request, by, name, change);
            }
            Command::Raise { ruleset } => self.ruleset = self.ruleset.max(ruleset),
            Command::Report { observer, incarnation, seq, isolated, states } => {
                self.report(entry, observer, (incarnation, seq), isolated, states);
            }
            Command::ObserverLost { observer, incarnation } => {
                self.observer_lost(entry, observer, incarnation);
            }
            Command::Question { groups, config, why } => self.ask(entry, groups, config, why),
            Command::Ballot { question, observer, incarnation, seq, isolated, states } => {
                self.vote(entry, question, observer, (incarnation, seq), isolated, states);
            }
            Command::Decide { question, moves } => self.decide(entry, question, moves),
            Command::Switch(switch) => self.switch(entry, switch),
            Command::Advance { switchover, event, question, converging, note } => {
                self.advance(entry, switchover, event, question, converging, note);
            }
            Command::Freeze { request, by, groups, on, reason, for_ms, abort } => {
                let wish = Wish { on, reason, for_ms };
                self.freeze(entry, (request, by), groups, wish, abort);
            }
            Command::Drain { request, by, plane, on, reason, for_ms } => {
                self.drain(entry, (request, by), plane, Wish { on, reason, for_ms });
            }
            Command::Ask { question, moves } => self.ask_people(entry, question, moves),
            Command::AskOver { ask, why } => self.ask_over(entry, ask, why),
            Command::Answer { request, by, ask, approve, reason } => {
                self.answer(entry, (request, by), ask, approve, reason);
            }
            Command::Alarms { raised, cleared } => self.alarms(entry, raised, cleared),
            Command::Acknowledge { request, by, alarm, reason } => {
                self.acknowledge(entry, (request, by), alarm, reason);
            }
            Command::Notified { target, notice } => self.notified(entry, target, notice),
            Command::LoginsFailed { member, incarnation, seq, count, from } => {
                self.logins_failed(entry, member, (incarnation, seq), count, &from);
            }
        }
    }

    /// A zone's serial grows by one when its rendered content changes: when a route that it shows does.
    fn raise_serials(&mut self, routed: &BTreeSet<GroupName>) {
        if routed.is_empty() {
            return;
        }
        self.revision = self.index;
        let Some(config) = self.config.clone() else { return };
        for (origin, zone) in &config.zones {
            if zone.names.iter().any(|name| routed.contains(&name.group)) {
                let serial = self.serials.entry(origin.clone()).or_insert(0);
                *serial = next_serial(*serial);
            }
        }
    }

    fn forget_the_old(&mut self) {
        while self.questions.len() > limits::QUESTIONS_KEPT {
            let Some(oldest) = self.questions.iter().find(|(_, q)| !q.open).map(|(id, _)| *id)
            else {
                break;
            };
            self.questions.remove(&oldest);
        }
        // The last of each group stays in any case. Room for as many again as are kept, so that not every entry of a
        // move of thousands looks through all of them.
        let kept = limits::SWITCHOVERS_KEPT + self.groups.len();
        if self.switchovers.len() > kept + limits::SWITCHOVERS_KEPT {
            self.forget_switchovers(kept);
        }
        let oldest = LedgerTime(self.time.0.saturating_sub(
            u64::try_from(limits::OUTCOMES_KEPT_FOR.as_millis()).unwrap_or(u64::MAX),
        ));
        if self.settled.is_due(oldest) {
            Arc::make_mut(&mut self.settled).forget(oldest);
        }
    }

    fn forget_switchovers(&mut self, kept: usize) {
        let excess = self.switchovers.len() - kept;
        let last: BTreeSet<SwitchoverId> =
            self.groups.values().filter_map(|group| group.switchover).collect();
        let old: Vec<SwitchoverId> = self
            .switchovers
            .iter()
            .filter(|(id, switchover)| switchover.state.ended() && !last.contains(id))
            .map(|(id, _)| *id)
            .take(excess)
            .collect();
        if !old.is_empty() {
            let switchovers = Arc::make_mut(&mut self.switchovers);
            for id in old {
                switchovers.remove(&id);
            }
        }
    }

    pub(super) fn settle(&mut self, entry: &mut Entry, request: RequestKey, outcome: Outcome) {
        Arc::make_mut(&mut self.settled).settle(request, self.time, outcome.clone());
        entry.applied.push(Applied::Settled(request, outcome));
    }

    /// What came of a request, if it was applied and is not forgotten.
    pub fn outcome(&self, request: &RequestKey) -> Option<&Outcome> {
        self.settled.outcome(request)
    }

    pub(super) const fn first_epoch(&self) -> Epoch {
        Epoch { generation: self.generation, counter: 1 }
    }
}

/// A state from before there were any has the bytes that it always had.
fn no_configs(configs: &Arc<BTreeMap<u64, Arc<KeptConfig>>>) -> bool {
    configs.is_empty()
}

fn no_asks(asks: &Arc<BTreeMap<AskId, Arc<Ask>>>) -> bool {
    asks.is_empty()
}

fn no_alarms(alarms: &Arc<Alarms>) -> bool {
    alarms.is_empty()
}

fn no_tokens(tokens: &Arc<BTreeMap<PrincipalName, Arc<TokenState>>>) -> bool {
    tokens.is_empty()
}

fn no_events(events: &Arc<Events>) -> bool {
    events.is_empty()
}
