//! Reports and the loss of observers, at apply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::events::EventKind;
use super::facts::Evidence;
use super::outcome::{Applied, RefusalReason, Refused};
use super::state::{Entry, Ledger};
use crate::kernel::domain::{Incarnation, MemberId, ServiceName, StatePair};
use crate::kernel::health::Verdict;

/// Verdicts of some services on both planes.
type Verdicts = Vec<(ServiceName, [Verdict; 2])>;

impl Ledger {
    pub(super) fn report(
        &mut self,
        entry: &mut Entry,
        observer: MemberId,
        word: (Incarnation, u64),
        isolated: bool,
        states: BTreeMap<ServiceName, StatePair>,
    ) {
        let Some(config) = self.config.clone() else {
            return refuse(entry, RefusalReason::NotConfigured);
        };
        if !config.is_observer(observer) || !self.is_news(observer, word) {
            return refuse(entry, RefusalReason::OldNews(observer));
        }
        let known = |service: &ServiceName| config.services.contains_key(service);
        let new_process =
            self.observers.get(&observer).is_none_or(|state| state.incarnation < word.0);
        let mut touched: BTreeSet<ServiceName> =
            states.keys().filter(|s| known(s)).cloned().collect();
        let was = self.observers.get(&observer);
        let was_lost = was.is_some_and(|was| was.lost);
        // All that it reported is forgotten, counts again, or no longer does.
        if let Some(was) = was.filter(|was| new_process || was.lost || was.isolated != isolated) {
            touched.extend(was.states.keys().cloned());
        }
        let touched: Vec<ServiceName> = touched.into_iter().collect();
        let before = self.verdicts(&touched);
        let state = self.observers.entry(observer).or_default();
        state.incarnation = word.0;
        state.seq = word.1;
        state.lost = false;
        state.isolated = isolated;
        let held = Arc::make_mut(&mut state.states);
        if new_process {
            held.clear();
        }
        held.extend(states.into_iter().filter(|(service, _)| known(service)));
        self.note_flaps(before);
        if was_lost {
            self.tell_observer(entry, observer, "is heard again");
        }
        entry.applied.push(Applied::Reported(observer, touched));
    }

    pub(super) fn observer_lost(
        &mut self,
        entry: &mut Entry,
        observer: MemberId,
        incarnation: Incarnation,
    ) {
        let Some(state) = self.observers.get_mut(&observer) else { return };
        if state.incarnation == incarnation && !state.lost {
            state.lost = true;
            entry.applied.push(Applied::Lost(observer));
            self.tell_observer(entry, observer, "fell silent");
        }
    }

    pub(super) fn tell_observer(&mut self, entry: &mut Entry, observer: MemberId, what: &str) {
        let name = self.config.as_ref().and_then(|config| config.name_of(observer));
        let name = name.map_or_else(|| observer.to_string(), ToString::to_string);
        self.tell(entry, EventKind::Observer, None, format!("{name} {what}"));
    }

    /// Whether (incarnation, seq) is greater than what the observer said before.
    pub(super) fn is_news(&self, observer: MemberId, word: (Incarnation, u64)) -> bool {
        self.observers.get(&observer).is_none_or(|state| word > (state.incarnation, state.seq))
    }

    fn verdicts(&self, services: &[ServiceName]) -> Verdicts {
        let both = |service: &ServiceName| {
            [0, 1].map(|plane| self.verdict(service, plane, Evidence::Reports))
        };
        services.iter().map(|service| (service.clone(), both(service))).collect()
    }

    /// Notes each service that went down just now: planes that do so too often are unstable. Where nothing was
    /// known before, nothing went down: it is the observers that came back.
    fn note_flaps(&mut self, before: Verdicts) {
        let now = self.time;
        for (service, was) in before {
            for (plane, was) in was.into_iter().enumerate() {
                let is = self.verdict(&service, plane, Evidence::Reports);
                if matches!(was, Verdict::Down | Verdict::NoData) || is != Verdict::Down {
                    continue;
                }
                let keep = self.flap_times_kept(&service);
                let flaps = Arc::make_mut(&mut self.flaps);
                let times = &mut flaps.entry(service.clone()).or_default()[plane];
                times.push(now);
                let excess = times.len().saturating_sub(keep);
                times.drain(..excess);
            }
        }
    }

    fn flap_times_kept(&self, service: &ServiceName) -> usize {
        let limit = self
            .group_of
            .get(service)
            .and_then(|group| self.config.as_ref()?.groups.get(group)?.policy.flap_limit);
        limit.map_or(0, |limit| usize::try_from(limit.downs).unwrap_or(usize::MAX))
    }
}

fn refuse(entry: &mut Entry, reason: RefusalReason) {
    entry.applied.push(Applied::Refused(Refused::Report, reason));
}
