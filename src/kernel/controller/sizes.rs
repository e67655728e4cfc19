//! How much a controller keeps, beside its limits: for who watches that nothing grows.

use super::{Controller, limits};
use crate::kernel::consensus::limits as consensus;
use crate::kernel::ledger::{AlarmKind, limits as ledger};

/// How many of one thing are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// What, in a few words.
    pub of: &'static str,
    /// How many there are.
    pub is: usize,
    /// How many there may be.
    pub at_most: usize,
}

const fn size(of: &'static str, is: usize, at_most: usize) -> Size {
    Size { of, is, at_most }
}

impl Controller {
    /// The sizes of everything that has a limit, after a turn. It costs a few hundred instructions.
    pub fn sizes(&self) -> [Size; 32] {
        let groups = self.ledger.groups().len();
        let members = self.file.members.len() + self.file.observers.len();
        let switchovers = 2 * ledger::SWITCHOVERS_KEPT + groups;
        let (leading, state) = (&self.leading, &self.ledger);
        let alarms = state.alarms_kept();
        let ballots = state.questions().values().map(|question| question.ballots.len()).max();
        let (requests, keys) = self.requests.sizes();
        let (readies, messages) = self.consensus.waiting();
        // A receipt may begin a compaction, and no more than so many receipts come before the oldest of these is done.
        let writes = 2 * consensus::PERSISTS + 1;
        let digests = usize::try_from(limits::DIGESTS_KEPT).unwrap_or(usize::MAX);
        [
            size("requests", requests, limits::REQUESTS),
            size("keys of requests", keys, limits::REQUESTS),
            size("reads", self.reads.size(), limits::REQUESTS),
            size("writes under way", self.persists.len(), writes),
            size("readies that wait for the disk", readies, consensus::READIES),
            size("messages held", messages, consensus::HELD_MESSAGES + consensus::MEMBERS),
            size("commands to propose", leading.outbox.len(), limits::OUTBOX),
            size("times of proposals", leading.proposals_under_way(), limits::PROPOSED),
            size("groups to ask about", leading.ask_at.len(), groups),
            size("pauses between questions", leading.backoff.len(), groups),
            size("suspected groups", leading.suspected.len(), groups),
            size("groups in a proposed question", leading.asking.len(), groups),
            size("groups in a proposed ask", leading.asking_people.len(), groups),
            size("groups in a proposed decision", leading.deciding.len(), groups),
            size("held groups", leading.held.len(), groups),
            size("switchovers with a proposed step", leading.stepping.len(), switchovers),
            size("prechecks", leading.prechecks.len(), switchovers),
            size("verifications", self.verifying.size(), switchovers),
            size("effects under way", self.verifying.effects(), limits::EFFECTS),
            size("questions that are answered", self.observing.size(), groups),
            size("gateways", self.gateways.len(), limits::GATEWAYS),
            size("members heard", self.heard.len(), members),
            size("digests", self.agreement.digests.len(), digests),
            size("questions", state.questions().len(), ledger::QUESTIONS_KEPT.max(groups)),
            size("ballots for one question", ballots.unwrap_or_default(), members),
            size("switchovers", state.switchovers().len(), switchovers),
            size("outcomes", state.outcomes_kept(), ledger::OUTCOMES_KEPT),
            size("events", state.events().kept.len(), ledger::EVENTS_KEPT),
            size("asks", state.asks().len(), ledger::ASKS_KEPT + groups),
            size("alarms", alarms.open.len(), AlarmKind::ALL.len() * ledger::ALARMS_OF_KIND),
            size("notices", alarms.notices.len(), ledger::NOTICES_KEPT),
            size("links of the audit trail", state.audit().recent.len(), ledger::AUDIT_LINKS),
        ]
    }
}
