//! Linearizable reads: a ReadIndex round that began after the request arrived, answered at `applied >= index`,
//! from the state read then. A request joins the *next* round, never the one in flight.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Controller, RequestId, limits};
use crate::kernel::consensus::ReadContext;
use crate::kernel::domain::{Incarnation, Moment};
use crate::kernel::mutants::{self, Mutant};

/// Rounds of reads.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Reads {
    counter: u64,
    /// For the next round.
    pub(super) waiting: Vec<RequestId>,
    /// In the round under way.
    pub(super) round: Option<Round>,
    /// Confirmed, waiting for the state to reach an index.
    pub(super) confirmed: Vec<(u64, Vec<RequestId>)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Round {
    context: ReadContext,
    began: Moment,
    pub(super) requests: Vec<RequestId>,
}

/// A round without an answer may have been dropped: it is tried anew, under a new context.
const ROUND_TIMEOUT: Duration = Duration::from_millis(300);

impl Reads {
    pub(super) fn next_due(&self) -> Moment {
        self.round.as_ref().map_or(Moment::NEVER, |round| round.began + ROUND_TIMEOUT)
    }

    /// How many wait.
    pub(super) fn size(&self) -> usize {
        let round = self.round.as_ref().map_or(0, |round| round.requests.len());
        let confirmed: usize = self.confirmed.iter().map(|(_, requests)| requests.len()).sum();
        self.waiting.len() + round + confirmed
    }

    pub(super) fn forget(&mut self, id: RequestId) {
        let round = self.round.as_mut().map(|round| &mut round.requests);
        let confirmed = self.confirmed.iter_mut().map(|(_, requests)| requests);
        for requests in confirmed.chain(round).chain([&mut self.waiting]) {
            requests.retain(|request| *request != id);
        }
        self.confirmed.retain(|(_, requests)| !requests.is_empty());
    }
}

impl Controller {
    pub(super) fn read_soon(&mut self, id: RequestId) {
        if self.reads.waiting.len() < limits::REQUESTS {
            self.reads.waiting.push(id);
        }
    }

    /// Consensus confirmed a round. An answer to another context, or to another process, is dropped.
    pub(super) fn on_readable(&mut self, context: ReadContext, index: u64) {
        let ours = self.reads.round.as_ref().is_some_and(|round| round.context == context);
        if !ours {
            return;
        }
        if let Some(round) = self.reads.round.take() {
            self.reads.confirmed.push((index, round.requests));
        }
    }

    /// Begins a round if one is wanted, and answers what can be answered.
    pub(super) fn serve_reads(&mut self) {
        let sure = self.leads() && mutants::active(Mutant::M33LeaderAnswersAlone);
        if sure || mutants::active(Mutant::M12ReadWithoutIndex) {
            let waiting = std::mem::take(&mut self.reads.waiting);
            self.reads.confirmed.push((0, waiting));
        }
        let timed_out =
            self.reads.round.as_ref().is_some_and(|r| self.now.since(r.began) >= ROUND_TIMEOUT);
        if timed_out && let Some(mut round) = self.reads.round.take() {
            round.requests.append(&mut self.reads.waiting);
            self.reads.waiting = round.requests;
        }
        if self.reads.round.is_none() && !self.reads.waiting.is_empty() && !self.stands_apart() {
            self.reads.counter += 1;
            let mut context = ReadContext {
                member: self.me,
                incarnation: self.incarnation,
                counter: self.reads.counter,
            };
            if mutants::active(Mutant::M14ReadContextReused) {
                self.reads.counter -= u64::from(timed_out);
                context.counter = self.reads.counter;
                context.incarnation = Incarnation::default();
            }
            let requests = std::mem::take(&mut self.reads.waiting);
            self.reads.round = Some(Round { context, began: self.now, requests });
            self.consensus.read_index(context);
            self.run_consensus();
        }
        let applied = self.ledger.index();
        let (ready, later) =
            std::mem::take(&mut self.reads.confirmed).into_iter().partition::<Vec<_>, _>(
                |(index, _)| *index <= applied || mutants::active(Mutant::M13ReadBeforeApplied),
            );
        self.reads.confirmed = later;
        let ids: Vec<RequestId> = ready.into_iter().flat_map(|(_, ids)| ids).collect();
        if !ids.is_empty() {
            self.answer_reads(&ids);
        }
    }
}
