//! Oracles: one file each, independent of the kernel. They see true time, true planes, what was written and what
//! was shown, and say what must not be.

mod audit;
mod book;
mod bounded;
mod convergence;
mod durable;
mod election_safety;
mod explained;
mod fail_static;
mod fold;
mod guards;
mod hold;
mod intent;
mod leader_completeness;
mod linear;
mod linearizable;
mod log_matching;
mod memory;
mod never_empty;
mod never_older;
mod once;
mod one_vote;
mod permitted;
mod quorum_decision;
mod replay;
mod resumable;
mod resumed;
mod settings;
mod state_machine_safety;
mod verified;

use std::fmt::Debug;
use std::sync::Arc;

pub use book::{Book, Committed, NodeBook, ProbeSeen, Terms, Watched};
pub use one_vote::Vote;
pub use replay::{Recorder, digest_output};
pub use settings::Settings;

use super::client::Op;
use super::gateway::Gateway;
use super::queue::Micros;
use crate::kernel::consensus::PersistBatch;
use crate::kernel::controller::{Effect, Size, View};
use crate::kernel::domain::GroupName;
use crate::kernel::ledger::{AuditRecord, Cluster};

/// What an oracle says: nothing, or what is wrong.
pub type Finding = Result<(), String>;

/// How a run ended.
#[derive(Debug)]
pub struct End<'a> {
    /// What clients asked and heard.
    pub history: &'a [Op],
    /// The last view of each node that lives and can reach a quorum; empty when none can.
    pub healthy: Vec<Arc<View>>,
    /// Whether the cluster was healed long enough ago that everything must have come to rest.
    pub rested: bool,
    /// True time.
    pub at: Micros,
}

/// One oracle. Each method takes what was just seen; the book is up to date with it.
pub trait Oracle: Debug {
    /// The name of its file.
    fn name(&self) -> &'static str;

    /// A node ordered a write.
    fn ordered(&mut self, _book: &Book, _node: usize, _batch: &PersistBatch) -> Finding {
        Ok(())
    }

    /// A node's process started.
    fn started(&mut self, _book: &Book, _node: usize) -> Finding {
        Ok(())
    }

    /// A node leads a term; told after each of its turns.
    fn led(&mut self, _book: &Book, _node: usize, _term: u64) -> Finding {
        Ok(())
    }

    /// What a node keeps; told after each of its turns.
    fn turned(&mut self, _node: usize, _sizes: &[Size]) -> Finding {
        Ok(())
    }

    /// A node applied an entry, and gave out its link of the audit trail.
    fn audited(&mut self, _node: usize, _record: &AuditRecord) -> Finding {
        Ok(())
    }

    /// A node does something to the outside. The view is what it showed last.
    fn performed(&mut self, _node: usize, _view: Option<&View>, _effect: &Effect) -> Finding {
        Ok(())
    }

    /// A vote left a process.
    fn voted(&mut self, _book: &Book, _vote: Vote) -> Finding {
        Ok(())
    }

    /// An entry was shown as applied for the first time.
    fn committed(&mut self, _book: &Book, _entry: &Committed) -> Finding {
        Ok(())
    }

    /// A node published.
    fn published(&mut self, _book: &Book, _at: Micros, _node: usize, _view: &View) -> Finding {
        Ok(())
    }

    /// A node's DNS server answered for a group: with the address of which plane, or with none.
    fn answered(&mut self, _node: usize, _group: &GroupName, _plane: Option<usize>) -> Finding {
        Ok(())
    }

    /// A gateway follows other routes than before.
    fn gateway(&mut self, _gateway: &Gateway) -> Finding {
        Ok(())
    }

    /// The run is over.
    fn ended(&mut self, _book: &Book, _end: &End<'_>) -> Finding {
        Ok(())
    }
}

/// All of them, for a cluster. Whole states are compared at every index that `compared` divides.
pub fn all(cluster: &Arc<Cluster>, compared: u64) -> Vec<Box<dyn Oracle>> {
    vec![
        Box::new(election_safety::ElectionSafety::default()),
        Box::new(one_vote::OneVote::new(cluster)),
        Box::new(log_matching::LogMatching),
        Box::new(leader_completeness::LeaderCompleteness::default()),
        Box::new(state_machine_safety::StateMachineSafety::new(compared)),
        Box::new(quorum_decision::QuorumDecision::new(cluster)),
        Box::new(never_older::NeverOlder::default()),
        Box::new(never_empty::NeverEmpty),
        Box::new(fail_static::FailStatic::default()),
        Box::new(hold::Hold::new(cluster)),
        Box::new(durable::Durable::new(cluster)),
        Box::new(resumable::Resumable::default()),
        Box::new(bounded::Bounded::default()),
        Box::new(once::Once::default()),
        Box::new(intent::Intent::default()),
        Box::new(guards::Guards::default()),
        Box::new(permitted::Permitted::default()),
        Box::new(verified::Verified::default()),
        Box::new(explained::Explained::default()),
        Box::new(audit::Audit::default()),
        Box::new(memory::Memory),
        Box::new(linearizable::Linearizable::new(cluster)),
        Box::new(convergence::Convergence),
    ]
}

/// Half of `configured`, and one more. The kernel's own arithmetic is under test and not used here.
const fn majority(configured: usize) -> usize {
    configured / 2 + 1
}
