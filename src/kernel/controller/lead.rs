//! Leading: what only the leader does, and what it remembers while it leads. All of it may be lost at any
//! moment: the ledger holds what matters.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::proposals::Proposals;
use super::{Controller, Level, Measure, Output, limits};
use crate::kernel::consensus::NotProposed;
use crate::kernel::domain::{GroupName, LedgerTime, MemberId, Moment, QuestionId, SwitchoverId};
use crate::kernel::ledger::{Command, ConfigCommand, Envelope, FORMAT, Move};
use crate::kernel::switchover::Event;

/// Pauses between questions about one group.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Backoff {
    /// When the last question closed.
    pub(super) closed: Moment,
    pub(super) not_before: Moment,
    pub(super) step: Duration,
}

/// A decision that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Held {
    /// Ballots are on their way: only they, or the end of the time for them, change anything.
    Voting(LedgerTime),
    /// Looked at again whenever the ledger's time moves; what was said of it.
    Told(String),
}

/// What a leader remembers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Leading {
    /// Since an entry of the own term was applied: when, and the ledger's time then.
    pub(super) base: Option<(Moment, LedgerTime)>,
    /// The term of the last office, and its base: whoever takes it again in the same term goes on from there, or the time between
    /// would be lost to what waits for the ledger's time.
    office: Option<(u64, (Moment, LedgerTime))>,
    pub(super) outbox: Vec<Command>,
    /// How much others' commands brought into the outbox since it was last empty.
    foreign_weight: usize,
    pub(super) last_proposal: Moment,
    /// Whether it was told that the first settings wait for every member.
    waits_for_all: bool,
    /// Whether the first settings were proposed.
    configured: bool,
    /// When the text of the configuration in force may be logged again.
    pub(super) text_at: Moment,
    /// When each other member was last heard.
    pub(super) heard: BTreeMap<MemberId, Moment>,
    /// What each other member last said it had applied.
    pub(super) applied: BTreeMap<MemberId, u64>,
    /// When each entry was proposed that is not applied yet, oldest first.
    proposed: Proposals,
    /// Groups to be asked about, and when.
    pub(super) ask_at: BTreeMap<GroupName, Moment>,
    pub(super) backoff: BTreeMap<GroupName, Backoff>,
    /// When something last spoke against a group's route by a word that is not in the ledger.
    pub(super) suspected: BTreeMap<GroupName, (Moment, Cow<'static, str>)>,
    /// Groups in a question that was proposed and is not applied.
    pub(super) asking: BTreeSet<GroupName>,
    /// Groups whose ballots changed.
    pub(super) dirty: BTreeSet<GroupName>,
    /// Groups with an open question whose decision is held.
    pub(super) held: BTreeMap<GroupName, Held>,
    /// Groups about which people are asked by a command that was proposed and is not applied.
    pub(super) asking_people: BTreeSet<GroupName>,
    /// Moves about which people are asked in this turn.
    pub(super) to_ask: BTreeMap<QuestionId, Vec<Move>>,
    /// What stands against the cluster.
    pub(super) alarming: super::alarming::Alarming,
    /// Groups in a decision that was proposed and is not applied.
    pub(super) deciding: BTreeSet<GroupName>,
    /// Switchovers to be driven on.
    pub(super) drive: BTreeSet<SwitchoverId>,
    /// Switchovers for whose prechecks this leader has asked.
    pub(super) prechecks: BTreeSet<SwitchoverId>,
    /// Groups that prechecks ask about in this turn.
    pub(super) to_precheck: BTreeSet<GroupName>,
    /// Steps that were proposed and are not applied.
    pub(super) stepping: BTreeMap<SwitchoverId, BTreeSet<Event>>,
}

impl Leading {
    /// How many proposals are under way whose time is measured.
    pub(super) fn proposals_under_way(&self) -> usize {
        self.proposed.measured()
    }

    pub(super) fn heard(&mut self, member: MemberId, at: Moment) {
        self.heard.insert(member, at);
    }

    pub(super) fn applied_at(&mut self, member: MemberId, applied: u64) {
        self.applied.insert(member, applied);
    }

    /// Takes a command of an observer or a client, who sends it again if it is dropped.
    pub(super) fn push(&mut self, command: Command) {
        let weight = self.foreign_weight + weight_of(&command);
        if self.outbox.len() < limits::OUTBOX && weight <= limits::OUTBOX_WEIGHT {
            self.foreign_weight = weight;
            self.outbox.push(command);
        }
    }

