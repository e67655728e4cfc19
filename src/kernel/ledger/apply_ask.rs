//! Asks, at apply: a group whose mode is `ask` is moved when a person has approved and ballots given afterwards still
//! say so. An ask expires, and dies with its cause.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::apply_access::Done;
use super::apply_admin::{because, shortened};
use super::command::{Move, RequestKey};
use super::events::EventKind;
use super::facts::Evidence;
use super::limits;
use super::outcome::{Applied, Outcome, RefusalReason, Refused};
use super::state::{Entry, Ledger};
use crate::kernel::domain::{
    AskId, Epoch, GroupName, LedgerTime, PlaneName, QuestionId, SwitchoverId, WallTime,
};
use crate::kernel::policy::Decision;

/// The ruleset from which on people are asked, alarms stand in the log, and freezes and drains end by themselves.
pub const ALARMS_SINCE: u32 = 3;

/// Where an ask stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AskState {
    /// Nobody answered yet.
    Open {},
    /// Approved: ballots to a question of a later entry decide.
    Approved {
        /// By whom.
        done: Done,
        /// The index of the answer: only questions asked after it count.
        index: u64,
    },
    /// Denied: nobody is asked again before its time is over.
    Denied {
        /// By whom.
        done: Done,
    },
    /// Approved, and carried out as this switchover.
    Switched {
        /// Which.
        switchover: SwitchoverId,
    },
    /// Over without a move.
    Over {
        /// Why.
        why: String,
    },
}

impl AskState {
    /// Its name, as programs read it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Open {} => "open",
            Self::Approved { .. } => "approved",
            Self::Denied { .. } => "denied",
            Self::Switched { .. } => "switched",
            Self::Over { .. } => "over",
        }
    }

    /// Whether a person may still answer, or has approved what was not carried out yet.
    pub const fn live(&self) -> bool {
        matches!(self, Self::Open {} | Self::Approved { .. })
    }
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Its id.
    pub id: AskId,
    /// The group.
    pub group: GroupName,
    /// To where it would be moved.
    pub to: PlaneName,
    /// The epoch of the route that is asked about.
    pub base: Epoch,
    /// What speaks against the active plane.
    pub cause: String,
    /// When, by the wall clock of the leader.
    pub at: WallTime,
    /// Until when it stands in the way of another: for an answer while open, for ballots once approved.
    pub until: LedgerTime,
    /// Where it stands.
    pub state: AskState,
}

impl Ledger {
    /// What a person said no to, of a group that nobody is asked about for that.
    pub fn denied(&self, group: &GroupName) -> Option<(&Ask, &Done)> {
        let ask = self.asks.get(&self.groups.get(group)?.ask?)?;
        match &ask.state {
            AskState::Denied { done } => Some((ask, done)),
            _ => None,
        }
    }

    /// People are asked about these moves. What is no news is passed over: the leader may say it twice.
    pub(super) fn ask_people(&mut self, entry: &mut Entry, question: QuestionId, moves: Vec<Move>) {
        if self.knows_no_alarms(entry, "ask") {
            return;
        }
        for moved in moves {
            let asked = self.groups.get(&moved.group).is_none_or(|state| state.ask.is_some());
            let decision = self.decision(&moved.group, Evidence::Ballots(question));
            if asked || decision != Some(Decision::Ask) || self.check_base(&moved).is_err() {
                continue;
            }
            if self.check_question(question, &moved.group).is_ok() {
                self.open_ask(entry, question, moved);
            }
        }
        self.forget_asks();
        self.set_timers();
    }

