//! What clients asked, and what they were told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A wish.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// `GET /v1/groups/{name}`.
    Group { group: usize },
    /// `GET /v1/planes`.
    Planes,
    /// `POST /v1/groups/{name}/switch`, from this epoch.
    Switch { group: usize, base: u64, to: usize, forced: bool, reason: String },
    /// `POST /v1/groups/{name}/freeze`.
    Freeze { group: usize, on: bool, reason: String },
    /// `POST /v1/planes/{name}/drain`.
    Drain { plane: usize, on: bool, reason: String },
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// Epoch, plane, why it is frozen.
    Group { epoch: u64, plane: String, frozen: Option<String> },
    /// Why each is drained.
    Planes([Option<String>; 2]),
    /// The id of the switchover.
    Accepted(String),
    /// It is done.
    Done,
    /// It was not done: status and words.
    Refused(u16, String),
    /// Nobody was reached.
    NotSent(#[expect(dead_code, reason = "shown in findings")] String),
    /// It may or may not have been done.
    Unknown(#[expect(dead_code, reason = "shown in findings")] String),
}

/// One operation, in nanoseconds of the run.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) client: usize,
    pub(crate) node: usize,
    pub(crate) call: u64,
    pub(crate) end: u64,
    pub(crate) ask: Ask,
    pub(crate) told: Told,
}

impl Operation {
    /// In words, for a finding.
    pub(crate) fn words(&self) -> String {
        let Self { client, node, ask, told, .. } = self;
        format!("client {client} at node {node}: {ask:?} -> {told:?}")
    }
}

/// Everything that was asked, by all clients.
#[derive(Clone, Debug)]
pub(crate) struct History {
    began: Instant,
    operations: Arc<Mutex<Vec<Operation>>>,
}

impl History {
    pub(crate) fn new(began: Instant) -> Self {
        Self { began, operations: Arc::default() }
    }

    /// Nanoseconds of the run.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Notes an operation.
    pub(crate) fn note(&self, operation: Operation) {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
    }

    /// All of them.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