    /// Takes a command of the leader's own, which nobody would send again. There are at most a few for each
    /// group: what was proposed is remembered until it is applied.
    pub(super) fn push_own(&mut self, command: Command) {
        self.outbox.push(command);
    }

    pub(super) fn next_due(&self) -> Moment {
        if self.base.is_none() {
            return Moment::NEVER;
        }
        let ask = self.ask_at.values().min().copied().unwrap_or(Moment::NEVER);
        let ask = ask.min(self.alarming.due());
        // What consensus does not take now is tried again with its next tick.
        let waiting =
            (!self.held.is_empty() || !self.deciding.is_empty()) && self.outbox.is_empty();
        if waiting { ask.min(self.last_proposal + limits::LEDGER_TICK) } else { ask }
    }
}

impl Controller {
    /// Whether this node leads and may speak: an entry of its own term is applied.
    pub(super) const fn leads(&self) -> bool {
        self.leading.base.is_some()
    }

    /// An entry of this leader's term was applied: they come in the order in which it proposed them.
    pub(super) fn note_commit(&mut self) {
        if let Some(took) = self.leading.proposed.applied(self.now) {
            self.outputs.push_back(Output::Measured { what: Measure::Commit, took });
        }
    }

    /// The role changed, or an entry was applied: take office or leave it.
    pub(super) fn check_office(&mut self) {
        let own_term = self.consensus.term() == self.ledger.term();
        if !self.consensus.is_leader() || self.stands_apart() {
            if self.leads() {
                self.leave_office();
            }
        } else if !self.leads() && own_term {
            self.take_office();
        }
    }

    fn leave_office(&mut self) {
        let heard = std::mem::take(&mut self.leading.heard);
        let applied = std::mem::take(&mut self.leading.applied);
        let office = self.leading.office;
        self.leading = Leading { heard, applied, office, ..Leading::default() };
        self.verifying.clear();
        self.notifying.clear();
    }

    fn take_office(&mut self) {
        let term = self.consensus.term();
        let before = self.leading.office.filter(|(of, _)| *of == term);
        let base = before.map_or_else(|| (self.now, self.ledger.time()), |(_, base)| base);
        self.leading.base = Some(base);
        self.leading.office = Some((term, base));
        self.leading.last_proposal = self.now;
        let text = format!("leads in term {term}");
        self.tell(Level::Info, "leader", None, text);
        let members: Vec<MemberId> =
            self.file.members.keys().copied().filter(|id| *id != self.me).collect();
        let others: Option<Vec<MemberId>> =
            self.ledger.config().map(|config| config.observers.keys().copied().collect());
        for observer in members.into_iter().chain(others.unwrap_or_default()) {
            self.leading.heard.insert(observer, self.now);
        }
        self.look_again();
    }

    /// A new cluster's first settings, as soon as every member can read them.
    fn configure_first(&mut self) {
        if self.ledger.config().is_some() || self.leading.configured {
            return;
        }
        let needed = self.file.needs_ruleset();
        if needed > self.ledger.ruleset() {
            if !std::mem::replace(&mut self.leading.waits_for_all, true) {
                let text = format!(
                    "the cluster file needs ruleset {needed}: it is put in force when every member was heard, \
                     and runs a version that knows it"
                );
                self.tell(Level::Warn, "config", None, text);
            }
            return;
        }
        self.leading.configured = true;
        let cluster = self.file.as_ref().clone();
        self.leading.push_own(Command::Configure(Box::new(cluster)));
    }

    /// Carries every switchover on from where it stands, and asks about every group against which something speaks.
    pub(super) fn look_again(&mut self) {
        let live = self.ledger.switchovers().values().filter(|s| !s.state.ended()).map(|s| s.id);
        self.leading.drive.extend(live);
        let groups: Vec<GroupName> = self.ledger.groups().keys().cloned().collect();
        for group in groups {
            if self.speaks_against(&group).is_some() {
                self.ask_soon(&group);
            }
        }
    }

    /// The leader's part of a turn.
    pub(super) fn lead(&mut self) {
        self.check_office();
        if !self.leads() {
            return;
        }
        self.watch_observers();
        self.ask_due();
        self.decide_dirty();
        self.drive_switchovers();
        self.verify_routes();
        self.raise_ruleset();
        self.configure_first();
        self.watch_conditions();
        self.tell_others();
        self.keep_first_text();
        self.tick_ledger();
        self.propose();
    }