    fn open_ask(&mut self, entry: &mut Entry, question: QuestionId, moved: Move) {
        let Some(facts) = self.facts(&moved.group, Evidence::Ballots(question)) else { return };
        if facts.target_name != moved.to {
            return;
        }
        let from = self.routes.get(&moved.group).map(|route| route.plane.clone());
        let (words, expires) = (facts.source.words(), facts.policy.ask_expires);
        let cause = from.map_or_else(|| words.clone(), |from| format!("{words} on {from}"));
        let id = AskId { index: entry.index, nth: entry.asked };
        entry.asked += 1;
        let Move { group, to, base } = moved;
        let text = format!("{id}: may {group} be moved to {to}? {cause}");
        let until = self.time + expires;
        let state = AskState::Open {};
        let ask = Ask { id, group: group.clone(), to, base, cause, at: self.wall, until, state };
        Arc::make_mut(&mut self.asks).insert(id, Arc::new(ask));
        if let Some(state) = Arc::make_mut(&mut self.groups).get_mut(&group) {
            state.ask = Some(id);
        }
        entry.applied.push(Applied::Ask(id));
        self.tell(entry, EventKind::Ask, Some(group), text);
    }

    /// What was asked about is over, says the leader.
    pub(super) fn ask_over(&mut self, entry: &mut Entry, id: AskId, why: String) {
        if self.knows_no_alarms(entry, "ask-over") {
            return;
        }
        let Some(ask) = self.asks.get(&id) else { return };
        if ask.state.live() {
            self.end_ask(entry, id, AskState::Over { why: shortened(why) });
        } else if self.groups.get(&ask.group).is_some_and(|state| state.ask == Some(id)) {
            self.let_go_of_ask(id);
        }
        self.set_timers();
    }

    pub(super) fn answer(
        &mut self,
        entry: &mut Entry,
        (request, by): (RequestKey, String),
        id: AskId,
        approve: bool,
        reason: String,
    ) {
        if self.knows_no_alarms(entry, "answer") {
            return;
        }
        if let Some(outcome) = self.settled.outcome(&request).cloned() {
            return entry.applied.push(Applied::Settled(request, outcome));
        }
        let outcome = match self.asks.get(&id).map(|ask| &ask.state) {
            None => Outcome::Refused(RefusalReason::NoSuchAsk(id)),
            Some(AskState::Open {}) => {
                self.take_answer(entry, id, by, approve, shortened(reason));
                Outcome::Done {}
            }
            // The same word again, by a person who did not see the answer.
            Some(AskState::Approved { .. }) if approve => Outcome::Done {},
            Some(AskState::Denied { .. }) if !approve => Outcome::Done {},
            Some(state) => {
                Outcome::Refused(RefusalReason::AskAnswered(id, state.word().to_owned()))
            }
        };
        self.settle(entry, request, outcome);
    }

    fn take_answer(
        &mut self,
        entry: &mut Entry,
        id: AskId,
        by: String,
        approve: bool,
        reason: String,
    ) {
        let Some(ask) = self.asks.get(&id).cloned() else { return };
        let word = if approve { "approved" } else { "denied" };
        let text = format!("{id} {word} by {by}{}", because(&reason));
        let done = Done { by, at: self.wall };
        let window = self.config.as_ref().map(|config| config.timing.question_window);
        let now = self.time;
        let asks = Arc::make_mut(&mut self.asks);
        if let Some(ask) = asks.get_mut(&id).map(Arc::make_mut) {
            ask.state = if approve {
                // Time for a question, and for another one when the leader changes in between.
                ask.until = now + window.unwrap_or_default() * 2;
                AskState::Approved { done, index: entry.index }
            } else {
                AskState::Denied { done }
            };
        }
        if approve {
            // What was said before the answer is not what the person approved of.
            let question = self.groups.get(&ask.group).and_then(|state| state.question);
            self.close_questions_of(entry, |open| Some(open) == question);
        }
        entry.applied.push(Applied::Ask(id));
        self.tell(entry, EventKind::Ask, Some(ask.group.clone()), text);
        self.set_timers();
    }

    /// Ends an ask; its group may be asked about again.
    fn end_ask(&mut self, entry: &mut Entry, id: AskId, state: AskState) {
        let asks = Arc::make_mut(&mut self.asks);
        let Some(ask) = asks.get_mut(&id).map(Arc::make_mut) else { return };
        let text = match &state {
            AskState::Switched { switchover } => format!("{id} carried out as {switchover}"),
            AskState::Over { why } => format!("{id} over: {why}"),
            AskState::Open {} | AskState::Approved { .. } | AskState::Denied { .. } => {
                format!("{id} {}", state.word())
            }
        };
        ask.state = state;
        let group = ask.group.clone();
        self.let_go_of_ask(id);
        entry.applied.push(Applied::Ask(id));
        self.tell(entry, EventKind::Ask, Some(group), text);
    }

