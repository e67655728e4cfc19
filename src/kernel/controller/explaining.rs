//! Explaining a group: what every observer has seen of its services. The others are asked; who does not answer in time is
//! left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::peer::PeerMessage;
use super::{Controller, Output, RequestId, Response, Traffic, limits};
use crate::kernel::domain::{GroupName, MemberId, Moment};
use crate::kernel::health::{Prober, Seen};
use crate::kernel::ledger::{ALARMS_SINCE, Cluster};

/// One group that is being explained.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Wanted {
    request: RequestId,
    waiting: BTreeSet<MemberId>,
    #[serde(with = "crate::kernel::domain::as_text")]
    seen: BTreeMap<MemberId, Arc<Seen>>,
    until: Moment,
}

/// All of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Explaining {
    counter: u64,
    wanted: BTreeMap<u64, Wanted>,
}

impl Explaining {
    pub(super) fn next_due(&self) -> Moment {
        self.wanted.values().map(|wanted| wanted.until).min().unwrap_or(Moment::NEVER)
    }
}

impl Controller {
    /// The state is as fresh as the request demands: ask the others what they have seen.
    pub(super) fn begin_explain(&mut self, request: RequestId, group: &GroupName) {
        let mut seen = BTreeMap::new();
        seen.insert(self.me, Arc::new(self.own_seen(group)));
        self.explaining.counter += 1;
        let ask = self.explaining.counter;
        let members = self.file.members.keys().copied().filter(|member| *member != self.me);
        let members = members.filter(|member| self.agreement.known_by(*member) >= ALARMS_SINCE);
        let observers = self.ledger.config().map(|config| config.observers.keys().copied());
        let waiting: BTreeSet<MemberId> = members
            .chain(observers.into_iter().flatten())
            .filter(|observer| !self.is_silent(*observer))
            .collect();
        let frame = PeerMessage::WantSeen { ask, group: group.clone() }.encode();
        for to in waiting.iter().copied() {
            let (frame, traffic) = (frame.clone(), Traffic::Normal);
            self.outputs.push_back(Output::Send { to, frame, traffic });
        }
        let until = self.now + limits::EXPLAIN_WAITS;
        self.explaining.wanted.insert(ask, Wanted { request, waiting, seen, until });
        self.serve_explained();
    }

    /// What this observer has seen of a group's services, as many as one answer holds.
    fn own_seen(&self, group: &GroupName) -> Seen {
        let config = self.ledger.config();
        config.map(|config| seen_of(&self.prober, config, group, self.now)).unwrap_or_default()
    }

    /// Another member wants to know.
    pub(super) fn on_want_seen(&mut self, from: MemberId, ask: u64, group: &GroupName) {
        let frame = seen_frame(ask, &self.own_seen(group));
        self.outputs.push_back(Output::Send { to: from, frame, traffic: Traffic::Normal });
    }

    /// Another observer answers.
    pub(super) fn on_seen(&mut self, from: MemberId, ask: u64, seen: &str) {
        let Some(wanted) = self.explaining.wanted.get_mut(&ask) else { return };
        if !wanted.waiting.remove(&from) {
            return;
        }
        // A newer version may tell more than this one reads; what it cannot read at all is left out.
        if let Ok(seen) = serde_json::from_str::<Seen>(seen) {
            wanted.seen.insert(from, Arc::new(seen));
        }
    }

    /// Answers what everybody has answered, or what has waited for long enough.
    pub(super) fn serve_explained(&mut self) {
        let now = self.now;
        let ready: Vec<u64> = self
            .explaining
            .wanted
            .iter()
            .filter(|(_, wanted)| wanted.waiting.is_empty() || wanted.until <= now)
            .map(|(ask, _)| *ask)
            .collect();
        for ask in ready {
            let Some(wanted) = self.explaining.wanted.remove(&ask) else { continue };
            // Its time may have run out meanwhile, and it has been answered.
            if !self.requests.waits(wanted.request) {
                continue;
            }
            let mut view = self.make_view(Some(Arc::new(self.prober.clone())));
            view.seen = wanted.seen;
            self.reply(wanted.request, Response::Read(Arc::new(view)));
        }
    }

    /// Whether a member was not heard for so long that nobody waits for it.
    fn is_silent(&self, member: MemberId) -> bool {
        let silence = self.timing().observer_silence;
        self.heard.get(&member).is_none_or(|at| self.now.since(*at) > silence)
    }
}

/// What a prober has seen of a group's services, as many as one answer holds.
pub(super) fn seen_of(prober: &Prober, config: &Cluster, group: &GroupName, now: Moment) -> Seen {
    let Some(settings) = config.groups.get(group) else { return Seen::new() };
    let planes = config.planes.each_ref().map(|plane| &plane.name);
    let services = settings.services.iter().take(limits::EXPLAINED_SERVICES);
    services
        .filter_map(|service| {
            let seen = prober.seen(service, now)?;
            let by_plane = planes.into_iter().cloned().zip(seen).collect();
            Some((service.clone(), by_plane))
        })
        .collect()
}

/// The answer to a member that wants to know.
pub(super) fn seen_frame(ask: u64, seen: &Seen) -> Bytes {
    let seen = serde_json::to_string(seen).expect("names, numbers and words are all JSON");
    PeerMessage::Seen { ask, seen }.encode()
}
