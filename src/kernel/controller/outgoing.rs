//! What an observer has yet to make the ledger hold: sent once, and again only when it may have been lost. What
//! is on its way is not sent a second time, or a slow leader would be buried under repetitions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits;
use crate::kernel::domain::{Moment, ServiceName, StatePair};

/// States on their way to the ledger.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Outgoing {
    /// Services that may differ from what the ledger holds.
    pub(super) pending: BTreeSet<ServiceName>,
    /// Of them, those that were added since the last message.
    added: BTreeSet<ServiceName>,
    /// Whether anything new came since the last message.
    pub(super) fresh: bool,
    /// What was said last of a service that the ledger does not hold yet, and when.
    sent: BTreeMap<ServiceName, (StatePair, Moment)>,
    last: Option<Moment>,
    /// When everything that is pending was last looked at.
    searched: Option<Moment>,
    /// How often in a row something had to be said again.
    repeats: u32,
}

impl Outgoing {
    /// Something may differ now.
    pub(super) fn add(&mut self, service: ServiceName) {
        self.added.insert(service.clone());
        self.pending.insert(service);
        self.fresh = true;
    }

    /// All of these may differ now, whatever was said of them.
    pub(super) fn add_all(&mut self, services: impl Iterator<Item = ServiceName>) {
        self.pending.extend(services);
        self.searched = None;
        self.fresh = true;
    }

    /// The ledger heard of these services.
    pub(super) fn heard(&mut self, services: &[ServiceName]) {
        self.repeats = 0;
        for service in services {
            self.sent.remove(service);
        }
    }

    /// Until when to wait before anything is sent: large news are gathered, repetitions are spaced.
    pub(super) fn wait(&self) -> Option<Moment> {
        let last = self.last?;
        if !self.fresh {
            Some(last + self.patience())
        } else if self.pending.len() >= limits::GATHER_FROM {
            Some(last + limits::GATHER)
        } else {
            None
        }
    }

    /// How long a message may be on its way before it counts as lost: doubles with each repetition.
    pub(super) fn patience(&self) -> Duration {
        limits::RESEND * 2_u32.pow(self.repeats.min(limits::RESEND_DOUBLINGS))
    }

    /// Takes what is to be said now. `differs` gives what the ledger lacks of a service.
    pub(super) fn take(
        &mut self,
        now: Moment,
        differs: impl Fn(&ServiceName) -> Option<StatePair>,
    ) -> BTreeMap<ServiceName, StatePair> {
        let patience = self.patience();
        let added = std::mem::take(&mut self.added);
        // What was not added since is as it was, unless it may be lost by now.
        let all = !self.fresh || self.searched.is_none_or(|at| at + patience <= now);
        let services = if all { self.pending.clone() } else { added };
        self.searched = if all { Some(now) } else { self.searched };
        self.fresh = false;
        let mut states = BTreeMap::new();
        let mut repeated = false;
        for service in services {
            let Some(pair) = differs(&service) else {
                self.sent.remove(&service);
                self.pending.remove(&service);
                continue;
            };
            match self.sent.get(&service) {
                Some((said, at)) if *said == pair && now < *at + patience => {}
                said => {
                    repeated |= said.is_some_and(|(said, _)| *said == pair);
                    states.insert(service, pair);
                }
            }
        }
        for (service, pair) in &states {
            self.sent.insert(service.clone(), (*pair, now));
        }
        self.repeats += u32::from(repeated);
        states
    }

    /// A message left.
    pub(super) fn left(&mut self, now: Moment) {
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::domain::HealthState;

    fn service(name: &str) -> ServiceName {
        ServiceName::new(name).expect("a good name")
    }

    fn pair(state: HealthState) -> StatePair {
        StatePair([state, HealthState::Up])
    }

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    #[test]
    fn what_is_on_its_way_is_not_said_again_until_it_may_be_lost() {
        let mut outgoing = Outgoing::default();
        let down = |_: &ServiceName| Some(pair(HealthState::Down));
        outgoing.add(service("a"));
        assert_eq!(outgoing.take(at(0), down).len(), 1);
        outgoing.left(at(0));
        outgoing.add(service("b"));
        let second = outgoing.take(at(1), down);
        assert_eq!(second.keys().collect::<Vec<_>>(), [&service("b")]);
        assert!(outgoing.take(at(499), down).is_empty());
        assert_eq!(outgoing.take(at(501), down).len(), 2, "both may be lost");
        assert!(outgoing.take(at(1100), down).is_empty(), "a repetition waits longer");
        outgoing.heard(&[service("a")]);
        assert_eq!(outgoing.patience(), limits::RESEND);
    }

    #[test]
    fn another_state_is_said_at_once() {
        let mut outgoing = Outgoing::default();
        outgoing.add(service("a"));
        assert_eq!(outgoing.take(at(0), |_| Some(pair(HealthState::Down))).len(), 1);
        assert_eq!(outgoing.take(at(1), |_| Some(pair(HealthState::Up))).len(), 1);
        assert!(outgoing.take(at(2), |_| None).is_empty());
        assert!(outgoing.pending.is_empty());
    }
}
