//! Requests that were settled, so that a repetition is not done twice; bounded in number and in time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::command::RequestKey;
use super::limits;
use super::outcome::Outcome;
use crate::kernel::domain::{LedgerTime, SwitchoverId, pairs};
use crate::kernel::mutants::{self, Mutant};

/// A principal and the idempotency key that it gave.
type GivenKey = (String, String);

/// What came of requests, by what names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub(super) struct Settled {
    #[serde(with = "pairs")]
    requests: BTreeMap<RequestKey, (LedgerTime, Outcome)>,
    /// When, hash of the body, what it made.
    #[serde(with = "pairs")]
    keys: BTreeMap<GivenKey, (LedgerTime, String, SwitchoverId)>,
    /// The same by age, the oldest first: every entry asks for it, and they are many.
    #[serde(skip)]
    requests_by_age: BTreeSet<(LedgerTime, RequestKey)>,
    #[serde(skip)]
    keys_by_age: BTreeSet<(LedgerTime, GivenKey)>,
}

/// As it stands in a snapshot.
#[derive(Deserialize)]
struct Written {
    #[serde(with = "pairs")]
    requests: BTreeMap<RequestKey, (LedgerTime, Outcome)>,
    #[serde(with = "pairs")]
    keys: BTreeMap<GivenKey, (LedgerTime, String, SwitchoverId)>,
}

impl From<Written> for Settled {
    fn from(Written { requests, keys }: Written) -> Self {
        let requests_by_age = requests.iter().map(|(key, (at, _))| (*at, *key)).collect();
        let keys_by_age = keys.iter().map(|(key, (at, _, _))| (*at, key.clone())).collect();
        Self { requests, keys, requests_by_age, keys_by_age }
    }
}

impl Settled {
    /// What came of a request.
    pub(super) fn outcome(&self, request: &RequestKey) -> Option<&Outcome> {
        if mutants::active(Mutant::M31RepeatedNotKnown) {
            return None;
        }
        self.requests.get(request).map(|(_, outcome)| outcome)
    }

    /// The hash of the body that came with a principal's key, and what it made.
    pub(super) fn made(&self, by: &str, key: &str) -> Option<(&str, SwitchoverId)> {
        let (_, hash, id) = self.keys.get(&(by.to_owned(), key.to_owned()))?;
        Some((hash, *id))
    }

    /// How many outcomes are kept.
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn settle(&mut self, request: RequestKey, at: LedgerTime, outcome: Outcome) {
        if let Some((before, _)) = self.requests.insert(request, (at, outcome)) {
            self.requests_by_age.remove(&(before, request));
        }
        self.requests_by_age.insert((at, request));
    }

    pub(super) fn remember(
        &mut self,
        (by, key): (&str, &str),
        at: LedgerTime,
        (body, id): (&str, SwitchoverId),
    ) {
        let given = (by.to_owned(), key.to_owned());
        if let Some((before, _, _)) = self.keys.insert(given.clone(), (at, body.to_owned(), id)) {
            self.keys_by_age.remove(&(before, given.clone()));
        }
        self.keys_by_age.insert((at, given));
    }

    /// Whether [`Self::forget`] has something to do.
    pub(super) fn is_due(&self, oldest: LedgerTime) -> bool {
        self.requests.len() > limits::OUTCOMES_KEPT
            || self.keys.len() > limits::OUTCOMES_KEPT
            || self.requests_by_age.first().is_some_and(|(at, _)| *at < oldest)
    }

    /// Forgets what is older than that, and the oldest of what is too many.
    pub(super) fn forget(&mut self, oldest: LedgerTime) {
        while let Some((at, request)) = self.requests_by_age.first().copied() {
            if at >= oldest && self.requests.len() <= limits::OUTCOMES_KEPT {
                break;
            }
            self.requests_by_age.pop_first();
            self.requests.remove(&request);
        }
        while let Some((at, _)) = self.keys_by_age.first() {
            if *at >= oldest && self.keys.len() <= limits::OUTCOMES_KEPT {
                break;
            }
            if let Some((_, given)) = self.keys_by_age.pop_first() {
                self.keys.remove(&given);
            }
        }
    }
}