    fn let_go_of_ask(&mut self, id: AskId) {
        let Some(ask) = self.asks.get(&id) else { return };
        if let Some(state) = Arc::make_mut(&mut self.groups).get_mut(&ask.group)
            && state.ask == Some(id)
        {
            state.ask = None;
        }
    }

    /// A switchover of the group began: by the approval, or in its place.
    pub(super) fn ask_is_moot(&mut self, entry: &mut Entry, group: &GroupName, by: SwitchoverId) {
        let Some(id) = self.groups.get(group).and_then(|state| state.ask) else { return };
        let approved = self
            .switchovers
            .get(&by)
            .is_some_and(|switchover| switchover.kind == crate::kernel::switchover::Kind::Approved);
        let live = self.asks.get(&id).is_some_and(|ask| ask.state.live());
        if approved {
            self.end_ask(entry, id, AskState::Switched { switchover: by });
        } else if live {
            self.end_ask(entry, id, AskState::Over { why: format!("{by} moves the group") });
        } else {
            self.let_go_of_ask(id);
        }
        self.set_timers();
    }

    /// Asks whose time is over.
    pub(super) fn expire_asks(&mut self, entry: &mut Entry) {
        let now = self.time;
        let current = self.groups.values().filter_map(|state| state.ask);
        let late: Vec<AskId> =
            current.filter(|id| self.asks.get(id).is_none_or(|ask| ask.until <= now)).collect();
        for id in late {
            let why = match self.asks.get(&id).map(|ask| &ask.state) {
                Some(AskState::Open {}) => "nobody answered in time",
                Some(AskState::Approved { .. }) => {
                    "approved, but the observers, asked anew, did not say in time that the active plane is out and \
                     the other one up"
                }
                _ => {
                    self.let_go_of_ask(id);
                    continue;
                }
            };
            self.end_ask(entry, id, AskState::Over { why: why.to_owned() });
        }
    }

    /// The configuration has no such group any more.
    pub(super) fn drop_asks_of_gone_groups(&mut self, entry: &mut Entry) {
        let gone: Vec<AskId> = self
            .asks
            .values()
            .filter(|ask| ask.state.live() && !self.groups.contains_key(&ask.group))
            .map(|ask| ask.id)
            .collect();
        for id in gone {
            self.end_ask(entry, id, AskState::Over { why: "the group is gone".to_owned() });
        }
    }

    /// Ended ones are kept for a while, so that who asked or answered can read what became of it.
    fn forget_asks(&mut self) {
        let ended = |ask: &&Arc<Ask>| !ask.state.live();
        let excess = self.asks.values().filter(ended).count().saturating_sub(limits::ASKS_KEPT);
        let old: Vec<AskId> =
            self.asks.values().filter(ended).map(|ask| ask.id).take(excess).collect();
        if old.is_empty() {
            return;
        }
        let asks = Arc::make_mut(&mut self.asks);
        for id in old {
            asks.remove(&id);
        }
    }

    /// Whether a person approved of moving the group, before the question whose ballots are looked at.
    pub(super) fn approved(&self, group: &GroupName, evidence: Evidence) -> bool {
        let ask = self.groups.get(group).and_then(|state| self.asks.get(&state.ask?));
        match (ask.map(|ask| &ask.state), evidence) {
            (Some(AskState::Approved { index, .. }), Evidence::Ballots(question)) => {
                *index < question.index
            }
            (state, Evidence::Reports) => matches!(state, Some(AskState::Approved { .. })),
            _ => false,
        }
    }

    /// Below ruleset 3 every member refuses what an older one does not know.
    pub(super) fn knows_no_alarms(&self, entry: &mut Entry, command: &str) -> bool {
        let unknown = self.ruleset() < ALARMS_SINCE;
        if unknown {
            let reason = RefusalReason::Unknown(format!("unknown variant `{command}`"));
            entry.applied.push(Applied::Refused(Refused::Command, reason));
        }
        unknown
    }
}