    /// A silent observer loses its votes.
    fn watch_observers(&mut self) {
        let silence = self.timing().observer_silence;
        let lost: Vec<Command> = self
            .ledger
            .observers()
            .iter()
            .filter(|(member, state)| {
                let heard = self.leading.heard.get(member);
                **member != self.me
                    && !state.lost
                    && heard.is_some_and(|at| self.now.since(*at) > silence)
            })
            .map(|(member, state)| Command::ObserverLost {
                observer: *member,
                incarnation: state.incarnation,
            })
            .filter(|command| !self.leading.outbox.contains(command))
            .collect();
        // Proposed once a silence: the clock starts anew, and is asked again if the entry was lost.
        for command in lost {
            if let Command::ObserverLost { observer, .. } = &command {
                self.leading.heard.insert(*observer, self.now);
            }
            self.leading.push_own(command);
        }
    }

    /// While a ledger timer is open the log must carry time on.
    fn tick_ledger(&mut self) {
        let quiet = self.now.since(self.leading.last_proposal);
        if quiet < limits::LEDGER_TICK || !self.leading.outbox.is_empty() {
            return;
        }
        let open = self.ledger.questions().values().any(|question| question.open);
        let waiting = !self.leading.held.is_empty() || !self.leading.deciding.is_empty();
        if open || waiting || (quiet >= limits::DWELL_TICK && self.ledger.dwells()) {
            self.leading.push_own(Command::Tick {});
        }
    }

    /// Logs what gathered, in entries of bounded weight.
    pub(super) fn propose(&mut self) {
        let Some((since, time)) = self.leading.base else { return };
        while !self.leading.outbox.is_empty() {
            let count = batch_len(&self.leading.outbox);
            let commands: Vec<Command> = self.leading.outbox.drain(..count).collect();
            let envelope = Envelope {
                format: FORMAT,
                at: time + self.now.since(since),
                wall: self.wall_now(),
                by: self.me,
                commands,
            };
            let taken = self.consensus.propose(envelope.encode());
            if let Err(error @ NotProposed::TooLarge(_)) = taken {
                // It never fits: to keep it would stop everything behind it.
                let text = format!("commands that cannot be logged are dropped: {error}");
                self.tell(Level::Error, "refused", None, text);
                continue;
            }
            if taken.is_err() {
                // Busy or deposed: what is not logged is asked for again by those who want it.
                let mut commands = envelope.commands;
                commands.append(&mut self.leading.outbox);
                self.leading.outbox = commands;
                break;
            }
            self.leading.last_proposal = self.now;
            self.leading.proposed.made(self.now);
        }
        if self.leading.outbox.is_empty() {
            self.leading.foreign_weight = 0;
        }
    }
}

/// How many of the commands fit one entry.
pub(super) fn batch_len(commands: &[Command]) -> usize {
    let mut weight = 0;
    for (place, command) in commands.iter().enumerate() {
        if matches!(command, Command::Raise { .. }) {
            // Alone: what follows it is applied by the new rules, or not at all.
            return place.max(1);
        }
        weight += weight_of(command);
        if weight > limits::ENTRY_WEIGHT && place > 0 {
            return place;
        }
    }
    commands.len()
}

/// Bytes of a configuration's text that weigh as much as one service of a report.
const TEXT_PER_SERVICE: usize = 100;

/// Of how many services or groups a command speaks, about.
fn weight_of(command: &Command) -> usize {
    match command {
        Command::Report { states, .. } | Command::Ballot { states, .. } => states.len(),
        Command::Question { groups, .. } | Command::Freeze { groups, .. } => groups.len(),
        Command::Decide { moves, .. } | Command::Ask { moves, .. } => moves.len(),
        Command::Alarms { raised, cleared } => raised.len() + cleared.len(),
        Command::Configure(cluster) => cluster.services.len() + cluster.groups.len(),
        Command::Reconfigure(ConfigCommand { cluster, text, .. }) => {
            cluster.services.len() + cluster.groups.len() + text.len() / TEXT_PER_SERVICE
        }
        Command::ConfigText { text, .. } => text.len() / TEXT_PER_SERVICE,
        Command::Tick {}
        | Command::Token { .. }
        | Command::AskOver { .. }
        | Command::Answer { .. }
        | Command::Acknowledge { .. }
        | Command::Notified { .. }
        | Command::LoginsFailed { .. }
        | Command::Raise { .. }
        | Command::ObserverLost { .. }
        | Command::Switch(_)
        | Command::Advance { .. }
        | Command::Drain { .. } => 4,
    }
}
