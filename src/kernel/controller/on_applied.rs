//! Consensus' outputs and what applied commands set off.

use super::peer::PeerMessage;
use super::{Controller, Level, Measure, Output, Traffic, limits};
use crate::kernel::consensus::limits::TAIL;
use crate::kernel::consensus::{ConsensusOutput, LogEntry, SnapshotRecord};
use crate::kernel::domain::{AlarmId, AskId};
use crate::kernel::ledger::{Applied, AskState, AuditRecord, Ledger, Phase};
use crate::kernel::mutants::{self, Mutant};

impl Controller {
    /// Counts consensus' time. Ticks that were missed are not made up for: a paused process must not think
    /// that its peers were silent.
    pub(super) fn tick(&mut self) {
        if self.now >= self.tick_due {
            self.tick_due = self.now + self.timing().tick;
            if !self.stands_apart() {
                self.consensus.tick();
            }
        }
    }

    /// Carries out what consensus wants until it wants no more.
    pub(super) fn run_consensus(&mut self) {
        self.committed.known(self.consensus.commit(), self.now);
        while let Some(output) = self.consensus.poll() {
            match output {
                ConsensusOutput::Send { to, message, bulk } => {
                    let traffic = if bulk { Traffic::Bulk } else { Traffic::Normal };
                    let frame = PeerMessage::Raft(message.to_vec()).encode();
                    self.outputs.push_back(Output::Send { to, frame, traffic });
                }
                ConsensusOutput::Persist(batch) => {
                    self.persists.push_back((batch.number, self.now));
                    self.outputs.push_back(Output::Persist(batch));
                }
                ConsensusOutput::Restore(snapshot) => self.restore(&snapshot),
                ConsensusOutput::Apply(entries) => {
                    for entry in &entries {
                        self.apply(entry);
                    }
                    let last = entries.last().map_or(0, |entry| entry.index);
                    if let Some(took) = self.committed.applied(last, self.now) {
                        self.outputs.push_back(Output::Measured { what: Measure::Apply, took });
                    }
                }
                ConsensusOutput::Readable { context, index } => self.on_readable(context, index),
                ConsensusOutput::Role { term, leader, is_leader } => {
                    self.publishing.dirty = true;
                    if !is_leader && let Some(leader) = leader {
                        let text = format!("follows member {leader} in term {term}");
                        self.tell(Level::Info, "leader", None, text);
                    }
                    self.check_office();
                    self.announce();
                }
            }
        }
    }

    fn apply(&mut self, entry: &LogEntry) {
        let before = self.ledger.audit().count;
        let head = self.ledger.audit().head.clone();
        self.apply_one(entry.index, entry.term, &entry.data);
        let audit = self.ledger.audit();
        if audit.count > before {
            let (index, term, data) = (entry.index, entry.term, entry.data.clone());
            let record = AuditRecord { index, term, before: head, head: audit.head.clone(), data };
            self.outputs.push_back(Output::Audit(record));
        }
    }

    pub(super) fn apply_one(&mut self, index: u64, term: u64, data: &[u8]) {
        if !self.may_apply(index, data) {
            return;
        }
        let before = self.ledger.time();
        #[cfg(feature = "mutants")]
        self.ledger.stand(self.me.0 + self.incarnation.0, self.wall_now());
        let applied = self.ledger.apply(index, term, data);
        self.publishing.dirty = true;
        self.check_office();
        if self.leads() && !data.is_empty() {
            self.note_commit();
        }
        self.replaying = index <= self.history;
        for change in applied {
            self.on_applied(change);
        }
        self.replaying = false;
        if self.leads() && self.ledger.time() > before {
            self.recheck_held();
        }
        self.agree(index);
    }

    fn on_applied(&mut self, change: Applied) {
        match change {
            Applied::Configured => self.on_configured(),
            Applied::Asked(id) => {
                self.on_asked(id);
                self.brief_all();
                if self.leads() {
                    self.lead_asked(id);
                }
            }
            Applied::Closed(id, groups) => {
                self.on_closed(id);
                self.brief_all();
                if self.leads() {
                    self.lead_closed(&groups);
                }
            }
            Applied::Voted(id, services) => {
                self.on_voted(id, &services);
                self.brief_all();
                if self.leads() {
                    self.lead_voted(id, &services);
                }
            }
            Applied::Reported(observer, services) => {
                self.on_reported(observer, &services);
                self.brief_reported(observer);
                self.on_announced();
                self.suspect_reported(observer, &services);
            }
            Applied::Lost(observer) => {
                let text = format!("observer {observer} fell silent: its votes do not count");
                self.tell(Level::Warn, "observer", None, text);
                self.brief_reported(observer);
                if observer == self.me {
                    self.announce();
                }
            }
            Applied::Switchover(id) => {
                self.tell_switchover(id);
                if self.leads() {
                    self.lead_switchover(id);
                }
            }
            Applied::Routed(group) => {
                // It was the plane that is left now.
                self.leading.suspected.remove(&group);
                self.publishing.routed.insert(group);
            }
            Applied::Guards => self.on_guards(),
            Applied::Ask(id) => self.on_ask(id),
            Applied::Alarm(id, phase) => self.on_alarm(id, phase),
            Applied::Logins(member) => {
                if self.leads() {
                    self.leading.alarming.logins.insert(member, self.now);
                }
                self.on_logins_told(member);
            }
            Applied::Settled(key, outcome) => self.on_settled(key, &outcome),
            Applied::Refused(what, reason) => {
                if self.leads() {
                    self.lead_refused(what, &reason);
                }
            }
        }
    }

    /// A person was asked, or an ask took a step.
    fn on_ask(&mut self, id: AskId) {
        let Some(ask) = self.ledger.asks().get(&id).cloned() else { return };
        let text = match &ask.state {
            AskState::Open {} => {
                format!("{id}: may {} be moved to {}? {}", ask.group, ask.to, ask.cause)
            }
            AskState::Over { why } => format!("{id} is over: {why}"),
            state => format!("{id} is {}", state.word()),
        };
        self.tell(Level::Warn, "ask", Some(ask.group.clone()), text);
        if self.leads() {
            self.lead_ask(id);
        }
    }

    fn on_alarm(&mut self, id: AlarmId, phase: Phase) {
        self.notice_came();
        let text = match self.ledger.alarms_kept().open.get(&id) {
            Some(alarm) if phase == Phase::Raised => format!("{id}: {}", alarm.condition.text),
            _ => format!("{id} {}", phase.as_str()),
        };
        let level = if phase == Phase::Raised { Level::Warn } else { Level::Info };
        self.tell(level, "alarm", None, text);
    }

    /// Freezes or drains changed: what was held may be free; nothing acts on ballots from before.
    fn on_guards(&mut self) {
        if !self.leads() {
            return;
        }
        self.recheck_held();
        let groups: Vec<_> = self.ledger.groups().keys().cloned().collect();
        for group in groups {
            if self.speaks_against(&group).is_some() {
                self.ask_soon(&group);
            }
        }
    }

    pub(super) fn restore(&mut self, snapshot: &SnapshotRecord) {
        let ledger = Ledger::from_bytes(&snapshot.data)
            .unwrap_or_else(|error| panic!("a leader's snapshot must be readable here: {error}"));
        assert_eq!(ledger.index(), snapshot.index, "a snapshot holds the state at its index");
        self.ledger = ledger;
        self.take_over_ledger();
        self.tell(Level::Info, "snapshot", None, format!("took over at {}", snapshot.index));
    }

    /// The ledger was replaced as a whole: at start, or by a leader's snapshot.
    pub(super) fn take_over_ledger(&mut self) {
        self.publishing.dirty = true;
        self.publishing.all_zones = true;
        self.check_rules();
        self.configure_observer();
        self.brief_anew();
        let open: Vec<_> =
            self.ledger.questions().iter().filter(|(_, q)| q.open).map(|(id, _)| *id).collect();
        self.forget_closed();
        for id in open {
            self.on_asked(id);
        }
        self.settle_from_ledger();
    }

    /// The log is bounded: the applied state takes its place.
    pub(super) fn compact(&mut self) {
        let long = self.consensus.log_entries() > self.log_entries;
        if !long && self.consensus.log_bytes() <= limits::LOG_BYTES {
            return;
        }
        if self.stands_apart() || self.ledger.index() == 0 {
            return;
        }
        // What is not applied stays: a snapshot that frees little would be written again in every turn.
        let tail = u64::try_from(self.log_entries / 8).unwrap_or(u64::MAX).min(TAIL);
        let (entries, bytes) = self.consensus.reclaimable(self.ledger.index(), tail);
        let enough = limits::COMPACTED_ENTRIES.min(self.log_entries / 4);
        if entries < enough && bytes < limits::COMPACTED_BYTES {
            return;
        }
        let index = if mutants::active(Mutant::M17SnapshotAtCommit) {
            self.consensus.commit()
        } else {
            self.ledger.index()
        };
        self.consensus.compact(index, self.ledger.pack().into(), tail);
        self.run_consensus();
    }
}
